"""Takes recurrent code out of a warm process, before its first fork and for good.

No check can hold inside the interpreter that it guards, so the process that runs submissions holds nothing worth
reaching. The *leaf* functions of recurrent code, which compute a cell's step or repeat one, return NaN in the right
structure (recurrent_stubs.py), and their original code is gone. Keras' own glue above them (layers, wrappers, masks,
states) stays. Every alias, subclass and `getattr` trick meets the same, since the code inside the function objects is
replaced.

There is nothing to switch back: no original is kept, not here and not in any closure. A run of one of these functions
is noted for the words of the report alone. `no_kernels` handles the kernels below Python, and `Wall.hide` the files
that all of this came from.

A notebook's own run is the exception: it compares with Keras' layer, so these functions are only lent to it, and are
`absent` while the student's class is called. Code that searches the process for them finds them.
"""

import contextlib
import importlib
import inspect
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import op_def_registry

from driver.built_in import copies
from driver.built_in import recurrent_stubs as stubs
from driver.built_in.recurrent_stubs import Behaviour
from driver.student.observations import MAX_NAME
from driver.student.student_module import FILE_NAME, MODULE_NAME

DEEPEST_CALL = 200
MOST_NOTED = 100
MOST_TOLD = 20

KERAS3_CELLS = tuple(f"keras.src.layers.rnn.{name}" for name in ("lstm", "gru", "simple_rnn", "conv_lstm"))
KERAS2_CELLS = tuple(
    f"tf_keras.src.layers.rnn.{name}"
    for name in ("lstm", "gru", "simple_rnn", "base_conv_lstm", "lstm_v1", "gru_v1", "legacy_cells")
)
# TensorFlow still ships its old Keras, which any code can import under either generation.
OLD_CELLS = tuple(
    f"tensorflow.python.keras.layers.{name}"
    for name in ("recurrent", "convolutional_recurrent", "legacy_rnn.rnn_cell_impl")
)
# These only call another cell, or have no step at all.
GLUE_CELLS = frozenset({"RNNCell", "AbstractRNNCell", "LayerRNNCell", "MultiRNNCell", "DropoutRNNCell"})


# The Python functions of the kernels.
OPERATIONS = ("tensorflow.python.ops.gen_rnn_ops", "tensorflow.python.ops.gen_cudnn_rnn_ops")


@dataclass(frozen=True)
class StubRun:
    """A run of a replaced function: its name, the layer it ran for, and the student's line that led there."""

    name: str
    layer: Any
    line: int | None


#: Runs since it was last cleared, and functions traced into a graph, where nobody sees them run.
ran: dict[tuple[str, int, int | None], StubRun] = {}
traced: dict[tuple[str, int, int | None], StubRun] = {}
# Whether recurrent code that is lent works now.
_is_lent = True


def remove(generation: str) -> list[str]:
    """Replace everything recurrent that this Keras generation and TensorFlow offer. Called once, in the warm process.

    Returns: the files of the replaced functions, each once.
    """
    global _is_lent
    files: dict[int, str] = {}
    for name, function, behaviour in _leaves(generation):
        if id(function) not in files:
            files[id(function)] = function.__code__.co_filename
            copies.learn(name, function.__code__)
            function.__code__ = _replacement(name, function, behaviour)
            function.__defaults__ = function.__kwdefaults__ = function.__doc__ = None
    _answer_by_name()
    _is_lent = False
    return list(files.values())


def lend(generation: str) -> list[str]:
    """Let recurrent code work only outside `absent`, and not in graphs, which could be run in there.

    Called once, in the warm process. Returns: as `remove`.
    """
    files: dict[int, str] = {}
    for name, function, behaviour in _leaves(generation):
        if id(function) not in files:
            files[id(function)] = function.__code__.co_filename
            function.__code__ = _replacement(name, function, behaviour, _copy_of(function))
    return list(files.values())


@contextlib.contextmanager
def absent() -> Iterator[None]:
    """Answer NaN for everything recurrent, for a while. Notes of runs begin anew."""
    global _is_lent
    ran.clear()
    traced.clear()
    before, _is_lent = _is_lent, False
    try:
        yield
    finally:
        _is_lent = before


def noted_runs(names: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List runs of replaced functions since they were last cleared: for which layer, and the student's line.

    Args:
        names: the variables of the student's module.
    """
    layers = {id(value) for value in names.values() if isinstance(value, tf.keras.layers.Layer)}
    return [
        {
            "name": each.name,
            "layer": type(each.layer).__name__[:MAX_NAME] if each.layer is not None else None,
            "line": each.line,
            "is_global": id(each.layer) in layers,
        }
        for each in [*ran.values(), *traced.values()][:MOST_TOLD]
    ]


def _leaves(generation: str) -> Iterator[tuple[str, types.FunctionType, Behaviour]]:
    if generation == "3":
        yield from _cells(KERAS3_CELLS)
        yield from _functions("keras.src.backend.tensorflow.rnn", ["rnn"], stubs.repeat)
        yield from _functions("keras.src.legacy.backend", ["rnn"], stubs.repeat)
        fused = ["lstm", "gru", "_cudnn_lstm", "_cudnn_gru"]
        yield from _functions("keras.src.backend.tensorflow.rnn", fused, stubs.fused)
    else:
        yield from _cells(KERAS2_CELLS)
        yield from _functions("tf_keras.src.backend", ["rnn"], stubs.repeat)
        for cell in ("lstm", "gru"):
            names = [f"standard_{cell}", f"gpu_{cell}", f"{cell}_with_backend_selection"]
            yield from _functions(f"tf_keras.src.layers.rnn.{cell}", names, stubs.whole_sequence)
            module = importlib.import_module(f"tf_keras.src.layers.rnn.cudnn_{cell}")
            layer = getattr(module, f"CuDNN{cell.upper()}")
            yield layer.__name__, vars(layer)["_process_batch"], stubs.process_batch
    yield from _cells(OLD_CELLS)
    yield from _functions("tensorflow.python.keras.backend", ["rnn"], stubs.repeat)
    yield from _functions("tensorflow.python.ops.rnn", ["dynamic_rnn", "_dynamic_rnn_loop"], stubs.dynamic_rnn)
    yield from _functions("tensorflow.python.ops.rnn", ["static_rnn"], stubs.static_rnn)
    others = ["raw_rnn", "_rnn_step", "static_state_saving_rnn"]
    yield from _functions("tensorflow.python.ops.rnn", others, stubs.not_here)
    for module_name in OPERATIONS:
        yield from _operations(importlib.import_module(module_name))


def _cells(modules: Iterable[str]) -> Iterator[tuple[str, types.FunctionType, Behaviour]]:
    inner = ("_compute_carry_and_output", "_compute_carry_and_output_fused")
    methods = {"call": stubs.step, **dict.fromkeys(inner, stubs.carry)}
    for module_name in modules:
        for cls in list(vars(importlib.import_module(module_name)).values()):
            is_cell = isinstance(cls, type) and cls.__module__ == module_name and cls.__name__.endswith("Cell")
            if is_cell and cls.__name__ not in GLUE_CELLS:
                for method, behaviour in methods.items():
                    if isinstance(function := vars(cls).get(method), types.FunctionType):
                        yield cls.__name__, function, behaviour


def _functions(
    module_name: str, names: Iterable[str], behaviour: Behaviour
) -> Iterator[tuple[str, types.FunctionType, Behaviour]]:
    module = importlib.import_module(module_name)
    for name in names:
        yield f"backend.{name}", inspect.unwrap(getattr(module, name)), behaviour


def _operations(module: types.ModuleType) -> Iterator[tuple[str, types.FunctionType, Behaviour]]:
    """Yield the kernels' Python functions, under both of their names, and the fallbacks these call."""
    for name, function in list(vars(module).items()):
        if isinstance(function, types.FunctionType) and function.__module__ == module.__name__:
            yield f"raw_ops.{name}", inspect.unwrap(function), stubs.operation(module, name)
    for name, function in list(vars(tf.raw_ops).items()):
        output = f"_{name}Output"
        if output in vars(module) and isinstance(function, types.FunctionType):
            yield f"raw_ops.{name}", inspect.unwrap(function), stubs.operation(module, name)


def _replacement(
    name: str, function: types.FunctionType, behaviour: Behaviour, lent: Callable[..., Any] | None = None
) -> types.CodeType:
    signature = inspect.signature(function)
    # Keras looks at the signature of `call` when a layer is made.
    function.__signature__ = signature  # type: ignore[attr-defined]

    def stub(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if lent and _is_lent and tf.executing_eagerly():
            return lent(*args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        if behaviour is not stubs.repeat or stubs.repeats(bound.arguments):
            _note(name)
        return behaviour(bound.arguments)

    return _calling(stub, function)


def _copy_of(function: types.FunctionType) -> types.FunctionType:
    copy = types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _calling(stub: Callable[..., Any], function: types.FunctionType) -> types.CodeType:
    """Make code that only calls `stub`, and fits into `function` (same free variables)."""

    def template(*args: Any, **kwargs: Any) -> Any:
        call: Any = "stub"  # the constant is replaced below
        return call(args, kwargs)

    code = template.__code__
    return code.replace(
        co_consts=tuple(stub if constant == "stub" else constant for constant in code.co_consts),
        co_freevars=function.__code__.co_freevars,
        co_name=function.__code__.co_name,
        co_filename=function.__code__.co_filename,
    )


def _answer_by_name() -> None:
    """Answer NaN for kernels that are asked for by name, below all functions: their code is gone."""
    modules = [importlib.import_module(f"tensorflow.python.{name}") for name in ("pywrap_tfe", "_pywrap_tfe")]
    execute = modules[0].TFE_Py_Execute
    kernels = {
        name: inspect.signature(getattr(tf.raw_ops, name)).parameters
        for module in OPERATIONS
        for name in vars(importlib.import_module(module))
        if isinstance(vars(tf.raw_ops).get(name), types.FunctionType)
    }

    def executing(context: Any, device: Any, kernel: str | bytes, inputs: Any, attributes: Any, *rest: Any) -> Any:
        name = kernel.decode() if isinstance(kernel, bytes) else kernel
        if name not in kernels:
            return execute(context, device, kernel, inputs, attributes, *rest)
        given = dict(zip([each.name for each in op_def_registry.get(name).input_arg], inputs, strict=False))
        named = dict(zip(attributes[::2], attributes[1::2], strict=False))
        given |= {key: value for key, value in named.items() if key in kernels[name] and key not in given}
        return list(getattr(tf.raw_ops, name)(**given))

    for module in modules:
        vars(module)["TFE_Py_Execute"] = executing


def _note(name: str) -> None:
    if _is_lent:
        return  # a graph of the notebook's own
    layer, line = None, None
    frame: types.FrameType | None = sys._getframe(2)
    for _ in range(DEEPEST_CALL):
        if frame is None or line is not None:
            break
        if frame.f_code.co_filename == FILE_NAME:
            line = frame.f_lineno
        elif isinstance(owner := frame.f_locals.get("self"), tf.keras.layers.Layer):
            layer = owner if type(owner).__module__ != MODULE_NAME else layer  # the outermost before the student's own
        frame = frame.f_back
    notes = ran if tf.executing_eagerly() else traced
    if len(notes) < MOST_NOTED:
        notes.setdefault((name, id(layer), line), StubRun(name, layer, line))
