"""`trainability`: gradients are those of the layer on every kernel, recurrent kernel and bias, back through time.

Gradients of a right answer are compared as numbers. Those of a wrong answer cannot be: they must reach all of these.
"""

from __future__ import annotations

from grader.diagnosis.evidence import Evidence
from grader.report.finding import Finding, Params, Verdict


def trainability(evidence: Evidence) -> Verdict:
    gradients, compared = evidence.understanding.gradients, evidence.understanding.backpropagation
    if gradients is None:
        return Verdict.failed(Finding.of("gradient_failed"))
    unreached = sorted(name for name, largest in gradients.reach.items() if not largest)
    parts = evidence.execution.parts
    if parts is not None and (constants := parts.untracked_of("constant")):
        return Verdict.failed(Finding.of("gradient_missing", variant="constants", weights=constants))
    if len(unreached) == len(gradients.reach):
        return Verdict.failed(Finding.of("gradient_missing", variant="all"), {"roles": unreached})
    if unreached:
        return Verdict.failed(Finding.of("gradient_missing", roles=unreached))
    if compared is None:
        if not gradients.first_timestep:
            return Verdict.failed(Finding.of("gradient_truncated"))
        return Verdict.passed(weights=len(gradients.reach))
    details: Params = {"weights": len(gradients.reach), "error": compared.error}
    if not compared.wrong:
        return Verdict.passed(**details)
    if compared.steps is not None:
        return Verdict.failed(Finding.of("gradient_truncated", steps=compared.steps), details)
    params: Params = {"gradients": list(compared.wrong)}
    if compared.stopped is not None:
        params |= {"variant": f"without_{compared.stopped}"}
    return Verdict.failed(Finding.of("gradient_differs", params), details)
