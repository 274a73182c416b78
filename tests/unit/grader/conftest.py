"""Evidence that needs no box: answers are arrays, and cases come from the oracle."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from grader.assignment import Assignment
from grader.diagnosis.evidence import Evidence, Judgement
from grader.diagnosis.understanding import Understanding, understand
from grader.execution.answers import Answer
from grader.execution.execution import Execution
from grader.execution.questions import Examiner
from grader.execution.reading import Reading
from grader.execution.runner import tells_less
from grader.execution.stages import Stage, Stages
from grader.numerics.forms import Content
from grader.report.model import Report
from grader.reporting import assembly
from grader.sandbox import Outcome
from grader.sandbox.events import CaseOutput, ClassFound, Parts
from grader.submission import Submission
from reference import SEED_BYTES, Case

SEED = bytes(SEED_BYTES)
Respond = Callable[[Case], Content | None]


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
    """Makes the evidence of a model that answers each case as `respond` does.

    `parts` are changes of the run's `Parts`, `run` other changes of its execution; neither changes what is understood.
    So rows of a table with the same function share what takes long.
    """

    @functools.lru_cache(maxsize=4)
    def understood(
        respond: Respond | None, kind: str, dtype: str, formulas: tuple[tuple[str, str], ...]
    ) -> tuple[Execution, Understanding]:
        examiner = Examiner(cases, SEED, "3", long_gradients=False)
        asked = examiner.everything()

        def answer(case: Case) -> Answer | None:
            content = respond(case) if respond else None
            return None if content is None else _answer(case.spec.id, content, kind, dtype)

        answers = {case.spec.id: found for case in asked.cases if (found := answer(case))}
        twin, of_cases = examiner.twin, asked.cases
        if tells_less(twin, cases[0], answers) and (found := answer(examiner.long_twin())):  # as the runner does
            of_cases = tuple(examiner.long_twin() if case is twin else case for case in of_cases)
            answers[twin.spec.id] = found
        execution = Execution(
            Outcome(result=b""),
            generation="3",
            complete=True,
            class_found=class_found,
            parts=Parts(event="parts", roles={"fcXI": "fcXI"}, evidence="names", candidates=1, found=[]),
            cases=of_cases,
            twin=examiner.twin.spec.id,
            answers=answers,
            probed=tuple((probe.case, answer(probe.case)) for probe in asked.probes),
        )
        # Building the table takes seconds: only for tests in which something is wrong.
        understanding = understand(
            execution, lambda case: request.getfixturevalue("table"), assignment.tolerance, dict(formulas)
        )
        return execution, understanding

    def make(
        respond: Respond | None = None,
        *,
        kind: str = "tensor",
        dtype: str = "float32",
        reading: Mapping[str, object] | None = None,
        parts: Mapping[str, object] | None = None,
        **run: Any,
    ) -> Evidence:
        found = Reading(format="py", error=None, **(reading or {}))
        execution, understanding = understood(respond, kind, dtype, tuple(found.formulas.items()))
        run["parts"] = run.get("parts", execution.parts.model_copy(update=parts))
        return Evidence(assignment, found, replace(execution, **run), understanding)

    return make


@pytest.fixture(scope="session")
def report_on() -> Callable[..., Report]:
    """Makes the report on what was judged; `artefacts` gets what is kept beside it."""

    def make(judgement: Judgement, artefacts: dict[str, bytes] | None = None) -> Report:
        stages = Stages(None)
        stages.begin(Stage.CHECKING)
        keep = None if artefacts is None else artefacts.__setitem__
        return assembly.report_on(Submission("lstm.py", b""), judgement, stages, keep, questions="")

    return make
