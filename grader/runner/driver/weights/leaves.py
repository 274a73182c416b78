"""Finds the weights that can be reached from the student's model, under any names and in any containers."""

import contextlib
import functools
import gc
import re
import sys
import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.ops import EagerTensor
from tensorflow.python.ops.resource_variable_ops import ResourceVariable

from driver.student.observations import watchable
from driver.student.student_module import MODULE_NAME, is_plain, is_recurrent

# The number of gates whose weights are in it, the array of the Keras layer that it is a part of, and its layout.
Use = tuple[int, str, str]

# Objects of Python's that lead to all the rest of the program.
NO_HOLDERS = (types.ModuleType, types.FrameType)


class Constant:
    """An array of NumPy, or a tensor that is no variable, in the place of a weight: no gradient reaches it."""

    trainable = True

    def __init__(self, holder: Any, key: Any) -> None:
        self._holder, self._key = holder, key
        self.shape, self.dtype = tuple(holder[key].shape), holder[key].dtype

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self._holder[self._key], dtype)

    @property
    def value(self) -> tf.Tensor:
        return tf.constant(self._holder[self._key])

    def assign(self, value: np.ndarray) -> None:
        self._holder[self._key] = tf.constant(value, self.dtype)


@dataclass(eq=False)
class Leaf:
    """One weight, or a Dense layer that was never called (its kernel does not exist)."""

    path: str
    variable: Any
    shape: tuple[int, ...] | None
    layer: str | None = None  # path of the Dense layer that it belongs to
    built_in: bool = False  # whether it belongs to a recurrent layer of Keras
    holder: str | None = None  # the outermost object around it that is no layer: Keras does not look inside
    layout: str = "plain"  # how its axes stand, see `sort_by_shape`
    gates: int = 1  # of how many gates it holds columns, see `sort_by_shape`
    is_square: bool = False  # its shape fits more than one layout
    use: Use | None = None  # what it is for, where a model of other sizes showed that

    @property
    def is_kernel(self) -> bool:
        return self.layer is not None and self.path.endswith(".kernel")

    def is_shaped(self, *shapes: tuple[int, ...]) -> bool:
        """Return whether it has one of these shapes, apart from axes of length 1."""
        return any(self.bare == tuple(length for length in shape if length != 1) for shape in shapes)

    @functools.cached_property
    def bare(self) -> tuple[int, ...]:
        """Return its shape without axes of length 1."""
        return tuple(length for length in self.shape or () if length != 1)

    def assign(self, value: np.ndarray) -> None:
        """Give it numbers of its own shape."""
        # A variable of Keras 3 holds one of TensorFlow, and converts and reads more than it needs to fill that.
        held = watchable(self.variable)
        if isinstance(held, ResourceVariable) and held.dtype == value.dtype:
            held.assign(value, read_value=False)
        else:
            self.variable.assign(value)


@contextlib.contextmanager
def restored(leaves: Iterable[Leaf]) -> Iterator[None]:
    """Give weights their present numbers back, whatever is done to them meanwhile."""
    before = [(leaf, np.array(leaf.variable)) for leaf in leaves]
    try:
        yield
    finally:
        for leaf, value in before:
            leaf.assign(value)


def find_leaves(model: Any, names: dict[str, Any]) -> list[Leaf]:
    """List every weight reachable from the model; if there is none, from what the module defines.

    Where there are none either, constants of the model are its weights.
    """
    reached = list(_walk(model, "", set()))
    leaves = _without_constants(reached)
    if not leaves:
        seen: set[int] = set()
        for name, value in list(names.items()):
            leaves += _without_constants(_held(name, _walk(value, name, seen)))
        if all(leaf.built_in for leaf in leaves):
            leaves = reached or leaves
    # A kernel kept under a second name is its layer's.
    of_layers = {id(leaf.variable) for leaf in leaves if leaf.layer and leaf.variable is not None}
    leaves = [leaf for leaf in leaves if leaf.layer or id(leaf.variable) not in of_layers]
    # A Keras layer kept for comparison has the right shapes too: the student's own weights come first.
    own = [leaf for leaf in leaves if not leaf.built_in]
    return own if any(leaf.variable is not None for leaf in own) else leaves


def _without_constants(leaves: Iterable[Leaf]) -> list[Leaf]:
    return [leaf for leaf in leaves if not isinstance(leaf.variable, Constant)]


def _is_variable(value: Any) -> bool:
    # Keras 3 variables are no tf.Variable. Attributes of a student's own object may hold anything. A slice of a
    # variable is a tensor with an `assign` of its own.
    if isinstance(value, tf.Tensor) or (is_plain(value) and not isinstance(value, tf.Variable)):
        return False
    return hasattr(value, "assign") and hasattr(value, "shape") and hasattr(value, "dtype")


def _walk(value: Any, path: str, seen: set[int], holder: Any = None, key: Any = None) -> Iterator[Leaf]:
    """Find weights below `value`, which something must hold: `seen` has ids, and ids of freed objects are reused.

    Args:
        holder: where ``holder[key]`` can be replaced; None: it cannot.
    """
    if id(value) in seen:
        return
    if is_recurrent(value):
        seen.add(id(value))
        for name, item in list(vars(value).items()):
            for leaf in _walk(item, f"{path}.{name}", seen):
                leaf.built_in = True
                yield leaf
        return
    seen.add(id(value))
    if _is_variable(value):
        # One that takes values of any size has the shape of its value.
        shape = value.shape if tf.TensorShape(value.shape).is_fully_defined() else np.array(value).shape
        yield Leaf(path, value, tuple(shape))
    elif isinstance(value, dict):
        for key, item in list(value.items()):
            yield from _walk(item, f"{path}[{key!r}]", seen, value, key)
    elif isinstance(value, (list, tuple, set)):
        for index, item in enumerate(value):
            yield from _walk(item, f"{path}[{index}]", seen, value if isinstance(value, list) else None, index)
    elif isinstance(value, np.ndarray):
        if value.dtype.kind == "f" and value.flags.writeable:
            yield Leaf(path, Constant(value, ...), value.shape)
        for index, item in enumerate(value.flat if value.dtype == object else ()):
            yield from _held(path, _walk(item, f"{path}[{index}]", seen))
    elif isinstance(value, EagerTensor):
        if holder is not None and value.dtype.is_floating and value.shape.rank:
            yield Leaf(path, Constant(holder, key), tuple(value.shape))
    elif isinstance(value, types.FunctionType):
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            if cell != types.CellType():  # else that name is not bound yet
                yield from _held(path, _walk(cell.cell_contents, f"{path}.{name}", seen))
    elif isinstance(value, tf.keras.layers.Layer | tf.Module) or is_plain(value):
        internal, held = _internal_names(value), getattr(value, "__dict__", {})
        is_layer = isinstance(value, tf.keras.layers.Layer)
        if isinstance(value, tf.keras.layers.Dense):
            # A Dense that was built has a kernel. One that `call` never uses has none, but still has a name.
            kernel, bias = (getattr(value, name, None) if value.built else None for name in ("kernel", "bias"))
            yield Leaf(f"{path}.kernel", kernel, tuple(kernel.shape) if kernel is not None else None, layer=path)
            if bias is not None:
                yield Leaf(f"{path}.bias", bias, tuple(bias.shape), layer=path)
            seen |= {id(kernel), id(bias)}
        elif is_layer and not getattr(value, "built", True) and path and type(value).__module__ == MODULE_NAME:
            # A layer of the student's own that was never called: only its name exists.
            yield Leaf(f"{path}.kernel", None, None, layer=path)
        # A Dense of the student's own may have weights that Keras' own lacks.
        for name, item in _attributes(value) if type(value) is not tf.keras.layers.Dense else ():
            if name not in internal:
                found = _walk(item, f"{path}.{name}".lstrip("."), seen, held if name in held else None, name)
                yield from found if is_layer else _held(path, found)
        # Keras 2 keeps the layers of a functional model in its bookkeeping only.
        if isinstance(value, tf.keras.Sequential) or (is_layer and getattr(value, "_is_graph_network", False)):
            for index, layer in enumerate(value.layers):
                yield from _walk(layer, f"{path}[{index}]", seen)
    elif isinstance(value, type):
        for name, item in list(vars(value).items()) if value.__module__ == MODULE_NAME else ():
            yield from _held(path, _walk(item, f"{path}.{name}", seen))
    elif type(value).__module__ in sys.stdlib_module_names and not isinstance(value, NO_HOLDERS):
        # An object of Python's own: a deque, a partial, a method, a namespace.
        for name, item in [*_attributes(value), *enumerate(gc.get_referents(value))]:
            yield from _held(path, _walk(item, f"{path}.{name}", seen))


def _held(path: str, leaves: Iterable[Leaf]) -> Iterator[Leaf]:
    for leaf in leaves:
        leaf.holder = path
        yield leaf


def untracked(model: Any, leaves: Iterable[Leaf]) -> dict[str, str]:
    """Find weights that ``model.trainable_weights`` does not list, so that `fit` would not train them.

    Returns: names of the objects that hold them -> ``holder``; names of weights in a layer itself -> ``variable``, or
        ``frozen`` where they are not to be trained; of constants -> ``constant``. Names are written as in the model's
        own methods.
    """
    tracked = {id(variable) for variable in model.trainable_variables}
    lost = [leaf for leaf in leaves if leaf.variable is not None and id(leaf.variable) not in tracked]
    own = {name for name, _ in _attributes(model)}

    def written(path: str) -> str:
        return f"self.{path}" if re.split(r"[.\[]", path)[0] in own else path

    def kind(leaf: Leaf) -> str:
        if isinstance(leaf.variable, Constant):
            return "constant"
        return "holder" if leaf.holder else "variable" if getattr(leaf.variable, "trainable", True) else "frozen"

    return {written(leaf.holder or leaf.path): kind(leaf) for leaf in lost}


def _attributes(value: Any) -> list[tuple[str, Any]]:
    """List what an object holds, in a student's slots too. Nothing that computes an attribute is called."""
    held = dict(getattr(value, "__dict__", {}))
    slots = {
        name: slot
        for base in reversed(type(value).__mro__)
        for name, slot in vars(base).items()
        if isinstance(slot, types.MemberDescriptorType) and base.__module__ == MODULE_NAME
    }
    for name, slot in slots.items():
        with contextlib.suppress(AttributeError):  # the slot is empty
            held[name] = slot.__get__(value)
    return list(held.items())


_INTERNAL: dict[type, frozenset[str]] = {}


def _internal_names(value: Any) -> frozenset[str]:
    """Return attributes that Keras itself puts on every model or layer, read off a sample without any of ours."""
    base = next((kind for kind in (tf.keras.Model, tf.keras.layers.Layer) if isinstance(value, kind)), None)
    if base is None:
        return frozenset()
    if base not in _INTERNAL:
        sample = base()
        sample.own = tf.keras.layers.Layer()  # some of its bookkeeping appears with the first sub-layer
        _INTERNAL[base] = frozenset(vars(sample)) - {"own"}
    return _INTERNAL[base]
