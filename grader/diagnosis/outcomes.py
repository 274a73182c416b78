"""Names the structural outcome of a run, before any number is looked at.

Every function here returns a `Finding` or None.
"""

import re
from collections.abc import Sequence

from grader.assignment import CaseEntry
from grader.diagnosis.evidence import Evidence
from grader.diagnosis.exceptions import NO_MORE_THREADS, OUT_OF_MEMORY, advised
from grader.diagnosis.missing_names import MISSING_MODULE, behind_failure, definition_failed
from grader.diagnosis.near_names import call_of_no_class
from grader.diagnosis.returned import default_as_width
from grader.execution.execution import Execution
from grader.execution.limits import limit_status
from grader.execution.reading import Reading
from grader.numerics.forms import PLAIN
from grader.report.finding import Finding, Params
from grader.report.model import Status
from grader.report.server_paths import in_brief

# The text in brackets after the name of the class.
BASES = re.compile(r"class\s+\w+\s*\(([^()]{1,200})\)")
# ``...`` as a line of its own, or as the value of a name.
UNWRITTEN_LINE = re.compile(r"^[ \t]+(?:\w+[ \t]*=[ \t]*)?\.\.\.[ \t]*(?:#.*)?$", re.MULTILINE)
PAST_THE_END = re.compile(r"index (\d{1,9}) (?:of dimension \d+ |is )out of bounds")


def ending_problem(execution: Execution) -> tuple[Status, Finding] | None:
    """Name the ending of a run that did not finish."""
    outcome = execution.outcome
    if limit := limit_status(outcome):
        status, found = limit
        steps = [case.spec.timesteps for case in execution.cases if case.spec.id in execution.answers]
        if steps and outcome.killed_for in ("cpu", "wall"):
            found = Finding.of("timeout", {**found.params, "variant": "slow", "timesteps": max(steps)})
        return status, found
    if execution.garbled is not None:
        code = "forged_result" if execution.forged else "invalid_output"
        return Status.INVALID_OUTPUT, Finding.of(code, reason=execution.garbled[:200])
    if execution.complete:
        return None
    stderr = outcome.stderr.decode("utf-8", "replace")
    if any(sign in stderr for sign in ("bad_alloc", "Cannot allocate memory", "MemoryError")):
        return Status.MEMORY_LIMIT, Finding.of("memory")
    if NO_MORE_THREADS.search(stderr):
        return Status.RUNTIME_ERROR, Finding.of("too_many_threads")
    if outcome.exit_code < 0:
        return Status.RUNTIME_ERROR, Finding.of("crash", signal=-outcome.exit_code)
    return Status.RUNTIME_ERROR, Finding.of("exits", exit_code=outcome.exit_code)


def structural_problem(execution: Execution, reading: Reading) -> Finding | None:
    """Name what is wrong with the class itself."""
    found = execution.class_found
    if found is None:
        return None
    if not found.found:
        return missing_class(execution, reading)
    if not found.is_class:
        return Finding.of("lstm_not_class", kind=found.kind)
    is_called = found.has_call or not any(name.endswith(".Layer") for name in found.bases)
    if not found.is_model and is_called:
        return Finding.of("wrong_base_class", _base(found.bases, reading))
    if not found.has_call:
        line = call_of_no_class(reading.source)
        return Finding.of("no_call_method", {"variant": "outside", "line": line} if line else {})
    if found.is_stub:
        several = next((note.params for note in reading.advisories if note.code == "several_classes"), {})
        return Finding.of("not_implemented", {"line": reading.class_line, **several} if several else {})
    text = _class_text(reading)
    if _gives_nothing(execution) and (dots := UNWRITTEN_LINE.search(text)):
        return Finding.of("not_implemented", line=(reading.class_line or 1) + text.count("\n", 0, dots.start()))
    return None


def _gives_nothing(execution: Execution) -> bool:
    """Return whether the class answers, with None or with an empty list."""
    outputs = [answer.output for answer in execution.answers.values()]
    return bool(outputs) and all(output.shape is None and not output.parts for output in outputs)


def _base(bases: Sequence[str], reading: Reading) -> Params:
    """Name the base of the class, in the student's own words if its line shows them."""
    line = reading.code_at(reading.class_line) if reading.class_line is not None else ""
    written = BASES.search(line)
    base = written[1].strip() if written else (bases[1] if len(bases) > 1 else "").rpartition(".")[2]
    if any(name.endswith(".Layer") for name in bases):
        return {"base": base, "variant": "layer"}
    if all(name == "builtins.object" for name in bases[1:]):
        return {"base": base, "variant": "none"}
    return {"base": base}


#: Limits that a run may hit before it gets to a class, and the resulting status.
LIMITS_AT_IMPORT = {
    "timeout": Status.TIME_LIMIT,
    "memory": Status.MEMORY_LIMIT,
    "too_many_threads": Status.RUNTIME_ERROR,
}


def missing_class(execution: Execution, reading: Reading) -> Finding:
    """Explain why the name LSTM does not exist after all statements ran."""
    failures = execution.statements_failed
    for failed in failures:
        if failed.code == "cell_timed_out":
            return Finding.of("timeout", cpu_seconds=round(execution.outcome.cpu_seconds, 1))
        if failed.type in OUT_OF_MEMORY:
            return Finding.of("memory")
        if NO_MORE_THREADS.search(failed.message):
            return Finding.of("too_many_threads")
    own = [failed for failed in failures if failed.line == reading.class_line]
    for failed in own:
        if match := MISSING_MODULE.search(failed.message):
            return Finding.of("imports_solution", module=match[1], line=failed.line)
    for failed in own or failures:
        if problem := behind_failure(failed, execution, reading.source):
            return advised(problem, reading)
    if own:
        return advised(definition_failed(own[0], "LSTM"), reading)
    return Finding.of(
        "no_lstm_class", {"type": failures[0].type, "message": in_brief(failures[0].message)} if failures else {}
    )


#: A size that should follow the case and does not -> the code of the mistake.
HARD_CODED = {
    "batch": "hardcoded_batch",
    "units": "hardcoded_units",
    "timesteps": "hardcoded_length",
    "features": "hardcoded_features",
}
#: The notebook's names of the exercise's sizes.
CONSTANTS = {"batch": "BATCH_SIZE", "units": "H_SIZE", "timesteps": "SEQ_LEN", "features": "EMB_SIZE"}
# The first constructor of a class.
NO_PARAMETER = re.compile(r"\A(?:(?!def __init__)[\s\S]){0,2000}def __init__\(\s*self\s*\)")
# The sizes in an input_signature.
SIGNATURE = re.compile(r"\binput_signature\s*=.{0,80}?\bTensorSpec\(\s*(?:shape\s*=\s*)?[\[(]([^\])]{0,80})", re.DOTALL)
# A smaller number in a line may be an axis.
LEAST_SIZE = 10


def size_that_works(execution: Execution, exercise: CaseEntry) -> Finding | None:
    """Find a size that a class which failed for the exercise expects: another number, or more steps than there are."""
    for name, size in execution.hard_coded.items():
        return Finding.of(HARD_CODED[name], works=size, needed=getattr(exercise, name))
    beyond = PAST_THE_END.search(execution.raised[0].message) if execution.raised else None
    # A class counts only steps one after the other.
    if beyond and int(beyond[1]) == exercise.timesteps not in (exercise.batch, exercise.units):
        line = next(reversed(execution.raised[0].lines), None)
        return Finding.of("past_the_end", index=exercise.timesteps, last=exercise.timesteps - 1, line=line)
    return None


def hard_coded_size(evidence: Evidence, wrong: Sequence[CaseEntry]) -> Finding | None:
    """Find the exercise's size that an answer keeps, when it is right on the exercise's shape and wrong on another."""
    found, parts = _kept_size(evidence, wrong), evidence.execution.parts
    if found is not None and parts and parts.knows_none and (holders := parts.untracked_of("holder")):
        return Finding.of(found.code, variant="holder", holders=holders)
    if found is not None and (signature := SIGNATURE.search(_class_text(evidence.reading))):
        name = next(name for name, code in HARD_CODED.items() if code == found.code)
        size = getattr(evidence.assignment.cases[0], name)
        if re.search(rf"\b(?:{size}|{CONSTANTS[name]})\b", signature[1]):
            return Finding.of(found.code, variant="signature")
    return found


def _kept_size(evidence: Evidence, wrong: Sequence[CaseEntry]) -> Finding | None:
    execution, reading, form = evidence.execution, evidence.reading, evidence.understanding.form
    exercise = evidence.assignment.cases[0]
    if form is not None and not form.is_complete:
        return None  # the loop counts something other than steps, wherever that ends
    for case in wrong:
        answer = execution.answers.get(case.id)
        if form != PLAIN or answer is None or answer.output.shape is None or len(answer.output.shape) != 3:
            continue
        batch, timesteps, units = answer.output.shape
        if units != case.units and units == exercise.units:
            fixed: Params = {"variant": "no_parameter"} if NO_PARAMETER.search(_class_text(reading)) else {}
            return Finding.of("hardcoded_units", {**default_as_width(execution, answer.output, case.units), **fixed})
        if timesteps != case.timesteps and timesteps == exercise.timesteps:
            return Finding.of("hardcoded_length")
        if batch != case.batch and batch == exercise.batch:
            return Finding.of("hardcoded_batch")
    for raised in execution.raised:
        case_entry = next((case for case in wrong if case.id == raised.case), None)
        if case_entry is None:
            continue
        beyond = PAST_THE_END.search(raised.message)
        numbers = re.findall(r"\d+", raised.message)
        line = reading.code_at(raised.lines[-1]) if raised.lines else ""
        sizes = [(code, getattr(exercise, name), getattr(case_entry, name)) for name, code in HARD_CODED.items()]
        for code, here, there in sizes:
            if here != there and str(here) in numbers and str(there) in numbers:
                return Finding.of(code)
            # The first index that exists in the exercise but not in this case. The sizes of a case are all different.
            if beyond and int(beyond[1]) == there < here:
                return Finding.of(code)
        for (code, here, there), constant in zip(sizes, CONSTANTS.values(), strict=True):
            if here != there and _stands_in(line, here, constant):
                return Finding.of(code)
    return None


def _class_text(reading: Reading) -> str:
    """Return the source from the class on."""
    return "\n".join(reading.source.split("\n")[(reading.class_line or 1) - 1 :])


def _stands_in(line: str, size: int, constant: str) -> bool:
    return bool(
        re.search(rf"\b{constant}\b", line) or (size > LEAST_SIZE and re.search(rf"(?<![\w.]){size}(?![\w.])", line))
    )
