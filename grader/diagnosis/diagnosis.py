"""The known mistake that explains the result of a run, if any.

The run's own signs come first (an exception, a wrong shape, built-in code), then the numbers (`numerics.explanation`).
`exact` means that a mistake explains every case to within the tolerance. Never guess: no diagnosis is an answer too.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from grader.assignment import TASK2, CaseEntry, CheckId
from grader.diagnosis.concerns import first_oddity, has_no_loop
from grader.diagnosis.evidence import Evidence, Judgement
from grader.diagnosis.exceptions import CALLS_ITSELF, advised, error_variant, exception_problem, is_out_of_memory
from grader.diagnosis.missing_names import behind_missing_name
from grader.diagnosis.mistakes import RANDOM, known_mistakes
from grader.diagnosis.outcomes import PAST_THE_END, ending_problem, hard_coded_size, size_that_works, structural_problem
from grader.diagnosis.reaching import NEVER_NEEDED, behind, reached_for
from grader.diagnosis.returned import answer_problem, default_as_width, steps_problem
from grader.diagnosis.understanding import repeats_itself
from grader.diagnosis.weights import (
    late_lambda,
    misfed,
    misshapen,
    other_cell,
    other_number_of_weights,
    without_weights,
)
from grader.execution.answers import Answer
from grader.execution.execution import Execution
from grader.execution.reading import Reading
from grader.numerics.forms import Form
from grader.numerics.written_formulas import certain_formulas, written_mistake
from grader.numerics.zero_steps import zero_step_mistake
from grader.report.finding import CheckStatus, Finding, Params, Verdict
from grader.report.model import Diagnosis
from grader.sandbox.events import Raised

Array = NDArray[np.floating]

# Other mistakes give these shapes too, so the numbers must agree.
GUESSED_FROM_SHAPE = {"batch_zero_only", "returns_last_only", "return_inside_loop", "missing_step", "step_two"}
# Under @tf.function the array that `write` returns is another one.
IN_FUNCTION = "@tf.function"
LOST_WRITE = re.compile(r"^[ \t]+\w+\.write\(", re.MULTILINE)
FLOATS = {"float16", "bfloat16", "float32", "float64"}
# Errors that TensorFlow, NumPy and Keras raise for shapes that do not fit.
SHAPE_ERRORS = {"InvalidArgumentError", "ValueError"}
# A shape in the words of such an error.
SHAPE = re.compile(r"[\[(]\d+(?:, ?\d+)*,?[\])]")

# Axes in each other's place.
TURNED = {"rows_units", "rows_features"}
SCAN = re.compile(r"\bscan\(")
# The shape of the left matrix and the rows of the right one, where TensorFlow cannot multiply them.
PRODUCT = re.compile(r"In\[0\]: \[([\d,]+)\], In\[1\]: \[(\d{1,9}),")


def diagnose(judgement: Judgement) -> list[Diagnosis]:
    """Return the diagnoses, the most telling one first. Empty for a correct answer, or where nothing matches."""
    verdicts = judgement.verdicts
    if verdicts and all(verdict.status == CheckStatus.PASSED for verdict in verdicts.values()):
        return []
    found = itertools.chain(_candidates(judgement), _from_task2(verdicts))
    # A layer runs as a model does: whatever stops it or makes its numbers wrong costs more.
    return list(_unique(sorted(found, key=_is_layer)))


def _is_layer(finding: Finding | Diagnosis | None) -> bool:
    """Return whether it says that the class is a layer and no model."""
    return finding is not None and (finding.code, finding.params.get("variant")) == ("wrong_base_class", "layer")


def _from_task2(verdicts: Mapping[CheckId, Verdict]) -> Iterator[Diagnosis]:
    """Find mistakes in the notebook's own copying and comparing, apart from consequences of mistakes in the class."""
    for check in TASK2:
        verdict = verdicts.get(check)
        if verdict is not None and verdict.finding is not None and verdict.finding.code.startswith("t2_"):
            yield Diagnosis.exact(verdict.finding)


def _unique(diagnoses: Iterable[Diagnosis]) -> Iterator[Diagnosis]:
    seen: set[str] = set()
    for diagnosis in diagnoses:
        if diagnosis.code not in seen:
            seen.add(diagnosis.code)
            yield diagnosis


def _candidates(judgement: Judgement) -> Iterator[Diagnosis]:
    evidence = judgement.evidence
    reached = list(reached_for(evidence.execution, evidence.reading.source))
    own_work = judgement.verdicts.get("own_work")
    if own_work is not None and own_work.status == CheckStatus.FAILED and own_work.finding is not None:
        # The search for the built-in layer says more than the layer itself.
        yield from (Diagnosis.likely(found) for found in reached if found.code in NEVER_NEEDED)
        yield Diagnosis.exact(own_work.finding)
        return
    problem = structural_problem(evidence.execution, evidence.reading)
    yield from _from_class(problem, evidence.reading)
    yield from _from_ending(evidence.execution, evidence.reading)
    answer = evidence.execution.answers.get(evidence.assignment.cases[0].id)
    if answer is None:
        yield from _from_exception(evidence, problem)
    elif problem is None or problem.code != "not_implemented":
        yield from _from_answer(judgement, answer, reached)


def _from_class(problem: Finding | None, reading: Reading) -> Iterator[Diagnosis]:
    """Tell what the class itself lacks, and names with a foreign letter in it."""
    odd_call = any(homoglyph.looks_like == "call" for homoglyph in reading.homoglyphs)
    if problem is not None and not (problem.code == "no_call_method" and odd_call):
        yield Diagnosis.exact(problem)
    for homoglyph in reading.homoglyphs:
        yield Diagnosis.exact(Finding.of("cyrillic_homoglyph", homoglyph.model_dump()))


def _from_ending(execution: Execution, reading: Reading) -> Iterator[Diagnosis]:
    """Tell what ended the run: its time, its memory, the class itself."""
    # A recursion that never ends takes all the time there is.
    is_recursion = any("RecursionError" in {raised.type, *raised.bases} for raised in execution.raised[:1])
    if (ending := ending_problem(execution)) and not is_recursion:
        itself = CALLS_ITSELF.search(reading.source) if ending[1].code == "timeout" else None
        if itself:  # the time that it took does not prove it
            line = reading.source.count("\n", 0, itself.end()) + 1
            yield Diagnosis.likely(Finding.of("recursion", line=line, variant="inner"))
        else:
            yield Diagnosis.exact(ending[1])


def _from_exception(evidence: Evidence, problem: Finding | None) -> Iterator[Diagnosis]:
    """Tell why the exercise's own case has no answer."""
    execution, reading, exercise = evidence.execution, evidence.reading, evidence.assignment.cases[0]
    # The exception is only a consequence of these.
    if size := size_that_works(execution, exercise):
        yield Diagnosis.exact(size)
        return
    for raised in execution.raised[:1]:
        # An index beyond the end is the loop's, whatever widths follow from it, and so are axes that are exchanged.
        says_more = PAST_THE_END.search(raised.message) or _shapes_variant(raised, exercise) in TURNED
        if raised.type in SHAPE_ERRORS and not says_more and (found := misshapen(execution)):
            yield found
            return
        if not _follows(raised, None if _is_layer(problem) else problem, reading):
            behind_it = _behind_exception(raised, execution, reading, exercise)
            # An exception that is caught in the first step leaves nothing to join.
            is_empty = behind_it.params.get("variant") == "empty"
            yield from _behind_caught(execution, reading, exercise) if is_empty else ()
            yield Diagnosis.exact(behind_it)


def _from_answer(judgement: Judgement, answer: Answer, reached: Sequence[Finding]) -> Iterator[Diagnosis]:
    """Tell what is wrong with the answer to the exercise's own case: its origin, its form, its numbers."""
    evidence = judgement.evidence
    execution, reading, understanding = evidence.execution, evidence.reading, evidence.understanding
    exercise = evidence.assignment.cases[0]
    if _grows(execution, understanding.form):
        yield Diagnosis.exact(Finding.of("state_kept_between_calls", variant="list"))
        return
    is_close = evidence.comparison(exercise.id).close
    if reading.homoglyphs and not is_close:
        return  # the name stands for something unintended: every other sign follows from that
    if answer.output.global_name is not None and not is_close:
        yield Diagnosis.exact(Finding.of("returns_global", name=answer.output.global_name))
    problem = answer_problem(execution, reading, exercise, understanding.form)
    right = understanding.right_numbers(exercise.id)
    if problem is not None:
        supported = right or understanding.explanation is not None or problem.code not in GUESSED_FROM_SHAPE
        yield Diagnosis.exact(problem) if supported else Diagnosis.likely(problem)
        lacking = steps_problem(understanding.form)
        # A loop over another axis lacks its steps for that reason.
        is_said = str(problem.params.get("variant")).startswith("loop_")
        if lacking is not None and not is_said and lacking.code not in (problem.code, "returns_last_only"):
            yield Diagnosis.exact(lacking)
    if right:
        yield from _beyond_the_exercise(judgement)
    else:
        yield from _from_wrong_numbers(evidence, answer, reached, has_problem=problem is not None)


def _from_wrong_numbers(
    evidence: Evidence, answer: Answer, reached: Sequence[Finding], *, has_problem: bool
) -> Iterator[Diagnosis]:
    """Name the mistakes behind wrong numbers: those of the numbers themselves, of weights, and of the code."""
    execution, reading, understanding = evidence.execution, evidence.reading, evidence.understanding
    exercise = evidence.assignment.cases[0]
    # An exception that is caught need not be the mistake: a loop may end by it.
    if understanding.explanation is None:
        yield from _behind_caught(execution, reading, exercise)
    if wrong_input := misfed(execution, reading):
        yield Diagnosis.exact(wrong_input)
    # The numbers of late functions follow from their lambda.
    late = late_lambda(execution, reading)
    same_shape = evidence.comparison(exercise.id).same_shape
    if same_shape and late is None:
        yield from known_mistakes(evidence)
    from_numbers = same_shape and understanding.explanation is None
    rest = list(_from_numbers(evidence) if from_numbers else known_mistakes(evidence))
    is_told = understanding.explanation is not None or reached or any(each.confidence == "exact" for each in rest)
    counted = (
        other_number_of_weights(answer.output, exercise.timesteps)
        or (Finding.of("no_loop") if not is_told and has_no_loop(reading.parts) else None)
        or late
        or other_cell(execution.parts, reading, exercise)
    )
    if counted is not None:
        yield Diagnosis.likely(counted)
    yield from map(Diagnosis.likely, reached)
    for line in reading.result_files[:1]:
        yield Diagnosis.likely(Finding.of("forged_result", line=line))
    if understanding.explanation and understanding.explanation.after_start:
        # Only the state that a call begins with changes.
        begun = list(_from_calls(evidence)) or [Diagnosis.likely(Finding.of("state_init_random"))]
        rest = [*begun, *rest]
    has_explained = not from_numbers and bool(rest)
    nothing_known = not rest and counted is None and not has_problem and wrong_input is None
    of_weights = None
    if not has_explained and counted is None and not default_as_width(execution, answer.output, exercise.units):
        of_weights = misshapen(execution, answer) or (
            without_weights(execution, reading, exercise) if nothing_known else None
        )
    yield from [of_weights] if of_weights else []
    yield from _with_code(evidence, rest, nothing_known=nothing_known and of_weights is None)
    # Failing on other sizes is a separate mistake, beside one that is understood.
    unanswered = [case for case in evidence.assignment.cases[1:] if case.id not in execution.answers]
    if understanding.explanation and (size := hard_coded_size(evidence, unanswered)):
        yield Diagnosis.exact(size)


def _with_code(evidence: Evidence, rest: Sequence[Diagnosis], *, nothing_known: bool) -> list[Diagnosis]:
    """Add to what numbers say the mistake that can be read in the code, or else what is odd there."""
    execution, reading = evidence.execution, evidence.reading
    is_explained = evidence.understanding.explanation is not None
    written = None if is_explained else written_mistake(certain_formulas(reading.formulas))
    if written is not None:
        # Without weights whose roles are known, no numbers were compared; a constant or NaN may be all that it gives.
        is_placed = execution.parts is not None and bool(execution.parts.roles)
        compared: Params = {"unexplained": True} if is_placed and not rest else {}
        params = {**written.mistake.params, "variant": "read", **compared}
        in_code = Diagnosis.likely(Finding.of(written.mistake.code, params))
        # That all numbers are equal is what the formulas make of them.
        is_effect = all(each.code == "constant_output" for each in rest)
        return [in_code, *rest] if is_effect else [*rest, in_code]
    if nothing_known and (oddity := first_oddity(reading.parts)):
        return [Diagnosis.likely(oddity)]
    return list(rest)


def _follows(raised: Raised, problem: Finding | None, reading: Reading) -> bool:
    """Return whether an exception is a consequence of a reported problem.

    If something is wrong with the class itself, Keras fails on it outside the student's lines. A name with a foreign
    letter does not exist, or holds the value that its look-alike is asked for.
    """
    odd = {name for homoglyph in reading.homoglyphs for name in (homoglyph.name, homoglyph.looks_like)}
    if any(f"'{name}'" in raised.message for name in odd):
        return True
    return problem is not None and (not raised.lines or "NotImplementedError" in {raised.type, *raised.bases})


def _behind_exception(raised: Raised, execution: Execution, reading: Reading, exercise: CaseEntry) -> Finding:
    if is_out_of_memory(raised):
        return Finding.of("memory")
    missing = behind(raised, execution) or behind_missing_name(raised, execution, reading.source)
    found = advised(missing, reading) if missing else exception_problem(raised, reading)
    if found.params.get("variant") == "shapes":
        variant = _shapes_variant(raised, exercise)
        in_scan = variant == "shapes" and any(SCAN.search(reading.code_at(line)) for line in raised.lines[:-1])
        found = Finding.of(found.code, found.params, variant="scan" if in_scan else variant)
    return _with_sizes(found, raised, exercise)


def _behind_caught(execution: Execution, reading: Reading, exercise: CaseEntry) -> Iterator[Diagnosis]:
    for raised in execution.caught[:1]:
        behind_it = _behind_exception(raised, execution, reading, exercise)
        # A variant of another code has advice of its own.
        variant = behind_it.params.get("variant", "caught") if behind_it.code == "raises_in_call" else "caught"
        yield Diagnosis.exact(
            Finding.of("raises_in_call", behind_it.params, type=raised.type, variant=variant, caught=True)
        )


def _shapes_variant(raised: Raised, exercise: CaseEntry) -> str:
    """Tell from the sizes in a message which axis of a value was taken for another one."""
    if f"[{exercise.batch},{exercise.timesteps}," in raised.message:
        return "all_steps"
    turned = {exercise.units: "rows_units", exercise.features: "rows_features"}
    if product := PRODUCT.search(raised.message):
        is_x = product[1] == f"{exercise.batch},{exercise.features}"
        if is_x and int(product[2]) in (exercise.batch, exercise.timesteps):
            return "kernel_rows"
        rows, _, columns = product[1].partition(",")
        if columns in map(str, turned) and int(product[2]) == exercise.batch:
            return "weights_first"
        return turned.get(int(rows), "shapes") if columns == str(exercise.batch) else "shapes"
    rows_of = {int(size) for shape in SHAPE.findall(raised.message) for size in re.findall(r"\d+", shape)[:1]}
    others = rows_of - {exercise.batch}
    if len(others) == 1 and len(rows_of) == 2:
        return {**turned, exercise.timesteps: "batch_loop"}.get(others.pop(), "shapes")
    return "shapes"


def _with_sizes(found: Finding, raised: Raised, exercise: CaseEntry) -> Finding:
    """Add the names of the sizes in the shapes of an error."""
    named = {name: getattr(exercise, name) for name in ("batch", "timesteps", "features", "units")}
    named["4*units"] = 4 * exercise.units
    shown = {
        int(size) for shape in SHAPE.findall(str(found.params.get("message"))) for size in re.findall(r"\d+", shape)
    }
    sizes = [f"{name} = {size}" for name, size in named.items() if size in shown]
    if not sizes or found.code != "raises_in_call" or raised.case != exercise.id or raised.type not in SHAPE_ERRORS:
        return found
    return Finding.of(found.code, found.params, sizes=sizes)


def _beyond_the_exercise(judgement: Judgement) -> Iterator[Diagnosis]:
    """Report what other checks find when the exercise's own case is right."""
    evidence = judgement.evidence
    wrong = [case for case in evidence.assignment.cases[1:] if not evidence.understanding.right_numbers(case.id)]
    if problem := hard_coded_size(evidence, wrong):
        yield Diagnosis.exact(problem)
    yield from known_mistakes(evidence)
    at_the_edges = judgement.verdicts.get("generalisation")
    if at_the_edges and at_the_edges.finding and at_the_edges.finding.params.get("variant") == "edges":
        asked = evidence.execution.edges
        arrays = [(case, answer.array) for case, answer in asked if answer is not None and answer.array is not None]
        if len(arrays) == len(asked) and (treatment := zero_step_mistake(arrays)):
            yield Diagnosis.exact(Finding.of(treatment.code, treatment.params))
    verdict = judgement.verdicts.get("statelessness")
    if verdict is not None and verdict.code in ("state_kept_between_calls", "differs_on_second_call"):
        yield Diagnosis.likely(Finding.of("state_kept_between_calls"))


def _from_numbers(evidence: Evidence) -> Iterator[Diagnosis]:
    answers = {
        case.spec.id: answer.array
        for case in evidence.execution.cases
        if (answer := evidence.execution.answers.get(case.spec.id)) is not None
        and answer.array is not None
        and answer.array.shape == case.expected.shape
    }
    if any(np.isnan(array).any() for array in answers.values()):
        # NaN is expected if the answer is a module's variable: the notebook's own Keras layer gives no numbers here.
        if not any(answer.output.global_name for answer in evidence.execution.answers.values()):
            yield Diagnosis.exact(Finding.of("nan"))
        return
    whole = any(evidence.execution.answers[id].output.dtype not in FLOATS for id in answers)
    if not whole and all(array.min() == array.max() for array in answers.values()):
        values = sorted({float(array.flat[0]) for array in answers.values()})
        graph = evidence.reading.source.find(IN_FUNCTION)
        is_lost = values == [0.0] and graph >= 0 and LOST_WRITE.search(evidence.reading.source, graph)
        yield Diagnosis.exact(Finding.of("constant_output", value=values[0], variant="write" if is_lost else None))
        return
    yield from _from_calls(evidence)
    kept = evidence.execution.parts and evidence.execution.parts.states
    if not kept and repeats_itself(evidence.execution) and any(not use.shape_only for use in evidence.reading.global_x):
        line = next(use.line for use in evidence.reading.global_x if not use.shape_only)
        yield Diagnosis.likely(Finding.of("global_x", line=line))


def _from_calls(evidence: Evidence) -> Iterator[Diagnosis]:
    """Name the reason why a second call gives another answer, as far as the calls show it."""
    if (parts := evidence.execution.parts) and parts.states:
        yield Diagnosis.likely(Finding.of("state_kept_between_calls", variables=parts.states))
        unanswered = [case for case in evidence.assignment.cases[1:] if case.id not in evidence.execution.answers]
        if size := hard_coded_size(evidence, unanswered):
            yield Diagnosis.exact(size)
        return
    if not repeats_itself(evidence.execution):
        # A finished model creates no more variables.
        if any(answer.output.created for answer in evidence.execution.repeats.values()):
            yield Diagnosis.likely(Finding.of("new_cell_each_step"))
        elif _drops_values(evidence.execution):
            yield Diagnosis.likely(Finding.of("dropout_active"))
        elif any(part.part == "line" and "random" in part.what for part in evidence.reading.parts):
            yield Diagnosis.likely(Finding.of("dropout_active", variant="random"))
        elif not RANDOM.search(evidence.reading.source):
            # Where nothing is random, only something kept can make a difference.
            yield Diagnosis.likely(Finding.of("state_kept_between_calls"))


def _called_twice(execution: Execution) -> list[tuple[Array, Array]]:
    """List the answers of the first and the second call of a case, where both are arrays."""
    both = ((execution.answers.get(case_id), second.array) for case_id, second in execution.repeats.items())
    return [(one.array, two) for one, two in both if one is not None and one.array is not None and two is not None]


def _grows(execution: Execution, form: Form | None) -> bool:
    """Return whether a second call of a case gives more numbers than the first, or tensors of two cases are joined."""
    if form is not None and form.layout.steps.code == "extra_first_steps":
        joined = {"variant": "kept_list"}
        if any(error_variant(raised.type, raised.message) == joined for raised in execution.raised):
            return True
    return any(first.ndim == second.ndim and first.size < second.size for first, second in _called_twice(execution))


def _drops_values(execution: Execution) -> bool:
    """Return whether different values are 0 at every call, or the student's code calls something dropout."""
    pairs = [(first == 0, second == 0) for first, second in _called_twice(execution) if first.shape == second.shape]
    of_name = execution.parts is not None and execution.parts.drops
    return of_name or any((one & ~two).any() and (two & ~one).any() for one, two in pairs)
