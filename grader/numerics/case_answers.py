"""Cases and the answers to them, whole or in part, and whether mistakes give these answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from grader.numerics.forms import Content, Form, readings
from reference import Case, lstm_forward
from reference.cases import EDGE
from reference.lstm.misconceptions import Mistake, replay

Array = NDArray[np.floating]

# Allowed error, for values up to 1, besides a multiple of what float32 rounding does to the mistake itself.
TOLERANCE = 3e-5
ROUNDING = 8.0
# The share of values that a rounding mistake may round to the other side.
OTHER_SIDE = 0.02
# In each case, at least this many wrong numbers must be explained, or all if there are fewer.
FEWEST_EXPLAINED = 8
# The share of the largest error that may be left, rounding apart. An answer that is hardly wrong is close to
# any mistake with hardly an effect.
MOST_LEFT = 0.25
# In the first steps of each case, at least this share of the numbers must be comparable: a mistake without bounds gives
# fewer and fewer.
LEAST_COMPARABLE, FIRST_STEPS = 0.25, 8


@dataclass(frozen=True)
class CaseAnswer:
    """A case and the answer to it, ``(batch, timesteps, units)``; parts of the answer may be unknown."""

    case: Case
    answer: Array
    known: NDArray[np.bool_]

    @property
    def is_constant(self) -> bool:
        return is_constant(self.answer)

    def first_steps(self, count: int) -> CaseAnswer | None:
        """Return the question cut to its first steps; None where its sizes would not differ, or it has no more."""
        case = self.case
        try:
            spec = replace(case.spec, timesteps=count)
        except ValueError:
            return None
        x, expected = (np.ascontiguousarray(array[:, :count]) for array in (case.x, case.expected))
        if x.shape[1] < count:
            return None
        return CaseAnswer(Case(spec, x, case.weights, expected), self.answer[:, :count], self.known[:, :count])

    def from_step(self, step: int) -> CaseAnswer:
        """Return the question with the steps before this one unknown."""
        known = self.known.copy()
        known[:, :step] = False
        return replace(self, known=known)

    def without_skipped(self, loop: tuple[int, int]) -> CaseAnswer | None:
        """Return the question that a loop over some steps of x really answered, and its answer; None: no step."""
        x = np.ascontiguousarray(self.case.x[:, loop[0] :: loop[1]])
        if not x.shape[1]:
            return None
        # A few steps are enough to compare.
        spec = replace(self.case.spec, timesteps=x.shape[1], category=EDGE)
        expected = lstm_forward(x, self.case.weights).h.astype(np.float32)
        case = Case(spec, x, self.case.weights, expected)
        return CaseAnswer(case, self.answer[:, : x.shape[1]], np.ones(expected.shape, bool))

    def shows(self, mistakes: Sequence[Mistake]) -> bool:
        """Return whether enough of an answer with these mistakes is within bounds to be compared."""
        return not self._is_vague(replay(mistakes, self.case))

    def _is_vague(self, exact: Array) -> bool:
        first = np.s_[:, :FIRST_STEPS]
        comparable = self.known[first] & ~np.isnan(exact[first])
        return bool(comparable.sum() < LEAST_COMPARABLE * self.known[first].sum())

    def residual(self, mistakes: Sequence[Mistake]) -> float | None:
        """Return the largest difference from an answer with these mistakes; None where they do not explain it."""
        exact = replay(mistakes, self.case)
        with np.errstate(all="ignore"):
            scale = np.maximum(1.0, np.abs(exact))
            difference = np.abs(exact - self.answer) / scale
            comparable = self.known & ~np.isnan(exact)
            error = np.abs(self.answer - self.case.expected)
            wrong = self.known & ~(error <= TOLERANCE)
            # A mistake does not explain numbers that it cannot be compared with.
            if self._is_vague(exact) or (wrong & comparable).sum() < min(FEWEST_EXPLAINED, wrong.sum()):
                return None
            # Rounding grows in a mistake without bounds; the same mistake in float32 shows by how much here.
            rounding = np.nan_to_num(np.abs(exact - replay(mistakes, self.case, np.float32)) / scale, nan=np.inf)
            off = comparable & ~(difference <= TOLERANCE + ROUNDING * rounding)
            quantum = max((mistake.quantum for mistake in mistakes), default=0.0)
            # The steps after a value on the other side are a little off as well: each row is judged until its first.
            off_steps = off.any(-1, keepdims=True)
            until = np.cumsum(off_steps, axis=1) == off_steps
            if quantum and (off & until).sum() <= OTHER_SIDE * (comparable & until).sum() + 1:
                excused = difference <= 1.5 * quantum
                if any(mistake.code == "rounded" and "coarse" in mistake.changes for mistake in mistakes):
                    # An answer that is rounded at the end holds round numbers on either side.
                    excused &= np.abs(self.answer - quantum * np.round(self.answer / quantum)) <= TOLERANCE
                off &= ~excused
            if off.any():
                return None
            explained = wrong & comparable & (not quantum)
            left = (difference - ROUNDING * rounding)[explained]
            if left.max(initial=0.0) > MOST_LEFT * error[explained].max(initial=0.0):
                return None
        return float(difference[comparable].max(initial=0.0))


def residual(mistakes: Sequence[Mistake], case_answers: Sequence[CaseAnswer]) -> float | None:
    """Return the largest difference over all cases; None when one case cannot be explained."""
    worst = 0.0
    for each in case_answers:
        left = each.residual(mistakes)
        if left is None:
            return None
        worst = max(worst, left)
    return worst


def is_constant(numbers: Array) -> bool:
    return bool(np.isnan(numbers).all() or (numbers == numbers.flat[0]).all())


def ways_to_read(answers: Mapping[str, Content], cases: Sequence[Case]) -> list[tuple[Form, list[CaseAnswer]]]:
    """List the ways to read the answers, only those of whole answers if there are any. The smallest case is first."""
    shapes = {case.spec.id: case.expected.shape for case in cases}
    found = list(readings(answers, shapes))
    return [
        (
            reading.form,
            [
                CaseAnswer(case, array, reading.form.mask(answers[case.spec.id], case.expected.shape))
                for case in sorted(cases, key=lambda case: case.expected.size)
                if (array := reading.numbers.get(case.spec.id)) is not None
            ],
        )
        for reading in [each for each in found if each.form.is_complete] or found
    ]
