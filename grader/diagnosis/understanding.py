"""Explanation of wrong answers: a wrong form, known mistakes, and the parts that are still right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from grader.assignment import Tolerance
from grader.execution.answers import Answer
from grader.execution.run import Execution, repeats_itself
from grader.numerics.comparison import Comparison, compare
from grader.numerics.explanation import explain, explain_changing, idle_arrays
from grader.numerics.forms import ROUNDING, Content, Form, forms_of, readings
from grader.numerics.repairs import repair
from reference import Case, probes
from reference.misconceptions import PARTS, RECURRENCE, Table

Array = NDArray[np.floating]


def understood(
    execution: Execution,
    cases: Sequence[Case],
    table_of: Callable[[Case], Table],
    tolerance: Tolerance,
) -> Execution:
    """Add the explanation of the numbers, and the right parts, where the numbers are wrong and the student's own.

    Args:
        cases: the assignment's cases, the exercise's own first.
    """
    answers = {id: answer for id, answer in execution.answers.items() if answer.arrays}
    if execution.depends_on_built_in or all(execution.comparisons[id].close for id in answers):
        return execution
    answered = [case for case in cases if case.spec.id in answers]
    right = _right_form(answers, cases[0], tolerance)
    execution = replace(execution, form=right)
    if right is None or not all(_compared(right, answers, case, tolerance).close for case in answered):
        execution = _explained(execution, answers, cases, table_of)
    form = execution.form
    if form is None:
        return execution
    numbers = {case.spec.id: array for case in answered if (array := _read(form, answers, case)) is not None}
    as_read = {case.spec.id: _compared(form, answers, case, tolerance) for case in answered}
    execution = replace(execution, as_read=as_read)
    right_parts = _right_parts(execution, cases[0], numbers) - form.wrong
    # Repairs are only searched for in wrong answers.
    is_open = execution.explanation is None and form.is_whole and not any(each.close for each in as_read.values())
    return replace(execution, right_parts=right_parts, repair=repair(numbers, cases) if is_open else {})


def _right_form(answers: Mapping[str, Answer], exercise: Case, tolerance: Tolerance) -> Form | None:
    """Find the form in which the numbers of the exercise's own case are right."""
    if exercise.spec.id not in answers:
        return None
    forms = [form for form, _ in forms_of(answers[exercise.spec.id].content, exercise.expected.shape)]
    # If there is a whole sequence, a single step beside it is not the answer.
    forms = [form for form in forms if form.is_whole] or sorted(forms, key=lambda form: bool(form.wrong))
    return next((form for form in forms if _compared(form, answers, exercise, tolerance).close), None)


def _read(form: Form, answers: Mapping[str, Answer], case: Case) -> Array | None:
    return form.read(answers[case.spec.id].content, case.expected.shape)


def _compared(form: Form, answers: Mapping[str, Answer], case: Case, tolerance: Tolerance) -> Comparison:
    """Compare the available numbers: where an answer of this form has none, nothing differs."""
    answer, read = answers[case.spec.id], _read(form, answers, case)
    if read is None:
        return Comparison(close=False, same_shape=False, shape=None)
    filled = np.where(form.known(answer.content, case.expected.shape), read, case.expected)
    # A type with few digits is a matter of form too.
    rounding = 1.01 * ROUNDING.get(answer.output.dtype or "", 0.0)
    return compare(filled, case.expected, atol=tolerance.atol, rtol=tolerance.rtol + rounding)


def _explained(
    execution: Execution, answers: Mapping[str, Answer], cases: Sequence[Case], table_of: Callable[[Case], Table]
) -> Execution:
    """Add the mistakes that give these numbers, and the form of the answers."""
    contents: dict[str, Content] = {id: answer.content for id, answer in answers.items()}
    if repeats_itself(execution):
        idle = idle_arrays(execution.gradients.reach) if execution.gradients else frozenset()
        explanation = explain(contents, cases, table_of, idle, execution.form)
    else:
        repeats = {id: answer.content for id, answer in execution.repeats.items() if answer.arrays}
        others = [(case, answer.content) for case, answer in execution.others if answer.arrays]
        explanation = explain_changing(contents, repeats, cases, others)
    form = execution.form
    if form is None:
        shapes = {case.spec.id: case.expected.shape for case in cases}
        forms = (reading.form for reading in readings(contents, shapes))
        wholes = (form for form in forms if form.is_whole and form.is_plain)
        form = explanation.form if explanation else next(wholes, None)
    return replace(execution, explanation=explanation, form=form)


def _right_parts(execution: Execution, exercise: Case, numbers: Mapping[str, Array]) -> frozenset[str]:
    answer, form = numbers.get(exercise.spec.id), execution.form
    if execution.comparisons[exercise.spec.id].close or answer is None or form is None:
        return frozenset()
    if execution.as_read[exercise.spec.id].close:
        return frozenset(PARTS)
    if execution.explanation is not None:
        return execution.explanation.right_parts
    # An answer that is constant, or changes at every call, earns nothing, whatever the probes say.
    if not form.is_whole or not np.ptp(answer) or not repeats_itself(execution):
        return frozenset()
    asked = probes.questions(exercise.spec.features, exercise.spec.units)
    shapes = {question.spec.id: question.expected.shape for question in asked}
    read = {id: form.read(probed.content, shapes[id]) for id, probed in execution.probed.items()}
    right = probes.right_parts(asked, {id: array for id, array in read.items() if array is not None})
    # The probes test h and c at small values. A part that is right there and wrong elsewhere is used wrongly later.
    return right if len(right) < len(PARTS) else right - RECURRENCE
