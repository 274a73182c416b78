"""`weights_copied`: the notebook's own copying gave both models equal weights, in either direction."""

from __future__ import annotations

from grader.checks.evidence import Evidence, Verdict, task2_verdict


def weights_copied(evidence: Evidence) -> Verdict:
    return task2_verdict(evidence, lambda notebook: notebook.copying)
