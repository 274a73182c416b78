"""Marks the lines of the student's source that the causes in a report concern.

A false mark is worse than none: what the reader child did not find in the syntax tree has no mark.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from grader.execution.reading import Reading
from grader.report.artefacts import Sink
from grader.report.finding import Finding
from grader.report.model import Place, Source
from grader.report.source import pack
from grader.reporting.places import Places

Gate = Literal["I", "F", "C", "O"]

# A report is kept for ever, and an honest cause concerns a handful of places.
MOST_MARKS = 40


@dataclass(frozen=True)
class Mark:
    """Lines of the module text that the cause `code` concerns; `part` names what stands there."""

    code: str
    part: str
    first_line: int
    last_line: int
    is_certain: bool
    gate: Gate | None = None


def marks_of(findings: Iterable[Finding]) -> list[Mark]:
    """Return a mark for each finding that names its own line."""
    return [
        Mark(finding.code, "line", line, line, is_certain=True)
        for finding in findings
        if isinstance(line := finding.params.get("line"), int) and not isinstance(line, bool)
    ]


def source_of(reading: Reading, marks: Sequence[Mark], places: Places, artefacts: Sink | None) -> Source:
    """Return the places of the marks, and store the source."""
    name = None
    if artefacts is not None and reading.shown:
        name, content = pack(reading.shown)
        artefacts(name, content)
    return Source(artefact=name, places=[_place(mark, places) for mark in marks[:MOST_MARKS]])


def _place(mark: Mark, places: Places) -> Place:
    first, last = places.frame(mark.first_line), places.frame(mark.last_line)
    return Place(
        code=mark.code,
        part=mark.part,
        gate=mark.gate,
        file=first.file,
        line=first.line,
        last_line=last.line if last.file == first.file else first.line,
        confidence="certain" if mark.is_certain else "probable",
    )
