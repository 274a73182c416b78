"""All mistakes, and the pairs of them that can be made together."""

import itertools
from collections.abc import Iterator
from functools import cache

from reference.lstm.misconceptions.gates import gate_mistakes
from reference.lstm.misconceptions.inputs import input_mistakes
from reference.lstm.misconceptions.loop import loop_mistakes
from reference.lstm.misconceptions.mistake import Mistake
from reference.lstm.misconceptions.shapes import order_mistakes
from reference.lstm.misconceptions.state import state_mistakes
from reference.lstm.misconceptions.treatments import treatment_mistakes


@cache
def bank() -> tuple[Mistake, ...]:
    """Return every single mistake; the likelier of two that give the same numbers comes first."""
    families = (input_mistakes, gate_mistakes, loop_mistakes, state_mistakes, order_mistakes, treatment_mistakes)
    return tuple(mistake for family in families for mistake in family())


def pairs() -> Iterator[tuple[int, int]]:
    """Yield indices into `bank` of every two mistakes that touch different slots."""
    singles = bank()
    for first, second in itertools.combinations(range(len(singles)), 2):
        one, other = singles[first], singles[second]
        if one.compatible(other):
            yield first, second
