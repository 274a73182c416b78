"""Evidence that needs no box: answers are arrays, and cases come from the oracle."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from grader.assignment import Assignment, load_assignments
from grader.checks.evidence import Evidence
from grader.comparison import compare
from grader.execution import Answer, Execution, understood
from grader.reading import Reading
from grader.sandbox import Outcome
from grader.sandbox.protocol import CaseOutput, ClassFound, Parts
from reference import Case, LSTMWeights, lstm_forward, probes, search_case
from reference.misconceptions import Table, build_table

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
        wide = (2 / spec.features**0.5, 2.5 / spec.units**0.5, 1.0)
        usual = (spec.scale / spec.features**0.5, spec.scale / spec.units**0.5, spec.scale * 0.5)
        factors = np.float32(wide if spec.values == "wide" else usual)
        weights = LSTMWeights(
            *(rng.standard_normal(s, dtype=np.float32) * f for s, f in zip(shapes, factors, strict=True))
        )
        x = rng.standard_normal((spec.batch, spec.timesteps, spec.features), dtype=np.float32) * np.float32(spec.scale)
        made.append(Case(spec, x, weights, lstm_forward(x, weights).h.astype(np.float32)))
    return tuple(made)


@pytest.fixture(scope="session")
def table(cases: tuple[Case, ...]) -> Table:
    return build_table(search_case(cases))


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def evidence_of(
    assignment: Assignment, cases: tuple[Case, ...], class_found: ClassFound, request: pytest.FixtureRequest
) -> Callable[..., Evidence]:
    """What the checks would look at if a model answered each case as `respond` does."""

    def make(respond: Respond | None = None, *, reading: Mapping[str, object] | None = None) -> Evidence:
        answers, comparisons = {}, {}
        asked = probes.questions(cases[0].spec.features, cases[0].spec.units)
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
            probed={probe.spec.id: respond(probe).astype(np.float32) for probe in asked} if respond else {},
        )
        # Building the table takes seconds: only for tests in which something is wrong.
        execution = understood(execution, cases, asked, lambda case: request.getfixturevalue("table"))
        return Evidence(assignment, Reading(format="py", error=None, **(reading or {})), execution)

    return make
