"""The map from causes to places: complete, and silent where it does not know."""

import json
import re
from importlib.resources import files

import pytest

from grader.diagnosis.concerns import CONCERNS, VARIANTS
from grader.execution.reading import Part, Reading
from grader.report.finding import Finding
from grader.reporting.marks import MOST_MARKS, Mark, marks_on, source_of
from grader.reporting.places import Places
from grader.sandbox.requests import ACTIVATIONS
from reference.lstm.misconceptions import bank

CATALOGUE = (files("grader") / "locale" / "en.po").read_text(encoding="utf-8")
CODES = set(re.findall(r'^msgid "(\w+)\.title"$', CATALOGUE, re.MULTILINE))


def reading_of(*parts: tuple[str, str | None, int, str]) -> Reading:
    read = [
        Part.model_validate(
            {"part": part, "gate": gate, "first_line": line, "last_line": line, "what": words.split()}
        )
        for part, gate, line, words in parts
    ]  # fmt: skip
    return Reading(format="py", error=None, parts=read)


def marked(reading: Reading, code: str, **params: object) -> list[tuple[str, str | None, int]]:
    return [(mark.part, mark.gate, mark.first_line) for mark in marks_on(reading, [Finding.of(code, params)])]


def test_only_codes_are_looked_for() -> None:
    assert {*CONCERNS, *(code for code, _ in VARIANTS)} <= CODES


def test_every_known_mistake_is_looked_for() -> None:
    assert {mistake.code for mistake in bank()} <= set(CONCERNS)


def test_a_gate_is_marked_where_what_stands_there_explains_the_cause() -> None:
    reading = reading_of(
        ("activation", "I", 1, "tanh"), ("activation", "F", 2, "sigmoid"), ("activation", "C", 3, "tanh")
    )
    assert marked(reading, "wrong_gate_activation", gates=["I", "F"]) == [("activation", "I", 1)]
    assert marked(reading, "wrong_gate_activation", gates=["F"]) == []
    assert marked(reading, "missing_gate_activation", gates=["I"]) == []


def test_answer_of_the_wrong_form_is_marked_at_its_return_where_nothing_in_it_explains_the_form() -> None:
    reading = reading_of(("returned", None, 9, "answer"), ("returned", None, 5, "mul"))
    assert marked(reading, "returns_last_only") == [("returned", None, 9)]
    stacked = reading_of(("returned", None, 9, "answer"), ("stacking", None, 8, "item"))
    assert marked(stacked, "returns_last_only") == [("stacking", None, 8)]


def test_an_error_is_marked_where_it_was_raised_and_where_its_cause_stands() -> None:
    reading = reading_of(("initial_state", None, 9, "turned"), ("initial_state", None, 8, "ones"))
    assert marked(reading, "raises_in_call", line=5, variant="rows_units") == [
        ("line", None, 5), ("initial_state", None, 9)
    ]  # fmt: skip
    assert marked(reading, "raises_in_call", line=5, variant="shapes") == [("line", None, 5)]


def test_gates_on_one_line_have_one_mark_without_a_letter() -> None:
    reading = reading_of(("sum", "I", 4, "product"), ("sum", "F", 4, "product"))
    assert marked(reading, "gate_product_not_sum", gates=["I", "F"]) == [("sum", None, 4)]


def test_a_cause_that_concerns_very_many_lines_points_at_none() -> None:
    reading = reading_of(*(("passed_on", None, line, "tanh") for line in range(1, 10)))
    assert marked(reading, "extra_activation") == []


def test_a_report_keeps_only_so_many_places() -> None:
    marks = [Mark("extra_activation", "passed_on", 1, 1, is_certain=True)] * (MOST_MARKS + 1)
    source = source_of(reading_of(), marks, Places(reading_of(), "LSTM.py"), None)
    assert len(source.places) == MOST_MARKS


def test_probes_without_a_known_mistake_lead_to_what_is_odd_about_a_gate() -> None:
    reading = reading_of(("sum", "I", 1, "sub"), ("sum", "F", 2, "sub"), ("activation", "C", 3, "tanh"))
    assert marked(reading, "wrong_values", wrong=["i", "g"]) == [("sum", "I", 1)]


@pytest.mark.parametrize("word", sorted(ACTIVATIONS - {"sigmoid", "tanh"}))
def test_every_activation_that_a_reader_names_is_odd_for_a_gate(word: str) -> None:
    assert marked(reading_of(("activation", "F", 2, word)), "wrong_values", wrong=["f"]) == [("activation", "F", 2)]


@pytest.mark.parametrize(
    ("part", "word", "accepted"),
    [("sum", "product", True), ("sum", "x" * 99, False), ("nonsense", "product", False)],
)
def test_words_and_parts_of_a_reader_that_was_taken_over_are_bounded(part: str, word: str, accepted: bool) -> None:
    answer = {"cells": [], "parts": [{"part": part, "gate": None, "first_line": 1, "last_line": 1, "what": [word]}]}
    reading = Reading(format="py", error=None).with_source(json.dumps(answer).encode())
    assert bool(reading.parts) is accepted
