"""One cause, one message: finds checks that fail only because of a diagnosis, or because of another check.

Such a check keeps its code and gets the parameter `follows_from`: the code of the cause, or ``equivalence`` where
the cause of the numbers is unknown. `follows_also` names further causes. `report.messages` then says this and nothing
else.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from grader.diagnosis.evidence import Evidence, Judgement
from grader.diagnosis.outcomes import HARD_CODED
from grader.diagnosis.returned import steps_problem
from grader.numerics.explanation import idle_arrays
from grader.report.finding import CheckStatus, Params
from grader.report.model import Check, Diagnosis
from reference import GATES, Case
from reference.lstm.misconceptions import RECURRENCE, Mistake, replay

#: Mistakes that change the answer at every call.
CHANGING = frozenset({"state_init_random", "dropout_active", "new_cell_each_step", "state_kept_between_calls"})
#: Mistakes that no number shows.
OF_FORM = frozenset({"wrong_base_class", "returns_numpy", "dtype_float64", "wrong_dtype"})
#: Answers that no gradient passes through.
OF_NUMBERS = frozenset({"returns_numpy", "returns_list"})


def with_causes(judgement: Judgement, diagnoses: Sequence[Diagnosis]) -> list[Check]:
    """Return the checks, with `follows_from` where one says no more than a diagnosis or another check."""
    checks, evidence = judgement.checks, judgement.evidence
    failed = {check.id: check for check in checks if check.status is CheckStatus.FAILED}
    causes = {id: list(_causes(check, failed, diagnoses, evidence)) for id, check in failed.items()}
    params = {id: {**failed[id].params, **_follows(found)} for id, found in causes.items() if found}
    codes = {diagnosis.code for diagnosis in diagnoses if not _is_of_form(diagnosis)}
    if "equivalence" in failed and codes:
        # A named cause is known. One that changes the answer from call to call says so itself.
        doubled = ("unexplained", "wrong", "without_h", *(("changes", "variant") if codes & CHANGING else ()))
        params.setdefault("equivalence", _without(failed["equivalence"].params, *doubled))
    return [check.model_copy(update={"params": params[check.id]}) if check.id in params else check for check in checks]


def _is_of_form(found: Check | Diagnosis) -> bool:
    """Return whether a mistake is one that no number shows. A list of plain numbers has a shape, and is such a one."""
    return found.code in OF_FORM or (found.code == "returns_list" and bool(found.params.get("actual")))


def _without(params: Params, *names: str) -> Params:
    return {name: value for name, value in params.items() if name not in names}


def _follows(causes: Sequence[str]) -> Params:
    first, *others = dict.fromkeys(causes)
    return {"follows_from": first, **({"follows_also": others} if others else {})}


def _causes(
    check: Check, failed: dict[str, Check], diagnoses: Sequence[Diagnosis], evidence: Evidence
) -> Iterable[str]:
    contract = failed.get("contract")
    codes = {other.code for other in failed.values()}
    understanding = evidence.understanding
    named = [diagnosis.code for diagnosis in diagnoses if not _is_of_form(diagnosis)]
    # If the form explains everything, the formulas have no mistake.
    mistakes = [mistake.code for mistake in understanding.explanation.mistakes] if understanding.explanation else []
    mistakes = [code for code in mistakes if code in named]
    cause = [*mistakes, *named[:1]][:1]
    match check.code:
        case "no_call_method" if "no_call_method" not in named and "cyrillic_homoglyph" in named:
            return ["cyrillic_homoglyph"]
        case "own_work_failed":
            return [str(failed["own_work"].code)]
        case "parts_not_found":
            return cause  # such as layers that are never called, or made anew in every call
        case "wrong_values" | "wrong_on_hidden_cases" if contract and contract.params.get("variant") == "integers":
            return [str(contract.code)]
        case "wrong_on_hidden_cases" if contract and _lacks_steps(evidence):
            lacking = steps_problem(understanding.form)
            return [str(contract.code), *([lacking.code] if lacking else []), *mistakes]
        case "wrong_on_hidden_cases" if not understanding.right_numbers(evidence.exercise):
            return [*(mistakes or cause or ["equivalence"]), *(code for code in named if code in HARD_CODED.values())]
        case "wrong_shape" | "no_numbers" | "wrong_on_hidden_cases" if CHANGING.intersection(named):
            return [code for code in named if code in CHANGING]
        case "wrong_shape" | "no_numbers" if check.id == "equivalence" and contract is not None:
            return [str(contract.code)]
        case "gradient_failed" if "second_call_failed" in codes:
            return ["second_call_failed"]  # it is the one that is recorded
        case "gradient_failed" | "gradient_missing" if (
            contract and contract.code in OF_NUMBERS and _is_of_form(contract)
        ):
            return [str(contract.code)]
        case "differs_on_second_call" if CHANGING.intersection(named):
            return [code for code in named if code in CHANGING]
        case "gradient_missing" | "gradient_truncated":
            return _behind_gradient(check, contract, evidence)
    return []


def _lacks_steps(evidence: Evidence) -> bool:
    """Return whether steps are missing that the other steps do not prove right."""
    form = evidence.understanding.form
    return form is not None and bool(form.wrong)


def _behind_gradient(check: Check, contract: Check | None, evidence: Evidence) -> Sequence[str]:
    """Explain a missing gradient: by mistakes that give the numbers, or else by missing steps."""
    explanation = evidence.understanding.explanation
    mistakes = explanation.mistakes if explanation else ()
    # A rounded value has no slope.
    if coarse := [mistake.code for mistake in mistakes if mistake.quantum]:
        return coarse
    # Gradients are followed from the last step, which is the first one then.
    if turned := [mistake.code for mistake in mistakes if mistake.code == "time_reversed"]:
        return turned
    lost: frozenset[str]
    if check.code == "gradient_truncated":
        lost = RECURRENCE
    else:
        roles = check.details["roles"] if check.params.get("variant") == "all" else check.params.get("roles", [])
        arrays = idle_arrays(dict.fromkeys(roles))
        if mistakes and arrays and all(_is_idle(array, mistakes, evidence.execution.cases) for array in arrays):
            return [mistake.code for mistake in mistakes if mistake.code not in OF_FORM]
        form = evidence.understanding.form
        if contract and form and form.is_first_step and all(map(_is_later, arrays)):
            return [str(contract.code)]
        lost = frozenset(array.rpartition(" ")[2] for array in arrays)
    if explanation is None or not lost or lost & explanation.right_parts:
        return []
    codes = [mistake.code for mistake in mistakes if lost & mistake.wrong]
    return codes or ([str(contract.code)] if contract and _lacks_steps(evidence) else [])


def _is_later(array: str) -> bool:
    """Return whether an array has no effect on the first step, where h and c are 0."""
    name, gate = array.split()
    return name == "recurrent_kernel" or gate == "f"


def _is_idle(array: str, mistakes: Sequence[Mistake], cases: Sequence[Case]) -> bool:
    """Return whether the last step of such an answer does not depend on an array of a gate, such as ``kernel f``.

    Gradients are followed from there.
    """
    name, gate = array.split()
    names = ("kernel", "recurrent_kernel") if name == "both" else (name,)
    case = min(cases, key=lambda case: case.expected.size)
    columns = np.repeat([each == gate for each in GATES], case.weights.units)
    factor = np.where(columns, np.float32(0.5), np.float32(1.0))
    other = replace(
        case, weights=replace(case.weights, **{name: factor * getattr(case.weights, name) for name in names})
    )
    last, last_of_other = (replay(mistakes, each)[:, -1] for each in (case, other))
    return np.array_equal(last, last_of_other, equal_nan=True)
