"""Batches: thirty files of a course, among them hostile ones, and a restart in the middle."""

import asyncio
import io
import stat
import zipfile
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from string import ascii_lowercase
from typing import Any

import pytest
from sqlalchemy import select

from app.access.tokens import Principal
from app.courses import members
from app.courses.matching import MatchedBy
from app.errors import ArchiveEmpty, ArchiveTooLarge, ArchiveUnreadable, BatchNotFound, TooManyRequests
from app.queue.backlog import Backlog
from app.queue.batches import lines, taking_in
from app.queue.inbox import Inbox
from app.storage.database import Database
from app.storage.models import DEFAULT_COURSE, Batch, BatchFile, BatchFileState, CourseAssignment, Submission, new_id
from app.storage.paging import Paging
from app.submissions import positions
from app.submissions.positions import REGRADE_PRIORITY
from grader import load_assignments
from tests.integration.app.kinds import on_both, on_both_thoroughly
from tests.integration.app.rows import add, add_rows, all_of, read_by, row_of, store, write_by
from tests.integration.app.test_identities import add_course
from tests.integration.app.test_inbox import Jobs

ASSIGNMENTS = load_assignments()
CODE = b"class LSTM: ...\n"
LIMIT = 10_000
DAY = datetime(2026, 1, 2, tzinfo=UTC)


def inbox_of(database: Database, kind: type[Inbox] = Inbox) -> Inbox:
    """Make the inbox of one process."""
    return kind(database, ASSIGNMENTS, Jobs(), Backlog(database, 60), uploads_per_minute=30, upload_bytes=LIMIT)


@pytest.fixture
async def inbox(database: Database) -> Inbox:
    return inbox_of(database)


def other_than(teacher: Principal) -> Principal:
    return replace(teacher, id=new_id())


def moodle(name: str, number: int, file: str = "LSTM.py") -> str:
    return f"{name}_{number}_assignsubmission_file_/{file}"


def packed(files: dict[str, bytes], *, packing: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", packing) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content


def course_of_thirty() -> io.BytesIO:
    """Pack 25 good files, and others: a bomb, a link, an empty one, a stranger's, and a name with dots."""
    files = {moodle(f"Student Number{chr(97 + each)}", each): CODE + str(each).encode() for each in range(24)}
    files[moodle("Student Numberz", 90)] = bytes(LIMIT * 100)
    files[moodle("Student Numberx", 91)] = b""
    files[moodle("Some Body", 92)] = CODE
    files[moodle("../../Student Numbery", 93, "../../../etc/LSTM.py")] = CODE + b"#"
    files["group/student-z.py"] = CODE + b"##"
    content = packed(files)
    with zipfile.ZipFile(content, "a") as archive:
        link = zipfile.ZipInfo(moodle("Student Numberw", 94))
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    return content


async def begin(database: Database, holder: Principal) -> Batch:
    return await write_by(database, taking_in.begin, holder, "lstm-layer", "C:\\course.zip", ASSIGNMENTS)


async def batch_of(database: Database, holder: Principal, archive: io.BytesIO) -> Batch:
    """Begin a batch with the files of an archive, in a course of the students a to z, who have another one too."""
    async with database.write() as session:
        known = [(DEFAULT_COURSE, f"student-{letter}") for letter in ascii_lowercase]
        if not await members.find(session, known):
            for course, letter in product((DEFAULT_COURSE, await add_course(session)), ascii_lowercase):
                members.add(session, course, external_id=f"student-{letter}", name=f"Student Number{letter}")
    batch = await begin(database, holder)
    await taking_in.store_files(database, batch, archive, LIMIT, LIMIT)
    return batch


async def states(database: Database, batch: Batch) -> Counter[str]:
    (progress,) = await read_by(database, lines.progress_of, [batch])
    return Counter({state.value: count for state, count in progress.states.items() if count})


@on_both
async def test_thirty_files_become_attempts_of_their_owners(database, owner, inbox):
    batch = await batch_of(database, owner, course_of_thirty())
    assert await states(database, batch) == {"waiting": 26, "unmatched": 1, "refused": 2, "unreadable": 1}
    await taking_in.hand_in(database, inbox, ASSIGNMENTS, owner, batch.id)
    assert await states(database, batch) == {"handed_in": 26, "unmatched": 1, "refused": 2, "unreadable": 1}
    async with database.read() as session:
        handed_in = (await session.scalars(select(Submission))).all()
        kept = dict((await session.execute(select(BatchFile.state, BatchFile.content))).all())
        files = await lines.list_files(session, batch.id, [*BatchFileState], Paging(100))
        listed = await lines.list_batches(session, DEFAULT_COURSE, Paging(5))
        assert await positions.oldest_upload_seconds(session) == 0
    assert {(each.attempt, each.priority) for each in handed_in} == {(1, REGRADE_PRIORITY)}
    assert len({each.student for each in handed_in}) == 26
    assert kept[BatchFileState.UNMATCHED] == CODE
    assert kept[BatchFileState.HANDED_IN] is None
    assert not any(".." in line.file.path for line in files)
    assert [each.batch.filename for each in listed] == ["course.zip"]
    assert (listed[0].files, listed[0].handed_in, listed[0].graded) == (30, 26, 0)
    # Uploads of students are accepted as before, and go first.
    upload = await add(database, "student-w")
    assert (await read_by(database, positions.queue_places))[upload.id] == 1


@on_both
async def test_two_people_of_a_platform_are_not_one_student_whose_name_they_have(database, owner):
    """The roster lacks one of them, and nobody notices a grade in the wrong row."""
    own = {moodle("Student Numbera", 1, file): CODE for file in ("LSTM.py", "more.py")}
    files = own | {moodle("Student Numberb", 2): CODE, moodle("numberb, student", 3): CODE}
    batch = await batch_of(database, owner, packed(files))
    assert await states(database, batch) == {"waiting": 2, "unmatched": 2}


@on_both_thoroughly
@pytest.mark.parametrize("goes_on", [lambda owner: owner, other_than], ids=["the same", "somebody else"])
async def test_batch_goes_on_after_a_restart_and_hands_in_nothing_twice(database, owner, inbox, goes_on):
    batch = await batch_of(database, owner, course_of_thirty())
    ending = asyncio.create_task(taking_in.hand_in(database, inbox, ASSIGNMENTS, owner, batch.id))
    waiting = await read_by(database, taking_in._waiting, batch.id)
    # The attempt is stored, and the process ends before it is written down.
    file, student = waiting[0]
    await asyncio.wait([ending])
    again = {"state": BatchFileState.WAITING, "content": file.content, "submission_id": None}
    await store(database, BatchFile, BatchFile.id == file.id, **again)
    await taking_in.hand_in(database, inbox, ASSIGNMENTS, goes_on(owner), batch.id)
    attempts = await all_of(database, select(Submission.id).where(Submission.student == student))
    assert len(attempts) == 1
    again = await row_of(database, BatchFile, file.id)
    assert (again.state, again.submission_id) == (BatchFileState.HANDED_IN, attempts[0])


@on_both
@pytest.mark.parametrize("rules", [{}, {"limit": 1}], ids=["any number of attempts", "one attempt"])
async def test_batch_that_two_teachers_hand_in_at_once_is_handed_in_once(database, owner, rules):
    await add_rows(database, CourseAssignment(course_id=DEFAULT_COURSE, assignment_id="lstm-layer", rules=rules))
    batch = await batch_of(database, owner, course_of_thirty())
    teachers = owner, other_than(owner)
    await asyncio.gather(
        *(taking_in.hand_in(database, inbox_of(database), ASSIGNMENTS, each, batch.id) for each in teachers)
    )
    assert await states(database, batch) == {"handed_in": 26, "unmatched": 1, "refused": 2, "unreadable": 1}
    students = await all_of(database, select(Submission.student))
    assert len(students) == len(set(students)) == 26


@on_both
async def test_stored_attempt_goes_before_the_refusal_of_another_one(database, owner):
    comes, refused = asyncio.Event(), asyncio.Event()

    class Slow(Inbox):
        async def accept(self, *arguments: Any, **named: Any) -> Any:
            comes.set()
            await refused.wait()
            return await super().accept(*arguments, **named)

    class Full(Inbox):
        async def accept(self, *arguments: Any, **named: Any) -> Any:
            raise TooManyRequests(retry_after_seconds=60)

    batch = await batch_of(database, owner, packed({moodle("Student Numbera", 1): CODE}))
    slow = asyncio.create_task(
        taking_in.hand_in(database, inbox_of(database, Slow), ASSIGNMENTS, other_than(owner), batch.id)
    )
    await comes.wait()
    await taking_in.hand_in(database, inbox_of(database, Full), ASSIGNMENTS, owner, batch.id)
    assert await states(database, batch) == {"refused": 1}
    refused.set()
    await slow
    assert await states(database, batch) == {"handed_in": 1}
    (line,) = await read_by(database, lines.list_files, batch.id, [*BatchFileState], Paging(2))
    assert line.submission is not None
    assert line.file.reason == {}


@on_both
async def test_same_archive_twice_at_once_is_handed_in_once(database, owner):
    batches = [await batch_of(database, owner, course_of_thirty()) for _ in range(2)]
    await asyncio.gather(
        *(taking_in.hand_in(database, inbox_of(database), ASSIGNMENTS, owner, each.id) for each in batches)
    )
    of_both = await states(database, batches[0]) + await states(database, batches[1])
    assert (of_both["handed_in"], of_both["duplicate"], of_both["waiting"]) == (26, 26, 0)
    students = await all_of(database, select(Submission.student))
    assert len(students) == len(set(students)) == 26


@on_both
@pytest.mark.parametrize(
    ("dates", "handed_in_at"),
    [({"due": DAY, "closes": DAY + timedelta(days=1)}, DAY), ({"closes": DAY}, DAY - timedelta(seconds=1))],
    ids=["due", "closed"],
)
async def test_file_of_a_batch_is_not_late_and_is_taken_after_the_close(database, owner, inbox, dates, handed_in_at):
    rules = {"cooldown_seconds": 3600, **{name: date.isoformat() for name, date in dates.items()}}
    await add_rows(database, CourseAssignment(course_id=DEFAULT_COURSE, assignment_id="lstm-layer", rules=rules))
    files = {moodle("Student Numbera", 1, name): CODE + name.encode() for name in ("a.py", "b.py")}
    batch = await batch_of(database, owner, packed(files))
    await taking_in.hand_in(database, inbox, ASSIGNMENTS, owner, batch.id)
    assert await states(database, batch) == {"handed_in": 2}
    assert set(await all_of(database, select(Submission.created_at))) == {handed_in_at}


@on_both_thoroughly
async def test_teacher_gives_a_file_to_a_student_or_to_none(database, owner, inbox):
    files = {moodle("Some Body", 1): CODE, moodle("Any Body", 2): CODE + b"#"}
    batch = await batch_of(database, owner, packed(files))
    first, second = await read_by(database, lines.list_files, batch.id, [BatchFileState.UNMATCHED], Paging(10))
    async with database.write() as session:
        owners = {first.file.id: " student-a ", second.file.id: "nobody"}
        unknown = await taking_in.give_to(session, DEFAULT_COURSE, batch.id, owners)
    assert unknown == {second.file.id: "nobody"}
    await taking_in.hand_in(database, inbox, ASSIGNMENTS, owner, batch.id)
    await write_by(database, taking_in.leave_out, DEFAULT_COURSE, batch.id)
    assert await states(database, batch) == {"handed_in": 1, "left_out": 1}
    async with database.read() as session:
        line, left = await lines.list_files(session, batch.id, [*BatchFileState], Paging(10))
        with pytest.raises(BatchNotFound):
            await taking_in.find_batch(session, new_id(), batch.id)
    assert (line.member.external_id, line.file.matched_by) == ("student-a", MatchedBy.HAND)
    assert left.submission is None


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (lambda: io.BytesIO(b"no archive"), ArchiveUnreadable),
        (lambda: packed({"picture.png": b"x"}), ArchiveEmpty),
        (lambda: packed({f"{each}.py": b"x" for each in range(5001)}), ArchiveTooLarge),
        (lambda: packed({"a.py": bytes(60_000_000)}), ArchiveTooLarge),
    ],
    ids=["no archive", "nothing to grade", "too many files", "a bomb"],
)
async def test_archive_that_is_none_or_too_much_is_refused_as_a_whole(database, owner, content, error):
    batch = await begin(database, owner)
    with pytest.raises(error):
        await taking_in.store_files(database, batch, content(), LIMIT, LIMIT)
    assert await states(database, batch) == {}
