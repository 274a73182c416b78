"""One cause, one message: which checks fail only because of what a diagnosis, or another check, says already.

Such a check keeps its code and gets the parameter `follows_from`: the code of the cause, or ``equivalence`` where
nobody knows the cause of the numbers. `grader.messages` then says this and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from grader.checks.evidence import Evidence
from grader.report import Check, CheckStatus, Diagnosis, Params
from reference.misconceptions import PARTS

ARRAY_OF_GATES = re.compile(r"\((?:kernel|recurrent_kernel|bias) ([IFCO]+)\)$")
#: Mistakes that make another answer of every call.
CHANGING = frozenset({"state_init_random", "dropout_active", "new_cell_each_step", "state_kept_between_calls"})
#: Mistakes that no number shows.
OF_FORM = frozenset({"wrong_base_class", "returns_numpy", "dtype_float64", "wrong_dtype"})
# The letters of the exercise's layers.
PART_OF = {"I": "i", "F": "f", "C": "g", "O": "o"}


def with_causes(checks: Sequence[Check], diagnoses: Sequence[Diagnosis], evidence: Evidence) -> list[Check]:
    failed = {check.id: check for check in checks if check.status is CheckStatus.FAILED}
    causes = {id: cause for id, check in failed.items() if (cause := _cause(check, failed, diagnoses, evidence))}
    return [
        check.model_copy(update={"params": {**check.params, "follows_from": causes[check.id]}})
        if check.id in causes
        else check
        for check in checks
    ]


def _cause(check: Check, failed: dict[str, Check], diagnoses: Sequence[Diagnosis], evidence: Evidence) -> str | None:
    contract = failed.get("contract")
    codes = {other.code for other in failed.values()}
    explanation = evidence.execution.explanation
    named = [diagnosis.code for diagnosis in diagnoses if diagnosis.code not in OF_FORM]
    # What a form explains alone has no mistake in the formulas.
    mistakes = explanation.mistakes if explanation else ()
    cause = mistakes[0].code if mistakes else next(iter(named), None)
    match check.code:
        case "own_work_failed":
            return failed["own_work"].code
        case "parts_not_found":
            return cause  # such as layers that nobody calls, or that are made anew in every call
        case "wrong_on_hidden_cases" if not evidence.execution.right_numbers(evidence.exercise):
            return cause or "equivalence"
        case "wrong_shape" | "no_numbers" if check.id == "equivalence" and contract is not None:
            return contract.code
        case "gradient_failed" if "second_call_failed" in codes:
            return "second_call_failed"  # it is the one that is recorded
        case "gradient_failed" | "gradient_missing" if "returns_numpy" in codes:
            return "returns_numpy"
        case "differs_on_second_call" if cause in CHANGING:
            return cause
        case "gradient_missing" | "gradient_truncated" if _touches(check.code, check.params, evidence):
            return cause
    return None


def _touches(code: str, params: Params, evidence: Evidence) -> bool:
    """Whether the mistake that gives the numbers lies where the gradient is missing."""
    explanation = evidence.execution.explanation
    if explanation is None:
        return False
    wrong = set(PARTS) - explanation.right_parts
    if code == "gradient_truncated":
        return "recurrence" in wrong
    found = [ARRAY_OF_GATES.search(role) for role in params.get("roles", [])]
    return bool(found) and all(match is not None and {PART_OF[gate] for gate in match[1]} <= wrong for match in found)
