"""Marks against the wrong answers of `tests/integration/grader/mutants`, whose wrong lines are known."""

import ast
import difflib
import json
import random
import re
from collections.abc import Sequence

import pytest

from grader.diagnosis.mistakes import variant_of
from grader.execution.reading import Reading
from grader.report.finding import Finding
from grader.reporting.marks import marks_on
from reference.lstm.misconceptions import bank
from reference.lstm.misconceptions.state import OUTPUTS, UPDATES, parse_formula
from tests.integration.grader.mutants.slips import ALL, Slip
from tests.integration.grader.mutants.styles import DENSE, LETTERS, STYLES, Style

SIZES = {"batch": 2, "timesteps": 100, "features": 16, "units": 32}
#: So many of 1,013 are read, the same ones each time: each takes 20 ms.
SAMPLE, SEED = 150, 7
LEAST_MARKED = 0.75


def _changed(right: str, wrong: str) -> set[int]:
    """Return the lines that differ; for lines that are missing, those around them."""
    lines: set[int] = set()
    matcher = difflib.SequenceMatcher(None, right.split("\n"), wrong.split("\n"), autojunk=False)
    for kind, _, _, first, last in matcher.get_opcodes():
        if kind != "equal":
            lines |= set(range(first + 1, last + 1)) or {first, first + 1}
    return lines


def _finding(slip: Slip) -> Finding:
    """Return the diagnosis that the slip should get, with the gates that it changes."""
    slots = [re.search(r"_([ifgo])$", slot) for slot in slip.changes]
    gates = [LETTERS[slot[1]] for slot in slots if slot]
    if not gates and {"seen", "from_x", "from_h"} & slip.changes.keys():
        gates = list(LETTERS.values())
    return Finding.of(slip.code, gates=gates) if gates else Finding.of(slip.code)


def _marked(style: Style, name: str, finding: Finding, source: str) -> tuple[bool, str]:
    """Return whether any line is marked, and the marks beside the wrong lines."""
    from reader import upload

    first, second = upload.answers(source.encode(), "lstm.py", SIZES)
    reading = Reading.model_validate(first).with_source(json.dumps(second).encode())
    changed, marks = _changed(style.write({}) or "", source), marks_on(reading, [finding])
    astray = [mark for mark in marks if not changed & set(range(mark.first_line, mark.last_line + 1))]
    return bool(marks), f"{style.name}: {name}: {astray}, not {sorted(changed)}" if astray else ""


def test_marks_stand_on_the_lines_that_are_wrong() -> None:
    written = [
        (style, slip.name, _finding(slip), source)
        for style in STYLES
        for slip in ALL
        if (source := style.write(slip.changes))
    ]
    results = [_marked(*each) for each in random.Random(SEED).sample(written, SAMPLE)]
    assert [astray for _, astray in results if astray] == []
    assert sum(is_marked for is_marked, _ in results) >= LEAST_MARKED * SAMPLE


@pytest.mark.parametrize(("slot", "formulas"), [("update", UPDATES), ("show", OUTPUTS)])
def test_wrong_formula_of_the_bank_is_marked_on_its_line(slot: str, formulas: Sequence[tuple[str, ...]]) -> None:
    mistakes = {each.name: each for each in bank()}
    # A state that is another value has no line of its own.
    for code, name, *_ in (each for each in formulas if each[1] not in ("h = o", "h = c")):
        text = re.sub(r"\b(\w+)\(", r"tf.\1(", ast.unparse(parse_formula(name).node)).replace("tf.sum", "tf.reduce_sum")
        source = DENSE.write({slot: f"{name[0]}_new = {text}"}) or ""
        finding = Finding.of(code, {"variant": variant_of([mistakes[name]]), **mistakes[name].params})
        assert _marked(DENSE, name, finding, source) == (True, ""), name
