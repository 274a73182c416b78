"""Judges the kind, shape and type of the model's answer, before any number is looked at.

Every function here returns a `Finding` or None.
"""

import re

import numpy as np

from grader.assignment import CaseEntry
from grader.diagnosis.weights import MATRIX
from grader.execution.answers import Answer
from grader.execution.execution import Execution
from grader.execution.reading import Reading
from grader.numerics.forms import IN_ORDER, Form
from grader.report.finding import Finding, Params
from grader.sandbox.events import CaseOutput
from reference import GATES

# NumPy's names for types of numbers.
NUMBERS = re.compile(r"u?int|b?float|bool|complex")
WHOLE_NUMBERS = re.compile(r"u?int|bool")
#: Name of a container -> its code; others have `wrong_kind`.
CONTAINERS = {"tuple": "returns_tuple", "list": "returns_list", "dict": "returns_dict", "NoneType": "returns_none"}
#: Object that has computed nothing yet -> variant of its code.
UNFINISHED = {"coroutine": "async", "async_generator": "async", "generator": "generator"}

#: Order of the axes batch, time and unit -> the code of the mistake.
ORDERS: dict[tuple[int, ...], str] = {(1, 0, 2): "time_major", (0, 2, 1): "wrong_stack_axis"}

#: The missing part of an answer of this form, by the code or the implied mistake of its `Steps`.
LACKING: dict[str, Finding] = {
    "last_step": Finding.of("returns_last_only"),
    "first_step": Finding.of("return_inside_loop"),
    "every_second_step": Finding.of("step_two", variant="cut"),
    "every second step, each twice": Finding.of("step_two"),
    "all_but_first": Finding.of("missing_step", variant="first"),
    "first_steps": Finding.of("missing_step", variant="last_steps"),
    "last_steps": Finding.of("missing_step", variant="first_steps"),
    "all_but_last": Finding.of("missing_step", variant="last"),
    "next x, the last twice": Finding.of("missing_step", variant="late"),
}

#: The surplus part of an answer -> the variant of its shape's code.
EXTRA = {
    "extra_first_step": "one_more",
    "extra_last_step": "one_more",
    "extra_steps": "some_more",
    "extra_first_steps": "some_more",
    "extra_last_steps": "some_more",
    "among_others": "among_others",
}


def answer_problem(execution: Execution, reading: Reading, case: CaseEntry, form: Form | None) -> Finding | None:
    """Name the fault in the model's answer to a case; None too where there is no answer."""
    answer = execution.answers.get(case.id)
    expected = case.batch, case.timesteps, case.units
    problem = output_problem(answer.output, expected, form, case.features) if answer is not None else None
    if answer is None or problem is None:
        return None
    if problem.params.get("variant") == "among_others" and _keeps_time_axis(execution):
        problem = Finding.of(problem.code, problem.params, variant="kept_axis")
    if problem.code == "return_inside_loop" and steps_problem(form) is None and _returns_after_loop(reading):
        problem = Finding.of("returns_last_only", problem.params, variant="no_time")
    repeated: Params = {"variant": "repeated"} if repeats_along_an_axis(answer, form) else {}
    width = default_as_width(execution, answer.output, case.units) or weight_as_wide(execution, answer.output, case)
    return Finding.of(problem.code, {**problem.params, **repeated, **width})


def _returns_after_loop(reading: Reading) -> bool:
    """Return whether the source returns the answer, and not inside a loop."""
    answers = [part.what for part in reading.parts if part.part == "returned" and "answer" in part.what]
    return bool(answers) and not any("in_loop" in words for words in answers)


def _keeps_time_axis(execution: Execution) -> bool:
    """Return whether each step gives one entry a sequence, as an x of ``(batch, 1, features)`` makes it."""
    answered = [(case.spec, found) for case in execution.cases if (found := execution.answers.get(case.spec.id))]
    return all(found.output.shape == [spec.batch, spec.timesteps * spec.batch, spec.units] for spec, found in answered)


def output_problem(
    output: CaseOutput, expected: tuple[int, int, int], form: Form | None = None, features: int | None = None
) -> Finding | None:
    """Name the fault in the kind, shape or type of the model's answer.

    Args:
        expected: ``(batch, timesteps, units)``.
        form: the form in which the numbers are right, or have another explanation; a shape alone would be a guess.
        features: number of features of the input.
    """
    params: Params = {"expected": list(expected), "actual": output.shape, "kind": output.kind}
    if output.kind in CONTAINERS:
        # The last h and c have no time axis.
        batch, _, units = expected
        states = output.kind == "tuple" and output.parts and all(part == [batch, units] for part in output.parts)
        variant = "states" if states else None
        return Finding.of(CONTAINERS[output.kind], {**params, "parts": output.parts}, variant=variant)
    if output.shape is None or not NUMBERS.match(output.dtype or ""):
        return Finding.of("wrong_kind", params, variant=UNFINISHED.get(output.kind))
    if output.own:
        return Finding.of("fake_array", params)
    if not output.shape:
        return Finding.of("wrong_shape", params, variant="scalar")
    if tuple(output.shape) != expected:
        problem = _shape_problem(tuple(output.shape), expected, form, features)
        return Finding.of(problem.code, {**params, **problem.params})
    if output.kind != "tensor":
        return Finding.of("returns_numpy", params)
    if output.dtype != "float32":
        code = "dtype_float64" if output.dtype == "float64" else "wrong_dtype"
        variant = "integers" if WHOLE_NUMBERS.match(output.dtype or "") else None
        return Finding.of(code, actual=output.dtype, expected="float32", variant=variant)
    return None


def _shape_problem(
    shape: tuple[int, ...], expected: tuple[int, int, int], form: Form | None, features: int | None
) -> Finding:
    batch, timesteps, units = expected
    lacking = steps_problem(form)
    if shape in ((batch, units), (batch, 1, units)):
        if lacking is not None:
            return lacking
        return (
            Finding.of("returns_last_only", variant="no_time") if len(shape) == 2 else Finding.of("return_inside_loop")
        )
    known: dict[tuple[int, ...], str] = {
        (timesteps, batch, units): "time_major",
        (batch, units, timesteps): "wrong_stack_axis",
        (batch, timesteps - 1, units): "missing_step",
        (batch * timesteps, units): "concat_not_stack",
        (batch, timesteps * units): "concat_not_stack",
        (batch, (timesteps + 1) // 2, units): "step_two",
    }
    other_axis = {(batch, features, units): "loop_features", (batch, batch, units): "loop_batch"}
    if shape in other_axis and (form is None or not form.wrong):
        return Finding.of("wrong_shape", variant=other_axis[shape])
    if lacking is not None and form is not None and form.place is None and form.layout.order == IN_ORDER:
        return lacking
    if code := known.get(shape):
        return Finding.of(code)
    if shape == (1, timesteps, units):
        return Finding.of("batch_zero_only", variant="one")
    # Steps of shape (batch, 1, units), joined along the batch.
    if shape == (batch * timesteps, 1, units):
        return Finding.of("concat_not_stack")
    if 1 in shape and sorted(n for n in shape if n != 1) == sorted(expected):
        return Finding.of("extra_axis")
    if form is not None and form.place is None and (cut := form.layout.cut) is not None:
        twice = shape[cut.axis] == 2 if cut.stacked else shape[-1] == 2 * units
        return Finding.of("wrong_shape", {"variant": "pairs" if cut.stacked else "two_states"} if twice else {})
    if form is not None and form.layout.joined and len(shape) < len(expected):
        return Finding.of("concat_not_stack")
    if form is not None and form.place is None and form.layout.order != IN_ORDER:
        return Finding.of(ORDERS.get(form.layout.order, "wrong_transpose"))
    if form is not None and (extra := EXTRA.get(form.layout.steps.code or "")):
        return Finding.of("wrong_shape", variant=extra, times=max(shape) // timesteps)
    if sorted(shape) == sorted(expected):
        return Finding.of("wrong_transpose")
    likely: dict[tuple[float | None, ...], str] = {
        (batch, timesteps, features): "like_x",
        (batch, timesteps + 1, units): "one_more",
        (batch, 0, units): "no_steps",
        (batch, timesteps, units / len(GATES)): "quarter",
        (batch, timesteps, 2 * units): "two_states",
        **{(*expected[:axis], 2, *expected[axis:]): "pairs" for axis in range(4)},
    }
    return Finding.of("wrong_shape", {"variant": likely[shape]} if shape in likely else {})


def repeats_along_an_axis(answer: Answer, form: Form | None) -> bool:
    """Tell an extra axis along which all numbers are the same from one along which other values were collected."""
    cut = form.layout.cut if form is not None and form.place is None else None
    return cut is not None and cut.stacked and answer.array is not None and not np.ptp(answer.array, cut.axis).any()


def steps_problem(form: Form | None) -> Finding | None:
    """Name the steps that an answer lacks, if its other numbers are understood."""
    if form is None or form.is_complete:
        return None
    if form.layout.steps.code == "first_step" and form.place is not None:
        return None  # a list of steps contains the first one, whatever else is in it
    if form.loop is not None:
        first, stride = form.loop
        if stride == 1:
            return Finding.of("missing_step", variant="late_steps", skipped=first)
        return Finding.of("step_two", variant="stride", stride=stride, first_step=first)
    return LACKING.get(form.layout.steps.code or form.implied or "")


def default_as_width(execution: Execution, output: CaseOutput, units: int) -> Params:
    """Name the constructor's parameter (``default_of``) whose default is the answer's width, if that is wrong."""
    width = output.shape[-1] if output.shape else None
    if execution.constructed is None or width is None or width == units:
        return {}
    names = [name for name, default in execution.constructed.defaults.items() if default == width]
    return {"default_of": names[0], "width": width} if names else {}


def weight_as_wide(execution: Execution, output: CaseOutput, case: CaseEntry) -> Params:
    """Name the only weight (``last_weight``) that is as wide as an answer whose width is wrong, or tell of several."""
    *steps, width = output.shape or [0]
    known = (case.units, 4 * case.units, case.features)
    if steps not in ([case.batch, case.timesteps], [case.batch]) or width in known or execution.parts is None:
        return {}
    wide = [match[1] for each in execution.parts.found if (match := MATRIX.fullmatch(each)) and int(match[3]) == width]
    if len(wide) > 1:
        return {"variant": "cell_as_wide", "width": width}
    return {"last_weight": wide[0], "width": width} if wide else {}
