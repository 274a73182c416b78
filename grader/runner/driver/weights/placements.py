"""Placements: where the numbers of the student's weights stand in those of Keras, and the way there and back."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from gate_words import GATES

from driver.weights.leaves import Leaf
from driver.weights.weight_shapes import laid_out, open_to_c


@dataclass(eq=False)
class Slot:
    """A weight of the student's, and its part in the weights of the Keras layer.

    Args:
        array: the array of the Keras layer, or ``both`` for a weight that takes x and h.
        gates: in column order; empty where they are unknown.
        split: the order of the rows of ``both``, ``xh`` or ``hx``.
        is_second: it is only added, as a second bias is.
        recognised: its places, as `grader.execution.recognition` finds them; None: as its layout says.
    """

    leaf: Leaf
    array: str
    gates: str
    split: str = ""
    is_second: bool = False
    recognised: np.ndarray | None = None

    def places(self, features: int, units: int) -> np.ndarray:
        """Return where its numbers stand in the flat weights; ``-2 - place`` for those that are only added there."""
        if self.recognised is not None:
            return self.recognised
        places = laid_out(self._columns(_numbered(features, units), self.array), self.leaf, len(self.gates))
        return -2 - places if self.is_second else places

    def rename(self, gates: str, units: int) -> None:
        """Give it the numbers of other gates, in the same layout."""
        assert self.recognised is not None
        targets = np.where(self.recognised < -1, -2 - self.recognised, self.recognised)
        other = dict(zip(self.gates, gates, strict=True))
        shift = np.array([GATES.index(other.get(gate, gate)) - at for at, gate in enumerate(GATES)]) * units
        targets = np.where(targets < 0, targets, targets + shift[targets // units % len(GATES)])
        self.recognised = np.where(self.recognised < -1, -2 - targets, targets)
        self.gates = gates

    def _columns(self, weights: dict[str, np.ndarray], array: str) -> np.ndarray:
        if array == "both":
            halves = [self._columns(weights, name) for name in ("kernel", "recurrent_kernel")]
            return np.concatenate(halves if self.split == "xh" else halves[::-1], axis=0)
        units = len(weights["recurrent_kernel"])
        starts = [GATES.index(gate) * units for gate in self.gates]
        return np.concatenate([weights[array][..., start : start + units] for start in starts], axis=-1)


@functools.cache
def _numbered(features: int, units: int, gates: int = len(GATES)) -> dict[str, np.ndarray]:
    """Number the weights of the Keras layer: kernel, recurrent kernel and bias, one after the other."""
    columns = gates * units
    rows = np.arange((features + units + 1) * columns).reshape(-1, columns)
    return {"kernel": rows[:features], "recurrent_kernel": rows[features:-1], "bias": rows[-1]}


@dataclass
class Placement:
    """The student's weights that have a place in the Keras layer.

    `zeros` are second biases of gates that have one already; without gates it is unknown whose. `misfed` get x where
    their siblings get h, or the other way round; they are zero, and the numbers those of the layer without them.
    `peepholes` multiply c, for which Keras has no weights: they are set so that the gate sees c as it is. `gates` is
    how many the Keras layer has.
    """

    slots: list[Slot] = field(default_factory=list)
    zeros: list[Slot] = field(default_factory=list)
    misfed: list[Leaf] = field(default_factory=list)
    peepholes: list[Leaf] = field(default_factory=list)
    gates: int = len(GATES)

    @property
    def is_recognised(self) -> bool:
        return any(slot.recognised is not None for slot in self.slots)

    def takes(self, name: str) -> bool:
        """Return whether x or h reaches all gates through weights that have a place."""
        arrays = {"x": "kernel", "h": "recurrent_kernel"}[name], "both"
        return len({gate for slot in self.slots if slot.array in arrays for gate in slot.gates}) == len(GATES)

    @property
    def has_biases(self) -> bool:
        """Return whether all gates have a bias."""
        return len({gate for slot in self.slots if slot.array == "bias" for gate in slot.gates}) == len(GATES)

    @property
    def is_open(self) -> bool:
        """Return whether numbers may stand in other places than shapes and names suggest."""
        slots = (*self.slots, *self.zeros)
        # A square of no layer may be left over, and beside second biases so may any weight of none.
        return not self.has_biases or any(
            len(slot.gates) != 1 or (slot.leaf.layer is None and (slot.leaf.is_square or self.zeros)) for slot in slots
        )

    def roles(self) -> dict[str, str]:
        """Map the exercise's names of the weights -> where they were found."""
        found: dict[str, str] = {}
        for slot in self.slots:
            if slot.array == "bias":
                continue
            letter = {"kernel": "X", "recurrent_kernel": "H", "both": "XH"}[slot.array]
            for gate in slot.gates:
                found[f"fc{letter}{gate}"] = slot.leaf.layer or slot.leaf.path
        return found


def inject(placement: Placement, weights: dict[str, np.ndarray]) -> None:
    """Copy the weights of the Keras layer into the student's.

    Args:
        weights: ``kernel (features, 4 * units)``, ``recurrent_kernel (units, 4 * units)``, ``bias (4 * units,)``.
    """
    features, units = len(weights["kernel"]), len(weights["recurrent_kernel"])
    flat = np.concatenate([weights[name].ravel() for name in _numbered(features, units)])
    # With a share of the bias, a vector that only looks like a second one gives wrong numbers. That of a layer is one.
    singles = [slot for slot in placement.zeros if len(slot.gates) == 1 and slot.leaf.layer is None]
    shared = singles if placement.takes("h") else []
    for slot in shared:
        places = -2 - slot.places(features, units)
        share = np.where(places < 0, np.float32(0), flat[places] / 2)
        slot.leaf.assign(share)
        flat[places[places >= 0]] -= share[places >= 0]
    for slot in placement.slots:
        places = slot.places(features, units)
        slot.leaf.assign(np.where(places < 0, np.float32(0), flat[np.maximum(places, 0)]))
    for leaf in [*(slot.leaf for slot in placement.zeros if slot not in shared), *placement.misfed]:
        leaf.assign(np.zeros(leaf.shape or (), np.float32))
    for leaf in placement.peepholes:
        open_to_c(leaf, units)


def collect(
    placement: Placement, features: int, units: int, gradients: Sequence[np.ndarray] | None = None
) -> dict[str, np.ndarray]:
    """Reverse `inject`: return the student's weights as the Keras layer would hold them, NaN where there is none.

    Args:
        gradients: laid out in place of the weights, one for each of the slots.
    """
    numbered = _numbered(features, units, placement.gates)
    flat = np.full(sum(places.size for places in numbered.values()), np.nan, np.float32)
    shares = gradients or [np.asarray(slot.leaf.variable, np.float32) for slot in placement.slots]
    for slot, values in zip(placement.slots, shares, strict=True):
        places = slot.places(features, units)
        flat[places[places >= 0]] = values[places >= 0]
    for slot in (*placement.slots, *placement.zeros) if gradients is None else ():
        if slot.gates:
            places = slot.places(features, units)
            flat[-2 - places[places < -1]] += np.asarray(slot.leaf.variable, np.float32)[places < -1]
    return {name: flat[places] for name, places in numbered.items()}
