"""A case is one question put to a student's class, together with Keras' answer.

Weights and inputs are random because equal numbers hide mistakes: with constant weights every wrong order of the gates
gives the right answer, and with Keras' default biases a forgotten bias goes unnoticed. For the same reason the four
sizes of a case differ (a mixed-up axis then has the wrong shape), and every case has at least 2 rows and 3 steps.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from reference.cell import Float32Array, Weights
from reference.lstm.weights import LSTMWeights

# Rounding grows with the values. At ten times the unit scale a correct float32 answer is up to 9e-6 away from the exact
# one, which is all the tolerance that students have.
MAX_SCALE = 3.0

#: Begins the categories of `reference.edges`, which no assignment can name; their sizes are free.
EDGE = "edge-"


@dataclass(frozen=True)
class CaseSpec:
    """The recipe of a case.

    Args:
        id: unique among the cases of one assignment.
        visibility: whether a student may see values of this case.
        category: the aspect that the case tests, for example ``larger_values``; shown for hidden cases too.
        batch, timesteps, features, units: all different; at least 2 rows and 3 steps.
        seed: decides the input and the weights.
        scale: factor on the input and all weights; more than 0, at most `MAX_SCALE`.
        values: ``usual`` are Keras' own initial kernels and a bias of standard deviation 0.5. ``wide`` are normal
            weights so large that gates saturate and the cell state passes 1. They reveal code that clips, rounds or
            squeezes, and mistakes that hardly show on small numbers.
    Raises:
        ValueError: sizes that would hide mistakes, or a scale at which rounding would look like one.
    """

    id: str
    visibility: Literal["public", "hidden"]
    category: str
    batch: int
    timesteps: int
    features: int
    units: int
    seed: int
    scale: float = 1.0
    values: Literal["usual", "wide"] = "usual"

    def __post_init__(self) -> None:
        sizes = (self.batch, self.timesteps, self.features, self.units)
        if self.category.startswith(EDGE):
            return
        if self.batch < 2 or self.timesteps < 3 or min(sizes) < 1 or len(set(sizes)) < len(sizes):
            raise ValueError(
                f"case {self.id!r} would hide mistakes with (batch, timesteps, features, units) = {sizes}: "
                "take at least 2 rows and 3 timesteps, and four different sizes"
            )
        if not 0 < self.scale <= MAX_SCALE:
            raise ValueError(f"case {self.id!r} needs a scale above 0 and at most {MAX_SCALE:g}, not {self.scale}")


@dataclass(frozen=True, eq=False)
class Case:
    """A question and its answer, all float32.

    Args:
        x: ``(batch, timesteps, features)``.
        weights: with the features and units of the spec.
        expected: ``(batch, timesteps, units)``, the answer of Keras; of a drawn case, that of the oracle.
        is_drawn: made by `reference.drawing`, for one attempt.
    Raises:
        ValueError: an array does not have the shape that `spec` requires, or is not float32.
    """

    spec: CaseSpec
    x: Float32Array
    weights: Weights
    expected: Float32Array
    is_drawn: bool = False

    def __post_init__(self) -> None:
        spec = self.spec
        shapes = (self.x.shape, self.expected.shape, self.weights.features, self.weights.units)
        rows_and_steps = (spec.batch, spec.timesteps)
        wanted = ((*rows_and_steps, spec.features), (*rows_and_steps, spec.units), spec.features, spec.units)
        if shapes != wanted:
            raise ValueError(f"case {spec.id!r} has x, expected, features, units {shapes} instead of {wanted}")
        if {self.x.dtype, self.expected.dtype} != {np.dtype(np.float32)}:
            raise ValueError(f"x and expected of case {spec.id!r} must be float32")


def search_case(cases: Sequence[Case]) -> Case:
    """Return the case on which wrong answers are looked up: the smallest published one with wide values, if any.

    Else it is the smallest with wide values, or the smallest. Only the first kind has a table of known mistakes.
    """
    return min(cases, key=lambda case: (case.spec.values != "wide", case.is_drawn, case.expected.size))


def has_table(case: Case) -> bool:
    """Return whether a `search_case` has a table of known mistakes."""
    return case.spec.values == "wide" and not case.is_drawn


def specs_to_json(specs: Iterable[CaseSpec]) -> str:
    """Write specs as a JSON list of objects."""
    return json.dumps([asdict(spec) for spec in specs])


def specs_from_json(text: str) -> tuple[CaseSpec, ...]:
    """Read the output of `specs_to_json`.

    Raises:
        ValueError, TypeError: `text` is something else.
    """
    return tuple(CaseSpec(**fields) for fields in json.loads(text))


def cases_to_arrays(cases: Iterable[Case]) -> dict[str, Float32Array]:
    """Put the arrays of all cases into one flat mapping, named ``ID/x``, ``ID/kernel`` and so on."""
    return {
        f"{case.spec.id}/{name}": array
        for case in cases
        for name, array in {
            "x": case.x,
            "kernel": case.weights.kernel,
            "recurrent_kernel": case.weights.recurrent_kernel,
            "bias": case.weights.bias,
            "expected": case.expected,
        }.items()
    }


def cases_from_arrays(specs: Sequence[CaseSpec], arrays: Mapping[str, Float32Array]) -> tuple[Case, ...]:
    """Read the output of `cases_to_arrays`, for the same specs. The arrays become read-only.

    Raises:
        KeyError: an array is missing.
        ValueError: an array has another shape or dtype than its spec requires.
    """
    for array in arrays.values():
        array.setflags(write=False)
    return tuple(
        Case(
            spec,
            x=arrays[f"{spec.id}/x"],
            weights=LSTMWeights(
                arrays[f"{spec.id}/kernel"], arrays[f"{spec.id}/recurrent_kernel"], arrays[f"{spec.id}/bias"]
            ),
            expected=arrays[f"{spec.id}/expected"],
        )
        for spec in specs
    )
