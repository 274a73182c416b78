"""Converts lines of the module text, by which everything before a report counts, to the student's own."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from grader.execution.reading import Reading
from grader.report.finding import Params, Remark
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
        return [
            item.model_copy(update={"params": self._params(item.params, line)})
            if isinstance(line := item.params.get("line"), int) and not isinstance(line, bool)
            else item
            for item in items
        ]

    def advisories(self, remarks: Iterable[Remark]) -> list[Advisory]:
        return [
            Advisory(code=remark.code, params=remark.params)
            if remark.line is None
            else Advisory(
                code=remark.code, params=self._params(remark.params, remark.line), line=self.frame(remark.line).line
            )
            for remark in remarks
        ]

    def cell(self, failure: Remark) -> SkippedCell:
        """Convert a statement's failure. Its parameter ``lines``, if there is one, becomes ranges of lines."""
        line, params = failure.line or 0, failure.params
        if "lines" in params:
            params = {**params, "lines": _ranges([self.frame(line).line for line in params["lines"]])}
        params = {"line": self.frame(line).line, **params}
        return SkippedCell(index=self._reading.cell_of(line), code=failure.code, params=params)

    def _params(self, params: Params, line: int) -> Params:
        frame = self.frame(line)
        return {**params, "line": frame.line, "file": frame.file}


def _ranges(lines: Sequence[int]) -> list[list[int]]:
    """Convert sorted lines to ranges of first and last line."""
    ranges: list[list[int]] = []
    for line in lines:
        if ranges and line == ranges[-1][1] + 1:
            ranges[-1][1] = line
        else:
            ranges.append([line, line])
    return ranges
