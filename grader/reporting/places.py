"""Converts lines of the module text, by which everything before a report counts, to the student's own."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from grader.execution.reading import Reading
from grader.report.finding import Finding, Params, Remark
from grader.report.model import Advisory, Check, Diagnosis, Frame, SkippedCell

HasLine = TypeVar("HasLine", Check, Diagnosis)


class Places:
    """Converts lines of a submission's module text to lines of the file, or of a cell of the notebook."""

    def __init__(self, reading: Reading, filename: str) -> None:
        self._reading = reading
        self._filename = filename

    def frame(self, line: int) -> Frame:
        reading, code = self._reading, self._reading.code_at(line)
        for cell in reading.cells:
            if reading.format == "ipynb" and cell.first_line <= line <= cell.last_line:
                return Frame(file=f"cell {cell.index + 1}", line=line - cell.first_line + 1, code=code)
        return Frame(file=self._filename, line=line, code=code)

    def findings(self, items: Iterable[HasLine]) -> list[HasLine]:
        """Convert the parameter ``line`` of each, if there is one."""
        return [item.model_copy(update={"params": self._params(item.params, line_of(item))}) for item in items]

    def advisories(self, remarks: Iterable[Remark]) -> list[Advisory]:
        placed = [(remark, self._params(remark.params, remark.line)) for remark in remarks]
        return [
            Advisory(code=remark.code, params=params, line=None if remark.line is None else params["line"])
            for remark, params in placed
        ]

    def cell(self, failure: Remark) -> SkippedCell:
        """Convert a statement's failure. Its parameter ``lines``, if there is one, becomes ranges of lines."""
        line, params = failure.line or 0, failure.params
        if "lines" in params:
            params = {**params, "lines": _ranges([self.frame(line).line for line in params["lines"]])}
        params = {"line": self.frame(line).line, **params}
        return SkippedCell(index=self._reading.cell_of(line), code=failure.code, params=params)

    def _params(self, params: Params, line: int | None) -> Params:
        if line is None:
            return params
        frame = self.frame(line)
        return {**params, "line": frame.line, "file": frame.file}


def line_of(item: Finding | Check) -> int | None:
    """Return the line of the module text that a finding's parameters name."""
    line = item.params.get("line")
    return line if type(line) is int else None


def _ranges(lines: Sequence[int]) -> list[list[int]]:
    """Convert sorted lines to ranges of first and last line."""
    ranges: list[list[int]] = []
    for line in lines:
        if ranges and line == ranges[-1][1] + 1:
            ranges[-1][1] = line
        else:
            ranges.append([line, line])
    return ranges
