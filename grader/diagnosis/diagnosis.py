"""The known mistake that explains the result of a run, if any.

The run's own signs come first (an exception, a wrong shape, built-in code), then the numbers (`numerics.explanation`).
`exact` means that a mistake explains every case to within the tolerance. Never guess: no diagnosis is an answer too.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grader.assignment import CaseEntry, CheckId
from grader.diagnosis.built_in import conviction
from grader.diagnosis.evidence import Evidence, Judgement, Verdict
from grader.diagnosis.exceptions import exception_problem, is_out_of_memory
from grader.diagnosis.missing_names import behind_missing_name
from grader.diagnosis.mistake_variants import variant
from grader.diagnosis.outcomes import ending_problem, hard_coded_size, size_that_works, structural_problem
from grader.diagnosis.reaching import NEVER_NEEDED, Problem, behind, reached_for
from grader.diagnosis.returned import (
    default_as_width,
    other_number_of_weights,
    output_problem,
    steps_problem,
    three_gates,
)
from grader.diagnosis.understanding import repeats_itself
from grader.execution.answers import Answer
from grader.execution.execution import Execution
from grader.execution.reading import Reading
from grader.report.model import CheckStatus, Diagnosis, Params, RunnerUp
from grader.sandbox.protocol import Raised
from reference import GATES, Case

Array = NDArray[np.floating]

# Other mistakes give these shapes too, so the numbers must agree.
GUESSED_FROM_SHAPE = {"returns_last_only", "return_inside_loop", "missing_step", "step_two"}
FLOATS = {"float16", "bfloat16", "float32", "float64"}
# At most this many weights of a wrong shape are listed.
MOST_WEIGHTS = 4
# Errors that TensorFlow, NumPy and Keras raise for shapes that do not fit.
SHAPE_ERRORS = {"InvalidArgumentError", "ValueError"}


def diagnose(judgement: Judgement, cases: Sequence[Case]) -> list[Diagnosis]:
    """Return the diagnoses, the most telling one first. Empty for a correct answer, or where nothing matches."""
    verdicts = judgement.verdicts
    if verdicts and all(verdict.status == CheckStatus.PASSED for verdict in verdicts.values()):
        return []
    return list(_unique(itertools.chain(_candidates(judgement, cases), _from_task2(verdicts))))


def _from_task2(verdicts: Mapping[CheckId, Verdict]) -> Iterator[Diagnosis]:
    """Find mistakes in the notebook's own copying and comparing, apart from consequences of mistakes in the class."""
    of_task2: tuple[CheckId, ...] = ("weights_copied", "comparison")
    for check in of_task2:
        verdict = verdicts.get(check)
        if verdict is not None and verdict.code is not None and verdict.code.startswith("t2_"):
            yield Diagnosis(code=verdict.code, params=verdict.params, confidence="exact")


def _unique(diagnoses: Iterator[Diagnosis]) -> Iterator[Diagnosis]:
    seen: set[str] = set()
    for diagnosis in diagnoses:
        if diagnosis.code not in seen:
            seen.add(diagnosis.code)
            yield diagnosis


def _candidates(judgement: Judgement, cases: Sequence[Case]) -> Iterator[Diagnosis]:
    evidence = judgement.evidence
    execution, reading, understanding = evidence.execution, evidence.reading, evidence.understanding
    if judgement.failed("own_work"):
        # The search for the built-in layer says more than the layer itself.
        yield from (found for found in _reached_for(execution) if found.code in NEVER_NEEDED)
        code, params = conviction(execution)
        yield Diagnosis(code=code, params=params, confidence="exact")
        return
    problem = structural_problem(execution, reading)
    if problem is not None:
        yield Diagnosis(code=problem[0], params=problem[1], confidence="exact")
    for homoglyph in reading.homoglyphs:
        yield Diagnosis(code="cyrillic_homoglyph", params=homoglyph.model_dump(), confidence="exact")
    if ending := ending_problem(execution):
        yield Diagnosis(code=ending[1][0], params=ending[1][1], confidence="exact")
    exercise = evidence.assignment.cases[0]
    answer = execution.answers.get(exercise.id)
    if answer is None:
        # The exception is only a consequence of these.
        if size := size_that_works(execution, exercise):
            yield Diagnosis(code=size[0], params=size[1], confidence="exact")
            return
        if execution.raised and execution.raised[0].type in SHAPE_ERRORS and (found := _misshapen(execution)):
            yield found
            return
        for raised in execution.raised[:1]:
            if not _follows(raised, problem, reading):
                code, params = _behind_exception(raised, execution, reading)
                if params.get("variant") == "shapes":
                    params = {**params, "variant": _shapes_variant(raised, exercise)}
                yield Diagnosis(code=code, params=params, confidence="exact")
        return
    if problem is not None and problem[0] == "not_implemented":
        return
    comparison = evidence.comparison(exercise.id)
    if answer.output.global_name is not None and not comparison.close:
        yield Diagnosis(code="returns_global", params={"name": answer.output.global_name}, confidence="exact")
    expected = exercise.batch, exercise.timesteps, exercise.units
    problem = output_problem(answer.output, expected, understanding.form, exercise.features)
    right = understanding.right_numbers(exercise.id)
    if problem is not None:
        params = {**problem[1], **default_as_width(execution, answer.output, exercise.units)}
        supported = right or understanding.explanation is not None or problem[0] not in GUESSED_FROM_SHAPE
        yield Diagnosis(code=problem[0], params=params, confidence="exact" if supported else "likely")
        lacking = steps_problem(understanding.form)
        if lacking is not None and lacking[0] not in (problem[0], "returns_last_only"):
            yield Diagnosis(code=lacking[0], params=lacking[1], confidence="exact")
    if right:
        yield from _beyond_the_exercise(judgement)
        return
    if comparison.same_shape:
        yield from _explained(evidence)
    counted = other_number_of_weights(answer.output, exercise.timesteps) or _three_gates(execution, answer, exercise)
    if counted is not None:
        yield Diagnosis(code=counted[0], params=counted[1], confidence="likely")
    yield from _reached_for(execution)
    for line in reading.result_files[:1]:
        yield Diagnosis(code="forged_result", params={"line": line}, confidence="likely")
    from_numbers = comparison.same_shape and understanding.explanation is None
    rest = list(_from_numbers(evidence, cases) if from_numbers else _explained(evidence))
    has_explained = not from_numbers and bool(rest)
    if not has_explained and counted is None and not default_as_width(execution, answer.output, exercise.units):
        nothing_known = not rest and problem is None
        if found := _misshapen(execution, answer) or (_without_weights(execution) if nothing_known else None):
            yield found
    yield from rest
    # Failing on other sizes is a separate mistake, beside one that is understood.
    unanswered = [case for case in evidence.assignment.cases[1:] if case.id not in execution.answers]
    if understanding.explanation and (size := hard_coded_size(evidence, unanswered)):
        yield Diagnosis(code=size[0], params=size[1], confidence="exact")


def _three_gates(execution: Execution, answer: Answer, exercise: CaseEntry) -> Problem | None:
    parts = execution.parts
    if parts is None or parts.roles:
        return None
    return three_gates(answer.output, parts.found, exercise.features, exercise.units)


def _follows(raised: Raised, problem: Problem | None, reading: Reading) -> bool:
    """Return whether an exception is a consequence of a reported problem.

    If something is wrong with the class itself, Keras fails on it outside the student's lines. A name with a foreign
    letter is a name that does not exist.
    """
    if any(f"'{homoglyph.name}'" in raised.message for homoglyph in reading.homoglyphs):
        return True
    return problem is not None and (not raised.lines or "NotImplementedError" in {raised.type, *raised.bases})


def _behind_exception(raised: Raised, execution: Execution, reading: Reading) -> Problem:
    if is_out_of_memory(raised):
        return "memory", {}
    return behind(raised, execution) or behind_missing_name(raised, execution) or exception_problem(raised, reading)


def _shapes_variant(raised: Raised, exercise: CaseEntry) -> str:
    """Tell from the sizes in a message whether rows for steps meet rows for sequences, or all steps come at once."""
    if f"[{exercise.batch},{exercise.timesteps}," in raised.message:
        return "all_steps"
    if f"[{exercise.timesteps}," in raised.message and f"[{exercise.batch}," in raised.message:
        return "batch_loop"
    return "shapes"


def _without_weights(execution: Execution) -> Diagnosis | None:
    """Report gates that have no weights.

    A finding about the answer itself says more: the loop was not entered, or the cell is made anew.
    """
    if execution.parts is None or not execution.parts.without_weights:
        return None
    params: Params = {array: list(gates) for array, gates in execution.parts.without_weights.items()}
    if not execution.parts.found and all(len(gates) == len(GATES) for gates in params.values()):
        params = {"variant": "none"}
    return Diagnosis(code="gate_weights_missing", params=params, confidence="likely")


def _misshapen(execution: Execution, answer: Answer | None = None) -> Diagnosis | None:
    """Report weights that do not fit, unless all are as wide as the answer, whose shape shows it already."""
    if execution.parts is None or not execution.parts.misshapen:
        return None
    widths = {(found.shape[-1], found.expected[-1]) for found in execution.parts.misshapen}
    of_input = all(is_wide == should_be for is_wide, should_be in widths)
    if not of_input and answer is not None and {width for width, _ in widths} == {(answer.output.shape or [0])[-1]}:
        return None
    weights = [
        f"{found.path} ({found.gate}): {tuple(found.shape)} → {tuple(found.expected)}"
        for found in execution.parts.misshapen
    ]
    if len(weights) > MOST_WEIGHTS:
        weights[MOST_WEIGHTS:] = ["…"]
    params: Params = {"weights": weights, **({"variant": "input"} if of_input else {})}
    return Diagnosis(code="gate_weights_misshapen", params=params, confidence="exact")


def _reached_for(execution: Execution) -> Iterator[Diagnosis]:
    for code, params in reached_for(execution):
        yield Diagnosis(code=code, params=params, confidence="likely")


def _beyond_the_exercise(judgement: Judgement) -> Iterator[Diagnosis]:
    """Report what other checks find when the exercise's own case is right."""
    evidence = judgement.evidence
    wrong = [case for case in evidence.assignment.cases[1:] if not evidence.understanding.right_numbers(case.id)]
    if problem := hard_coded_size(evidence, wrong):
        yield Diagnosis(code=problem[0], params=problem[1], confidence="exact")
    yield from _explained(evidence)
    verdict = judgement.verdicts.get("statelessness")
    if verdict is not None and verdict.code in ("state_kept_between_calls", "differs_on_second_call"):
        yield Diagnosis(code="state_kept_between_calls", confidence="likely")


def _from_numbers(evidence: Evidence, cases: Sequence[Case]) -> Iterator[Diagnosis]:
    answers = {
        case.spec.id: answer.array
        for case in cases
        if (answer := evidence.execution.answers.get(case.spec.id)) is not None
        and answer.array is not None
        and answer.array.shape == case.expected.shape
    }
    if any(np.isnan(array).any() for array in answers.values()):
        # NaN is expected if the answer is a module's variable: the notebook's own Keras layer gives no numbers here.
        if not any(answer.output.global_name for answer in evidence.execution.answers.values()):
            yield Diagnosis(code="nan", confidence="exact")
        return
    whole = any(evidence.execution.answers[id].output.dtype not in FLOATS for id in answers)
    if not whole and all(array.min() == array.max() for array in answers.values()):
        values = sorted({float(array.flat[0]) for array in answers.values()})
        yield Diagnosis(code="constant_output", params={"value": values[0]}, confidence="exact")
        return
    if not repeats_itself(evidence.execution):
        # A finished model creates no more variables.
        if any(answer.output.created for answer in evidence.execution.repeats.values()):
            yield Diagnosis(code="new_cell_each_step", confidence="likely")
        elif _drops_values(evidence.execution):
            yield Diagnosis(code="dropout_active", confidence="likely")
        return
    if any(not use.shape_only for use in evidence.reading.global_x):
        line = next(use.line for use in evidence.reading.global_x if not use.shape_only)
        yield Diagnosis(code="global_x", params={"line": line}, confidence="likely")


def _drops_values(execution: Execution) -> bool:
    """Return whether different values are 0 at every call, or the student's code calls something dropout."""
    if execution.parts is not None and execution.parts.drops:
        return True
    for case_id, second in execution.repeats.items():
        first = execution.answers.get(case_id)
        if first is None or first.array is None or second.array is None or first.array.shape != second.array.shape:
            continue
        if ((first.array == 0) & (second.array != 0)).any() and ((first.array != 0) & (second.array == 0)).any():
            return True
    return False


def _explained(evidence: Evidence) -> Iterator[Diagnosis]:
    found = evidence.understanding.explanation
    if found is None:
        return
    runner_up = RunnerUp(code=found.runner_up[0], distance=found.runner_up[1]) if found.runner_up else None
    parts = evidence.execution.parts
    for code in dict.fromkeys(mistake.code for mistake in found.mistakes):
        if code == "gate_layers_mixed" and parts is not None and parts.without_weights:
            continue  # a gate without layers got those of another one: nothing was mixed up
        mistakes = [mistake for mistake in found.mistakes if mistake.code == code]
        params = _merged([dict(mistake.params) for mistake in mistakes])
        told = variant(mistakes) or _variant(code, params, evidence.reading)
        yield Diagnosis(
            code=code,
            params={**params, **({"variant": told} if told else {})},
            confidence="exact",
            # NaN equals nothing.
            residual=None if code == "nan" else found.residual,
            runner_up=runner_up,
            also=list(found.also),
        )


def _merged(params: Sequence[Params]) -> Params:
    """Combine the parameters of two mistakes with one name: all their gates, and the parameters they share."""
    first, *others = params
    merged: Params = {}
    for name, value in first.items():
        values: list[Any] = [each.get(name) for each in others]
        if name == "gates":
            merged[name] = list(dict.fromkeys([*value, *itertools.chain(*values)]))
        elif all(each == value for each in values):
            merged[name] = value
    return merged


def _variant(code: str, params: Params, reading: Reading) -> str | None:
    # A class that adds weights one by one has no `use_bias`.
    if code == "bias_missing" and "use_bias" not in reading.source:
        return "weights"
    if code in {"x_not_used", "recurrent_missing"} and len(params.get("gates", GATES)) < len(GATES):
        return "gates"
    return None
