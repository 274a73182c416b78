"""The grade book of a course as a file: complete, in its points, with ids that platforms find again."""

import codecs
import csv
import io
from typing import Any

import openpyxl
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from app.storage.models import DEFAULT_COURSE, CourseAssignment, HoldDecision, Membership, Person, Submission, utc_now
from app.teaching.grade_book import XLSX_TYPE, GradeBookFormat, book_file
from tests.unit.app.api.test_grades_api import graded, place_of
from tests.unit.app.calls import assert_problem, submit
from tests.unit.app.conftest import Service

__all__ = ["graded"]

BOOK = f"/api/v1/courses/{DEFAULT_COURSE}/grade-book"


async def lines(service: Service, token: str = "teacher", **params: Any) -> list[list[str]]:
    async with service.client(token) as client:
        answer = await client.get(BOOK, params={"assignment": "lstm-layer", **params})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    delimiter = ";" if params.get("format") == "semicolon" else ","
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""), delimiter=delimiter))


async def workbook(service: Service, **params: Any) -> list[list[tuple[Any, str]]]:
    """The cells of the grade book as XLSX. Returns: values and types, as a spreadsheet has them."""
    async with service.client("teacher") as client:
        answer = await client.get(BOOK, params={"assignment": "lstm-layer", "format": "xlsx", **params})
    assert answer.headers["content-type"] == XLSX_TYPE
    assert answer.headers["content-disposition"] == 'attachment; filename="grades.xlsx"'
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content)).active
    return [[(cell.value, cell.data_type) for cell in row] for row in sheet.iter_rows()]


async def name(service: Service, student: str, **values: Any) -> None:
    async with service.services.database.write() as session:
        member = await session.get_one(Membership, await service.member_id(student))
        person = await session.get_one(Person, member.person_id)
        for key, value in values.items():
            setattr(person if key in ("name", "email") else member, key, value)


async def test_plain_grade_book_has_everybody_by_the_names_of_the_roster(graded):
    await name(graded, "ivanov", name="Иван Иванов", email="ivan@example.org", group="A", confirmed_at=utc_now())
    assert await lines(graded, lang="en") == [
        ["id", "name", "email", "group", "confirmed", "lstm-layer"],
        ["ivanov", "Иван Иванов", "ivan@example.org", "A", "yes", "100"],
        ["petrov", "", "", "", "no", ""],
    ]
    assert (await lines(graded, missing="zero"))[2][-1] == "0"
    assert len(await lines(graded, unconfirmed=False)) == 2
    async with graded.client("assistant") as assistant:
        everything = (await assistant.get(BOOK)).content.decode("utf-8-sig").splitlines()[0].split(",")
        assert everything[5:] == sorted(graded.services.assignments)
        assert_problem(await assistant.get(BOOK, params={"assignment": "nothing"}), 404, "assignment-not-found")
        assert_problem(await assistant.get(BOOK, params={"missing": "one"}), 422, "invalid-request")


async def test_points_are_those_of_the_grade_book_and_withheld_ones_are_none(graded, teacher):
    await graded.store(CourseAssignment, grade_book_points=7.0)
    async with graded.client("of-petrov") as petrov:
        for student in ("ivanov", "petrov"):
            place = await place_of(graded, student)
            adjusted = await teacher.post(f"{place}/adjustments", json={"value": 55.5, "reason": "x"})
        # Petrov has handed in nothing yet.
        assert [each[-1] for each in await lines(graded, missing="zero")] == ["lstm-layer", "3.88", "3.88"]
        assert (await teacher.delete(f"{place}/adjustments/{adjusted.json()['id']}")).is_success
        await submit(petrov, student="petrov")
    assert [each[-1] for each in await lines(graded)] == ["lstm-layer", "3.88", "7"]
    async with graded.services.database.write() as session:
        for submission in await session.scalars(select(Submission).where(Submission.student == "petrov")):
            submission.held_at, submission.hold_decision = utc_now(), HoldDecision.REJECTED
    assert [each[-1] for each in await lines(graded, missing="zero")] == ["lstm-layer", "3.88", ""]


async def test_canvas_gets_its_columns_the_points_possible_and_each_id_where_it_looks(graded):
    await name(graded, "ivanov", name="Ivanov, Ivan", external_id="12345", group="A", confirmed_at=utc_now())
    await name(graded, "petrov", confirmed_at=utc_now())
    await graded.add_token("of-stray", student="stray")
    headings, possible, *students = await lines(graded, format="canvas", lang="en")
    assert headings[:5] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    assert possible == ["    Points Possible", "", "", "", "", "100"]
    assert students == [
        # A number may be Canvas' own id, or the institution's.
        ["Ivanov, Ivan", "12345", "12345", "12345", "A", "100"],
        ["petrov", "", "petrov", "petrov", "", ""],
    ]
    assert len(await lines(graded, format="canvas", unconfirmed=True)) == 5
    # Canvas reads a number there, and would take it for the student 123.
    await name(graded, "petrov", external_id="00123")
    assert (await lines(graded, format="canvas"))[-1][:4] == ["00123", "", "00123", "00123"]


async def test_moodle_gets_ids_addresses_and_the_title_of_the_course(graded):
    await name(graded, "ivanov", name="Иван", email="ivan@example.org", confirmed_at=utc_now())
    await graded.store(CourseAssignment, title="Неделя 3")
    assert await lines(graded, format="moodle") == [
        ["ID number", "Full name", "Email address", "Group", "Неделя 3"],
        ["ivanov", "Иван", "ivan@example.org", "", "100"],
    ]


async def test_no_cell_is_a_formula_and_ids_stay_as_they_are(graded):
    evil = '=HYPERLINK("https://evil.example.org")'
    await name(graded, "ivanov", name=evil, group="@SUM(1)", confirmed_at=utc_now())
    await name(graded, "petrov", external_id="-7@b.org", confirmed_at=utc_now())
    await graded.add_token("of-evil", student="=cmd|'/C calc'!A0")
    for form in ("plain", "semicolon", "moodle", "canvas"):
        rows = await lines(graded, format=form, unconfirmed=True)
        cells = [cell for line in rows for cell in line]
        assert "-7@b.org" in cells
        assert f"'{evil}" in cells
        assert "'@SUM(1)" in cells
        assert not [cell for cell in cells if cell.startswith(("=", "@"))]
    # In each column in which Canvas looks for an id.
    (petrov,) = [line for line in rows if "-7@b.org" in line]
    assert petrov[2:4] == ["-7@b.org", "-7@b.org"]


async def test_russian_spreadsheet_finds_columns_and_numbers(graded):
    await name(graded, "ivanov", name="Иванов, Иван; младший", external_id="007", confirmed_at=utc_now())
    await graded.store(CourseAssignment, grade_book_points=7.5)
    assert await lines(graded, format="semicolon") == [
        ["id", "name", "email", "group", "confirmed", "lstm-layer"],
        ["007", "Иванов, Иван; младший", "", "", "yes", "7,5"],
        ["petrov", "", "", "", "no", ""],
    ]
    # Where the comma separates, the second part of a cell would be a formula.
    await name(graded, "007", name="Ivan,=1+1", external_id="7,=1+1")
    assert (await lines(graded, format="semicolon"))[1][:2] == ["7,'=1+1", "Ivan,'=1+1"]
    async with graded.client("teacher") as client:
        answer = await client.get(BOOK, params={"format": "semicolon"})
    assert answer.content.startswith(codecs.BOM_UTF8)


async def test_workbook_has_numbers_as_numbers_and_everything_else_as_text(graded):
    evil = '=HYPERLINK("https://evil.example.org")'
    await name(graded, "ivanov", name=evil, group="+7 @ -1", external_id="007", confirmed_at=utc_now())
    await name(graded, "petrov", name="<r>&</r>", group="\u202e1e5", external_id="12")
    await graded.store(CourseAssignment, grade_book_points=7.5)
    heading, ivanov, petrov = await workbook(graded)
    assert [value for value, _ in heading] == ["id", "name", "email", "group", "confirmed", "lstm-layer"]
    assert ivanov == [("007", "s"), (evil, "s"), (None, "n"), ("+7 @ -1", "s"), ("yes", "s"), (7.5, "n")]
    assert [value for value, _ in petrov] == ["12", "'<r>&</r>", None, "\N{REPLACEMENT CHARACTER}1e5", "no", None]
    assert (await workbook(graded, missing="zero"))[2][-1] == (0, "n")


@given(st.lists(st.text(max_size=8), min_size=5, max_size=5))
def test_workbook_holds_whatever_a_name_holds(texts):
    book = book_file([["id"] * 5, texts], GradeBookFormat.XLSX)
    (row,) = openpyxl.load_workbook(io.BytesIO(book.content)).active.iter_rows(2, 2, max_col=5)
    assert [cell.value or "" for cell in row] == book.lines[1]
    assert {cell.data_type for cell in row} <= {"s", "n"}  # An empty cell is a number to openpyxl.


async def test_two_assignments_of_one_title_have_two_columns(graded, teacher):
    async with graded.services.database.write() as session:
        (await session.scalars(select(CourseAssignment))).one().title = "LSTM"
        for id in ("lstm-notebook", "without-a-file"):
            session.add(CourseAssignment(course_id=DEFAULT_COURSE, assignment_id=id, rules={}, title="LSTM"))
    answer = await teacher.get(BOOK, params={"format": "moodle"})
    headings = next(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert headings[-2:] == ["LSTM (lstm-layer)", "LSTM (lstm-notebook)"]
