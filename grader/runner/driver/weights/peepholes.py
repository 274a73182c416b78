"""Finds weights that the plain layer does not have: those through which a gate sees the memory c.

By shape they look like recurrent kernels and biases. They would be given values of those, or be set to zero like a
second bias, and then a layer with peepholes would give the right numbers. An experiment tells them apart. In its first
step a value is written into c and the output gate is shut, so that h is zero. In the second step a weight that
multiplies h has no effect, and one that multiplies c has. Rows with c, with -c and with no c at all tell it from a
weight that is only added.
"""

from collections.abc import Callable, Sequence

import numpy as np
from gate_words import GATES

from driver.weights import placements
from driver.weights.leaves import Leaf, restored
from driver.weights.weight_shapes import Sorted, open_to_c, sort_by_shape

ROWS, TIMESTEPS = 3, 2
SHUT = -30.0
FELT = 1e-4
SAME = 1e-6
MOST_SUSPECTS = 16


def find_peepholes(
    leaves: Sequence[Leaf],
    placement: placements.Placement,
    features: int,
    units: int,
    call: Callable[[np.ndarray], np.ndarray],
) -> tuple[list[Leaf], list[Leaf]]:
    """Find the weights that multiply c, and those behind the cell, without which an answer is zero.

    Args:
        placement: of the weights whose names settle their roles.
        call: the model's answer to an input of `ROWS` rows and `TIMESTEPS` steps.
    """
    matrices, vectors = _suspects(leaves, features, units)
    suspects = [*matrices, *vectors]
    if not suspects or len(suspects) > MOST_SUSPECTS or features < 2:
        return [], []
    placements.inject(placement, _weights(features, units))
    x = np.zeros((ROWS, TIMESTEPS, features), np.float32)
    x[:, :, 0] = [[1.0], [-1.0], [0.0]]
    x[:, 0, 1] = SHUT

    def kind(leaf: Leaf) -> str | None:
        with restored([leaf]):
            leaf.assign(np.zeros(leaf.shape or (), np.float32))
            without = call(x)
            open_to_c(leaf, units)
            answer = call(x)
        if without.shape != (ROWS, TIMESTEPS, units) or answer.shape != without.shape:
            return None
        if leaf in matrices and not without[:2, 1].any():
            return "behind"
        difference = answer - without
        with_c, against_c = difference[:2, 1]
        unfelt = np.abs(difference[:, 0]).max() <= SAME and np.abs(difference[2]).max() <= SAME
        # A peephole's term changes sign with c, a bias does not: only with a peephole do answers to c and -c differ in
        # size.
        felt = with_c + against_c if leaf in vectors else with_c
        return "sees c" if unfelt and np.abs(felt).max() > FELT and np.abs(without[:2, 1]).min() > 0 else None

    with restored(suspects):
        for leaf in vectors:
            leaf.assign(np.zeros(leaf.shape or (), np.float32))
        kinds = {leaf.path: kind(leaf) for leaf in suspects}
    found = [leaf for leaf in suspects if kinds[leaf.path] == "sees c"]
    behind = [leaf for leaf in suspects if kinds[leaf.path] == "behind"]
    # More than one layer's worth of weights are other layers.
    left = sort_by_shape([leaf for leaf in leaves if leaf not in (*found, *behind)], features, units)
    if _recurrent_gates(left) <= len(GATES):
        return found, behind
    return [leaf for leaf in found if leaf in vectors], []


def _suspects(leaves: Sequence[Leaf], features: int, units: int) -> tuple[list[Leaf], list[Leaf]]:
    """Collect matrices and vectors that may multiply c: there are more of them than the plain layer needs."""
    found = sort_by_shape(leaves, features, units)
    loose = [leaf for leaf in leaves if leaf.layer is None and leaf.variable is not None]
    # At some sizes the kernels have this shape, too.
    kernels = [*found.single["kernel"], *found.single["both"]]
    others = [leaf for leaf in leaves if leaf.variable is not None and leaf not in kernels]
    matrices = [leaf for leaf in others if leaf.is_shaped((units, 3 * units))]
    if _recurrent_gates(found) > len(GATES):
        matrices += found.single["recurrent_kernel"]
    vectors = [leaf for leaf in loose if leaf.is_shaped((3 * units,), (3, units))]
    alone = [leaf for leaf in loose if leaf.is_shaped((units,))]
    if len(found.unit_biases) + len(GATES) * len(found.fused_biases) != len(GATES):
        vectors += alone
    return matrices, vectors


def _recurrent_gates(found: Sorted) -> int:
    arrays = ("recurrent_kernel", "both")
    return sum(len(found.single[array]) + len(GATES) * len(found.fused[array]) for array in arrays)


def _weights(features: int, units: int) -> dict[str, np.ndarray]:
    """Make weights that write the first feature into c and let the second one open or shut the output gate."""
    kernel = np.zeros((features, len(GATES) * units), np.float32)
    for feature, gate in enumerate("CO"):
        start = GATES.index(gate) * units
        kernel[feature, start : start + units] = 1.0
    recurrent_kernel = np.zeros((units, len(GATES) * units), np.float32)
    return {"kernel": kernel, "recurrent_kernel": recurrent_kernel, "bias": np.zeros(len(GATES) * units, np.float32)}
