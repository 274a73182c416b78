"""Watches the models of a notebook: which are called, on what input, and with which weights.

A call counts where the student's code makes it; calls inside a model do not. At calls that the request names, the
answer is spoiled after it was computed.
"""

import contextlib
import functools
import hashlib
import re
import types
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from box_requests import NotebookRequest, Spoil
from channel import Channel

from driver.built_in import no_recurrence
from driver.notebook.outputs import OutputRecorder
from driver.short_ways import plain_dense
from driver.short_ways.untraced_build import untraced
from driver.student.student_module import MODULE_NAME
from driver.weights import placements, recognition, roles
from driver.weights.leaves import find_leaves

# The trusted side takes no more (sandbox/protocol.py).
MAX_MODELS, MAX_MOMENTS, MAX_CALLS = 8, 100, 400
MAX_WEIGHTS_BYTES = 32 << 20
STUDENT, KERAS = "student", "keras"
#: A call that is to be made: the first of its arguments is the layer.
Call = functools.partial[Any]
# Added to an answer. A shift has the same sign everywhere but not the same size: a correlation does not notice a
# constant. The pattern takes most elements a little down and one in ten far up, and its mean is next to nothing: a
# measure that lets signs cancel reveals itself. No element gets both, unless the request says so.
SHIFT = np.array([0.6, 1.4, 0.8, 1.2], np.float32)
PATTERN = np.array([1.1, -0.15, -0.15, -0.15, -0.1, -0.1, -0.1, -0.1, -0.1, -0.1], np.float32)


@dataclass
class WatchedModel:
    """A model that was called: the student's with its sizes at that call, or a layer of Keras."""

    side: str
    model: Any
    features: int = 0
    units: int = 0


class Watch:
    """A watch on the calls of models. Args: spoils: call number -> ``by`` (shift, pattern, keras) and ``amount``."""

    def __init__(
        self,
        channel: Channel,
        outputs: OutputRecorder,
        names: dict[str, Any],
        request: NotebookRequest,
        arrays: dict[str, np.ndarray],
    ) -> None:
        self._channel = channel
        self._outputs = outputs
        self._names = names
        self._request = request
        self._arrays = arrays
        self._only_computes = request["prepared"] and request["only_computes"]
        self._spoils = {int(call): spoil for call, spoil in request["spoils"].items()}
        self._models: list[WatchedModel] = []
        self._moment = -1
        self._weights_digest = b""
        self._weights_bytes = 0
        self._calls = 0
        self._inside = False
        self._watching: set[Any] = set()
        self._own_call = re.search(r"(?<!super\(\))\.call\(", request["source"]) is not None

    def start(self) -> None:
        _randomise_weights(self._request["source"])
        original, watch = tf.keras.layers.Layer.__call__, self

        @functools.wraps(original)
        def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
            return watch._watched_call(functools.partial(original, layer, *args, **kwargs))

        tf.keras.layers.Layer.__call__ = call
        plain_dense.expect((tf.keras.layers.Layer, "__call__"))  # a plain Dense is never watched
        self._note_set_weights()

    def _note_set_weights(self) -> None:
        """Note the weights that a watched model was given at once: the next line may copy them."""
        original: Any = tf.keras.layers.Layer.set_weights

        @functools.wraps(original)
        def set_weights(layer: Any, *args: Any, **kwargs: Any) -> Any:
            result = original(layer, *args, **kwargs)
            if any(watched.model is layer for watched in self._models):
                self.note_weights()
            return result

        tf.keras.layers.Layer.set_weights = set_weights

    def after_statement(self) -> None:
        self._wrap_own_methods()
        self.note_weights()

    # --- whose call it is ------------------------------------------------------------------------------------

    def _side(self, layer: Any) -> str | None:
        own: Any = self._names.get("LSTM")
        kind = type(layer)
        # Until the class is defined, the name may stand for something from a star import.
        if isinstance(own, type) and own.__module__ == MODULE_NAME:
            if isinstance(layer, own) or (kind.__module__ == MODULE_NAME and kind.__name__ == "LSTM"):
                return STUDENT
        elif (
            not isinstance(own, type) and kind.__module__ == MODULE_NAME and not kind.__name__.lower().endswith("cell")
        ):
            return STUDENT
        return KERAS if _is_recurrent(layer) else None

    def _wrap_own_methods(self) -> None:
        """Wrap the class's own ``__call__``, which hides the watched one; and ``call``, for ``model.call(x)``."""
        own: Any = self._names.get("LSTM")
        if not isinstance(own, type) or own.__module__ != MODULE_NAME:
            return
        for kind in (kind for kind in own.__mro__ if kind.__module__ == MODULE_NAME):
            for name in ("__call__", "call") if self._own_call else ("__call__",):
                function = vars(kind).get(name)
                if isinstance(function, types.FunctionType) and function not in self._watching:
                    watching = self._watched_method(function)
                    self._watching.add(watching)
                    setattr(kind, name, watching)

    def _watched_method(self, function: types.FunctionType) -> Any:
        def call(model: Any, *args: Any, **kwargs: Any) -> Any:
            return self._watched_call(functools.partial(function, model, *args, **kwargs))

        # Keras 2 asks for the arguments of `call`, and knows no other way to hide a wrapper.
        return tf.__internal__.decorator.make_decorator(function, call)

    # --- calls -----------------------------------------------------------------------------------------------

    def _watched_call(self, call: Call) -> Any:
        layer = call.args[0]
        side = None if self._inside else self._side(layer)
        if side is None:
            return call()
        self._inside = True
        try:
            if side == STUDENT:
                output, array = self._answer_of_student(call)
                built_in = no_recurrence.noted_runs(self._names)
            else:
                output, built_in = call(), []
                array = _as_array(output)
        finally:
            self._inside = False
        if array is None:  # a symbolic call: part of building a functional model
            return output
        x = _as_array(_input(call))
        model = self._watched(side, layer, x, array)
        self.note_weights()
        number, self._calls = self._calls, self._calls + 1
        spoil = self._spoils.get(number)
        changes = spoil is not None and spoil["by"] == "weights"
        if number < MAX_CALLS:
            self._channel.send(
                "called",
                call=number,
                model=model,
                side=side,
                statement=self._outputs.statement,
                moment=self._moment,
                input=None if x is None else _digest(x),
                built_in=built_in,
                reacts=self._reaction(call) if changes else None,
            )
        return output if spoil is None or changes else self._spoil(output, array, spoil, _input(call))

    def _answer_of_student(self, call: Call) -> tuple[Any, np.ndarray | None]:
        """Call the student's class, which finds no recurrent code of Keras meanwhile; return its answer and numbers."""
        with no_recurrence.absent():
            if not self._only_computes:
                self._build(call)
            with untraced() if self._only_computes else contextlib.nullcontext():
                output = call()
            array = _as_array(output)
        # An object that computes its numbers whenever it is asked for them would do so later, too.
        late = not tf.is_tensor(output) and not isinstance(output, (np.ndarray, list, tuple, dict))
        return (output if array is None or not late else tf.constant(array)), array

    def _reaction(self, call: Call) -> float | None:
        """Return the change of the student's answer when all its weights change, as a share of the largest number."""
        leaves = [leaf.variable for leaf in find_leaves(call.args[0], self._names) if leaf.variable is not None]
        before = [np.array(variable) for variable in leaves]
        random, self._inside = np.random.default_rng(0), True
        quiet, self._outputs.quiet = self._outputs.quiet, True
        answers: list[np.ndarray] = []
        try:
            for size in (0.0, 0.0, 0.3):
                for variable, value in zip(leaves, before, strict=True):
                    variable.assign((value + random.normal(0.0, size, value.shape)).astype(value.dtype))
                array = self._answer_of_student(call)[1]
                answers.append(np.zeros(0) if array is None else array.astype(np.float64))
        except Exception:  # a second call is our idea, not the exercise's
            return None
        finally:
            for variable, value in zip(leaves, before, strict=True):
                variable.assign(value)
            self._inside, self._outputs.quiet = False, quiet
        first, second, changed = answers
        if not first.size or not first.shape == second.shape == changed.shape:
            return None
        with np.errstate(all="ignore"):
            by_itself, by_weights = np.abs(second - first).max(), np.abs(changed - second).max()
            share = float(max(0.0, by_weights - 2 * by_itself) / np.abs(second).max())
        return share if np.isfinite(share) else None

    def _build(self, call: Call) -> None:
        """Show Keras 3 one step first: it traces `call` when it builds, which takes seconds for a hundred steps."""
        layer, *args = call.args
        x = _as_array(args[0]) if args else None
        if getattr(layer, "built", True) or x is None or x.ndim != 3 or x.shape[1] < 2:
            return
        quiet, self._outputs.quiet = self._outputs.quiet, True
        try:
            call.func(layer, args[0][:, :1], *args[1:], **call.keywords)
        except Exception:  # one step is our idea, not the exercise's
            pass
        finally:
            self._outputs.quiet = quiet

    def _spoil(self, output: Any, array: np.ndarray, spoil: Spoil, x: Any) -> Any:
        other = np.array(array)
        if spoil["by"] == "keras":
            instead = self._answer_of_keras(spoil["model"], x)
            other = other if instead is None or instead.shape != array.shape else np.array(instead)
        is_pattern, everywhere = spoil["by"] == "pattern", spoil.get("everywhere") or array.size == 1
        elements = _every_other(array.shape, second=is_pattern) | everywhere
        numbers = np.resize(PATTERN if is_pattern else SHIFT, elements.sum())
        if is_pattern and numbers.size > PATTERN.size:
            rest = numbers.size % PATTERN.size  # a part of a period has another mean
            numbers[:rest] = np.resize([0.1, -0.1], rest)
        other[elements] += spoil["amount"] * numbers
        changed = other.astype(array.dtype)
        if isinstance(output, (list, tuple)):
            return type(output)([tf.constant(changed), *output[1:]])
        return changed if isinstance(output, np.ndarray) else tf.constant(changed)

    def _answer_of_keras(self, model: int, x: Any) -> np.ndarray | None:
        if model >= len(self._models):
            return None
        self._inside = True
        try:
            return _as_array(self._models[model].model(x))
        except Exception:  # its input is one that the student's model takes
            return None
        finally:
            self._inside = False

    # --- weights ---------------------------------------------------------------------------------------------

    def _watched(self, side: str, layer: Any, x: np.ndarray | None, output: np.ndarray) -> int:
        for index, watched in enumerate(self._models):
            if watched.model is layer:
                return index
        if len(self._models) < MAX_MODELS:
            features = x.shape[-1] if x is not None and x.ndim else 0
            units = output.shape[-1] if output.ndim else 0
            self._models.append(WatchedModel(side, layer, features, units))
        return len(self._models) - 1

    def note_weights(self) -> None:
        """Note a new moment whenever a weight of a watched model has changed."""
        if self._inside or not self._models:
            return
        arrays: dict[str, np.ndarray] = {}
        for index, watched in enumerate(self._models):
            arrays.update({f"{index}/{name}": array for name, array in self._weights_of(watched).items()})
        seen = hashlib.sha256(b"".join(name.encode() + a.tobytes() for name, a in sorted(arrays.items()))).digest()
        if seen == self._weights_digest or self._moment + 1 >= MAX_MOMENTS or self._weights_bytes > MAX_WEIGHTS_BYTES:
            return
        self._weights_bytes += sum(array.nbytes for array in arrays.values())
        self._weights_digest, self._moment = seen, self._moment + 1
        self._channel.send("weights", arrays, moment=self._moment, statement=self._outputs.statement)

    def _weights_of(self, watched: WatchedModel) -> dict[str, np.ndarray]:
        try:
            return _keras_weights(watched.model) if watched.side == KERAS else self._own_weights(watched)
        except Exception:  # the student may have put anything in place of a weight
            return {}

    def _own_weights(self, watched: WatchedModel) -> dict[str, np.ndarray]:
        if not 0 < watched.features * watched.units < 1 << 20:
            return {}
        leaves, features, units = find_leaves(watched.model, self._names), watched.features, watched.units
        request, names = self._request, self._request["unpack_names"]
        if known := recognition.placement_of(leaves, self._arrays, features, units, names):
            return placements.collect(known, features, units)
        found, _ = roles.candidates(leaves, features, units, names, request["pairing"], request["joined"])
        chosen = min(request["candidate"] or 0, len(found) - 1)
        return placements.collect(found[chosen], features, units) if found else {}


def _input(call: Call) -> Any:
    return call.args[1] if len(call.args) > 1 else next(iter(call.keywords.values()), None)


def _is_recurrent(layer: Any) -> bool:
    recurrent: Any = tf.keras.layers.RNN
    return isinstance(layer, recurrent)


def _keras_weights(layer: Any) -> dict[str, np.ndarray]:
    cell = getattr(layer, "cell", None)
    found = {name: getattr(cell, name, None) for name in ("kernel", "recurrent_kernel", "bias")}
    return {name: np.asarray(value, np.float32) for name, value in found.items() if value is not None}


def _randomise_weights(source: str) -> None:
    """Give each fresh Keras layer numbers that nothing else has: uncopied ones would look copied.

    Biases start at zero (forget: one), and any weight at whatever an initializer says. The source seeds the numbers, so
    that they are the same in every run of a notebook and others in the next one.
    """
    cell: Any = tf.keras.layers.LSTMCell
    original = cell.build
    random = np.random.default_rng([*hashlib.sha256(source.encode("utf-8", "replace")).digest()])

    @functools.wraps(original)
    def build(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(self, *args, **kwargs)
        for name in ("kernel", "recurrent_kernel", "bias"):
            if (weight := getattr(self, name, None)) is not None:
                # As small as Glorot's for kernels: with larger ones rounding would grow from step to step.
                size = 0.5 if name == "bias" else (6 / sum(weight.shape)) ** 0.5
                weight.assign(random.uniform(-size, size, weight.shape).astype(np.float32))
        return result

    cell.build = build


def _as_array(value: Any) -> np.ndarray | None:
    """Return the numbers of an answer: of the first part, where a layer returns its states too."""
    if isinstance(value, (list, tuple)) and value:
        value = value[0]
    try:
        array = np.asarray(value)
    except Exception:  # symbolic
        return None
    return array if array.dtype.kind == "f" else array.astype(np.float32) if array.dtype.kind in "iu" else None


def _every_other(shape: tuple[int, ...], *, second: bool) -> np.ndarray:
    """Mark one colour of a chessboard: from the end, so that a last step alone has the same."""
    marked = np.array(not second)
    for size in shape:
        marked = ~np.logical_xor.outer(marked, np.arange(size)[::-1] % 2 == 0)
    return marked


def _digest(x: np.ndarray) -> str:
    return hashlib.sha256(repr(x.shape).encode() + np.ascontiguousarray(x, np.float32).tobytes()).hexdigest()[:32]
