"""Watches the weights of a notebook's models: notes them each time that some have changed.

The weights of the student's model are noted as the Keras layer would hold them. Nothing is judged.
"""

import functools
import hashlib
import sys
import types
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from box_requests import NotebookRequest
from channel import Channel

from driver.notebook.outputs import OutputRecorder
from driver.weights import placements, recognition, roles
from driver.weights.leaves import Use, find_leaves

# The trusted side takes no more (sandbox/events.py).
MAX_MODELS, MAX_MOMENTS = 40, 100
# From one line of code: a loop that trains leaves room for what comes after it.
MAX_MOMENTS_OF_A_LINE = 40
MAX_WEIGHTS_BYTES = 32 << 20
STUDENT, KERAS = "student", "keras"


@dataclass
class WatchedModel:
    """A model that was called: the student's with its sizes at that call, or a layer of Keras.

    `weights` are the last known ones as the Keras layer would hold them; `digest` is that of the student's own.
    """

    side: str
    model: Any
    features: int = 0
    units: int = 0
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    digest: bytes = b""


@dataclass(eq=False)
class WatchedModels:
    """The models that a notebook has called, numbered from 0, and the moments at which weights changed.

    Attributes:
        names: the notebook's.
        arrays: the request's.
        moment: the number of the last one; -1: there was none.
        in_call: a model computes, so nothing is noted.
    """

    channel: Channel
    outputs: OutputRecorder
    names: dict[str, Any]
    request: NotebookRequest
    arrays: dict[str, np.ndarray]
    moment: int = -1
    in_call: bool = False
    _models: list[WatchedModel] = field(default_factory=list)
    _moments_of_lines: Counter[tuple[int, int]] = field(default_factory=Counter)
    _weights_bytes: int = 0

    def start(self) -> None:
        """Give fresh Keras layers their numbers, and note weights that a model is given at once."""
        _randomise_weights(self.request["source"])
        original: Any = tf.keras.layers.Layer.set_weights

        @functools.wraps(original)
        def set_weights(layer: Any, *args: Any, **kwargs: Any) -> Any:
            result = original(layer, *args, **kwargs)
            # The next line may copy them.
            if any(watched.model is layer for watched in self._models):
                self.note_weights()
            return result

        tf.keras.layers.Layer.set_weights = set_weights

    def number_of(self, side: str, layer: Any, x: np.ndarray | None, output: np.ndarray) -> int | None:
        """Return the number of a model that has answered `x` so; None: there are too many."""
        for number, watched in enumerate(self._models):
            if watched.model is layer:
                return number
        if len(self._models) == MAX_MODELS:
            return None
        features = x.shape[-1] if x is not None and x.ndim else 0
        units = output.shape[-1] if output.ndim else 0
        self._models.append(WatchedModel(side, layer, features, units))
        return len(self._models) - 1

    def model(self, number: int) -> Any:
        """Return the model with this number. Raises: IndexError"""
        return self._models[number].model

    def place(self) -> tuple[int, int]:
        """Return the statement that runs, and the line in it, or in a function of the notebook's, where it is."""
        frame: types.FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_globals is not self.names:
            frame = frame.f_back
        return self.outputs.statement, frame.f_lineno if frame is not None else 0

    def note_weights(self) -> None:
        """Note a new moment whenever a weight of a watched model has changed, with the weights of that model."""
        place = self.place()
        is_full = self.moment + 1 >= MAX_MOMENTS or self._weights_bytes > MAX_WEIGHTS_BYTES
        if self.in_call or is_full or self._moments_of_lines[place] >= MAX_MOMENTS_OF_A_LINE:
            return
        changed: dict[str, np.ndarray] = {}
        for index, watched in enumerate(self._models):
            before, watched.weights = watched.weights, self._weights_of(watched)
            if not _are_same(before, watched.weights):
                changed.update({f"{index}/{name}": array for name, array in watched.weights.items()})
        if changed or (self._models and self.moment < 0):
            self._weights_bytes += sum(array.nbytes for array in changed.values())
            self.moment += 1
            self._moments_of_lines[place] += 1
            self.channel.send("weights", changed, moment=self.moment, statement=self.outputs.statement)

    def _weights_of(self, watched: WatchedModel) -> dict[str, np.ndarray]:
        try:
            return _keras_weights(watched.model) if watched.side == KERAS else self._own_weights(watched)
        except Exception:  # the student may have put anything in place of a weight
            return {}

    def _own_weights(self, watched: WatchedModel) -> dict[str, np.ndarray]:
        if not 0 < watched.features * watched.units < 1 << 20:
            return {}
        leaves, features, units = find_leaves(watched.model, self.names), watched.features, watched.units
        arrays = [np.asarray(leaf.variable) for leaf in leaves if leaf.variable is not None]
        before, watched.digest = watched.digest, hashlib.sha256(b"".join(array.tobytes() for array in arrays)).digest()
        if before == watched.digest:
            return watched.weights
        request, names = self.request, self.request["unpack_names"]
        uses: dict[str, Use] = {
            path: (gates, array, layout) for path, (gates, array, layout) in request["uses"].items()
        }
        leaves = [leaf for leaf in leaves if leaf.path not in request["unused"]]
        for leaf in leaves:
            leaf.use = uses.get(leaf.path)
        if placement := recognition.placement_of(leaves, self.arrays, features, units, names):
            return placements.collect(placement, features, units)
        found, _ = roles.candidates(leaves, features, units, names, request["pairing"], request["joined"])
        chosen = min(request["candidate"] or 0, len(found) - 1)
        return placements.collect(found[chosen], features, units) if found else {}


def _are_same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> bool:
    return first.keys() == second.keys() and all(
        np.array_equal(first[name], second[name], equal_nan=True) for name in first
    )


def _keras_weights(layer: Any) -> dict[str, np.ndarray]:
    cell = getattr(layer, "cell", None)
    weights = {name: getattr(cell, name, None) for name in ("kernel", "recurrent_kernel", "bias")}
    return {name: np.asarray(value, np.float32) for name, value in weights.items() if value is not None}


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
