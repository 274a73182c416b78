"""A platform's own file, as Canvas or Moodle writes it, that a teacher gets back with grades in it."""

import base64
import csv
import io
import re
import threading
from html import unescape
from typing import Any

import pytest

from app.courses.roster import reading
from app.storage.models import DEFAULT_COURSE
from app.teaching import filled_book
from tests.unit.app.calls import hand_in, send
from tests.unit.app.conftest import Browser, Service

HERE = f"/courses/{DEFAULT_COURSE}"
TITLE = "The class LSTM, equal to tf.keras.layers.LSTM"
# As lib/gradebook_exporter.rb writes it, with a line about posting, read-only columns, and Canvas' test student.
CANVAS = f"""\
Student,ID,SIS User ID,SIS Login ID,Section,"{TITLE} (4711)",Quiz (4712),Assignments Current Points,Final Score
,,,,,Manual Posting,,,
    Points Possible,,,,,100.00,5.00,(read only),(read only)
"Petrova, Anna",1001,s-anna,anna@example.org,=HYPERLINK(1),,-4.00,4.00,80.00
"Ivanov, Ivan",1002,ivanov,ivanov,"Б-12, evening", Ex ,1.00,1.00,20.00
"Sidorov, Pyotr",1003,petya,petya,,55.00,,,
"Nobody, Known",1004,stranger,stranger,,7.00,,,
"Student, Test",1005,,77c1,,,,,
"""
MOODLE = """\
Identifier,Full name,Email address,Status,Grade,Maximum grade,Last modified (grade),Feedback comments
Participant 11,Anna Petrova,anna@example.org,Submitted,,"10,00",-,
Participant 12,Sidorov Pyotr,,No submission,3.00,10.00,-,"Well, yes"
"""


@pytest.fixture
async def course(service: Service, owner: Browser) -> Service:
    for student in (
        {"external_id": "anna", "name": "Anna Petrova", "email": "anna@example.org"},
        {"external_id": "ivanov", "name": "Ivan Ivanov"},
        {"external_id": "17", "name": "Pyotr Sidorov"},
        {"external_id": "absent", "name": "Somebody Else"},
        {"external_id": "idle", "name": "Nobody Yet"},
    ):
        assert (await owner.post(f"/api/v1{HERE}/members", json=student)).is_success
    for student in ("anna", "ivanov", "absent"):
        await hand_in(service, student)
    return service


async def fill(service: Service, content: str | bytes, **fields: str) -> tuple[int, str, list[list[str]]]:
    """Return the status, the words of the page, and the lines of the file."""
    sent = content.encode() if isinstance(content, str) else content
    async with service.browser() as browser:
        files = {"file": ("grades.csv", sent)}
        answer = await send(browser, f"{HERE}/grade-book", f"{HERE}/grade-book/filled", files=files, **fields)
    packed = re.search(r'download="grades.csv" href="data:text/csv;charset=utf-8;base64,([^"]+)"', answer.text)
    text = base64.b64decode(packed[1]).decode() if packed else ""
    words = unescape(re.sub(r"<[^>]+>", " ", answer.text))
    return answer.status_code, " ".join(words.split()), list(csv.reader(io.StringIO(text, newline="")))


async def test_gradebook_of_canvas_comes_back_with_grades_and_nothing_else_is_changed(course):
    status, words, lines = await fill(course, CANVAS)
    before = list(csv.reader(io.StringIO(CANVAS)))
    assert status == 200
    assert [line[5] for line in lines[3:]] == ["100", " Ex ", "55.00", "7.00", ""]
    # A section that is a formula is none any more, and a negative number stays one.
    assert lines[3][4] == "'=HYPERLINK(1)"
    lines[3][4:6] = before[3][4:6]
    assert lines == before
    assert "1 grade was written into the file" in words
    assert "2 cells stay as they were" in words
    assert re.search(r"In the file, and not found in the course 1 Nobody, Known", words)
    assert re.search(r"With a grade in the course, and not found in the file 1 Somebody Else", words)
    assert "points possible in the file" not in words


async def test_students_without_a_file_get_zero_if_the_teacher_says_so(course):
    _, _, lines = await fill(course, CANVAS, assignment="lstm-layer", missing="zero")
    assert [line[5] for line in lines[3:6]] == ["100", " Ex ", "0"]


async def test_worksheet_of_moodle_is_filled_for_the_chosen_assignment(course):
    status, words, lines = await fill(course, MOODLE, assignment="lstm-layer")
    assert status == 200
    assert [line[4] for line in lines] == ["Grade", "100", "3.00"]
    assert lines[2][-1] == "Well, yes"
    assert "“Grade” has 10 points possible in the file and 100 in this course" in words
    status, words, _ = await fill(course, MOODLE)
    assert status == 422
    assert "Choose one assignment" in words


async def test_column_of_another_title_is_named(course):
    other = CANVAS.replace(TITLE, "Homework 3")
    status, words, _ = await fill(course, other, assignment="lstm-layer")
    assert status == 422
    assert "Homework 3" in words
    _, _, lines = await fill(course, other, assignment="lstm-layer", column="homework 3")
    assert lines[3][5] == "100"


@pytest.mark.parametrize(
    "change", [lambda text: text.replace(",", ";"), lambda text: "\ufeff" + text], ids=["semicolons", "mark"]
)
async def test_form_of_the_file_stays_that_of_the_platform(course, change):
    table = "Student,ID,SIS Login ID,Section,Homework (1)\nAnna,1,anna@example.org,,\n"
    files, page = {"file": ("grades.csv", change(table).encode())}, f"{HERE}/grade-book"
    async with course.browser() as browser:
        answer = await send(browser, page, f"{page}/filled", files=files, assignment="lstm-layer")
    packed = re.search(r"base64,([^\"]+)\"", answer.text)
    expected = "Student,ID,SIS Login ID,Section,Homework (1)\r\nAnna,1,anna@example.org,,100\r\n"
    assert base64.b64decode(packed[1]).decode() == change(expected)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "This file cannot be filled in"),
        (b"PK\x03\x04", "This file cannot be filled in"),
        (b"name,grade\nAnna,1\n", "This file cannot be filled in"),
        (b"id,grade\nanna,1\n", "This file cannot be filled in"),
        (CANVAS + "x,1,x,x,,,,,\n" * reading.MOST_ROWS, "At most 5000 rows and 5 MB"),
    ],
    ids=["empty", "workbook", "other headings", "our own", "too many rows"],
)
async def test_other_file_is_refused_above_the_form(course, content, why):
    status, words, lines = await fill(course, content)
    assert (status in (415, 422), why in words, lines) == (True, True, [])


async def test_file_with_short_rows_under_very_many_columns_is_refused(course, monkeypatch):
    """Each row would be made as long as the headings: a small file would cost much memory."""
    monkeypatch.setattr(filled_book, "MOST_BYTES", 5000)
    heading, *rest = CANVAS.splitlines(keepends=True)
    wide = "".join([heading.rstrip() + ",x" * 700 + "\n", *rest])
    assert len(wide) < 5000
    status, words, lines = await fill(course, wide)
    assert (status, "This file cannot be filled in" in words, lines) == (422, True, [])


async def test_file_is_read_and_filled_beside_the_event_loop(course, monkeypatch):
    """The service answers others meanwhile: a name that is nobody's is compared with every student's."""
    threads: dict[str, int] = {}

    def note(module: Any, name: str) -> None:
        works = getattr(module, name)

        def noted(*args: Any, **options: Any) -> Any:
            threads[name] = threading.get_ident()
            return works(*args, **options)

        monkeypatch.setattr(module, name, noted)

    for module, name in ((reading, "table"), (filled_book, "Matcher"), (filled_book, "csv_of")):
        note(module, name)
    status, _, _ = await fill(course, CANVAS)
    assert status == 200
    assert set(threads) == {"table", "Matcher", "csv_of"}
    assert threading.get_ident() not in threads.values()


async def test_two_rows_of_one_student_are_filled_for_nobody(course):
    twice = CANVAS.replace("1004,stranger,stranger", "1004,stranger,anna@example.org").replace(" Ex ", "")
    _, words, lines = await fill(course, twice)
    assert [line[5] for line in lines[3:7]] == ["", "100", "55.00", "7.00"]
    assert "In the file, and not found in the course 2 Anna Petrova Anna Petrova" in words
