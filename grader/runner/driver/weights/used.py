"""Finds what only looks like a weight: states, layers left over, copies that are kept and never read."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from gate_words import GATES

from driver.weights.leaves import Leaf, restored
from driver.weights.weight_shapes import Sorted

MOST_TRIED = 40
# Opens a gate so far that a bias is not felt; below 44, where a hand-written tanh overflows.
OPEN = 30.0
FELT = 1e-3


def find_unused(leaves: Sequence[Leaf], units: int, call: Callable[[], tf.Tensor]) -> list[Leaf]:
    """Return the weights whose change leaves the answer as it is, bit for bit, and factors of the units.

    Args:
        call: the model's answer to some input, the same at each call.
    Returns:
        nothing where calls differ by themselves, or where there are too many weights to try.
    """
    built = [leaf for leaf in leaves if leaf.variable is not None]
    if len(built) > MOST_TRIED:
        return []
    random = np.random.default_rng(5)
    with restored(built):
        # Biases begin at 0, and a weight of zeros behind another one is not felt.
        for leaf in built:
            leaf.assign(random.normal(0.0, 0.3, leaf.shape or ()).astype(np.float32))
        answer = np.array(call())
        if not np.array_equal(answer, np.array(call())):
            return []
        return [
            leaf
            for leaf in built
            if np.array_equal(answer, answer_after_change(leaf, call))
            or (leaf.is_shaped((units,)) and _is_factor(leaf, call))
        ]


def find_factors(leaves: Sequence[Leaf], units: int) -> list[Leaf]:
    """Return the vectors of no layer, as long as biases, that a model made of ones, or of two numbers."""
    loose = [leaf for leaf in leaves if leaf.layer is None and leaf.variable is not None]
    shapes = (units,), (len(GATES) * units,), (len(GATES), units), (units, len(GATES))
    vectors = [leaf for leaf in loose if leaf.is_shaped(*shapes)]
    arrays = [(leaf, np.array(leaf.variable)) for leaf in vectors]
    # A kernel of a small layer may have no more than two numbers.
    return [leaf for leaf, each in arrays if (each == 1).all() or len(np.unique(each)) == 2 < each.size]


def find_states(leaves: Sequence[Leaf], call: Callable[[], tf.Tensor]) -> list[Leaf]:
    """Return the variables that a call assigns: states, not weights."""
    built = [leaf for leaf in leaves if leaf.variable is not None]
    before = [np.array(leaf.variable) for leaf in built]
    call()
    return [leaf for leaf, value in zip(built, before, strict=True) if not np.array_equal(value, leaf.variable)]


def may_be_starts(found: Sorted) -> list[Leaf]:
    """Return the vectors of no layer that are as wide as h, unless each gate can have as many of them."""
    is_even = len(found.unit_biases) % len(GATES) == 0
    return [] if is_even else [leaf for leaf in found.unit_biases if leaf.layer is None]


def find_starts(leaves: Sequence[Leaf], found: Sorted, units: int, call: Callable[[], tf.Tensor]) -> list[Leaf]:
    """Return the vectors that h or c starts from. By shape they look like second biases.

    One number of such an h reaches all units in one step, and one of a bias only its own. Where all gates are open, a c
    is felt, and a bias is not.

    Args:
        call: the model's answer to one step of positive numbers whose sum is 1, the same at each call.
    """
    suspects = may_be_starts(found)
    if not suspects or units == 1:
        return []
    random = np.random.default_rng(5)
    built = [leaf for leaf in leaves if leaf.variable is not None]
    kernels = [
        leaf
        for groups in (found.fused, found.single, found.bundled)
        for name in ("kernel", "both")
        for leaf in groups[name]
    ]
    with restored(built):
        for leaf in built:
            if leaf not in suspects:
                leaf.assign(random.normal(0.0, 0.3, leaf.shape or ()).astype(np.float32))
        answer = np.array(call())
        if not np.array_equal(answer, np.array(call())):
            return []
        first = slice(0, 1)
        of_h = [leaf for leaf in suspects if (answer_after_change(leaf, call, first) != answer)[..., 1:].any()]
        for leaf in [*of_h, *kernels]:
            leaf.assign(np.full(leaf.shape or (), OPEN if leaf in kernels else 0.0, np.float32))
        answer = np.array(call())
        return [
            leaf for leaf in suspects if leaf in of_h or np.abs(answer_after_change(leaf, call) - answer).max() > FELT
        ]


def _is_factor(leaf: Leaf, call: Callable[[], tf.Tensor]) -> bool:
    """Return whether the answer is zero without it, so that it is no bias."""
    with restored([leaf]):
        leaf.assign(np.zeros(leaf.shape or (), np.float32))
        return not np.array(call()).any()


def answer_after_change(leaf: Leaf, call: Callable[[], tf.Tensor], changed: slice = slice(None)) -> np.ndarray:
    """Return the answer with another value of one weight, or of some of its numbers."""
    with restored([leaf]):
        after = np.array(leaf.variable)
        after.reshape(-1)[changed] += np.float32(0.5)
        leaf.assign(after)
        return np.array(call())
