"""The data of a person: all of it is in the archive, and none of it is left after deletion."""

import io
import json
import sqlite3
import tracemalloc
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import undefer

from app.access.tokens import Principal
from app.courses import changes
from app.errors import PersonNotFound
from app.privacy import deletion, export, mentions, retention
from app.privacy.export import LEFT_OUT, SECTIONS, SECTIONS_OF_SUBMISSION
from app.storage.cascade import table_of
from app.storage.database import Database
from app.storage.models import (
    DEFAULT_COURSE,
    Adjustment,
    Artefact,
    Base,
    Batch,
    BatchFile,
    BatchFileState,
    Change,
    Comment,
    Course,
    CourseAssignment,
    Extension,
    Identity,
    JobStatus,
    JoinLink,
    MemberRole,
    Membership,
    Merge,
    Person,
    Regrade,
    ReviewRequest,
    Role,
    Session,
    StoredReport,
    Submission,
    Token,
    Webhook,
    new_id,
    utc_now,
)
from app.submissions.listing import Selection
from app.teaching import regrades
from grader import load_assignments
from grader.report.model import Diagnosis
from tests.integration.app.kinds import on_both, on_both_thoroughly
from tests.integration.app.rows import (
    BY,
    REPORT,
    add,
    add_member,
    add_rows,
    all_of,
    claim,
    finish,
    graded,
    row_of,
    store,
)
from tests.tiers import sampled

ID, NAME, EMAIL, SUBJECT = "petrov-7c1f9a", "Пётр Сидоров-Петрович", "p.sidorov@example.org", "subject-7c1f9a"
EARLIER = "Пётр Невиданный"
TRACES = (ID, NAME, EMAIL, SUBJECT, EARLIER)
FOUND = REPORT.model_copy(update={"diagnoses": [Diagnosis(code="scaled", confidence="exact")]})
OTHER = "c" * 26
ASSIGNMENTS = load_assignments()


async def add_course(database: Database, person_id: str, external_id: str = "p") -> Membership:
    """Add another course, with this person as its student."""
    async with database.write() as session:
        session.add(Course(id=OTHER, title="Other", language="en", time_zone="UTC"))
        await session.flush()
        student = Membership(course_id=OTHER, person_id=person_id, role=MemberRole.STUDENT, external_id=external_id)
        session.add(student)
    return student


async def fill(database: Database, owner: Principal) -> Membership:
    """Put rows into every table that refers to a person, and mentions of them in those that do not."""
    await add_rows(database, Webhook(url="https://lms.example.org", secret="whsec_x", created_by=owner.id))
    submission = await graded(database, ID, FOUND)
    other = await graded(database, "somebody else")
    async with database.write() as session:
        member = await session.get_one(Membership, submission.membership_id)
        person = await session.get_one(Person, member.person_id)
        person.name, person.email = EARLIER, "earlier.sidorov@example.org"
    async with database.write() as session:
        person = await session.get_one(Person, member.person_id)
        person.name, person.email = NAME, EMAIL
    of_member: dict[str, Any] = {
        "membership_id": member.id,
        "course_assignment_id": submission.course_assignment_id,
        "made_by": "owner",
    }
    async with database.write() as session:
        token = Token(name=f"For {NAME}", role=Role.SUBMITTER, sha256="1" * 64, membership_id=member.id, student=ID)
        merged = Person(name=NAME, email=EMAIL)
        session.add_all([token, merged])
        await session.flush()
        session.add_all(
            [
                Session(sha256="2" * 64, token_id=token.id, expires_at=utc_now()),
                Session(sha256="3" * 64, person_id=person.id, expires_at=utc_now()),
                Webhook(url=f"https://{ID}.example.org", secret="whsec_y", created_by=token.id),
                Identity(person_id=person.id, issuer="https://sso", subject=SUBJECT, email=EMAIL),
                Merge(kept_person_id=person.id, merged_person_id=merged.id, moved={"name": NAME}, made_by=NAME),
                Extension(**of_member, reason=f"{NAME} was ill"),
                Adjustment(**of_member, delta=5.0, reason=f"for {NAME}"),
                Comment(**of_member, submission_id=submission.id, text=f"Dear {NAME}"),
                ReviewRequest(submission_id=submission.id, text=f"Why? {NAME}"),
                JoinLink(course_id=DEFAULT_COURSE, sha256="4" * 64, made_by="owner"),
            ]
        )
        course = await session.get_one(Course, DEFAULT_COURSE)
        changes.log(session, member, "owner", {"name": EARLIER}, {"name": NAME, "email": EMAIL})
        changes.log(session, course, NAME, {}, {"title": f"of {NAME}, {EMAIL}, {ID}"})
        somebody = await session.get_one(Membership, other.membership_id)
        changes.log(session, somebody, "owner", {"name": NAME, "email": EMAIL}, {"claimed_id": ID, "external_id": ID})
        changes.log(session, somebody, "owner", {}, {"adjustment": {"id": new_id(), "reason": f"{ID} is {NAME}"}})
        somebody.claimed_id = ID
        for preview in (False, True):
            await regrades.begin(
                session,
                requested_by=token.id,
                choice=Selection(student=ID),
                selection={"filter": {"student": ID}, "submissions": [submission.id]},
                is_preview=preview,
            )
    for _ in range(2):
        assert await finish(database, await claim(database), FOUND)
    await add_batch(database, member, submission.id)
    return member


async def add_batch(database: Database, member: Membership, submission_id: str) -> None:
    """Add an archive of which a file was handed in, one waits, and one names the person and was given to nobody."""
    async with database.write() as session:
        of_course = {"course_id": member.course_id, "assignment_id": "lstm-layer", "made_by": "owner"}
        batch = Batch(**of_course, filename=f"{NAME}.zip")
        session.add(batch)
        await session.flush()
        of_member = {"membership_id": member.id, "matched_by": "name"}
        for state, values in (
            (BatchFileState.HANDED_IN, {**of_member, "submission_id": submission_id}),
            (BatchFileState.WAITING, {**of_member, "content": b"waits"}),
            (BatchFileState.UNMATCHED, {"platform_id": ID, "content": f"# {NAME}".encode()}),
        ):
            named = {"path": f"{NAME}_1/{NAME}.py", "filename": f"{NAME}.py", "name": NAME}
            session.add(BatchFile(batch_id=batch.id, state=state, **named, **values))


def tables_of_people() -> set[str]:
    """The tables that refer to a person, over any number of foreign keys."""
    reached = {Person.__tablename__}
    while True:
        more = {
            table.name
            for table in Base.metadata.tables.values()
            if any(key.column.table.name in reached for key in table.foreign_keys)
        }
        if more <= reached:
            return reached
        reached |= more


def test_every_table_that_refers_to_people_is_exported_or_knowingly_left_out():
    assert len(tables_of_people()) > 15
    exported = [model for model, _ in (*SECTIONS.values(), *SECTIONS_OF_SUBMISSION.values())]
    there = {table_of(model).name for model in (Submission, StoredReport, Artefact, *exported, *LEFT_OUT)}
    assert tables_of_people() <= there


async def traces(database: Database) -> dict[str, int]:
    """The number of rows with a trace of the person, by table."""
    numbers = {}
    async with database.read() as session:
        for name in Base.metadata.tables:
            rows = (await session.execute(text(f"SELECT * FROM {name}"))).mappings().all()
            texts = [json.dumps(dict(row), default=str, ensure_ascii=False) for row in rows]
            if number := sum(any(each in line for each in TRACES) for line in texts):
                numbers[name] = number
    return numbers


def assert_no_byte_is_left(database: Database, *seeds: bytes) -> None:
    if database.file is None:
        return
    folder = Path(database.file.path).parent
    content = b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
    assert not [seed for seed in seeds if seed in content]
    for trace in TRACES:
        assert trace.encode() not in content
        assert json.dumps(trace)[1:-1].encode() not in content


async def archive_of(database: Database, member: Membership) -> zipfile.ZipFile:
    scope = await export.scope_of_person(database, member.person_id)
    return await unpacked(export.archive(database, scope, lambda stored: stored.body, ASSIGNMENTS))


async def unpacked(pieces: AsyncIterator[bytes]) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(b"".join([piece async for piece in pieces])))


@on_both
async def test_archive_has_every_row_about_the_person_and_no_secret(database, owner):
    member = await fill(database, owner)
    archive = await archive_of(database, member)
    assert archive.testzip() is None
    names = archive.namelist()
    manifest = json.loads(archive.read("manifest.json"))
    assert names == [*(entry["name"] for entry in manifest["files"]), "manifest.json"]
    for entry in manifest["files"]:
        assert len(archive.read(entry["name"])) == entry["bytes"]
    content = {name: archive.read(name).decode("utf-8", "replace") for name in names if name.endswith(".json")}
    of_person = ("grades", "tokens", "sessions", "identities", "webhooks", "merges")
    for name in (*of_person, "extensions", "adjustments", "comments"):
        assert json.loads(content[f"{name}.json"]), name
    assert len(json.loads(content["changes.json"])) == 1
    files = json.loads(content["batch_files.json"])
    assert [each["state"] for each in files] == ["handed_in", "waiting"]
    assert archive.read(f"batch_files/{files[1]['id']}.py") == b"waits"
    assert f"batch_files/{files[0]['id']}.py" not in names
    whole = "".join(content.values())
    assert "whsec_" not in whole
    for digit in "1234":
        assert digit * 64 not in whole
    assert "somebody else" not in whole
    (submission,) = {name.split("/")[1] for name in names if name.startswith("submissions/")}
    here = f"submissions/{submission}"
    for name in ("events", "reviews", "regrades", "deliveries", "submission"):
        assert json.loads(content[f"{here}/{name}.json"]), name
    reports = await all_of(database, select(StoredReport.id).where(StoredReport.submission_id == submission))
    assert {f"{here}/reports/{id}.json" for id in reports} <= set(names)
    (stored,) = await all_of(database, select(Submission.content).where(Submission.id == submission))
    assert archive.read(f"{here}/file.py") == stored
    assert [archive.read(name) for name in names if name.endswith(".safetensors")] == [b"arrays"]


@on_both_thoroughly
async def test_archive_of_a_member_has_nothing_of_previews(database, owner):
    member = await fill(database, owner)
    scope = await export.scope_of_member(database, member.id)
    archive = await unpacked(export.archive(database, scope, lambda _: {"shown": True}, ASSIGNMENTS))
    reports = [name for name in archive.namelist() if "/reports/" in name and name.endswith(".json")]
    assert len(reports) == 2
    assert all(json.loads(archive.read(name))["report"] == {"shown": True} for name in reports)
    (items,) = [name for name in archive.namelist() if name.endswith("regrades.json")]
    assert len(json.loads(archive.read(items))) == 1


async def test_no_name_of_a_file_leaves_the_archive(database):
    for filename in ("../../evil.py", "C:\\x.ipynb", "x" * 250 + ".PY"):
        submission = await graded(database, ID)
        async with database.write() as session:
            (await session.get_one(Submission, submission.id)).filename = filename
            member = await session.get_one(Membership, submission.membership_id)
    archive = await archive_of(database, member)
    assert sum("/file." in name for name in archive.namelist()) == 3
    for name in archive.namelist():
        assert not name.startswith("/")
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-./")
        assert ".." not in name


async def test_archive_needs_memory_for_one_file_and_not_for_all(database):
    size = 4_000_000
    content = bytes(range(256)) * (size // 256)
    submissions = [await graded(database, ID) for _ in range(6)]
    async with database.write() as session:
        await session.execute(update(Submission).values(content=content))
        member = await session.get_one(Membership, submissions[0].membership_id)
    scope = await export.scope_of_person(database, member.person_id)
    tracemalloc.start()
    try:
        total = sum(
            [len(piece) async for piece in export.archive(database, scope, lambda stored: stored.body, ASSIGNMENTS)]
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total > 0
    assert peak < 4 * size


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        *(("sqlite", how) for how in ("person", "student", "member", "course")),
        *(("postgresql", how) for how in ("person", "course")),
        *(pytest.param("postgresql", how, marks=pytest.mark.thorough) for how in ("student", "member")),
    ],
    indirect=["kind"],
)
async def test_nothing_is_left_of_somebody_who_was_deleted(database, owner, how):
    member = await fill(database, owner)
    assert len(await traces(database)) > 10
    seeds = await all_of(database, select(Submission.seed).where(Submission.membership_id == member.id))
    if how == "person":
        deleted = await deletion.delete_person(database, member.person_id)
        assert (deleted.submissions, deleted.reports, deleted.tokens) == (1, 3, 1)
    elif how == "student":
        await deletion.delete_student(database, ID)
    elif how == "member":
        await deletion.delete_member(database, member.id, DEFAULT_COURSE)
        again = await deletion.delete_member(database, member.id, DEFAULT_COURSE)
        assert again == deletion.DeletedRows(submissions=0, reports=0, tokens=0)
    else:
        gone = await deletion.delete_course(database, DEFAULT_COURSE)
        assert (gone.submissions, gone.members, gone.people) == (2, 2, 2)
    assert await traces(database) == {}
    assert_no_byte_is_left(database, *seeds)
    async with database.read() as session:
        others = list(await session.scalars(select(Submission.student)))
        assert others == ([] if how == "course" else ["somebody else"])
        assert len(list(await session.scalars(select(Artefact.report_id)))) == len(others)
        assert await session.get(Token, owner.id) is not None
        course = await session.get_one(Course, DEFAULT_COURSE)
        assert course.archived_at is None
    with pytest.raises(PersonNotFound):
        await export.scope_of_person(database, member.person_id)


@on_both_thoroughly
async def test_member_without_an_external_id_is_deleted(database, owner):
    member = await fill(database, owner)
    await store(database, Membership, Membership.id == member.id, external_id=None)
    await deletion.delete_member(database, member.id, DEFAULT_COURSE)
    left = await traces(database)
    # As an id of nobody, the former one is in what others keep.
    assert not left.keys() - {"changes", "regrades", "memberships"}


@on_both_thoroughly
async def test_member_of_two_courses_is_deleted_from_one(database, owner):
    member = await fill(database, owner)
    await add_course(database, member.person_id)
    people = await all_of(database, select(Person.id).order_by(Person.id))
    await deletion.delete_student(database, ID)
    # The person who was merged into this one stays with it: the merge can be undone.
    assert await all_of(database, select(Person.id).order_by(Person.id)) == people
    person = await row_of(database, Person, member.person_id)
    assert person.name == NAME
    assert [each.course_id for each in await all_of(database, select(Membership))].count(OTHER) == 1
    await deletion.delete_course(database, OTHER)
    assert await traces(database) == {}
    assert_no_byte_is_left(database)
    assert await all_of(database, select(Course).where(Course.id == OTHER)) == []


@on_both_thoroughly
async def test_name_of_a_teacher_stays_where_they_have_made_something(database, owner):
    member = await fill(database, owner)
    async with database.write() as session:
        teacher = Membership(course_id=DEFAULT_COURSE, person=Person(name="Anna Teacher"), role=MemberRole.TEACHER)
        session.add(teacher)
        await session.flush()
        changes.log(session, member, "Anna Teacher", {}, {"group": "7"})
    await deletion.delete_member(database, teacher.id, DEFAULT_COURSE)
    assert "Anna Teacher" in set(await all_of(database, select(Change.made_by)))
    await deletion.delete_course(database, DEFAULT_COURSE)
    assert await all_of(database, select(Change.made_by)) == []


@on_both
async def test_course_is_deleted_while_it_is_graded(database):
    await add(database, ID)
    taken = await claim(database)
    await deletion.delete_course(database, DEFAULT_COURSE)
    assert not await finish(database, taken)
    assert await traces(database) == {}
    # The course Default takes uploads again.
    await graded(database, "new")


@on_both
async def test_each_course_keeps_things_as_long_as_it_says(database):
    here, there = [await graded(database, ID) for _ in range(2)]
    member = await row_of(database, Membership, here.membership_id)
    other = await add_course(database, member.person_id)
    old = utc_now() - timedelta(days=11)
    async with database.write() as session:
        course = await session.get_one(Course, OTHER)
        course.retention_days = 10
        use = CourseAssignment(course_id=OTHER, assignment_id="lstm-layer", rules={})
        session.add_all([use, Regrade(requested_by=BY, course_id=OTHER, selection={}, created_at=old)])
        session.add(Token(name="expired", role=Role.SUBMITTER, sha256="1" * 64, expires_at=old))
        await session.flush()
        moved = {"course_id": OTHER, "membership_id": other.id, "course_assignment_id": use.id, "attempt": 1}
        cancelled = {"job_status": JobStatus.CANCELLED}
        await session.execute(update(Submission).where(Submission.id == there.id).values(**moved, **cancelled))
        for each in (course, await session.get_one(Course, DEFAULT_COURSE)):
            changes.log(session, each, "owner", {}, {"title": "x"})
    await add_batch(database, member, here.id)
    await add_batch(database, other, there.id)
    for model in (Submission, Change, Batch):
        await store(database, model, created_at=old)
    await retention.delete_ended(database)
    assert await retention.delete_expired(database, None) == 1
    async with database.read() as session:
        assert list(await session.scalars(select(Submission.id))) == [here.id]
        assert list(await session.scalars(select(Change.course_id))) == [DEFAULT_COURSE]
        assert list(await session.scalars(select(Regrade.id))) == []
        assert list(await session.scalars(select(Token.name))) == ["expired"]
        assert list(await session.scalars(select(Batch.course_id))) == [DEFAULT_COURSE]
        assert len(list(await session.scalars(select(BatchFile.id)))) == 3
    assert await retention.delete_expired(database, 12) == 0
    assert await retention.delete_expired(database, 10.5) == 1


async def add_file(database: Database, name: str, owner: str | None = None, **values: Any) -> str:
    """Add a file of Moodle's archive, which waits for an owner, or has one."""
    async with database.write() as session:
        batch = Batch(course_id=DEFAULT_COURSE, assignment_id="lstm-layer", filename="all.zip", made_by="owner")
        session.add(batch)
        await session.flush()
        moodle = {"path": f"{name}_12_assignsubmission_file_/LSTM.py", "platform": "moodle", "platform_id": "12"}
        values = {"filename": "LSTM.py", "content": b"work", "membership_id": owner, **moodle, **values}
        state = BatchFileState.WAITING if owner else BatchFileState.UNMATCHED
        file = BatchFile(batch_id=batch.id, state=state, name=name, **values)
        session.add(file)
        await session.flush()
        return file.id


@pytest.mark.parametrize(
    ("deleted", "file", "other"),
    [
        ("ivan petrov", "Ivan Petrov", "Petrov Ivan Sergeevich"),
        ("Ivan", "Ivan", "ivan"),
        ("Ivan", "Ivan Sidorov", None),
        ("Ivan Petrov", "Ivan Petrova", None),
        ("2026", "Group 2026", None),
    ],
)
async def test_file_that_may_be_another_ones_keeps_its_bytes_and_its_name(database, owner, deleted, file, other):
    await add_member(database, "roster", name=other)
    duplicate = await add_member(database, "12", name=deleted)
    id = await add_file(database, file)
    await deletion.delete_member(database, duplicate.id)
    (kept,) = await all_of(database, select(BatchFile).where(BatchFile.id == id).options(undefer(BatchFile.content)))
    assert (kept.name, kept.platform_id, kept.content) == (file, "12", b"work")
    assert kept.path.startswith(f"{file}_12_")


@pytest.mark.parametrize(
    ("name", "file", "platform", "platform_id"),
    [
        ("Ivan Petrov", "Petrov Ivan", "moodle", "12"),
        ("Ivan", "Ivan", "moodle", "12"),
        (None, "somebodyelse", "canvas", "4711"),
        (None, "group 1/4711", None, None),
    ],
)
async def test_file_that_can_be_nobody_elses_is_deleted(database, owner, name, file, platform, platform_id):
    await add_member(database, "roster", name="Ivan Sidorov")
    member = await add_member(database, "4711", name=name)
    await add_file(database, file, platform=platform, platform_id=platform_id)
    await deletion.delete_member(database, member.id)
    assert await all_of(database, select(BatchFile.id)) == []


@on_both_thoroughly
async def test_mentions_in_the_file_of_another_one_are_replaced(database, owner):
    anna = await add_member(database, "anna", name="Anna Sidorova")
    ivan = await add_member(database, "petrov", name="Ivan Petrov")
    reason = {"error": "FileEmpty", "params": {"filename": "Ivan Petrov.py"}}
    by_hand = await add_file(database, "Ivan Petrov", anna.id, filename="petrov.py", reason=reason)
    own = await add_file(database, "Anna Sidorova", anna.id, filename="Anna_petrov.py")
    await deletion.delete_member(database, ivan.id)
    async with database.read() as session:
        file = await session.get_one(BatchFile, by_hand)
        assert (file.name, file.filename) == ("deleted", "deleted.py")
        assert file.path == "deleted_12_assignsubmission_file_/LSTM.py"
        assert file.reason == {"error": "FileEmpty", "params": {"filename": "deleted.py"}}
        file = await session.get_one(BatchFile, own)
        assert (file.name, file.filename) == ("Anna Sidorova", "Anna_deleted.py")


#: Names and ids that stand in values which mean something else.
UNLUCKY = ("owner", "2026-10-01", "10-01T12:00:00", "101", "student", "lstm-layer", "2026", "roster", "more")


@pytest.mark.parametrize("called", sampled(UNLUCKY, every=3))
@pytest.mark.usefixtures("owner")
async def test_deletion_changes_nothing_that_means_something_else(database, called):
    kept = await add_member(database, "101", name="Anna Sidorova", group="101")
    other = await add_member(database, "roster", name="Ivan Petrov", group="101")
    async with database.write() as session:
        course = await session.get_one(Course, DEFAULT_COURSE)
        changes.log(session, course, "teacher", {}, {"title": "LSTM 2026"})
        moments = {"due": "2026-10-01T12:00:00+00:00", "closes": None}
        extension = {"assignment": "lstm-layer", **moments, "reason": "2026"}
        was = {"role": "student", "group": "101", "external_id": "101"}
        changes.log(session, kept, "owner", was, {"extension": extension, "name": "Ivan Petrov"})
        session.add(Regrade(requested_by=BY, selection={"filter": {"assignment": called, "since": "2026-10-01"}}))
        of_join = {"kept_member_id": kept.id, "merged_member_id": other.id, "moved": {"name": called, "group": called}}
        session.add(Merge(course_id=DEFAULT_COURSE, **of_join, made_by="owner"))
    before = await kept_rows(database)
    one, two = [await add_member(database, f"{called}-{n}", name=name) for n, name in ((1, called), (2, "Ivan Petrov"))]
    await add_rows(database, Identity(person_id=two.person_id, issuer="https://sso", subject=called))
    for member in (one, two):
        await deletion.delete_person(database, member.person_id)
    assert await kept_rows(database) == before


async def kept_rows(database: Database) -> list[object]:
    """The rows that are kept about members who are there."""
    async with database.read() as session:
        changed = await session.execute(
            select(Change.id, Change.before, Change.after, Change.made_by).order_by(Change.id)
        )
        merged = await session.execute(select(Merge.id, Merge.moved, Merge.made_by))
        chosen = await session.scalars(select(Regrade.selection))
        members = select(Membership.id, Membership.external_id, Membership.role, Membership.group)
        return [*changed, *merged, *chosen, *await session.execute(members.order_by(Membership.id))]


@on_both_thoroughly
async def test_id_that_another_course_gave_to_somebody_else_stays_there(database, owner):
    here = await add_member(database, "petrov", name="Ivan Petrov")
    anna = await add_member(database, "anna", name="Anna Sidorova")
    await add_course(database, here.person_id, "former-id")
    async with database.write() as session:
        changes.log(session, anna, "owner", {"external_id": "former-id"}, {"external_id": "anna"})
    await deletion.delete_person(database, here.person_id)
    (change,) = await all_of(database, select(Change))
    assert (change.before, change.after) == ({"external_id": "former-id"}, {"external_id": "anna"})


def test_names_that_may_be_anything_are_replaced_alone_and_others_in_texts():
    called = {"7", "2026", "Ivanov", "Ivanov Ivan"}
    reason = "7 of Ivanov_1 in 2026, not Ivanovsky; Ivanov Ivan"
    before = {"filter": {"student": "7"}, "name": "2026", "reason": reason, "group": "7"}
    assert mentions.Mentions(called, called, called).without_mentions(before) == {
        "filter": {"student": "deleted"},
        "name": "deleted",
        "reason": "7 of deleted_1 in 2026, not Ivanovsky; deleted",
        "group": "7",
    }


async def test_upgraded_file_holds_nothing_that_moved_or_was_deleted_before(database):
    """Migrations copy tables, and earlier versions left what they deleted in free pages."""
    raw = sqlite3.connect(database.file.path, isolation_level=None)
    raw.execute("PRAGMA secure_delete = OFF")
    raw.execute("CREATE TABLE moved (content BLOB)")
    raw.execute("INSERT INTO moved VALUES (?)", (EMAIL.encode() * 5000,))
    raw.execute("DROP TABLE moved")
    raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert EMAIL.encode() in database.file.path.read_bytes()
    raw.close()
    await database._compact()
    assert EMAIL.encode() not in database.file.path.read_bytes()
    await database.check_revision()
