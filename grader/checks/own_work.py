"""`own_work`: the answer is not computed by a built-in recurrent layer or operation.

Built-in code computes nothing where a class is graded, and while a notebook calls its class: an answer that depends on
it has no numbers, whatever the run says of itself. This check puts that into words. Built-in code that merely ran
beside a right answer is not held against anybody.
"""

import numpy as np

from grader.diagnosis.evidence import NO_SHAPE, Evidence
from grader.diagnosis.reaching import conviction, names_of
from grader.diagnosis.understanding import repeats_itself
from grader.execution.execution import Execution
from grader.report.finding import Verdict


def own_work(evidence: Evidence) -> Verdict:
    execution = evidence.execution
    if evidence.notebook is not None and evidence.notebook.built_in:
        return Verdict.failed(conviction(evidence.notebook.built_in), {"evidence": "no_numbers"})
    if not execution.answers:
        return Verdict.skipped("not_run")
    if not execution.depends_on_built_in:
        if not _computes(execution):
            return Verdict.skipped("no_own_answer")
        names = names_of(execution.built_in)
        return Verdict.passed(ran_unused=names) if names else Verdict.passed()
    return Verdict.failed(conviction(execution.built_in), {"evidence": "no_numbers"})


def _computes(execution: Execution) -> bool:
    """Return whether there are numbers that layers or weights of the model can have contributed to."""
    weights = execution.parts.found if execution.parts is not None else []
    unused = bool(weights) and all(weight.endswith(NO_SHAPE) for weight in weights)
    # A model that makes new layers in every call uses none of those it holds.
    unused = unused and repeats_itself(execution)
    return not unused and any(
        any(array.size and np.ptp(array) for array in answer.arrays) for answer in execution.answers.values()
    )
