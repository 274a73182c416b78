"""What a report says of a run beside its verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest

from grader.checks.registry import run_checks
from grader.reporting import report_on
from grader.stages import Stages
from grader.submission import Submission


@pytest.mark.parametrize(
    ("cpu_seconds", "complete", "told"),
    [
        (14.04, True, {"seconds": 14.0, "limit_seconds": 20.0}),
        (9.9, True, None),
        (14.04, False, None),
    ],
    ids=["more than half of the limit", "less", "a run that did not end by itself"],
)
def test_an_answer_that_takes_most_of_its_time_is_called_slow(evidence_of, cases, cpu_seconds, complete, told):
    evidence = evidence_of(lambda case: case.expected)
    outcome = evidence.execution.outcome.model_copy(update={"cpu_seconds": cpu_seconds})
    evidence = replace(evidence, execution=replace(evidence.execution, outcome=outcome, complete=complete))
    stages = Stages(None)
    stages.begin("checking")

    report = report_on(Submission("lstm.py", b""), evidence, run_checks(evidence), cases, stages, artefacts=None)

    assert [advisory.params for advisory in report.advisories if advisory.code == "slow"] == ([told] if told else [])
