"""`trainability`: gradients are those of the layer on every kernel, recurrent kernel and bias, back through time.

Gradients of a right answer are compared as numbers. Those of a wrong answer cannot be: they must reach all of these.
"""

from collections.abc import Sequence

from grader.diagnosis.evidence import Evidence
from grader.report.finding import Finding, Params, Verdict
from grader.sandbox.events import Parts


def trainability(evidence: Evidence) -> Verdict:
    gradients, compared = evidence.understanding.gradients, evidence.understanding.backpropagation
    if gradients is None:
        return Verdict.failed(Finding.of("gradient_failed"))
    unreached = sorted(name for name, largest in gradients.reach.items() if not largest)
    parts = evidence.execution.parts
    if parts is not None and (constants := parts.untracked_of("constant")):
        return Verdict.failed(Finding.of("gradient_missing", variant="constants", weights=constants))
    if unreached and _are_frozen(unreached, parts):
        return Verdict.failed(Finding.of("gradient_missing", roles=unreached, variant="frozen"))
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


def _are_frozen(weights: Sequence[str], parts: Parts | None) -> bool:
    """Return whether the model says of these weights, ``path (array GATES)``, that they are not to be trained."""
    untracked = parts.untracked.items() if parts is not None else ()
    frozen = {name.removeprefix("self.") for name, kind in untracked if kind == "frozen"}
    others = {weight.rpartition(" (")[0] for weight in weights} - frozen
    return parts is not None and bool(frozen) and (parts.more_untracked or not others)
