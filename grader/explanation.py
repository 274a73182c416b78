"""Which known mistakes explain the numbers that came back.

A mistake that computes something definite gives definite numbers. One case is looked up in a table of everything that
the bank of `reference.misconceptions` answers there, alone and in pairs; what fits is replayed on every case and
believed only if it explains all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from grader.fitting import dropout, fitted, started_anew
from reference import Case, search_case
from reference.misconceptions import PARTS, Mistake, Table, bank, replay
from reference.misconceptions.computation import AFTER

Array = NDArray[np.floating]

# What may be off, for values up to 1, besides a multiple of what float32 rounding does to the mistake itself.
TOLERANCE = 3e-5
ROUNDING = 8.0
# The share of values that a rounding mistake may round to the other side.
OTHER_SIDE = 0.02
LOOKUP_TOLERANCE = 1e-4
MOST_CONFIRMED = 60


@dataclass(frozen=True)
class Explanation:
    """One mistake or two, replayed and found equal on all cases.

    Args:
        residual: the largest difference that is left.
        right_parts: those of `PARTS` that they leave right; of mistakes with equal numbers, what the mildest leaves.
        also: codes of other mistakes with the same numbers.
        runner_up: the nearest single mistake that does not fit, and how far it is.
    """

    mistakes: tuple[Mistake, ...]
    residual: float
    right_parts: frozenset[str]
    also: tuple[str, ...] = ()
    runner_up: tuple[str, float] | None = None


def explain(
    answers: Mapping[str, Array], cases: Sequence[Case], table_of: Callable[[Case], Table]
) -> Explanation | None:
    """Find what explains wrong answers.

    Args:
        answers: case id -> what the student's model returned; other shapes than the case's are left out.
        table_of: gives the table of a case.
    Returns:
        None when no known mistake, and no two of them, explain every answer.
    """
    asked = _comparable(answers, cases)
    if not asked:
        return None
    searched = search_case(cases)
    if searched not in asked:
        return _confirmed([(mistake,) for mistake in bank()], asked, answers)
    table, answer = table_of(searched), answers[searched.spec.id]
    suspects = [tuple(bank()[index] for index in entry) for entry in table.lookup(answer, LOOKUP_TOLERANCE)]
    # What rounds fits nearly everything that it could have been rounded from: hundreds of pairs to replay.
    refuted = {mistake.name for mistake in bank() if not _is_coarse(mistake, answer)}
    suspects = [suspect for suspect in suspects if refuted.isdisjoint(mistake.name for mistake in suspect)]
    found = _confirmed(suspects, asked, answers)
    if found is None:
        # Fits hold on all cases or not at all, so the first one is as good as any.
        fits = (_confirmed([suspect], asked, answers) for suspect in fitted(asked, answers, searched, table))
        found = next((fit for fit in fits if fit is not None), None)
    if found is None:
        return None
    named = {mistake.code for mistake in found.mistakes} | set(found.also)
    return replace(found, runner_up=table.nearest_single(answer, named))


def explain_changing(
    answers: Mapping[str, Array], repeats: Mapping[str, Array], cases: Sequence[Case]
) -> Explanation | None:
    """Find what explains wrong answers that are others at a second call.

    Args:
        repeats: case id -> what the second call of some case gave.
    """
    asked = _comparable(answers, cases)
    if not asked:
        return None
    found = dropout(asked, answers)
    if found is not None:
        mistake, residual = found
        return Explanation((mistake,), residual, _left_right((mistake,)))
    return _confirmed([(started_anew(asked, answers, repeats),)], asked, answers)


def _comparable(answers: Mapping[str, Array], cases: Sequence[Case]) -> list[Case]:
    """Cases with answers of the right shape, the smallest first; none, where an answer says nothing."""
    asked = [case for case in cases if (a := answers.get(case.spec.id)) is not None and a.shape == case.expected.shape]
    if any(array.min() == array.max() or np.isnan(array).all() for array in (answers[c.spec.id] for c in asked)):
        return []
    return sorted(asked, key=lambda case: case.expected.size)


def _confirmed(
    suspects: Iterable[tuple[Mistake, ...]], cases: Sequence[Case], answers: Mapping[str, Array]
) -> Explanation | None:
    """The best of the suspects that hold on all cases. A single mistake is believed before any pair."""
    right = [case for case in cases if _fits((), case, answers[case.spec.id]) is not None]
    matching: list[tuple[float, tuple[Mistake, ...]]] = []
    for mistakes in list(suspects):
        if matching and len(mistakes) > len(matching[0][1]):
            break
        residual = _residual(mistakes, cases, answers)
        if residual is not None:
            matching.append((residual, mistakes))
        if len(matching) >= MOST_CONFIRMED:
            break
    if not matching or len(right) == len(cases):
        return None
    order = {mistake.name: index for index, mistake in enumerate(bank())}
    residual, mistakes = min(matching, key=lambda match: [order.get(mistake.name, -1) for mistake in match[1]])
    if not _hears_its_weights(mistakes, cases[0]):
        return None
    codes = {mistake.code for mistake in mistakes}
    also = sorted({mistake.code for _, others in matching for mistake in others} - codes)
    parts = max((_left_right(others) for _, others in matching), key=len)
    return Explanation(mistakes, residual, parts, tuple(also))


def _is_coarse(mistake: Mistake, answer: Array) -> bool:
    """Whether an answer is what the rounding of answers leaves; True for mistakes that do not round answers."""
    rounded = mistake.changes.get(AFTER[-1])
    if rounded is None or not mistake.quantum:
        return True
    with np.errstate(all="ignore"):
        quantum = mistake.quantum * np.maximum(1.0, np.abs(answer))
        # From both sides: rounding down takes what is a hair below its own result to the one before.
        nudged = [rounded(answer + nudge, None) for nudge in (1e-4 * quantum, -1e-4 * quantum)]
        off = np.minimum(*(np.abs(each - answer) for each in nudged))
    return not bool((off > 1e-3 * quantum).any())


def _hears_its_weights(mistakes: Sequence[Mistake], case: Case) -> bool:
    """An LSTM without g that adds its input to h is an echo of that input, which is nearer to the truth."""
    other = replace(case, weights=case.weights.scaled(0.5))
    return not np.array_equal(replay(mistakes, case), replay(mistakes, other), equal_nan=True)


def _left_right(mistakes: Sequence[Mistake]) -> frozenset[str]:
    return frozenset(PARTS).difference(*(mistake.wrong for mistake in mistakes))


def _residual(mistakes: Sequence[Mistake], cases: Sequence[Case], answers: Mapping[str, Array]) -> float | None:
    """The largest difference over all cases; None when there is one that cannot be explained."""
    worst = 0.0
    for case in cases:
        residual = _fits(mistakes, case, answers[case.spec.id])
        if residual is None:
            return None
        worst = max(worst, residual)
    return worst


def _fits(mistakes: Sequence[Mistake], case: Case, answer: Array) -> float | None:
    exact = replay(mistakes, case)
    with np.errstate(all="ignore"):
        scale = np.maximum(1.0, np.abs(exact))
        difference = np.abs(exact - answer) / scale
        comparable = ~np.isnan(exact)
        if not comparable.any():
            return 0.0
        # Rounding grows in a mistake that has no bounds: the same in float32 says by how much here.
        rounding = np.nan_to_num(np.abs(exact - replay(mistakes, case, np.float32)) / scale, nan=np.inf)
        off = comparable & ~(difference <= TOLERANCE + ROUNDING * rounding)
        quantum = max((mistake.quantum for mistake in mistakes), default=0.0)
        if quantum and off.sum() <= OTHER_SIDE * comparable.sum() + 1:
            off &= ~(difference <= 1.5 * quantum)
        if off.any():
            return None
    return float(difference[comparable].max())
