"""Watches the models of a notebook: which are called, on what input, and with which weights.

A call counts where the student's code makes it; calls inside a model do not. At calls that the request names, the
answer is spoiled after it was computed.
"""

import contextlib
import functools
import hashlib
import re
import types
from collections import defaultdict
from typing import Any

import numpy as np
import tensorflow as tf

from driver.built_in import no_recurrence
from driver.notebook.model_weights import KERAS, STUDENT, WatchedModels
from driver.notebook.spoiling import spoiled
from driver.notebook.threads import run_in_turn
from driver.short_ways import plain_dense
from driver.short_ways.untraced_build import untraced
from driver.student.student_module import MODULE_NAME
from driver.weights.leaves import find_leaves

# The trusted side takes no more (sandbox/events.py).
MAX_CALLS = 400
# With the same weights from one line of code: a loop that takes times leaves room for what comes after it.
MAX_ALIKE = 20
#: A call that is to be made: the first of its arguments is the layer.
Call = functools.partial[Any]


class Watch:
    """A watch on the calls of a notebook's models."""

    def __init__(self, models: WatchedModels) -> None:
        self._models = models
        self._channel = models.channel
        self._outputs = models.outputs
        self._names = models.names
        request = models.request
        self._only_computes = request["prepared"] and request["only_computes"]
        # By the number of the call.
        self._spoils = {int(call): spoil for call, spoil in request["spoils"].items()}
        # The numbers of calls of one model with the same weights from one line.
        self._alike: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
        self._calls = 0
        self._watching: set[Any] = set()
        self._own_call = re.search(r"(?<!super\(\))\.call\(", request["source"]) is not None

    def start(self) -> None:
        self._models.start()
        run_in_turn()
        original, watch = tf.keras.layers.Layer.__call__, self

        @functools.wraps(original)
        def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
            return watch._watched_call(functools.partial(original, layer, *args, **kwargs))

        tf.keras.layers.Layer.__call__ = call
        plain_dense.expect((tf.keras.layers.Layer, "__call__"))  # a plain Dense is never watched

    def after_statement(self) -> None:
        self._wrap_own_methods()
        self._models.note_weights()

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
        recurrent: Any = tf.keras.layers.RNN
        return KERAS if isinstance(layer, recurrent) else None

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
        side = None if self._models.in_call else self._side(layer)
        if side is None:
            return call()
        self._models.in_call = True
        try:
            if side == STUDENT:
                output, array = self._answer_of_student(call)
                built_in = no_recurrence.noted_runs(self._names)
            else:
                output, built_in = call(), []
                array = _as_array(output)
        finally:
            self._models.in_call = False
        if array is None:  # a symbolic call: part of building a functional model
            return output
        x = _as_array(_input(call))
        model = self._models.number_of(side, layer, x, array)
        if model is None:
            return output
        self._models.note_weights()
        alike = self._alike[*self._models.place(), model, self._models.moment]
        is_new = len(alike) < MAX_ALIKE
        if is_new:
            alike.append(self._calls)
            self._calls += 1
        number = alike[-1]
        spoil = self._spoils.get(number)
        changes = spoil is not None and spoil["by"] == "weights"
        if is_new and number < MAX_CALLS:
            self._channel.send(
                "called",
                call=number,
                model=model,
                side=side,
                statement=self._outputs.statement,
                moment=self._models.moment,
                input=None if x is None else _digest(x),
                built_in=built_in,
                reacts=self._reaction(call) if changes else None,
            )
        if spoil is None or changes:
            return output
        instead = self._answer_of_keras(spoil["model"], _input(call)) if spoil["by"] == "keras" else None
        return spoiled(output, array, spoil, instead)

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
        random, self._models.in_call = np.random.default_rng(0), True
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
            self._models.in_call, self._outputs.quiet = False, quiet
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

    def _answer_of_keras(self, model: int, x: Any) -> np.ndarray | None:
        self._models.in_call = True
        try:
            return _as_array(self._models.model(model)(x))
        except Exception:  # there is none, or its input is one that the student's model takes
            return None
        finally:
            self._models.in_call = False


def _input(call: Call) -> Any:
    return call.args[1] if len(call.args) > 1 else next(iter(call.keywords.values()), None)


def _as_array(value: Any) -> np.ndarray | None:
    """Return the numbers of an answer: of the first part, where a layer returns its states too."""
    if isinstance(value, (list, tuple)) and value:
        value = value[0]
    try:
        array = np.asarray(value)
    except Exception:  # symbolic
        return None
    return array if array.dtype.kind == "f" else array.astype(np.float32) if array.dtype.kind in "iu" else None


def _digest(x: np.ndarray) -> str:
    return hashlib.sha256(repr(x.shape).encode() + np.ascontiguousarray(x, np.float32).tobytes()).hexdigest()[:32]
