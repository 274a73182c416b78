"""Repairs of a wrong answer that no known mistake explains: a place to look, without a name for the mistake.

Only changes to the answers after the cell are visible this way: another order along one axis, a function, a
factor for every unit. A repair is reported only if it makes all answers right and none is right already.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grader.numerics.gate_values import FEWEST, Steps, agree, before
from grader.report.finding import Params
from reference import Case, LSTMWeights
from reference.lstm.definition import CELL

Array = NDArray[Any]

CLOSE = 1e-4
# Any repair could leave a smaller difference.
VISIBLE = 1e-3
# Steepest slope of a function. It is straight between right numbers this close to each other, except at corners.
STEEPEST, DENSE = 100.0, 1e-3
FEWEST_BETWEEN, CORNERS, FEW = 200, 0.002, 0.02
# So many first outputs are compared with sums of right h; so many numbers of an output for each factor.
MIXED, ROWS_PER_STEP = 8, 2
# Number of elements that distinguish slices before they are compared as a whole.
TELLING = 8
AXES = ("batch", "time", "unit")


def repair(answers: Mapping[str, Array], cases: Sequence[Case]) -> Params:
    """Find the change that makes wrong answers right, as parameters of a code: its name, `repair`, and its numbers.

    Args:
        answers: case id -> the answer of the student's model, ``(batch, timesteps, units)``.
    Returns:
        nothing if no repair works, or if an answer is right or nearly right; the simplest if several work.
    """
    pairs = [(answers[case.spec.id], case.expected) for case in cases if case.spec.id in answers]
    if not pairs or not all(np.isfinite(answer).all() and _is_wrong(answer, expected) for answer, expected in pairs):
        return {}
    found = [list(_repairs(answer.astype(np.float64), expected)) for answer, expected in pairs]
    for candidate in found[0]:
        if all(candidate in others for others in found[1:]):
            return candidate
    sums = [_sum_of_steps(answer, expected) for answer, expected in pairs]
    if sums[0] and None not in sums:
        return {"repair": ["step_mix"], "formula": sums[0]}
    goes_on = {_goes_on_rightly(case, answers[case.spec.id]) for case in cases if case.spec.id in answers}
    if True in goes_on and False not in goes_on:
        return {"repair": ["first_step"]}
    return {"repair": ["function"]} if _is_function(pairs) else {}


def _is_wrong(answer: Array, expected: Array) -> bool:
    """Return whether the error is far larger than a repair may leave, so that none works by chance."""
    return bool(np.abs(answer - expected).max() >= VISIBLE and np.ptp(answer))


def _repairs(answer: Array, expected: Array) -> Iterator[Params]:
    for axis, name in enumerate(AXES):
        yield from _other_order(np.moveaxis(answer, axis, 0), np.moveaxis(expected, axis, 0), name)
    units = expected.shape[-1]
    if _scaled_by_unit(answer.reshape(-1, units), expected.reshape(-1, units).astype(np.float64)):
        yield {"repair": ["unit_scale"]}


def _close(answer: Array, expected: Array) -> bool:
    return answer.shape == expected.shape and bool((np.abs(answer - expected) <= CLOSE).all())


def _other_order(answer: Array, expected: Array, axis: str) -> Iterator[Params]:
    """Find slices of the right answer along the first axis, in another order."""
    count = len(answer)
    answer, expected = answer.reshape(count, -1), expected.reshape(count, -1)
    telling = np.linspace(0, answer.shape[1] - 1, TELLING).astype(int)
    likeness = np.abs(answer[:, None, telling] - expected[None][..., telling]).max(axis=2)
    source = likeness.argmin(axis=1)
    matched = (np.abs(answer - expected[source]) <= CLOSE).all(axis=1)
    places = np.arange(count)
    moved = set((source - places)[matched])
    if axis == "time" and len(moved) == 1:
        (steps,) = moved
        if steps and matched.sum() == count - abs(steps):
            yield {"repair": ["time_shift"], "steps": int(steps)}
    if matched.all() and (source != places).any() and len(set(source)) == count:
        is_reversed = axis == "time" and (source == places[::-1]).all()
        yield {"repair": ["time_reversed" if is_reversed else f"{axis}_order"]}


def _scaled_by_unit(answer: Array, expected: Array) -> bool:
    """Return whether every unit has its own factor and constant; arrays ``(rows, units)``."""
    if len(answer) < 2 * 2:
        return False
    centred = expected - expected.mean(axis=0)
    factors = (centred * answer).sum(axis=0) / (centred**2).sum(axis=0)
    constants = answer.mean(axis=0) - factors * expected.mean(axis=0)
    return _close(factors * expected + constants, answer) and bool((np.abs(factors) > VISIBLE).all())


def _sum_of_steps(answer: Array, expected: Array) -> str | None:
    """Return the second output as a sum of right h; None if it is one h, or one of the first outputs is no such sum."""
    second = ""
    for t in range(min(MIXED, answer.shape[1])):
        of_steps, output = (
            expected[:, : t + 1].swapaxes(1, 2).reshape(-1, t + 1).astype(np.float64),
            answer[:, t].ravel(),
        )
        if len(output) < ROWS_PER_STEP * (t + 1):
            break
        factors = np.linalg.lstsq(of_steps, output, rcond=None)[0]
        if not _close(of_steps @ factors, output):
            return None
        terms = [f"{factor:.4g}*h[{step}]" for step, factor in enumerate(factors) if abs(factor) > VISIBLE]
        if t == 1 and len(terms) == 1:
            return None
        second = " + ".join(terms).replace("+ -", "- ") if t == 1 else second
    return second


def _goes_on_rightly(case: Case, answer: Array) -> bool | None:
    """Return whether the steps follow from what a wrong first one left; None where too few numbers show it.

    Without that h, the c of the first step is not known.
    """
    if not isinstance(case.weights, LSTMWeights):
        return None
    steps = Steps.of(case, answer)
    with np.errstate(all="ignore"):
        c = steps.c_from_answers()
        made = CELL.formulas["c_new"]({**steps.gates, "c": before(c)})
    shown, followed = c[:, 2:], made[:, 2:]
    if np.isfinite(shown - followed).sum() < FEWEST:
        return None
    return bool(np.abs(answer[:, 0] - case.expected[:, 0]).max() > VISIBLE and agree(shown, followed))


def _is_function(pairs: Sequence[tuple[Array, Array]]) -> bool:
    """Return whether wrong numbers are a function of right ones: values between two others follow from them."""
    answer = np.concatenate([answer.ravel() for answer, _ in pairs]).astype(np.float64)
    expected = np.concatenate([expected.ravel() for _, expected in pairs]).astype(np.float64)
    order = np.argsort(expected)
    answer, expected = answer[order], expected[order]
    steps = np.diff(expected)
    if not (np.abs(np.diff(answer)) <= STEEPEST * steps + CLOSE).all():
        return False
    before, after = steps[:-1], steps[1:]
    between = (before + after <= DENSE) & (before + after > 0)
    share = before[between] / (before + after)[between]
    line = answer[:-2][between] * (1 - share) + answer[2:][between] * share
    off = np.abs(answer[1:-1][between] - line) > CLOSE
    # A function may have corners; an answer that is wrong in a few places only is not one.
    wrong = np.abs(answer - expected) >= VISIBLE
    return bool(len(off) >= FEWEST_BETWEEN and off.sum() <= CORNERS * len(off) and off.sum() <= FEW * wrong.sum())
