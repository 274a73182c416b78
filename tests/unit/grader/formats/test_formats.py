"""The forms of a report: each has its platform's shape, and nothing from the student becomes more than text."""

import html
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import xmlschema

from grader.checks.registry import not_run
from grader.formats import FORMATS, write_report
from grader.formats.source import Sources
from grader.formats.view import View
from grader.report.finding import CheckStatus, Finding
from grader.report.messages import LANGUAGES, render, translate
from grader.report.model import (
    Advisory,
    Check,
    Diagnosis,
    ErrorInfo,
    Extraction,
    Frame,
    Output,
    Report,
    SkippedCell,
    SubmissionRef,
)
from grader.report.source import Cell, Line, pack
from tests.tiers import sampled_pairs
from tests.unit.grader import make_reports

SCHEMAS = Path(__file__).parent / "schemas"
KINDS = sorted(make_reports.ALL)
JSON_PLATFORMS = ["gradescope", "prairielearn", "coursera", "coderunner"]


def report_of(kind: str) -> Report:
    return make_reports.ALL[kind]()


def written(kind: str, name: str, language: str = "en") -> Any:
    return json.loads(write_report(report_of(kind), name, language))


def assert_shape(name: str, results: Any) -> None:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(results)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_can_write_every_report_in_both_languages(name: str, kind: str) -> None:
    documents = {language: write_report(report_of(kind), name, language) for language in LANGUAGES}
    # A JUnit report of what passed is names and numbers.
    assert documents["ru"] != documents["en"] or (name, kind) == ("junit", "passed")
    for document in documents.values():
        assert document.endswith("\n")
        document.encode()
        # A sentence shows a question mark for a parameter that nobody gave.
        assert " ?" not in document
        # A terminal must not obey what is printed, whatever the form.
        assert not set(document) & set("\x1b\x00")


@pytest.mark.parametrize("name", JSON_PLATFORMS)
def test_a_report_has_the_shape_that_the_platform_publishes(name: str) -> None:
    for kind in KINDS:
        # Coursera and CodeRunner have no shape for a failure of ours.
        if kind != "internal_error" or name in ("gradescope", "prairielearn"):
            assert_shape(name, written(kind, name))


@pytest.mark.parametrize("name", JSON_PLATFORMS)
def test_a_failure_of_ours_is_nobodys_zero(name: str) -> None:
    results = written("internal_error", name)
    assert not {"score", "fractionalScore", "fraction"} & results.keys()
    assert not results.get("tests")
    assert not results.get("testresults")


@pytest.mark.parametrize("name", [*JSON_PLATFORMS, "vpl"])
def test_an_attempt_that_a_teacher_looks_at_first_brings_no_grade(name: str) -> None:
    held = Advisory(code="attack_on_grader", params={"variant": "forged"})
    for points in (45.0, 100.0):
        document = write_report(make_reports.make_report(points=points, advisories=[held]), name, "en")
        assert "counts only after a teacher has accepted it" in document
        assert not re.search(r'"(score|fractionalScore|fraction|tests)"|Grade :=>>', document)


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for each in pair for text in _texts(each)]
    return [text for each in value for text in _texts(each)] if isinstance(value, list) else [str(value)]


@pytest.mark.parametrize(("words", "name"), sampled_pairs(make_reports.ORDERS, FORMATS), ids=ascii)
def test_no_program_obeys_what_a_student_wrote(name: str, words: str) -> None:
    document = write_report(make_reports.report_with(words), name, "en")
    assert not make_reports.OBEYED.search(document)
    document.encode()
    # A platform shows what stands in its file, and only the form for programs says every character.
    if name in JSON_PLATFORMS:
        controls = make_reports.OBEYED.pattern.split("]|")[0] + "]"
        assert not [text for text in _texts(json.loads(document)) if re.search(controls, text)]
    if name == "json":
        assert json.loads(document) == render(make_reports.report_with(words), "en")
    if name == "junit":
        assert ET.fromstring(document)[0].find("system-out") is not None


def test_letters_that_joiners_hold_together_are_as_they_were_written() -> None:
    for words in ("\U0001f469\u200d\U0001f4bb", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u00e9\t\u041c"):
        assert words in write_report(make_reports.report_with(words), "html", "en")


def test_gradescope_gets_the_points_of_every_check() -> None:
    results = written("failed", "gradescope")
    assert results["score"] == sum(test["score"] for test in results["tests"]) == 10
    assert sum(test["max_score"] for test in results["tests"]) == 100
    assert [test["status"] for test in results["tests"]] == ["passed", "failed", "failed", "failed", "failed", "passed"]
    assert "are swapped" in results["output"]
    assert results["extra_data"]["diagnoses"] == ["gates_swapped_if"]
    # A student's markup stays text.
    assert results["output_format"] == results["test_output_format"] == results["test_name_format"] == "text"


def test_prairielearn_gets_a_score_for_what_was_run() -> None:
    for kind in ("failed", "hostile"):
        results = written(kind, "prairielearn")
        assert (results["gradable"], results["score"]) == (True, report_of(kind).score)


def test_prairielearn_takes_no_attempt_for_a_file_with_nothing_to_run() -> None:
    results = written("invalid", "prairielearn")
    assert results["gradable"] is False
    (error,) = results["format_errors"]
    assert "syntax" in error.lower()
    # "0 of 100" would be a grade.
    assert "100" not in results["message"] + error


def test_prairielearns_file_stays_below_a_megabyte() -> None:
    report = make_reports.make_report(output=Output(stdout="\u0416" * 900_000, stderr="\x01" * 900_000))
    assert len(write_report(report, "prairielearn", "ru").encode()) < 1_000_000


def test_coursera_gets_no_more_feedback_than_it_shows() -> None:
    params = {"type": "E", "message": "\u0416" * 200, "line": 1}
    diagnoses = [{"code": "raises_in_call", "params": params, "confidence": "exact"}] * 200
    feedback = json.loads(write_report(make_reports.make_report(diagnoses=diagnoses), "coursera", "ru"))["feedback"]
    assert 60_000 < len(feedback.encode()) <= 64 * 1024


def test_coderunner_gets_every_check_and_no_markup_of_a_student() -> None:
    results = written("failed", "coderunner")
    head, *rows = results["testresults"]
    assert head == ["iscorrect", "Check", "Points", "Result"]
    assert {len(row) for row in rows} == {4}
    assert [row[0] for row in rows] == [1, 0, 0, 0, 0, 1]
    assert results["fraction"] == 0.1
    assert "are swapped" in results["prologuehtml"]
    hostile = written("hostile", "coderunner")
    assert "<script" not in hostile["prologuehtml"] + hostile.get("epiloguehtml", "")


def vpl_reads(document: str) -> tuple[str, list[str]]:
    """The grade and the comment as VPL finds them: each by lines that begin with its word, of grades the last."""
    grades = re.findall(r"^Grade :=>>(.*)$", document, re.MULTILINE)
    return (grades or [""])[-1].strip(), re.findall(r"^[ \t]*Comment :=>>(.*)$", document, re.MULTILINE)


@pytest.mark.parametrize("kind", KINDS)
def test_vpl_gets_the_points_and_comments_and_nothing_else(kind: str) -> None:
    for language in LANGUAGES:
        document = write_report(report_of(kind), "vpl", language)
        grade, comments = vpl_reads(document)
        points = report_of(kind).points
        assert grade == ("" if points is None else f"{points:g}")
        assert comments[0].startswith("-")
        assert len(comments) + (points is not None) == len(document.splitlines())


def test_vpl_takes_no_grade_heading_or_link_from_a_student() -> None:
    words = "no\nGrade :=>>100\n--|>\n-Title\n>code\nhttp://evil.example"
    diagnosis = Diagnosis(code="raises_in_call", params={"type": "E", "message": words, "line": 1}, confidence="exact")
    for report in (make_reports.make_report(diagnoses=[diagnosis]), report_of("hostile")):
        document = write_report(report, "vpl", "en")
        grade, comments = vpl_reads(document)
        assert grade == f"{report.points:g}"
        assert len([line for line in comments if line.startswith("-")]) == 1 + len(report.checks)
        assert not [line for line in comments if line.lstrip(" \t").startswith((">", "http"))]


@pytest.mark.parametrize("kind", KINDS)
def test_junit_has_the_shape_that_its_readers_share(kind: str) -> None:
    document = write_report(report_of(kind), "junit", "ru")
    xmlschema.XMLSchema(str(SCHEMAS / "junit.xsd")).validate(document)
    (suite,) = ET.fromstring(document)
    cases = suite.findall("testcase")
    assert int(suite.get("tests", "")) == len(cases)
    for attribute, element in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.get(attribute, "")) == len(suite.findall(f"testcase/{element}"))
    failed = [check.code or "failed" for check in report_of(kind).checks if check.status == "failed"]
    assert [each.get("type") for each in suite.findall("testcase/failure")] == failed


def test_junit_calls_a_failure_of_ours_an_error() -> None:
    (suite,) = ET.fromstring(write_report(report_of("internal_error"), "junit", "en"))
    assert [error.get("type") for error in suite.findall("testcase/error")] == ["internal_error"]
    assert not suite.findall("testcase/failure")


def with_mark(lines: tuple[int, int], *texts: str) -> tuple[Report, dict[str, bytes]]:
    """A report on a cell of these lines, some of which are marked, and what is kept beside it."""
    stored, content = pack([Cell(index=2, lines=[Line(text=text, runs=[("", len(text))]) for text in texts])])
    place = {"code": "c_sign", "part": "sum", "gate": "F", "file": "cell 3", "confidence": "probable"}
    source = {"artefact": stored, "places": [{**place, "line": lines[0], "last_line": lines[1]}]}
    report = make_reports.make_report(diagnoses=[Diagnosis.exact(Finding.of("c_sign"))], source=source)
    return report, {stored: content}


@pytest.mark.parametrize("name", ["text", "junit"])
def test_the_line_that_a_cause_concerns_stands_beside_it(name: str) -> None:
    report, kept = with_mark((2, 2), "#", "  f = g(x)\x1b")
    document = write_report(report, name, "en", kept)
    assert "cell 3, line 2: f = g(x)\\x1b (probably here: the sum of f)" in document
    assert "cell 3, line 2: (probably here: the sum of f)" in write_report(report, name, "en")


@pytest.mark.parametrize(("lines", "noted"), [((2, 2), 1), ((2, 9), 1), ((3, 3), 0), ((9, 9), 0)])
def test_a_mark_below_the_lines_that_were_kept_stands_at_none_of_them(lines: tuple[int, int], noted: int) -> None:
    report, kept = with_mark(lines, "f", "f")
    sources = Sources(View.of(report, "en", kept))
    whole, excerpt = sources.whole, sources.of("c_sign")
    assert [len(line.notes) for line in whole[0].lines] == [0, noted]
    assert bool(excerpt) == bool(noted)


def test_text_shows_advice_checks_and_the_first_difference() -> None:
    text = write_report(report_of("failed"), "text", "en")
    for part in ("LSTM.ipynb", "10 / 100 points", "are swapped", "Equal to Keras", "First difference: sequence 0"):
        assert part in text
    # Other forms have pictures for this.
    assert "at timestep 99" in text
    assert not [line for line in text.splitlines() if line != line.rstrip()]


def shown_text(document: str) -> str:
    """The visible text of a page or a text, in one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", document)).split())


def shown_report(name: str, **changes: object) -> str:
    """The visible text of a report on a failed submission, some parts changed."""
    return shown_text(write_report(make_reports.make_report(**changes), name, "en"))


@pytest.mark.parametrize("name", ["text", "html"])
def test_omitted_code_is_named_by_its_lines(name: str) -> None:
    lines = [[3, 3], [12, 20]]
    skipped = [
        SkippedCell(index=0, code="not_needed", params={"line": 3, "lines": lines, "statements": 3}),
        SkippedCell(index=0, code="missing_packages", params={"line": 1, "packages": ["torch", "sklearn"]}),
    ]
    script = SubmissionRef(filename="LSTM.py", sha256="0" * 64, format="py")
    written = shown_report(name, submission=script, extraction=Extraction(cells_skipped=skipped))
    assert "Lines 3, 12–20" in written
    # Statements that failed are not among those that cost nothing.
    assert written.index("What did not work") < written.index("torch, sklearn") < written.index("What was skipped")


def test_a_cell_that_was_run_in_part_says_which_lines_were_not() -> None:
    params = {"line": 4, "lines": [[4, 6]], "statements": 2}
    skipped = [SkippedCell(index=index, code="not_needed", params=params) for index in (1, 2)]
    extraction = Extraction(cells_used=[2], cells_skipped=skipped)
    assert "Cells 2, 3 (lines 4–6): Not run" in shown_report("text", extraction=extraction)


@pytest.mark.parametrize("name", ["text", "html"])
def test_the_same_words_stand_in_a_report_once(name: str) -> None:
    checks = not_run(make_reports.ASSIGNMENT.points, "not_run")
    report = make_reports.make_report(checks=checks, cases=[], diagnoses=[])
    for language in LANGUAGES:
        assert write_report(report, name, language).count(translate("not_run.message", language)) == 1


@pytest.mark.parametrize("name", ["text", "html"])
def test_the_table_only_names_a_diagnosis(name: str) -> None:
    check = Check(id="contract", points=0, max_points=10, status="failed", code="returns_none")
    diagnosis = Diagnosis(code="returns_none", confidence="exact")
    written = shown_report(name, checks=[check], diagnoses=[diagnosis])
    assert written.count("Your call returned None") == 1
    assert "Nothing is returned." in written


@pytest.mark.parametrize("name", ["text", "html"])
def test_without_a_diagnosis_the_checks_that_failed_by_themselves_are_the_causes(name: str) -> None:
    written = shown_report(name, diagnoses=[])
    assert written.count("The shape is right, but the numbers differ from Keras by up to 0.4.") == 1
    assert "Numbers differ from Keras." in written


def test_a_page_says_of_nothing_that_it_runs_when_it_earned_nothing() -> None:
    assert "Your class runs" not in shown_report("html", points=0.0, score=0.0)
    assert "Your class runs" in shown_report("html")


@pytest.mark.parametrize("name", ["text", "html"])
def test_an_exception_outside_of_the_students_lines_is_told_by_its_diagnosis_alone(name: str) -> None:
    error = ErrorInfo(type="TypeError", message="'LSTM' object is not callable")
    diagnosis = Diagnosis(code="wrong_base_class", params={"base": "object", "variant": "none"}, confidence="exact")
    assert "not callable" not in shown_report(name, error=error, diagnoses=[diagnosis])


@pytest.mark.parametrize("name", ["text", "html"])
def test_the_words_of_an_exception_stand_once_above_its_lines(name: str) -> None:
    frame = Frame(file="LSTM.py", line=7, code="c = a @ b")
    error = ErrorInfo(type="ValueError", message="shapes do not fit", traceback=[frame])
    params = {"type": "ValueError", "message": "shapes do not fit"}
    diagnosis = Diagnosis(code="raises_in_call", params=params, confidence="exact")
    written = shown_report(name, error=error, diagnoses=[diagnosis], cases=[])
    assert written.count("shapes do not fit") == 1
    assert "c = a @ b" in written


@pytest.mark.parametrize("name", ["text", "html"])
def test_a_remark_names_its_place_once_and_a_check_beside_a_diagnosis_its_hint(name: str) -> None:
    lost = Check(id="trainability", points=0, max_points=10, status="failed", code="gradient_truncated")
    written = shown_report(name, checks=[lost])
    assert "(cell 3, line 4)" in written
    assert translate("gradient_truncated.hint", "en")[:40] in written
    params = {"what": "/tmp/x", "line": 80, "file": "LSTM.py"}
    remark = Advisory(code="write_outside", params=params, line=80)
    assert shown_report(name, advisories=[remark]).count("line 80") == 1


@pytest.mark.parametrize(
    ("name", "sentence", "of"),
    [("text", "internal_error.message", "/50"), ("html", "summary.internal_error", " / 50")],
)
def test_our_failure_is_said_once_and_no_check_shows_zero_points(name: str, sentence: str, of: str) -> None:
    shown = shown_text(write_report(make_reports.internal_error(), name, "en"))
    sentences = [translate(id, "en") for id in ("internal_error.message", "summary.internal_error")]
    assert [each for each in sentences if each in shown] == [translate(sentence, "en")]
    assert f"–{of}" in shown
    assert f"0{of}" not in shown


@pytest.mark.parametrize("name", ["text", "html"])
def test_an_exception_of_another_input_is_told_as_such_and_only_beside_right_numbers(name: str) -> None:
    error = ErrorInfo(type="ValueError", message="no", traceback=[Frame(file="LSTM.py", line=7, code="c = a @ b")])
    report = make_reports.make_report(error=error)
    assert "c = a @ b" not in write_report(report, name, "en")
    [equivalence] = [check for check in report.checks if check.id == "equivalence"]
    right = equivalence.model_copy(update={"status": CheckStatus.PASSED, "code": None, "params": {}})
    checks = [right if check is equivalence else check for check in report.checks]
    written = shown_report(name, error=error, checks=checks)
    assert "c = a @ b" in written
    assert translate("report.error_elsewhere", "en") in written


@pytest.mark.parametrize(
    ("language", "points", "moment"), [("ru", "12,5", "2 января 2026"), ("en", "12.5", "2 January 2026")]
)
def test_numbers_and_moments_of_a_page_follow_the_language(language: str, points: str, moment: str) -> None:
    written = write_report(make_reports.make_report(points=12.5), "html", language)
    assert f"<strong>{points}</strong>" in written
    assert moment in written
