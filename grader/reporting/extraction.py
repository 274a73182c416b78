"""The parts taken from a file, the parts left out, and the parts that failed.

Each fact is reported once. What a diagnosis names is not listed again, and neither is a statement that failed for want
of a name that an earlier, failed one would define. All missing packages share one entry.
"""

from collections.abc import Iterator, Sequence

from grader.diagnosis.evidence import Evidence
from grader.diagnosis.missing_names import behind_missing_module, follows_from_another
from grader.execution.reading import Reading
from grader.report.finding import Params, Remark
from grader.report.model import Diagnosis, Extraction
from grader.report.server_paths import in_brief
from grader.reporting.places import Places
from grader.sandbox.events import StatementFailed

# Honest files come nowhere near. Without a limit, the report of a hostile file would be a hundred times its size.
MOST_CELLS = 1000
#: Codes of parts that failed; the others were left out on purpose.
FAILURES = frozenset({"syntax_error", "too_complex", "cell_failed", "cell_timed_out", "input_call", "missing_packages"})


def extraction(evidence: Evidence, diagnoses: Sequence[Diagnosis], places: Places) -> Extraction:
    reading, execution = evidence.reading, evidence.execution
    uses = {use.statement for use in reading.uses} if evidence.notebook is not None else set()
    used = {index for index, statement in enumerate(reading.statements) if statement.run} | uses
    left_out = {
        statement.cell
        for index, statement in enumerate(reading.statements)
        if index not in used and statement.reason not in ("no_effect", "shell_line", "magic")
    }
    skipped = [
        *(cell for cell in reading.skipped if cell.code != "not_needed" or cell.index in left_out),
        *map(places.cell, _failures(evidence, diagnoses)),
    ]
    return Extraction(
        cells_used=sorted({reading.statements[index].cell for index in used})[:MOST_CELLS],
        cells_skipped=sorted(skipped, key=lambda cell: cell.index)[:MOST_CELLS],
        class_line=places.frame(reading.class_line).line if reading.class_line else None,
        code_sha256=reading.fingerprint.text,
        roles=execution.parts.roles if execution.parts else {},
        roles_from=execution.roles_from,
    )


def extraction_of_unreadable(reading: Reading) -> Extraction:
    """Describe a file of which nothing is run, without repeating `reading.error`."""
    error = reading.error
    said = (error.code, error.params.get("text")) if error else None
    skipped = [
        cell for cell in reading.skipped if cell.code != "not_needed" and (cell.code, cell.params.get("text")) != said
    ]
    return Extraction(cells_skipped=skipped[:MOST_CELLS])


def _failures(evidence: Evidence, diagnoses: Sequence[Diagnosis]) -> Iterator[Remark]:
    reading, execution = evidence.reading, evidence.execution
    named = {diagnosis.params.get("package") or diagnosis.params.get("module") for diagnosis in diagnoses}
    diagnosed = {diagnosis.params.get("line") for diagnosis in diagnoses}
    missing: dict[str, StatementFailed] = {}
    for failed in execution.statements_failed:
        problem = behind_missing_module(failed)
        if problem is not None:
            missing.setdefault(str(problem.params.get("package") or problem.params.get("module")), failed)
        elif failed.line not in diagnosed and not follows_from_another(failed, execution):
            params: Params = {"type": failed.type, "message": in_brief(failed.message)}
            yield Remark(code=failed.code, params=params, line=failed.line)
    for name in named & missing.keys():
        del missing[str(name)]
    if missing:
        lines = [failed.line for failed in missing.values()]
        in_one_cell = [line for line in lines if reading.cell_of(line) == reading.cell_of(lines[0])]
        params = {"lines": in_one_cell, "packages": list(missing)}
        yield Remark(code="missing_packages", params=params, line=lines[0])
