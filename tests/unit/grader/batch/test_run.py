"""Many submissions at once: order, survival, the grade book, exit codes."""

import contextlib
import csv
import io
import json
import threading
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from typer.testing import CliRunner

from grader.batch import command
from grader.batch.archives import Unreadable
from grader.batch.cells import as_text, csv_of
from grader.batch.collect import Student, StudentFile
from grader.batch.gradebook import gradebook
from grader.batch.overview import overview
from grader.batch.run import AHEAD, Row, best_rows, grade_all, summary, with_equal_code
from grader.cli import cli
from grader.formats.commands import json_of
from grader.report.fingerprint import Fingerprint
from grader.report.model import HELD, Advisory, Diagnosis, Report
from grader.report.schema import read_report
from grader.report.server_paths import in_one_line
from grader.submission import Submission
from tests.unit.grader.make_reports import (
    ASSIGNMENT,
    HOSTILE,
    OBEYED,
    ORDERS,
    hostile,
    internal_error,
    invalid,
    make_report,
    passed,
    report_with,
)


def file_of(path: str, student: Student | None = None, content: bytes = b"x") -> StudentFile:
    return StudentFile(path, student or Student(path), path.rpartition("/")[2], lambda limit: content[:limit])


def unreadable(path: str, code: str = "encrypted") -> StudentFile:
    def read(limit: int) -> bytes:
        raise Unreadable(code)

    return StudentFile(path, Student(path), path, read)


def rows_of(book: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(book)))


def test_rows_come_in_the_order_of_the_files_whatever_ends_first() -> None:
    third = threading.Event()

    def grade_one(submission: Submission) -> Report:
        if submission.filename == "2":
            third.set()
        elif submission.filename == "0":
            assert third.wait(60)
        return make_report()

    rows = grade_all([file_of(str(n)) for n in range(10)], ASSIGNMENT, grade_one, slots=4)
    assert [row.file.path for row in rows] == [str(n) for n in range(10)]


def test_all_slots_work_and_reports_do_not_pile_up() -> None:
    active, most, started, taken = set(), [0], [], []
    lock, together = threading.Lock(), threading.Barrier(3)

    def grade_one(submission: Submission) -> Report:
        with lock:
            active.add(submission.filename)
            most[0] = max(most[0], len(active))
            started.append(submission.filename)
            early = len(started) <= 3
        if early:
            together.wait(60)
        with lock:
            active.remove(submission.filename)
        return make_report()

    files = (file_of(str(n)) for n in range(30) if taken.append(n) is None)
    rows = grade_all(files, ASSIGNMENT, grade_one, slots=3)
    next(rows)
    assert len(taken) == AHEAD * 3 + 1 < 30
    rows.close()  # type: ignore[attr-defined]
    assert most[0] == 3


def code(text: int, *, form: int, statements: int = 30) -> Fingerprint:
    return Fingerprint(text=f"{text:064x}", form=f"{form:064x}", statements=statements)


def test_code_that_another_student_handed_in_before_is_pointed_out() -> None:
    anna, ivan = Student("Anna", "moodle", "1"), Student("Ivan", "moodle", "2")
    long, short = code(1, form=1), code(2, form=2, statements=10)

    def row(path: str, student: Student, own: Fingerprint | None) -> Row:
        return Row(file_of(path, student), make_report().model_copy(update={"fingerprint": own}))

    rows_before = [
        row("a1", anna, long),
        row("a2", anna, long),
        row("a3", anna, code(3, form=1)),
        row("i1", ivan, long),
        row("i2", ivan, code(5, form=5)),
        row("i3", ivan, code(3, form=1)),
        row("i4", ivan, code(6, form=1)),
        # Few statements are alike by chance, but not to the letter.
        row("a4", anna, short),
        row("i5", ivan, code(4, form=2, statements=10)),
        row("i6", ivan, short),
        # Everybody has the first from the course; of the others nothing was read.
        *(
            row(path, student, each)
            for each in (code(7, form=7, statements=0), Fingerprint(), None)
            for path, student in (("a", anna), ("i", ivan))
        ),
        Row(unreadable("x"), None, "encrypted"),
    ]
    rows = list(with_equal_code(rows_before))
    assert [row.file.path for row in rows] == [row.file.path for row in rows_before]
    marked = {row.file.path: row for row in rows if row.same_code_as}
    assert {path: row.same_code_as for path, row in marked.items()} == {"i1": "a1", "i3": "a3", "i4": "a1", "i6": "a4"}
    for path, row_marked in marked.items():
        report = row_marked.report
        assert report is not None
        told = report.advisories[-1]
        assert (told.code, told.params) == ("plagiarism", {"variant": "form"} if path == "i4" else {})
        assert report.digest() == report.receipt.report_sha256


def test_a_failure_is_a_row_and_the_rest_is_graded() -> None:
    done = []

    def grade_one(submission: Submission) -> Report:
        if submission.filename == "ours":
            raise MemoryError("we failed")
        return make_report()

    files = [file_of("a"), unreadable("locked"), file_of("ours"), file_of("b")]
    rows = list(grade_all(files, ASSIGNMENT, grade_one, slots=2, done=lambda: done.append(1)))
    assert [row.problem for row in rows] == [None, "encrypted", None, None]
    assert [row.report and row.report.status for row in rows] == ["failed", None, "internal_error", "failed"]
    assert [row.has_grade for row in rows] == [True, False, False, True]
    assert len(done) == 4
    # In the order of the statuses, and last the files that could not be read.
    assert list(summary(rows).items()) == [("failed", 2), ("internal_error", 1), ("unreadable", 1)]


def test_no_more_than_the_limit_is_read() -> None:
    limit = ASSIGNMENT.upload.upload_bytes
    sizes = []
    file = StudentFile("a", Student("a"), "a.py", lambda wanted: b"x" * min(wanted, 10 * limit))
    list(grade_all([file], ASSIGNMENT, lambda s: sizes.append(len(s.content)) or make_report(), slots=1))
    assert sizes == [limit + 1]


def test_a_held_file_is_no_grade_and_says_so() -> None:
    anna = Student("Anna", "moodle", "1")
    report = passed().model_copy(update={"advisories": [Advisory(code=HELD, params={"variant": "forged"})]})
    held, other = Row(file_of("a1", anna), report), Row(file_of("a2", anna), make_report())
    assert (held.points, held.has_grade, held.as_json("en")["held"]) == (None, True, True)
    assert [row.file.path for row in best_rows([held, other])] == ["a2"]
    (line,) = rows_of(gradebook([held], ASSIGNMENT, "en").text)
    assert line["Grade"] == ""
    assert ["waits for a teacher" in overview([row], ASSIGNMENT, "en") for row in (held, other)] == [True, False]


def test_a_student_with_several_files_gets_the_best_of_them() -> None:
    anna, ivan = Student("Anna", "moodle", "1"), Student("Anna", "moodle", "2")
    rows = [
        Row(file_of("a1", anna), make_report()),
        Row(file_of("a2", anna), passed()),
        Row(file_of("a3", anna), internal_error()),
        Row(file_of("i1", ivan), internal_error()),
        Row(file_of("i2", ivan), invalid()),
        Row(file_of("x"), make_report()),
        Row(file_of("y", Student("x")), make_report()),
    ]
    assert [row.file.path for row in best_rows(rows)] == ["a2", "i2", "x", "y"]


def test_moodles_grade_book_holds_what_its_import_reads() -> None:
    student = Student("Анна Петрова", "moodle", "10002")
    (line,) = rows_of(gradebook([Row(file_of("c.zip/LSTM.ipynb", student), make_report())], ASSIGNMENT, "ru").text)
    assert line["Identifier"] == "Participant 10002"
    assert (line["Full name"], line["Grade"], line["Maximum grade"]) == ("Анна Петрова", "10", "100")
    # Without this column Moodle refuses the file.
    assert line["Last modified (grade)"] == ""
    assert "поменялись местами" in line["Feedback comments"]
    assert line["File"] == "c.zip/LSTM.ipynb"


def test_grade_book_and_page_name_a_mistake_as_its_report_does() -> None:
    mistake = Diagnosis(code="forget_term_missing", params={"variant": "full"}, confidence="exact")
    row = Row(file_of("a", Student("Ivan", "moodle", "17")), make_report(diagnoses=[mistake]))
    (line,) = rows_of(gradebook([row], ASSIGNMENT, "en").text)
    assert line["Diagnosis"] == "Nothing is forgotten"
    assert "<td>Nothing is forgotten</td>" in overview([row], ASSIGNMENT, "en")


def test_canvas_grade_book_has_its_columns_and_no_others() -> None:
    row = Row(file_of("a", Student("doejohn", "canvas", "12345", late=True)), make_report())
    lines = list(csv.reader(io.StringIO(gradebook([row], ASSIGNMENT, "en").text)))
    assert lines[0][:5] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    assert len(lines[0]) == 6
    assert lines[1] == ["    Points Possible", "", "", "", "", "100"]
    assert lines[2] == ["doejohn", "12345", "", "", "", "10"]


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1", "'=1"),
        ("+1", "'+1"),
        ("\x0b=1", "'\x0b=1"),
        ("\x1f@f", "'\x1f@f"),
        ("\ufeff \xa0-1", "'\ufeff \xa0-1"),
        ("\tx", "'\tx"),
        ("x;=1", "x;'=1"),
        ("x; \x1f＝1", "x;' \x1f＝1"),
        ("\t﹦1; ﹣1", "'\t'﹦1;' ﹣1"),
        ("x\n=1;-2", "x\n'=1;'-2"),
        ("Иванов-Петров; 5 - 3 = 2", "Иванов-Петров; 5 - 3 = 2"),
    ],
)
def test_only_cells_that_could_begin_a_formula_get_an_apostrophe(cell: str, written: str) -> None:
    assert as_text(cell) == written
    # An id keeps marks that cannot be seen.
    assert csv_of([["a\u200eb", "a\u200eb"]], ids=[0]).text == "a\u200eb,a\ufffdb\r\n"


def test_any_text_stays_in_its_cell() -> None:
    evil = HOSTILE + '",\t"x",,,'
    rows = [
        Row(file_of("a", Student(name, "moodle", ident)), hostile()) for name, ident in ((evil, "1"), ("Ivanov", "2"))
    ]
    book = gradebook(rows, ASSIGNMENT, "en")
    line, _ = rows_of(book.text)
    assert book.changed == 1
    assert line["Full name"].lstrip("'") == in_one_line(evil)
    assert None not in line


@pytest.mark.parametrize("words", ORDERS, ids=ascii)
def test_no_program_obeys_a_file_name_in_a_grade_book_a_page_or_a_line(words: str) -> None:
    row = Row(
        StudentFile(f"{words}/a.py", Student(words, "moodle", words), words, lambda limit: b""), report_with(words)
    )
    written = gradebook([row], ASSIGNMENT, "en").text
    canvas = Row(StudentFile(words, Student(words, "canvas", words), words, lambda limit: b""), report_with(words))
    documents = [written, gradebook([canvas], ASSIGNMENT, "en").text, overview([row], ASSIGNMENT, "en")]
    documents = [document.replace("\r\n", "\n") for document in documents]
    assert not [document for document in [*documents, json_of(row.as_json("en"))] if OBEYED.search(document)]
    assert json.loads(json_of(row.as_json("en"))) == row.as_json("en")
    (line,) = rows_of(written)
    assert not {"\n", "\t"} & set(line["Full name"] + line["File"])


# The command


@pytest.fixture
def seeds() -> list[bytes]:
    """The seeds of the files, as they are graded."""
    return []


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seeds: list[bytes]) -> Path:
    """A folder whose files are graded by their content: the name of a kind of report."""
    kinds = {b"passed": passed, b"failed": make_report, b"ours": internal_error}
    sandbox = SimpleNamespace(slots=2, start=lambda *kinds: None)
    monkeypatch.setattr(command, "ForkSandbox", lambda **options: contextlib.nullcontext(sandbox))
    monkeypatch.setattr("grader.shell.reference_store", lambda settings: Mock())

    def grade(submission: Submission, *, seed: bytes, **_: object) -> Report:
        seeds.append(seed)
        return kinds[submission.content]()

    monkeypatch.setattr(command, "grade", grade)
    folder = tmp_path / "course"
    folder.mkdir()
    (folder / "a.py").write_bytes(b"passed")
    (folder / "b.py").write_bytes(b"failed")
    return folder


def batch(*arguments: object) -> object:
    return CliRunner().invoke(cli, ["batch", *map(str, arguments), "--lang", "en"])


def test_batch_writes_a_line_per_file_and_sums_up(course: Path, seeds: list[bytes]) -> None:
    result = batch(course)
    assert result.exit_code == 0, result.stderr
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["path"] for line in lines] == ["course/a.py", "course/b.py"]
    assert lines[0]["student"] == {"name": "a", "platform": None, "id": None, "late": False}
    assert read_report(json.dumps(lines[1])) == make_report()
    assert result.stderr.splitlines()[1:] == ["files: 2; Passed: 1, Not everything is right: 1"]
    assert len(seeds) == 2
    assert len(set(seeds)) == 1


def test_batch_writes_a_grade_book_that_spreadsheets_read_as_utf8(course: Path, tmp_path: Path) -> None:
    result = batch(course, "--format", "csv", "--output", tmp_path / "book.csv")
    assert (result.exit_code, result.stdout) == (0, "")
    raw = (tmp_path / "book.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    assert [line["Grade"] for line in rows_of(raw.decode("utf-8-sig"))] == ["100", "10"]


def test_batch_writes_one_page_for_the_teacher(course: Path) -> None:
    (course / "c.zip").write_bytes(b"not an archive")
    result = batch(course, "--format", "html")
    assert result.exit_code == 3, result.stderr
    assert result.stdout.startswith("<!doctype html>")
    for part in (
        "course/a.py",
        "Input and forget gates swapped",
        "The archive is damaged, or it is not an archive.",
        "not read: 1",
    ):
        assert part in result.stdout


@pytest.mark.parametrize(
    ("added", "options", "code"),
    [
        ({}, ["--fail-under", "50"], 1),
        ({"c.py": b"ours"}, ["--fail-under", "50"], 3),
        ({"c.zip": b"not an archive"}, [], 3),
        ({}, ["--fail-under", "nan"], 2),
        ({}, ["--jobs", "0"], 2),
        ({}, ["--output", "/nowhere/x"], 2),
        ({}, ["--assignment", "gru"], 2),
    ],
)
def test_exit_codes_are_those_of_grade(course: Path, added: dict, options: list[str], code: int) -> None:
    for name, content in added.items():
        (course / name).write_bytes(content)
    assert batch(course, *options).exit_code == code


def test_a_path_without_anything_to_grade_is_wrong_usage(course: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert batch(tmp_path / "empty").exit_code == 2
    missing = batch(course, tmp_path / "missing")
    assert (missing.exit_code, "no such file" in missing.stderr) == (2, True)


def test_a_file_that_cannot_be_read_has_no_grade_and_a_sentence_why() -> None:
    codes = ("encrypted", "damaged", "unreadable", "link", "unusual_packing", "too_many_files", "archive_too_large")
    for code in (*codes, "nested_too_deep", "several_files"):
        for language in ("ru", "en"):
            (line,) = rows_of(gradebook([Row(unreadable("a", code), None, code)], ASSIGNMENT, language).text)
            assert (line["Grade"], "batch" in line["Status"], bool(line["Status"])) == ("", False, True)
    (line,) = rows_of(gradebook([Row(file_of("b"), internal_error())], ASSIGNMENT, "en").text)
    assert line["Grade"] == ""
