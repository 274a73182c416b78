"""Evidence that needs no box: answers are arrays, and cases come from the oracle."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from grader.assignment import Assignment
from grader.diagnosis.evidence import Evidence
from grader.diagnosis.understanding import understand
from grader.execution.answers import Answer
from grader.execution.execution import Execution
from grader.execution.reading import Reading
from grader.numerics.forms import Content
from grader.sandbox import Outcome
from grader.sandbox.events import CaseOutput, ClassFound, Parts
from reference import Case, probes

Respond = Callable[[Case], Content]


def _answer(case: str, content: Content, kind: str, dtype: str) -> Answer:
    array = content.astype(np.float32) if isinstance(content, np.ndarray) else None
    output = CaseOutput(
        event="output",
        case=case,
        call=0,
        reused=False,
        kind=kind,
        dtype=dtype,
        shape=list(array.shape) if array is not None else None,
        parts=None if array is not None else [list(items.array.shape[1:]) for items in content],
    )
    return Answer(output, array, () if array is not None else tuple(content))


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
    """Makes the evidence of a model that answers each case as `respond` does."""

    def make(
        respond: Respond | None = None,
        *,
        kind: str = "tensor",
        dtype: str = "float32",
        reading: Mapping[str, object] | None = None,
    ) -> Evidence:
        answers = {}
        asked = probes.questions(cases[0].spec.features, cases[0].spec.units)
        for case in cases if respond else ():
            answers[case.spec.id] = _answer(case.spec.id, respond(case), kind, dtype)
        execution = Execution(
            "3",
            Outcome(result=b""),
            complete=True,
            class_found=class_found,
            parts=Parts(event="parts", roles={"fcXI": "fcXI"}, evidence="names", candidates=1, found=[]),
            answers=answers,
            probed={probe.spec.id: _answer(probe.spec.id, respond(probe), kind, dtype) for probe in asked if respond},
        )
        # Building the table takes seconds: only for tests in which something is wrong.
        understanding = understand(
            execution, cases, lambda case: request.getfixturevalue("table"), assignment.tolerance
        )
        return Evidence(assignment, Reading(format="py", error=None, **(reading or {})), execution, understanding)

    return make
