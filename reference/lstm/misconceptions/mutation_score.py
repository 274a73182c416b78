"""Measures how well an assignment's cases tell the bank's mistakes from the right answer and from each other.

Wrong answers can be told apart only where they differ. The score is of the bank and the cases together: a mistake that
no case shows, or that looks like another one on all of them, is a gap in either.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reference.cases import Case
from reference.lstm.misconceptions.bank import bank
from reference.lstm.misconceptions.computation import Array
from reference.lstm.misconceptions.mistake import replay

RIGHT = "the right answer"
# Mistakes closer than this compute the same, and differ by rounding.
EQUAL = 1e-6
# Mistakes this far apart are distinct: a thousand times the tolerance of the exercise. Rounding is small by nature.
FAR, FAR_FOR_ROUNDING = 1e-2, 1e-4


@dataclass(frozen=True)
class MutationScore:
    """The result of `mutation_score`.

    Args:
        entries: how many mistakes the bank has.
        equal: groups of names that answer the same on all cases, as they would on any other.
        near: pairs of names that are closer than they should be, with their distance. Should be empty.
        nearest, nearest_rounding: the smallest distance among the rest, and the same where one of the two rounds.
    """

    entries: int
    equal: tuple[tuple[str, ...], ...]
    near: tuple[tuple[str, str, float], ...]
    nearest: float
    nearest_rounding: float

    @property
    def distinct(self) -> int:
        """Count the mistakes that are far from everything except their equals."""
        return self.entries - len({name for *names, _ in self.near for name in names} - {RIGHT})

    def __str__(self) -> str:
        nearest = f"{self.nearest:.1e} apart, {self.nearest_rounding:.1e} where one of them rounds"
        lines = [
            f"{self.distinct} of {self.entries} are told from what is right and from each other; nearest: {nearest}",
            *(f"  equal: {' = '.join(names)}" for names in self.equal),
            *(f"  too near, {distance:.1e}: {one}, {other}" for one, other, distance in self.near),
        ]
        return "\n".join(lines)


def mutation_score(cases: Sequence[Case]) -> MutationScore:
    """Compare everything with everything; the cases that show most come first, since most pairs are settled there."""
    mistakes = bank()
    names = [RIGHT, *(mistake.name for mistake in mistakes)]
    rounds = np.array([False, *(mistake.quantum > 0 for mistake in mistakes)])
    count = len(names)
    distance = np.zeros((count, count))
    wanted = np.where(rounds[:, None] | rounds, FAR_FOR_ROUNDING, FAR)
    for case in sorted(cases, key=lambda case: (case.spec.values != "wide", case.expected.size)):
        undecided = np.unique(np.argwhere(np.triu(distance < wanted, 1)))
        answers = {
            index: np.asarray(replay([mistakes[index - 1]] if index else [], case)).ravel() for index in undecided
        }
        for first in undecided:
            others = [
                second for second in undecided if second > first and distance[first, second] < wanted[first, second]
            ]
            if others:
                far = _distances(answers[first], np.stack([answers[second] for second in others]))
                distance[first, others] = distance[others, first] = np.maximum(distance[first, others], far)
    return _score(names, distance, rounds, wanted)


def _distances(answer: Array, others: Array) -> Array:
    """Return the largest difference; places where one of the two is out of bounds, and NaN, are ignored."""
    differences = np.abs(others - answer)
    return np.asarray(np.where(np.isnan(differences), 0.0, differences).max(axis=1))


def _score(names: Sequence[str], distance: Array, rounds: Array, wanted: Array) -> MutationScore:
    above = np.triu(np.ones_like(distance, dtype=bool), 1)
    group = list(range(len(names)))
    for first, second in np.argwhere(above & (distance < EQUAL)):
        group[second] = group[first]
    groups = [[names[i] for i in range(len(names)) if group[i] == leader] for leader in sorted(set(group))]
    different = above & (distance >= EQUAL)
    coarse = rounds[:, None] | rounds
    return MutationScore(
        entries=len(names) - 1,
        equal=tuple(tuple(members) for members in groups if len(members) > 1),
        near=tuple(
            (names[first], names[second], float(distance[first, second]))
            for first, second in np.argwhere(different & (distance < wanted))
        ),
        nearest=float(distance[different & ~coarse].min()),
        nearest_rounding=float(distance[different & coarse].min()),
    )
