"""Marks the lines of the student's source that the causes in a report concern.

A false mark is worse than none: what the reader child did not find in the syntax tree has no mark.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from grader.diagnosis.concerns import VARIANTS, Look, looks_of
from grader.execution.reading import Part, Reading
from grader.report.artefacts import Sink
from grader.report.finding import CheckStatus, Finding
from grader.report.model import Check, Place, Source
from grader.report.source import pack
from grader.reporting.places import Places, line_of
from grader.sandbox.events import Gate
from reference.lstm.weights import DENSE_LETTERS

# A report is kept for ever, and an honest cause concerns a handful of places.
MOST_MARKS = 40
# A cause that would concern more lines than its eight layers points at nothing.
MOST_LINES = 8
OF_GATE = re.compile(rf" \(([{''.join(DENSE_LETTERS.values())}])\): ")


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
        if (line := line_of(finding)) is not None
    ]


def causes_of(diagnoses: Sequence[Finding], checks: Sequence[Check]) -> list[Finding]:
    """Return what to mark: the diagnoses, or without any the checks that failed by themselves."""
    failed = [check for check in checks if check.status == CheckStatus.FAILED and "follows_from" not in check.params]
    return list(diagnoses) or [Finding.of(check.code, check.params) for check in failed if check.code]


def marks_on(reading: Reading, findings: Sequence[Finding]) -> list[Mark]:
    """Return the marks of a submission that was run: named lines, and parts where a cause was looked for."""
    marks = marks_of(findings)
    named = {mark.code for mark in marks}
    for finding in findings:
        # An error need not be raised where the mistake was made.
        if finding.code not in named or (finding.code, finding.params.get("variant")) in VARIANTS:
            marks += _marks_of_parts(reading, finding)
    return marks


def _marks_of_parts(reading: Reading, finding: Finding) -> list[Mark]:
    for look in looks_of(finding.code, finding.params):
        matching = [part for part in reading.parts if _fits(part, look, finding)]
        lines: dict[tuple[int, int], list[Part]] = {}
        for part in matching:
            lines.setdefault((part.first_line, part.last_line), []).append(part)
        outer = {span: parts for span, parts in lines.items() if not any(_is_inside(span, other) for other in lines)}
        if matching and len(outer) <= MOST_LINES:
            return [_mark(finding.code, parts, look.is_certain) for _, parts in sorted(outer.items())]
    return []


def _is_inside(span: tuple[int, int], other: tuple[int, int]) -> bool:
    return span != other and other[0] <= span[0] and span[1] <= other[1]


def _fits(part: Part, look: Look, finding: Finding) -> bool:
    return look.describes(part) and (look.gates is not True or part.gate in _gates(finding))


def _gates(finding: Finding) -> list[object]:
    """Return the gates that a finding names, also those of weights such as ``fcXI (I): ...``."""
    gates, weights = finding.params.get("gates"), finding.params.get("weights")
    if isinstance(wrong := finding.params.get("wrong"), list):
        return [DENSE_LETTERS[part] for part in wrong if part in DENSE_LETTERS]
    if isinstance(weights, list):
        return [found[1] for each in weights if (found := OF_GATE.search(str(each)))]
    return gates if isinstance(gates, list) else []


def _mark(code: str, parts: Sequence[Part], is_certain: bool) -> Mark:
    # Values that are passed on are collected as well.
    first = next((part for part in parts if part.part == "passed_on"), parts[0])
    gates = {part.gate for part in parts}
    gate = first.gate if len(gates) == 1 else None
    return Mark(code, first.part, first.first_line, first.last_line, is_certain, gate)


def source_of(reading: Reading, marks: Sequence[Mark], places: Places, artefacts: Sink | None) -> Source:
    """Return the places of the marks, and store the source."""
    name = None
    if artefacts is not None and reading.source_cells:
        name, content = pack(reading.source_cells)
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
