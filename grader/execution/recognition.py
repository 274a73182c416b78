"""Recognises which number of the student's weights is which, however they are laid out, by their gradients.

All weights get one equal value. A right class then gives the same answer wherever its weights stand, in whatever
containers, orders of gates and axes. But the gradient of its answer with respect to one number shows what that number
multiplies (a feature, h or 1), in which gate and for which unit. The oracle has the same gradients, and each number of
the student's is matched with the nearest of them. Only the numbers for h of one gate and unit look all alike, because
all of h are equal; these stand in the order of units, as in any array that somebody writes.

A model that is another under equal weights is not recognised. Names are not read here: the box leaves out a reading
that contradicts a clear name (`grader/runner/driver/weights/recognition.py`).
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reference import Case
from reference.cell import Weights

Array = NDArray[np.floating]
Places = NDArray[np.int32]

TIMESTEPS = 3
SEED = 23
# Sums of the answer that gradients are taken of. With one alone, some of thousands of gradients would be close.
SUMS = 4
# A gradient of float32 is off by less than this share of itself, and of the largest; different ones by far more.
TOLERANCE = 1e-3
LEAST = 1e-6
MOST_BIASES = 3
# The states that gradients may go through from step to step: right numbers are right without them, too.
THROUGH = ("hc", "h", "c", "")
# Elements that are compared at once: a few megabytes.
CHUNK = 1024


def question(case: Case) -> Case:
    """Make the question for the layer of a case: all of its weights equal, and a few steps of random numbers."""
    spec = replace(case.spec, id=f"{case.spec.id}_equal", timesteps=TIMESTEPS, category="edge-equal")
    x = np.random.default_rng(SEED).standard_normal((spec.batch, TIMESTEPS, spec.features)).astype(np.float32)
    weights = _equal(case.weights, [1] * len(case.weights.cell.gates))
    return Case(spec, x, weights, weights.answer(x).astype(np.float32))


def is_hidden(case: Case, gradients: Array) -> bool:
    """Return whether a model has as many numbers as the layer, and none of them a gradient."""
    weights = case.weights
    count = (weights.features + weights.units + 1) * weights.columns
    return gradients.shape[1:] == (count,) and not gradients.any()


def factors(case: Case) -> Array:
    """Make the factors of the sums: ``(sums, batch, timesteps, units)``."""
    drawn: Array = np.random.default_rng(SEED + 1).standard_normal((SUMS, *case.expected.shape)).astype(np.float32)
    return drawn


def recognise(case: Case, answer: Array, gradients: Array) -> Places | None:
    """Find the places of the student's numbers in the weights of the Keras layer.

    Args:
        case: the question.
        answer: the model's, ``(batch, timesteps, units)``.
        gradients: the sums' with respect to every number of the weights, in the model's order: ``(sums, numbers)``.
    Returns:
        for each number its place in kernel, recurrent kernel and bias, one after the other and flat; ``-2 - place``
        for one that is only added to the number there, as a second bias is; and -1 for one without effect. None: the
        model is not the layer, or its weights stand in no order.
    """
    weights = case.weights
    features, units, columns = weights.features, weights.units, weights.columns
    if gradients.ndim != 2 or len(gradients) != SUMS or not np.isfinite(gradients).all():
        return None
    has_effect = gradients.any(axis=0)
    biases = _biases(case, answer, int(has_effect.sum()))
    if biases is None:
        return None
    numbers = gradients[:, has_effect].T
    matches = (_nearest(numbers, _expected(case, _equal(weights, biases), each).T) for each in THROUGH)
    matched = next((match for match in matches if match is not None), None)
    if matched is None:
        return None
    row, column = np.divmod(matched, columns)
    is_h, is_bias = row == features, row > features
    # Numbers that look alike are numbered in their order.
    count = np.bincount(matched, minlength=(features + 2) * columns)
    if not (count == [*np.repeat([1] * features + [units], columns), *np.repeat(biases, units)]).all():
        return None
    order = np.argsort(matched, kind="stable")
    rank = np.empty_like(matched)
    rank[order] = np.arange(matched.size) - np.searchsorted(matched[order], matched[order])
    places = (row + np.where(is_h, rank, 0) + np.where(is_bias, units - 1, 0)) * columns + column
    found: Places = np.full(has_effect.shape, -1, np.int32)
    found[has_effect] = np.where(is_bias & (rank > 0), -2 - places, places)
    return found if _in_order(found, weights) else None


def _equal(like: Weights, biases: Sequence[int]) -> Weights:
    value = np.float32((like.features + like.units) ** -0.5)
    kernel, recurrent_kernel, bias = (
        np.full_like(each, value) for each in (like.kernel, like.recurrent_kernel, like.bias)
    )
    return type(like)(kernel, recurrent_kernel, bias * np.repeat(biases, like.units).astype(np.float32))


def _biases(case: Case, answer: Array, count: int) -> Sequence[int] | None:
    """Return how many biases are added in each gate of a model of so many numbers; None where it is not the layer."""
    weights, gates = case.weights, len(case.weights.cell.gates)
    for biases in itertools.product(range(1, MOST_BIASES + 1), repeat=gates):
        if (weights.features + weights.units) * weights.columns + sum(biases) * weights.units == count:
            expected = _equal(weights, biases).answer(case.x)
            if answer.shape == expected.shape and np.allclose(answer, expected, rtol=0, atol=1e-5):
                return biases
    return None


def _expected(case: Case, weights: Weights, through: str) -> Array:
    """Return the oracle's gradients of the sums: ``(sums, (features + 2) * columns)``; the last rows are h and bias."""
    rows = []
    for each in factors(case):
        found = weights.gradients(case.x, each, through=through)
        rows.append(np.concatenate([found.kernel, found.recurrent_kernel[:1], found.bias[None]]).ravel())
    return np.stack(rows)


def _nearest(gradients: Array, expected: Array) -> NDArray[np.intp] | None:
    """Match every number's gradients with the nearest expected ones. None: one has no match.

    Args:
        gradients: ``(numbers, sums)``.
        expected: ``(places, sums)``.
    """
    lengths = (expected**2).sum(axis=1)
    matched = np.empty(len(gradients), np.intp)
    for start in range(0, len(gradients), CHUNK):
        some = gradients[start : start + CHUNK].astype(np.float64)
        matched[start : start + CHUNK] = np.argmin(lengths - 2 * some @ expected.T, axis=1)
    errors = np.abs(gradients - expected[matched]).max(axis=1, initial=0.0)
    allowed = TOLERANCE * np.abs(expected[matched]).max(axis=1, initial=0.0) + LEAST * np.abs(expected).max()
    return matched if (errors <= allowed).all() else None


def _in_order(places: Places, weights: Weights) -> bool:
    """Return whether features and units stand in their order, as in any array that somebody writes."""
    flat = np.zeros((weights.features + weights.units + 1) * weights.columns, np.intp)
    flat[places[places >= 0]] = np.flatnonzero(places >= 0)
    at = flat.reshape(-1, len(weights.cell.gates), weights.units)
    return bool((np.diff(at, axis=2) > 0).all() and (np.diff(at[: weights.features], axis=0) > 0).all())
