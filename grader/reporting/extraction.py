"""The parts taken from a file, the parts left out, and the parts that failed.

Each fact is reported once. What a diagnosis names is not listed again, and neither is a statement that failed for want
of a name that an earlier, failed one would define. All missing packages share one entry.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from grader.diagnosis.evidence import Evidence
from grader.diagnosis.missing_names import behind_missing_module, follows_from_another
from grader.execution.reading import Reading
from grader.report.model import Diagnosis, Extraction, SkippedCell
from grader.report.server_paths import in_brief
from grader.sandbox.protocol import StatementFailed

# Honest files come nowhere near. Without a limit, the report of a hostile file would be a hundred times its size.
MOST_CELLS = 1000
#: Codes of parts that failed; the others were left out on purpose.
FAILURES = frozenset({"syntax_error", "cell_failed", "cell_timed_out", "input_call", "missing_packages"})


def extraction(evidence: Evidence, diagnoses: Sequence[Diagnosis]) -> Extraction:
    reading, execution = evidence.reading, evidence.execution
    uses = {use.statement for use in reading.uses} if evidence.notebook is not None else set()
    used = {index for index, statement in enumerate(reading.statements) if statement.run} | uses
    left_out = {
        statement.cell
        for index, statement in enumerate(reading.statements)
        if index not in used and statement.reason not in ("no_effect", "shell_line", "magic")
    }
    skipped = [
        SkippedCell(index=cell.index, code=cell.code, params=cell.params)
        for cell in reading.skipped
        if cell.code != "not_needed" or cell.index in left_out
    ]
    skipped += _failures(evidence, diagnoses)
    return Extraction(
        cells_used=sorted({reading.statements[index].cell for index in used})[:MOST_CELLS],
        cells_skipped=sorted(skipped, key=lambda cell: cell.index)[:MOST_CELLS],
        class_line=reading.frame(reading.class_line, "").line if reading.class_line else None,
        code_sha256=reading.code_sha256,
        roles=execution.parts.roles if execution.parts else {},
        roles_from=execution.roles_from,
    )


def extraction_of_unreadable(reading: Reading) -> Extraction:
    """Describe a file of which nothing is run, without repeating `reading.error`."""
    error = reading.error
    said = (error.code, error.params.get("text")) if error else None
    skipped = [
        SkippedCell(index=cell.index, code=cell.code, params=cell.params)
        for cell in reading.skipped
        if cell.code != "not_needed" and (cell.code, cell.params.get("text")) != said
    ]
    return Extraction(cells_skipped=skipped[:MOST_CELLS])


def _failures(evidence: Evidence, diagnoses: Sequence[Diagnosis]) -> Iterator[SkippedCell]:
    reading, execution = evidence.reading, evidence.execution
    named = {diagnosis.params.get("package") or diagnosis.params.get("module") for diagnosis in diagnoses}
    told = {diagnosis.params.get("line") for diagnosis in diagnoses}
    missing: dict[str, StatementFailed] = {}
    for failed in execution.statements_failed:
        problem = behind_missing_module(failed)
        if problem is not None:
            missing.setdefault(str(problem[1].get("package") or problem[1].get("module")), failed)
        elif failed.line not in told and not follows_from_another(failed, execution):
            line = reading.frame(failed.line, "").line
            params = {"line": line, "type": failed.type, "message": in_brief(failed.message)}
            yield SkippedCell(index=reading.cell_of(failed.line), code=failed.code, params=params)
    for name in named & missing.keys():
        del missing[str(name)]
    if missing:
        index = reading.cell_of(next(iter(missing.values())).line)
        lines = [reading.frame(f.line, "").line for f in missing.values() if reading.cell_of(f.line) == index]
        params = {"line": lines[0], "lines": _ranges(lines), "packages": list(missing)}
        yield SkippedCell(index=index, code="missing_packages", params=params)


def _ranges(lines: Sequence[int]) -> list[list[int]]:
    """Convert sorted lines to ranges of first and last line."""
    ranges: list[list[int]] = []
    for line in lines:
        if ranges and line == ranges[-1][1] + 1:
            ranges[-1][1] = line
        else:
            ranges.append([line, line])
    return ranges
