"""`own_work`: the answer is not computed by a built-in recurrent layer or operation.

Two witnesses convict: recurrent code ran during a graded call, and the answer changed when that code returned NaN.
"""

from __future__ import annotations

import numpy as np

from grader.checks.evidence import NO_SHAPE, Evidence, Verdict
from grader.execution import Execution, repeats_itself


def own_work(evidence: Evidence) -> Verdict:
    execution = evidence.execution
    fired = list(execution.fired)
    if not execution.answers:
        return Verdict.skipped("not_run")
    if not execution.depends_on_built_in:
        if not _computes(execution):
            return Verdict.skipped("no_own_answer")
        return Verdict.passed(ran_unused=fired) if fired else Verdict.passed()
    return Verdict.failed(conviction(evidence), {"functions": fired}, {"evidence": "poisoned_run"})


def _computes(execution: Execution) -> bool:
    """Whether there are numbers that layers or weights of the model can have had a part in."""
    found = execution.parts.found if execution.parts is not None else []
    unused = bool(found) and all(weight.endswith(NO_SHAPE) for weight in found)
    # A model that makes its layers anew in every call uses none of those that it has.
    unused = unused and repeats_itself(execution)
    return not unused and any(
        any(array.size and np.ptp(array) for array in answer.arrays) for answer in execution.answers.values()
    )


def conviction(evidence: Evidence) -> str:
    """Which code names the use of built-in code best."""
    outputs = [answer.output for answer in evidence.execution.answers.values()]
    if any(output.fired_global for output in outputs):
        return "uses_global_keras_layer"
    only_loop = set(evidence.execution.fired) <= {"RNN", "backend.rnn", "StackedRNNCells"}
    return "uses_builtin_rnn" if only_loop else "uses_builtin_lstm"
