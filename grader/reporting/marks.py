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


#: Code -> the part that it concerns. Codes that are not listed concern no single part, or name their own line.
PART_OF = {
    **dict.fromkeys(
        (
            "c_grouping", "c_sign", "c_sum_not_product", "coupled_gate", "forget_term_missing", "input_gate_missing",
            "tanh_on_state", "c_as_candidate",
        ),
        "update_c",
    ),
    **dict.fromkeys(
        (
            "no_tanh_output", "sigmoid_output", "double_tanh", "tanh_of_product", "old_c_in_output",
            "output_gate_missing",
        ),
        "update_h",
    ),
    **dict.fromkeys(("state_init_ones", "state_init_random", "state_init_not_zero"), "initial_state"),
    **dict.fromkeys(
        (
            "missing_gate_activation", "wrong_gate_activation", "activation_before_sum",
            "gate_product_not_sum", "no_tanh_candidate", "sigmoid_candidate", "wrong_candidate_activation",
        ),
        "sum",
    ),
    **dict.fromkeys(
        ("time_major", "wrong_transpose", "wrong_stack_axis", "reshape_not_transpose", "concat_not_stack"), "stacking"
    ),
    "returns_c": "collected",
    "return_inside_loop": "returned_in_loop",
}  # fmt: skip
# Variants that say that the mistake stands in the other update.
OTHER_UPDATE = {"output": "update_h"}
CANDIDATE = frozenset({"no_tanh_candidate", "sigmoid_candidate", "wrong_candidate_activation"})


def marks_on(reading: Reading, findings: Sequence[Finding]) -> list[Mark]:
    """Return the marks of a submission that was run: named lines, and parts that the reader found once."""
    marks = marks_of(findings)
    named = {mark.code for mark in marks}
    for finding in findings:
        part = OTHER_UPDATE.get(str(finding.params.get("variant")), PART_OF.get(finding.code))
        if finding.code in PART_OF and finding.code not in named:
            marks += _of_part(reading, finding, str(part))
    return marks


def _of_part(reading: Reading, finding: Finding, part: str) -> list[Mark]:
    gates = ["C"] if finding.code in CANDIDATE else finding.params.get("gates")
    found = [each for each in reading.parts if each.part == part]
    if part == "sum":
        found = [each for each in found if isinstance(gates, list) and each.gate in gates]
        is_one = len({each.gate for each in found}) == len(found)
    else:
        # h and c have a line each.
        is_one = len(found) <= (2 if part == "initial_state" else 1)
    if not is_one:
        return []
    name = "returned" if part == "returned_in_loop" else part
    return [
        Mark(finding.code, name, each.first_line, each.last_line, part == "returned_in_loop", each.gate)
        for each in found
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
