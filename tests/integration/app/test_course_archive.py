"""A whole course as one archive: all of it, read back, with names that every system takes."""

import csv
import hashlib
import io
import json
import tracemalloc
import unicodedata
import zipfile
from collections.abc import AsyncIterator
from pathlib import PurePosixPath, PureWindowsPath

import openpyxl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import undefer

from app.courses import changes
from app.storage.database import Database
from app.storage.models import (
    DEFAULT_COURSE,
    Comment,
    Course,
    Membership,
    Person,
    Regrade,
    StoredReport,
    Submission,
    Token,
)
from app.teaching import course_archive as course_archives
from app.teaching.course_archive import SECTIONS, course_archive, folders_of, safe_name, unique
from grader import load_assignments
from tests.integration.app import rows
from tests.integration.app.kinds import on_both
from tests.integration.app.rows import CONTENT, REPORT, add_rows, row_of, store

# Python 3.11 lacks os.path.isreserved, which 3.13 asks for.
pytestmark = pytest.mark.filterwarnings("ignore:pathlib.PurePath.is_reserved")

ASSIGNMENTS = load_assignments()
#: Names that a careless archive would write outside of its folder, twice, or as a device.
NAMES = ("../../etc/passwd", "C:\\boot.ini", "con", "Аня", "аня", "Аня\N{RIGHT-TO-LEFT OVERRIDE}", "...", "a" * 200)


async def archive_of(database: Database) -> zipfile.ZipFile:
    course = await row_of(database, Course, DEFAULT_COURSE)
    pieces = [piece async for piece in course_archive(database, ASSIGNMENTS, course, "en")]
    archive = zipfile.ZipFile(io.BytesIO(b"".join(pieces)))
    assert archive.testzip() is None
    return archive


def table(archive: zipfile.ZipFile, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(archive.read(name).decode("utf-8-sig"))))


@on_both
async def test_archive_has_the_whole_course_as_it_was(database, monkeypatch):
    monkeypatch.setattr(course_archives, "ROWS", 3)
    monkeypatch.setattr(course_archives, "AT_ONCE", 3)
    for number, name in enumerate(NAMES):
        submission = await rows.add(database, f"s{number}")
        async with database.write() as session:
            member = await session.get_one(Membership, submission.membership_id)
            (await session.get_one(Person, member.person_id)).name = name
            submission_row = await session.get_one(Submission, submission.id)
            submission_row.filename = f"{name}.py"
    again = await rows.add(database, "s0")
    other = await rows.add_course(database)
    elsewhere = await rows.add(database, "elsewhere", other)
    while claim := await rows.claim(database):
        assert await rows.finish(database, claim)
    async with database.write() as session:
        member = await session.get_one(Membership, again.membership_id)
        session.add(Token(name="x", role="submitter", sha256="7" * 64, membership_id=member.id, student="s0"))
        preview = Regrade(requested_by=rows.BY, course_id=DEFAULT_COURSE, selection={}, is_preview=True)
        session.add(preview)
        await session.flush()
        of_again = {"submission_id": again.id, "max_points": 100.0}
        session.add(StoredReport(**of_again, status="passed", points=7.0, body={"n": 2}))
        session.add(StoredReport(**of_again, status="passed", points=8.0, body={"n": 3}, preview_id=preview.id))
        session.add(StoredReport(**of_again, status="internal_error", points=None, body={"n": 4}))
        place = {"membership_id": member.id, "course_assignment_id": again.course_assignment_id}
        session.add(Comment(**place, text="Слово", made_by="t"))
        changes.log(session, member, "owner", {"name": "Old"}, {"name": "New"})
        seeds = (await session.scalars(select(Submission).options(undefer(Submission.seed)))).all()
    archive = await archive_of(database)
    names = archive.namelist()

    listed = json.loads(archive.read("manifest.json"))["files"]
    assert [each["name"] for each in listed] == names[:-1]
    for each in listed:
        assert hashlib.sha256(archive.read(each["name"])).hexdigest() == each["sha256"]
    index = table(archive, "index.csv")
    assert len(index) == len(NAMES) + 1
    for line in index:
        assert hashlib.sha256(archive.read(line["file"])).hexdigest() == line["sha256"]
        assert archive.read(line["file"]) == CONTENT
        assert json.loads(archive.read(line["report"]))["report"]
    (newest,) = [line for line in index if (line["student"], line["attempt"]) == ("s0", "2")]
    assert (newest["status"], newest["points"]) == ("passed", "7")
    of_both = [name for name in names if name.startswith(newest["file"].rpartition("/")[0])]
    assert len(of_both) == 4
    assert newest["file"].endswith("/file.py")
    assert json.loads(archive.read(index[0]["report"]))["report"] == REPORT.model_dump(mode="json")

    book = table(archive, "grades.csv")
    sheet = openpyxl.load_workbook(io.BytesIO(archive.read("grades.xlsx"))).active
    assert [line["id"] for line in book] == [row[0] for row in sheet.iter_rows(2, values_only=True)]
    assert book[0]["lstm-layer"] == "100"
    assert len(json.loads(archive.read("grades.json"))) == len(NAMES)
    contents = {name: json.loads(archive.read(name)) for name in SECTIONS}
    assert [each["text"] for each in contents["comments.json"]] == ["Слово"]
    assert {"name": "New"} in [each["after"] for each in contents["changes.json"]]
    assert {each["name"] for each in contents["people.json"]} == set(NAMES)
    assert b"index.csv" in archive.read("README.txt")

    everything = b"".join(map(archive.read, names))
    assert elsewhere.id.encode() not in everything
    assert b"7" * 64 not in everything
    for each in seeds:
        assert not any(form in everything for form in (each.seed, each.seed.hex().encode()))
    expect_safe(names)


def expect_safe(names: list[str]) -> None:
    keys = [unicodedata.normalize("NFKC", name).casefold() for name in names]
    assert len(set(keys)) == len(keys)
    for name in names:
        assert PureWindowsPath(name).parts == PurePosixPath(name).parts
        for part in PurePosixPath(name).parts:
            assert part == part.strip(" .")
            assert len(part) < 80
            assert not set(part) & set('<>:"/\\|?*')
            assert not [each for each in part if unicodedata.category(each)[0] == "C"]
        assert not PureWindowsPath(name).is_reserved()


@given(st.lists(st.text(max_size=90), max_size=6))
@example(["CON", "con.tar.gz", "LPT¹", " aux ", "..", "a.", "a", "A", "ｃｏｎ", "é", "e\u0301", "x\u200fy", "Ⅷ" * 90])
def test_names_are_safe_and_different_whatever_people_are_called(texts):
    taken: set[str] = set()
    expect_safe([unique(safe_name(each), taken) for each in texts])


def test_folder_is_called_like_the_student():
    person = Person(name="Ёлкина Анна")
    anna = Membership(id="1", person=person, external_id="007")
    same = Membership(id="2", person=Person(name="ёлкина анна"), external_id="007")
    assert [folder for _, folder in folders_of([anna, same]).values()] == ["Ёлкина Анна (007)", "ёлкина анна (007)-2"]


@pytest.mark.thorough
async def test_archive_of_large_files_takes_little_memory_and_no_long_transaction(database):
    large = bytes(2 * 1024 * 1024)
    for number in range(20):
        submission = await rows.add(database, f"s{number}")
        await store(database, Submission, Submission.id == submission.id, content=large)
    course = await row_of(database, Course, DEFAULT_COURSE)

    async def sizes() -> AsyncIterator[int]:
        number = 0
        async for piece in course_archive(database, ASSIGNMENTS, course, "en"):
            if (number := number + 1) == 12:  # The members are read by then, and no attempt is.
                await rows.add(database, "came-later")
            # Everybody else goes on between two pieces.
            await add_rows(database, Person(name="x"))
            yield len(piece)

    tracemalloc.start()
    try:
        assert sum([size async for size in sizes()]) > 0
        assert tracemalloc.get_traced_memory()[1] < 8 * len(large)
    finally:
        tracemalloc.stop()
