"""Notices when built-in recurrent code runs, and can poison it.

The code objects of Keras' recurrent functions are replaced in place, so that every alias, subclass and `getattr` trick
ends in the same wire. A wire says its name and goes on: an honest run pays nothing. That a wire fired proves nothing
yet (printing ``lstm(x).shape`` inside ``call`` is honest): the second witness is a run in which recurrent code returns
NaN. If that changes the answer, the answer came from there.
"""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf
from channel import frame
from copies import Copies
from lockdown import RESULT

LAYER_MODULES = {
    "3": "keras.src.layers.rnn",
    "2": "tf_keras.src.layers.rnn",
}
# TensorFlow still holds the Keras it once was, which anybody can import under either generation.
OLD_LAYER_MODULES = (
    "tensorflow.python.keras.layers.recurrent",
    "tensorflow.python.keras.layers.convolutional_recurrent",
    "tensorflow.python.keras.layers.legacy_rnn.rnn_cell_impl",
)
FUNCTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "3": {
        "keras.src.backend.tensorflow.rnn": ("rnn", "lstm", "gru"),
        "keras.src.legacy.backend": ("rnn",),
    },
    "2": {"tf_keras.src.backend": ("rnn",)},
}
OLD_FUNCTIONS = {
    "tensorflow.python.keras.backend": ("rnn",),
    "tensorflow.python.ops.rnn": ("dynamic_rnn", "raw_rnn", "static_rnn"),
}
RAW_OPS = ("BlockLSTM", "BlockLSTMV2", "LSTMBlockCell", "GRUBlockCell", "CudnnRNN", "CudnnRNNV2", "CudnnRNNV3")
KERNELS = frozenset(RAW_OPS) | {"BlockLSTMGrad", "GRUBlockCellGrad", "CudnnRNNBackprop"}
# Where an operation is executed by its name, and which argument that is.
EXECUTORS = {"TFE_Py_FastPathExecute": 1, "TFE_Py_Execute": 2}
# The Python functions of the same kernels, under the names that TensorFlow gives them.
KERNEL_MODULES = ("tensorflow.python.ops.gen_rnn_ops", "tensorflow.python.ops.gen_cudnn_rnn_ops")
# Frames between a wire and who called the function: decorators of Keras' own.
DECORATORS = 3

#: (name of the wire, object whose method it was) of every recurrent call since the list was last cleared.
fired: list[tuple[str, Any]] = []
#: Of code that has a wire; made by `arm`.
copies: Copies


def arm(generation: str) -> Callable[[], None]:
    """Wire everything recurrent that this Keras generation and TensorFlow offer.

    Returns: what makes recurrent code return NaN from now on. Nothing takes that back.
    """
    global copies
    poison: list[bool] = []
    copies = Copies(
        lambda name: _trip(name, _nothing, poison)((), {}), lambda name, copy: _wire(name, copy, poison), poison
    )
    time_distributed = importlib.import_module(f"{LAYER_MODULES[generation]}.time_distributed").TimeDistributed
    exempt = inspect.unwrap(time_distributed.call).__code__
    for name, function in _recurrent_functions(generation):
        _wire(name, function, poison, exempt if name == "backend.rnn" else None)
    for op in RAW_OPS:
        _wire(f"raw_ops.{op}", getattr(tf.raw_ops, op), poison)
    for module_name in KERNEL_MODULES:
        for name, function in list(vars(importlib.import_module(module_name)).items()):
            if isinstance(function, types.FunctionType) and function.__module__ == module_name:
                _wire(f"{module_name.rpartition('.')[2]}.{name}", function, poison)
    _wire_executors(poison)
    return lambda: poison.append(True)


def _wire_executors(poison: list[bool]) -> None:
    """Kernels that are asked for by name, below all functions that have a wire. These two are not written in Python."""
    modules = [importlib.import_module(f"tensorflow.python.{name}") for name in ("pywrap_tfe", "_pywrap_tfe")]
    for executor, place in EXECUTORS.items():
        replaced = _by_name(getattr(modules[0], executor), place, poison)
        for module in modules:
            setattr(module, executor, replaced)


def _by_name(execute: Callable[..., Any], place: int, poison: list[bool]) -> Callable[..., Any]:
    trips: dict[str | bytes, Callable[..., Any]] = {}
    for kernel in KERNELS:
        trips[kernel] = trips[kernel.encode()] = _trip(f"raw_ops.{kernel}", execute, poison)

    def executing(*args: Any) -> Any:
        trip = trips.get(args[place])
        return trip(args, {}) if trip else execute(*args)

    return executing


def _recurrent_functions(generation: str) -> Iterator[tuple[str, types.FunctionType]]:
    package = importlib.import_module(LAYER_MODULES[generation])
    for module_name in (*_submodules(package), *OLD_LAYER_MODULES):
        module = importlib.import_module(module_name)
        for cls in vars(module).values():
            if (
                isinstance(cls, type)
                and cls.__module__ == module_name
                and isinstance(vars(cls).get("call"), types.FunctionType)
            ):
                yield cls.__name__, vars(cls)["call"]
    for module_name, functions in (FUNCTIONS[generation] | OLD_FUNCTIONS).items():
        module = importlib.import_module(module_name)
        for function in functions:
            yield f"backend.{function}", inspect.unwrap(getattr(module, function))


def _submodules(package: types.ModuleType) -> list[str]:
    names = [info.name for info in pkgutil.iter_modules(package.__path__)]
    return [f"{package.__name__}.{name}" for name in names if not name.endswith("_test") and name != "time_distributed"]


def _wire(
    name: str, function: types.FunctionType, poison: list[bool], exempt_caller: types.CodeType | None = None
) -> None:
    original = types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    original.__kwdefaults__ = function.__kwdefaults__
    signature = inspect.signature(function)
    trip = _trip(name, original, poison, exempt_caller)
    copies.learn(name, function, trip.__code__)
    function.__code__ = _calling(trip, function)
    function.__defaults__ = None
    function.__kwdefaults__ = None
    # Keras looks at the signature of `call` when a layer is made.
    function.__signature__ = signature  # type: ignore[attr-defined]


def _trip(
    name: str, original: Callable[..., Any], poison: list[bool], exempt_caller: types.CodeType | None = None
) -> types.FunctionType:
    """What says that a function runs, and runs it."""
    # Ready to be used, by means that are out of the student's easy reach: what is only noted here can be erased here,
    # and what has a name in this module can be replaced.
    write, executing_eagerly, map_structure = os.write, tf.executing_eagerly, tf.nest.map_structure
    called_by, to_nan = _called_by, _to_nan
    frames = {traced: frame({"event": "tripped", "name": name, "traced": traced}) for traced in (False, True)}

    def trip(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if exempt_caller is not None and called_by(exempt_caller):
            return original(*args, **kwargs)
        write(RESULT, frames[not executing_eagerly()])
        fired.append((name, args[0] if args else None))
        result = original(*args, **kwargs)
        return map_structure(to_nan, result) if poison else result

    assert isinstance(trip, types.FunctionType)
    return trip


def _nothing() -> None:
    pass


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


def _called_by(caller: types.CodeType) -> bool:
    """Keras 2 runs TimeDistributed through `backend.rnn`; that is not recurrent code of the student.

    What the layer inside it runs is further away.
    """
    frame: types.FrameType | None = sys._getframe(3)  # who called the wired function, or a decorator of it
    for _ in range(DECORATORS):
        if frame is None or frame.f_code is caller:
            return frame is not None
        frame = frame.f_back
    return False


def _to_nan(value: Any) -> Any:
    dtype = getattr(value, "dtype", None)
    if dtype is not None and tf.as_dtype(dtype).is_floating:
        return value * float("nan")
    return value
