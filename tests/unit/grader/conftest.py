"""Evidence that needs no box: answers are arrays, and cases come from the oracle."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from grader.assignment import Assignment
from grader.checks.evidence import Evidence
from grader.comparison import compare
from grader.execution import Answer, Execution, understood
from grader.reading import Reading
from grader.sandbox import Outcome
from grader.sandbox.protocol import CaseOutput, ClassFound, Parts
from reference import Case, probes

Respond = Callable[[Case], NDArray[np.floating]]


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
