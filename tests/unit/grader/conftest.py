"""Evidence that needs no box: answers are arrays, and cases come from the oracle."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from grader.assignment import Assignment, load_assignments
from grader.checks.evidence import Evidence
from grader.comparison import compare
from grader.execution import Answer, Execution
from grader.reading import Reading
from grader.sandbox import Outcome
from grader.sandbox.protocol import CaseOutput, ClassFound, Parts
from reference import Case, LSTMWeights, lstm_forward

Respond = Callable[[Case], NDArray[np.floating]]


@pytest.fixture(scope="session")
def assignment() -> Assignment:
    return load_assignments()["lstm-layer"]


@pytest.fixture(scope="session")
def cases(assignment: Assignment) -> tuple[Case, ...]:
    """The assignment's cases, answered by the oracle instead of Keras."""
    made = []
    for spec in (entry.spec() for entry in assignment.cases):
        rng = np.random.default_rng(spec.seed)
        shapes = ((spec.features, 4 * spec.units), (spec.units, 4 * spec.units), (4 * spec.units,))
        weights = LSTMWeights(*(rng.standard_normal(shape, dtype=np.float32) * np.float32(0.5) for shape in shapes))
        x = rng.standard_normal((spec.batch, spec.timesteps, spec.features), dtype=np.float32)
        made.append(Case(spec, x, weights, lstm_forward(x, weights).h.astype(np.float32)))
    return tuple(made)


@pytest.fixture
def class_found() -> ClassFound:
    return ClassFound(
        event="class",
        found=True,
        is_class=True,
        kind="type",
        is_model=True,
        own=True,
        bases=["submission.LSTM", "keras.src.models.model.Model"],
        has_call=True,
        is_stub=False,
    )


@pytest.fixture
def evidence_of(assignment: Assignment, cases: tuple[Case, ...], class_found: ClassFound) -> Callable[..., Evidence]:
    """What the checks would look at if a model answered each case as `respond` does."""

    def make(respond: Respond | None = None, *, reading: Mapping[str, object] | None = None) -> Evidence:
        answers, comparisons = {}, {}
        for case in cases if respond else ():
            array = respond(case).astype(np.float32)
            output = CaseOutput(
                event="output",
                case=case.spec.id,
                call=0,
                reused=False,
                fired=[],
                fired_global=False,
                kind="tensor",
                dtype="float32",
                shape=list(array.shape),
                parts=None,
            )
            answers[case.spec.id] = Answer(output, array)
            comparisons[case.spec.id] = compare(array, case.expected, atol=1e-5, rtol=1e-5)
        execution = Execution(
            "3",
            Outcome(result=b""),
            complete=True,
            class_found=class_found,
            parts=Parts(event="parts", roles={"fcXI": "fcXI"}, evidence="names", candidates=1, found=[]),
            answers=answers,
            comparisons=comparisons,
        )
        return Evidence(assignment, Reading(format="py", error=None, **(reading or {})), execution)

    return make
