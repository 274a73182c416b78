"""Notices when built-in recurrent code runs, and can poison it.

The code objects of Keras' recurrent functions are replaced in place, so that every alias, subclass and `getattr` trick
ends in the same wire. A wire says its name and goes on: an honest run pays nothing. That a wire fired proves nothing
yet (printing ``lstm(x).shape`` inside ``call`` is honest): the second witness is a run in which recurrent code returns
NaN. If that changes the answer, the answer came from there.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import pkgutil
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf
from channel import HEADER
from lockdown import RESULT

LAYER_MODULES = {
    "3": "keras.src.layers.rnn",
    "2": "tf_keras.src.layers.rnn",
}
FUNCTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "3": {
        "keras.src.backend.tensorflow.rnn": ("rnn", "lstm", "gru"),
        "keras.src.legacy.backend": ("rnn",),
    },
    "2": {"tf_keras.src.backend": ("rnn",)},
}
RAW_OPS = ("BlockLSTM", "BlockLSTMV2", "LSTMBlockCell", "GRUBlockCell", "CudnnRNN", "CudnnRNNV2", "CudnnRNNV3")

#: (name of the wire, object whose method it was) of every recurrent call since the list was last cleared.
fired: list[tuple[str, Any]] = []
poisoned = False


def arm(generation: str) -> None:
    """Wire everything recurrent that this Keras generation offers."""
    for name, function in _recurrent_functions(generation):
        _wire(name, function)
    for op in RAW_OPS:
        _wire(f"raw_ops.{op}", getattr(tf.raw_ops, op))


def _recurrent_functions(generation: str) -> Iterator[tuple[str, types.FunctionType]]:
    package = importlib.import_module(LAYER_MODULES[generation])
    for module_name in _submodules(package):
        module = importlib.import_module(module_name)
        for cls in vars(module).values():
            if (
                isinstance(cls, type)
                and cls.__module__ == module_name
                and isinstance(vars(cls).get("call"), types.FunctionType)
            ):
                yield cls.__name__, vars(cls)["call"]
    for module_name, functions in FUNCTIONS[generation].items():
        module = importlib.import_module(module_name)
        for function in functions:
            yield f"backend.{function}", inspect.unwrap(getattr(module, function))


def _submodules(package: types.ModuleType) -> list[str]:
    names = [info.name for info in pkgutil.iter_modules(package.__path__)]
    return [f"{package.__name__}.{name}" for name in names if not name.endswith("_test") and name != "time_distributed"]


def _wire(name: str, function: types.FunctionType) -> None:
    original = types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    original.__kwdefaults__ = function.__kwdefaults__
    signature = inspect.signature(function)

    # Ready to be sent, by means that are out of the student's easy reach: what is only noted here can be erased here.
    write, body = os.write, json.dumps({"event": "tripped", "name": name}).encode()
    frame = HEADER.pack(len(body), 0) + body

    def trip(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if _inside_time_distributed():
            return original(*args, **kwargs)
        write(RESULT, frame)
        fired.append((name, args[0] if args else None))
        result = original(*args, **kwargs)
        return tf.nest.map_structure(_poison, result) if poisoned else result

    function.__code__ = _calling(trip, function)
    function.__defaults__ = None
    function.__kwdefaults__ = None
    # Keras looks at the signature of `call` when a layer is made.
    function.__signature__ = signature  # type: ignore[attr-defined]


def _calling(trip: Callable[..., Any], function: types.FunctionType) -> types.CodeType:
    """Code that only calls `trip`, and fits into `function` (same free variables)."""

    def template(*args: Any, **kwargs: Any) -> Any:
        call: Any = "trip"  # the constant is replaced below
        return call(args, kwargs)

    code = template.__code__
    return code.replace(
        co_consts=tuple(trip if constant == "trip" else constant for constant in code.co_consts),
        co_freevars=function.__code__.co_freevars,
        co_name=function.__code__.co_name,
        co_filename=function.__code__.co_filename,
    )


def _inside_time_distributed() -> bool:
    """Keras 2 runs TimeDistributed through `backend.rnn`; that is not recurrent code of the student."""
    frame: types.FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename.endswith("time_distributed.py"):
            return True
        frame = frame.f_back
    return False


def _poison(value: Any) -> Any:
    dtype = getattr(value, "dtype", None)
    if dtype is not None and tf.as_dtype(dtype).is_floating:
        return value * float("nan")
    return value
