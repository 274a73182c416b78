"""The parts that an answer with known mistakes shows to be right.

A part that a mistake does not touch is right only as far as the numbers show. Where ``c = i*g`` forgets the term with
f, every f gives the same answer. So every part is changed in turn, and a part that makes no difference earns nothing.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reference import GATES, Case
from reference.lstm.misconceptions import PARTS, Mistake, replay

Array = NDArray[np.floating]

# Answers are numbers between -1 and 1. A smaller difference counts as none.
LEAST = 1e-3


def parts_used(mistakes: Sequence[Mistake], case: Case) -> frozenset[str]:
    """Return those of `PARTS` that affect the answer, right or wrong."""
    answer = replay(mistakes, case)
    return frozenset(part for part in PARTS if _makes_a_difference(part, mistakes, case, answer))


def _makes_a_difference(part: str, mistakes: Sequence[Mistake], case: Case, answer: Array) -> bool:
    others = [_shut(part)] if part in GATES else [_not_carried(state) for state in "hc"]
    return all(_differs(answer, replay([*mistakes, other], case)) for other in others)


def _differs(answer: Array, other: Array) -> bool:
    with np.errstate(invalid="ignore"):
        return not bool((np.abs(answer - other) <= LEAST).all())


def _shut(gate: str) -> Mistake:
    return Mistake("part", f"{gate} is another", {f"act.{gate}": lambda z: np.full_like(z, 0.3)}, frozenset(gate))


def _not_carried(state: str) -> Mistake:
    changes = {f"pass_{state}": lambda m, h, c: h if state == "h" else c}
    return Mistake("part", f"{state} stays", changes, frozenset({"recurrence"}))
