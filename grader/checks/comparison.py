"""`comparison`: what the notebook shows depends on both answers, and sees errors of either sign."""

from __future__ import annotations

from grader.checks.evidence import Evidence, Verdict, task2_verdict


def comparison(evidence: Evidence) -> Verdict:
    return task2_verdict(evidence, lambda notebook: notebook.comparison)
