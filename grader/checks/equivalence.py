"""`equivalence`: equals Keras on the exercise's own input.

A wrong answer earns up to half of the points: an equal share for each of the `PARTS` that is still right. An exact
diagnosis tells which parts are right, or else the probes. If only the form is wrong, all parts are right.
"""

from collections.abc import Sequence

import numpy as np

from grader.assignment import CaseEntry
from grader.diagnosis.evidence import NO_SHAPE, Evidence
from grader.diagnosis.returned import repeats_along_an_axis
from grader.diagnosis.understanding import repeats_itself
from grader.execution.answers import Answer
from grader.numerics.forms import ROUNDING, Form
from grader.report.finding import Finding, Params, Verdict
from grader.sandbox.events import CaseOutput
from reference import GATES
from reference.lstm.misconceptions import PARTS

PARTIAL = 0.5


def equivalence(evidence: Evidence) -> Verdict:
    params: Params
    answer = evidence.execution.answers.get(evidence.exercise)
    if answer is None:
        return Verdict.skipped("not_run")
    comparison = evidence.comparison(evidence.exercise)
    details: Params = {"max_abs_error": comparison.max_abs_error, "roles_from": evidence.execution.roles_from}
    is_known = comparison.close and evidence.exercise in evidence.execution.known_by_heart
    if comparison.close and not is_known:
        if evidence.exercise in evidence.execution.fresh_only:
            details["note"] = "not_fresh_instance"
        return Verdict.passed(**details)
    case, understanding = evidence.assignment.cases[0], evidence.understanding
    right = [part for part in PARTS if part in understanding.right_parts]
    earned = PARTIAL * len(right) / len(PARTS)
    if is_known:
        return Verdict.failed(Finding.of("known_by_heart"), details, earned=earned)
    # They earn points, but are not said to be right where what stands in the code explains the numbers otherwise.
    mistakes = understanding.explanation.mistakes if understanding.explanation else ()
    right = [part for part in right if not any(part in mistake.wrong for mistake in mistakes)]
    if (judgement := understanding.by_probes) is not None:
        # Nor where not all of their weights were seen at work.
        right = [part for part in right if judgement.is_certain and part not in judgement.blamed]
    first_alone = understanding.form is not None and understanding.form.is_first_step
    # The first step alone shows no layer for h at work, and where there are no points, no part earns any.
    if first_alone or evidence.assignment.is_beforehand:
        right = []
    form = _form_params(understanding.form, answer, case)
    read = understanding.as_read.get(evidence.exercise)
    if read is not None and read.close and understanding.right_parts == frozenset(PARTS):
        return Verdict.failed(Finding.of("only_form_differs", form), details, earned=earned)
    parts = evidence.execution.parts
    if (parts is None or not parts.roles) and repeats_itself(evidence.execution):
        params_of_weights = _weights_found(parts.found if parts else [], answer.output)
        return Verdict.failed(Finding.of("parts_not_found", params_of_weights), {"roles_from": None})
    if not comparison.same_shape:
        params = {"actual": answer.output.shape, "expected": [case.batch, case.timesteps, case.units]}
        # Right numbers of a whole sequence that another input does not confirm prove nothing.
        form_is_complete = understanding.form is not None and understanding.form.is_complete
        if read is None or read.max_abs_error is None or (read.close and form_is_complete):
            code = "wrong_shape" if answer.array is not None else "no_numbers"
            return Verdict.failed(Finding.of(code, params), details)
        params = {"right": right} if right else {}
        if read.close:
            params |= {"variant": "first"} if first_alone else {}
            return Verdict.failed(Finding.of("steps_missing", params), details, earned=earned)
        params = {"max_abs_error": read.max_abs_error, **form, **params, **understanding.repair}
        return Verdict.failed(Finding.of("wrong_values_and_form", params), details, earned=earned)
    divergence = comparison.first_divergence
    params = {"max_abs_error": comparison.max_abs_error}
    if lost := comparison.nan + comparison.inf:
        params |= {"variant": "nan", "nonfinite": lost, "count": case.batch * case.timesteps * case.units}
    elif divergence is not None:
        is_last = divergence.timestep == case.timesteps - 1
        variant = "last_step" if is_last else "later" if divergence.timestep else "first_step"
        explained = understanding.explanation is not None and not understanding.explanation.only_written
        params |= {"variant": "explained" if explained else variant}
    if divergence is not None:
        params |= divergence.model_dump(include={"timestep", "unit", "batch", "expected", "actual"})
    if right:
        params |= {"right": right}
    if understanding.explanation is None and answer.array is not None and np.ptp(answer.array) > 0:
        params |= _localised(evidence)
        if params.get("wrong") and params.get("variant") == "first_step":
            params |= {"variant": "parts"}
    return Verdict.failed(Finding.of("wrong_values", params), details, earned=earned)


def _form_params(form: Form | None, answer: Answer, case: CaseEntry) -> Params:
    """Describe the form of the numbers, as parameters of a report's code."""
    if form is None:
        return {}
    output = answer.output
    few_digits = output.dtype in ROUNDING
    renamed = {"joined": _joined(output.shape or [], case)}
    renamed |= {"stacked": "repeated"} if repeats_along_an_axis(answer, form) else {}
    codes = [renamed.get(code, code) for code in form.codes]
    codes += ["few_digits"] if few_digits else []
    if not codes and answer.array is None:
        return {"form": ["kind"], "kind": output.kind}
    place = {"where": form.place} if form.place else {}
    return {"form": codes, **place, **({"dtype": output.dtype} if few_digits else {})} if codes else {}


def _joined(shape: Sequence[int], case: CaseEntry) -> str:
    """Name the axes of an answer that were joined into one: the other one has its length."""
    if len(shape) == 1:
        return "joined_all"
    if len(shape) == 2 and case.units in shape:
        return "joined_batch"
    if len(shape) == 2 and case.batch in shape:
        return "joined_time"
    return "cut"


def _weights_found(weights: list[str], output: CaseOutput) -> Params:
    """List the weights that the model has; a layer that was never called has a path and no shape."""
    if weights and all(weight.endswith(NO_SHAPE) for weight in weights):
        return {"found": [weight.removesuffix(NO_SHAPE) for weight in weights], "variant": "unbuilt"}
    counted = {"kernels": output.kernels, "recurrent_kernels": output.recurrent_kernels}
    if all(counted.values()) and set(counted.values()) != {len(GATES)}:
        return {"found": weights, "variant": "count", **counted}
    return {"found": weights}


def _localised(evidence: Evidence) -> Params:
    """Say where to look when no known mistake gives the numbers."""
    if not repeats_itself(evidence.execution):
        return {"changes": True, "variant": "changes"}
    if evidence.execution.parts is not None and evidence.execution.parts.misshapen:
        return {}  # weights that do not fit are the reason
    judgement = evidence.understanding.by_probes
    wrong = [part for part in PARTS if part in judgement.blamed] if judgement and judgement.right else []
    of_h: Params = {"without_h": True} if judgement and judgement.without_h else {}
    return {"unexplained": True, "wrong": wrong, **of_h, **evidence.understanding.repair}
