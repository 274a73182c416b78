"""One answer of the student's model: its kind and its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grader.assignment import Tolerance
from grader.numerics.comparison import NO_ANSWER, Comparison, compare
from grader.numerics.forms import Content, Items, forms_of
from grader.sandbox.events import CaseOutput
from grader.sandbox.protocol import Arrays
from reference import Case

Array = NDArray[np.floating]

# float32 may change equal sums by this much when their order changes.
SAME = 1e-5


@dataclass(frozen=True)
class Answer:
    """The model's answer to one case.

    Args:
        array: its numbers, when it is one array.
        inside: its content, if it is a container.
    """

    output: CaseOutput
    array: Array | None
    inside: tuple[Items, ...] = ()

    @property
    def content(self) -> Content:
        return self.inside if self.array is None else self.array

    @property
    def arrays(self) -> list[Array]:
        """Return all of its numbers; an empty list if it holds none."""
        return [self.array] if self.array is not None else [items.array for items in self.inside]

    def compare(self, case: Case, tolerance: Tolerance) -> Comparison:
        """Compare it, as it is, with the right answer to a case."""
        if self.array is None:
            return NO_ANSWER
        return compare(self.array, case.expected, atol=tolerance.atol, rtol=tolerance.rtol)

    def is_right_in_a_form(self, case: Case, tolerance: Tolerance) -> bool:
        """Return whether its numbers, in whatever form, are the right ones of all steps or of the last."""
        expected = case.expected
        for form, read in forms_of(self.content, expected.shape):
            there = form.mask(self.content, expected.shape)
            if form.reaches_the_end and np.allclose(read[there], expected[there], tolerance.rtol, tolerance.atol):
                return True
        return False

    def difference(self, other: Answer) -> float | None:
        """Return the largest difference of two answers, NaN where only one has a number; None: the forms differ."""
        if [array.shape for array in self.arrays] != [array.shape for array in other.arrays] or not self.arrays:
            return None
        largest = 0.0
        for one, another in zip(self.arrays, other.arrays, strict=True):
            same = (one == another) | (np.isnan(one) & np.isnan(another))
            with np.errstate(invalid="ignore"):
                differences = np.where(same, 0.0, np.abs(one - another))
            largest = max(largest, float(np.max(differences, initial=0.0)), key=lambda value: (np.isnan(value), value))
        return largest

    def repeats(self, other: Answer) -> bool:
        """Return whether two calls of a model gave the same answer, up to float32 rounding."""
        difference = self.difference(other)
        # Written with <= so that NaN counts as a difference; the magnitude may be NaN as well.
        return difference is not None and (difference == 0.0 or difference <= SAME * (1.0 + self.magnitude))

    def steps_of(self, case: Case) -> float:
        """Return for how many timesteps of a case it has numbers."""
        return sum(array.size for array in self.arrays) / (case.spec.batch * case.spec.units)

    @property
    def magnitude(self) -> float:
        """Return the largest of its numbers."""
        return max((float(np.max(np.abs(array), initial=0.0)) for array in self.arrays), default=0.0)


def items_of(arrays: Arrays, places: Sequence[Sequence[str]]) -> tuple[Items, ...]:
    """Return the content of a container: arrays ``inside/k``, and the place of each item."""
    held = [(arrays.get(f"inside/{k}"), tuple(named)) for k, named in enumerate(places)]
    return tuple(Items(array, named) for array, named in held if array is not None)
