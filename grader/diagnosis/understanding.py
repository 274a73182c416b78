"""Explanation of a run's numbers: whether they are right, their form, known mistakes, and the parts that are right."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from grader.assignment import Tolerance
from grader.execution.answers import Answer
from grader.execution.execution import Execution
from grader.numerics.backpropagation import Backpropagation, judge
from grader.numerics.changing_answers import explain_after_start, explain_changing
from grader.numerics.comparison import NO_ANSWER, Comparison, compare
from grader.numerics.explanation import Explanation, explain, idle_arrays
from grader.numerics.forms import PLAIN, ROUNDING, Content, Form, forms_of, readings
from grader.numerics.repairs import repair
from grader.numerics.written_formulas import WrittenMistake, written_mistake
from grader.report.finding import Params
from grader.sandbox.events import Gradients
from reference import Case, LSTMWeights
from reference.lstm import probes
from reference.lstm.misconceptions import PARTS, RECURRENCE, Table
from reference.lstm.probes import PartsJudgement

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Understanding:
    """The meaning of a run's numbers.

    Args:
        comparisons: case id -> the comparison of the answer as it is.
        gradients: None where there are none, or where those of a right answer came without numbers.
        backpropagation: the comparison of a right answer's gradients.
        form: the form of answers that are not one tensor of the right shape; None: they cannot be read.
        as_read: the comparisons of the available numbers, read in that form.
        explanation: the known mistakes, or those formulas, if they give the numbers of a wrong answer.
        right_parts: the parts of a wrong answer to the exercise's own case that are still right.
        by_probes: evidence from the probes about the parts of an unexplained answer.
        repair: the repair of unexplained answers, as `grader.numerics.repairs.repair` returns it.
    """

    comparisons: Mapping[str, Comparison]
    gradients: Gradients | None = None
    backpropagation: Backpropagation | None = None
    form: Form | None = PLAIN
    as_read: Mapping[str, Comparison] = field(default_factory=dict)
    explanation: Explanation | None = None
    right_parts: frozenset[str] = frozenset()
    by_probes: PartsJudgement | None = None
    repair: Params = field(default_factory=dict)

    def right_numbers(self, case_id: str) -> bool:
        """Return whether a case is right, or would be in the right form."""
        return any(found.get(case_id, NO_ANSWER).close for found in (self.comparisons, self.as_read))


def understand(
    execution: Execution, table_of: Callable[[Case], Table], tolerance: Tolerance, formulas: Mapping[str, str]
) -> Understanding:
    """Compare the numbers, and explain the wrong ones that the student's own code computed.

    Args:
        formulas: those that stand in the code, as far as they can be read. They give a wrong answer a name, and no
            points.
    """
    cases = execution.cases
    comparisons = {
        case.spec.id: answer.compare(case, tolerance) if (answer := execution.answers.get(case.spec.id)) else NO_ANSWER
        for case in cases
    }
    gradients, backpropagation = _judge_gradients(execution, cases, comparisons, tolerance)
    answers = {id: answer for id, answer in execution.answers.items() if answer.arrays}
    if execution.depends_on_built_in or all(comparisons[id].close for id in answers):
        return Understanding(comparisons, gradients, backpropagation)
    answered = [case for case in cases if case.spec.id in answers]
    form, explanation = _right_form(answers, cases[0], tolerance), None
    if form is None or not all(_compare(form, answers, case, tolerance).close for case in answered):
        explanation = _explanation(execution, gradients, answers, cases, table_of, form, written_mistake(formulas))
        form = form or _form(explanation, answers, cases)
    if form is None:
        return Understanding(comparisons, gradients, backpropagation, None, explanation=explanation)
    numbers = {case.spec.id: array for case in answered if (array := _read(form, answers, case)) is not None}
    as_read = {case.spec.id: _compare(form, answers, case, tolerance) for case in answered}
    exercise, twin = cases[0].spec.id, execution.twin
    right_parts: frozenset[str] = frozenset()
    by_probes = None
    # A kept state may happen to be zero when the exercise's own case is asked.
    by_chance = not repeats_itself(execution) and twin in as_read and not as_read[twin].close
    # Published numbers show nothing that secret numbers do not show as well.
    if exercise not in numbers or (comparisons[exercise].close and not by_chance):
        pass
    elif as_read[exercise].close and not by_chance:
        right_parts = frozenset(PARTS) if twin in as_read and as_read[twin].close else right_parts
    elif explanation is not None and not explanation.only_written:
        right_parts = explanation.right_parts if twin in explanation.cases else right_parts
    else:
        by_probes = _parts_by_probes(execution, form, numbers[exercise])
        right_parts = by_probes.right
    # Repairs are only searched for in wrong answers.
    is_open = explanation is None and form.is_complete and not any(each.close for each in as_read.values())
    return Understanding(
        comparisons,
        gradients,
        backpropagation,
        form,
        as_read,
        explanation,
        right_parts - form.wrong,
        by_probes,
        repair(numbers, cases) if is_open else {},
    )


def repeats_itself(execution: Execution) -> bool:
    """Return whether the second call of a case, if there was one, gave the same answer as the first."""
    return all(
        (first := execution.answers.get(case_id)) is not None and first.repeats(second)
        for case_id, second in execution.repeats.items()
    )


def _judge_gradients(
    execution: Execution, cases: Sequence[Case], comparisons: Mapping[str, Comparison], tolerance: Tolerance
) -> tuple[Gradients | None, Backpropagation | None]:
    """Return the gradients, and their comparison if the answer they were taken of is right.

    Without numbers, the gradients of a right answer prove nothing.
    """
    event = execution.gradients
    case = next((case for case in cases if event is not None and case.spec.id == event.case), None)
    if event is None or case is None:
        return None, None
    again = execution.repeats.get(case.spec.id)
    # The model that the gradients were taken of is not the fresh one that cured the case.
    right = comparisons[case.spec.id].close and case.spec.id not in execution.cured
    if not (right and (again is None or again.compare(case, tolerance).close)):
        return event, None
    arrays = execution.gradient_arrays
    return (event, judge(case, arrays)) if arrays else (None, None)


def _right_form(answers: Mapping[str, Answer], exercise: Case, tolerance: Tolerance) -> Form | None:
    """Find the form in which the numbers of the exercise's own case are right."""
    if exercise.spec.id not in answers:
        return None
    forms = [form for form, _ in forms_of(answers[exercise.spec.id].content, exercise.expected.shape)]
    # If there is a whole sequence, a single step beside it is not the answer.
    forms = [form for form in forms if form.is_complete] or sorted(forms, key=lambda form: bool(form.wrong))
    return next((form for form in forms if _compare(form, answers, exercise, tolerance).close), None)


def _read(form: Form, answers: Mapping[str, Answer], case: Case) -> Array | None:
    return form.read(answers[case.spec.id].content, case.expected.shape)


def _compare(form: Form, answers: Mapping[str, Answer], case: Case, tolerance: Tolerance) -> Comparison:
    """Compare the available numbers: where an answer of this form has none, nothing differs."""
    answer, read = answers[case.spec.id], _read(form, answers, case)
    if read is None:
        return Comparison(close=False, same_shape=False, shape=None)
    filled = np.where(form.mask(answer.content, case.expected.shape), read, case.expected)
    # A type with few digits is a matter of form too.
    rounding = 1.01 * ROUNDING.get(answer.output.dtype or "", 0.0)
    return compare(filled, case.expected, atol=tolerance.atol, rtol=tolerance.rtol + rounding)


def _explanation(
    execution: Execution,
    gradients: Gradients | None,
    answers: Mapping[str, Answer],
    cases: Sequence[Case],
    table_of: Callable[[Case], Table],
    form: Form | None,
    written: WrittenMistake | None,
) -> Explanation | None:
    """Find the mistakes that give these numbers; those of another cell are not known."""
    if not isinstance(cases[0].weights, LSTMWeights):
        return None
    contents: dict[str, Content] = {id: answer.content for id, answer in answers.items()}
    if repeats_itself(execution):
        idle = idle_arrays(gradients.reach) if gradients else frozenset()
        found = explain(contents, cases, table_of, idle, form, written)
        if found is not None or execution.repeats:
            return found
    repeats = {id: answer.content for id, answer in execution.repeats.items() if answer.arrays}
    others = [(case, answer.content) for case, answer in execution.others if answer.arrays]
    found = explain_changing(contents, repeats, cases, others)
    if found is not None or not repeats:
        return found
    twin = next(case for case in cases if case.spec.id == execution.twin)
    return explain_after_start(contents, cases[0], twin)


def _form(explanation: Explanation | None, answers: Mapping[str, Answer], cases: Sequence[Case]) -> Form | None:
    """Return the form of wrong answers: that of their explanation, or else the first in which they can be read."""
    if explanation is not None and not explanation.only_written:
        return explanation.form
    contents: dict[str, Content] = {id: answer.content for id, answer in answers.items()}
    forms = (reading.form for reading in readings(contents, {case.spec.id: case.expected.shape for case in cases}))
    return next((form for form in forms if form.is_complete and form.is_plain), None)


def _parts_by_probes(execution: Execution, form: Form, answer: Array) -> PartsJudgement:
    """Return the evidence of the probes about the parts of an answer."""
    # An answer that is constant, or changes at every call, earns nothing, whatever the probes say.
    if not form.is_complete or not np.ptp(answer) or not repeats_itself(execution):
        return PartsJudgement()
    read = {
        case.spec.id: form.read(answer.content, case.expected.shape)
        for case, answer in execution.probed
        if answer is not None
    }
    asked = [case for case, _ in execution.probed]
    found = probes.judge_parts(asked, {id: array for id, array in read.items() if array is not None})
    # A part that is right in the probes and wrong elsewhere is used wrongly later.
    return found if len(found.right) < len(PARTS) else replace(found, right=found.right - RECURRENCE)
