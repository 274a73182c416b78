"""Two members who are one student, joined and taken apart again."""

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from app.access.limits import too_many_uploads
from app.courses import members, membership
from app.errors import (
    AttemptsRunning,
    EmailTaken,
    JoinFollowed,
    JoinNotFound,
    JoinOutdated,
    JoinUndone,
    MemberJoined,
    MemberRemoved,
    SameMember,
)
from app.privacy import deletion, export
from app.queue import order
from app.storage.database import Database
from app.storage.models import (
    DEFAULT_COURSE,
    Adjustment,
    Base,
    Check,
    Comment,
    Course,
    CourseAssignment,
    Extension,
    Identity,
    JobStatus,
    MemberRole,
    Membership,
    NotebookCode,
    Person,
    Submission,
    Token,
    new_id,
    utc_now,
)
from app.submissions import repository
from app.teaching import adjustments
from app.teaching.joins import joins
from app.teaching.student_work import StudentWork
from tests.integration.app.kinds import on_both, on_both_thoroughly, on_postgresql
from tests.integration.app.rows import add, all_of, claim, count, finish, next_claim, read_by, row_of, store, write_by

NOW = utc_now()
#: Joining writes lines into these, and undoing does not take them out.
LOGS = {"merges", "changes"}


async def snapshot(database: Database) -> dict[str, list[Any]]:
    """All rows, by table."""
    async with database.read() as session:
        return {
            name: sorted(map(repr, (await session.execute(select(table))).all()))
            for name, table in Base.metadata.tables.items()
            if name not in LOGS
        }


async def id_of(database: Database, external_id: str) -> str:
    by_name = await read_by(database, members.find, [(DEFAULT_COURSE, external_id)])
    return by_name[DEFAULT_COURSE, external_id].id


async def join(database: Database, kept: str, other: str) -> str:
    return (await write_by(database, joins.join, DEFAULT_COURSE, kept, other, "teacher")).id


async def undo(database: Database, merge: str) -> None:
    await write_by(database, joins.undo, DEFAULT_COURSE, merge, "teacher")


async def attempts(database: Database, member: str) -> list[tuple[str, int, str]]:
    async with database.read() as session:
        rows = await session.execute(
            select(Submission.id, Submission.attempt, Submission.student)
            .where(Submission.membership_id == member)
            .order_by(Submission.assignment_id, Submission.attempt)
        )
    return [(id, number, student) for id, number, student in rows]


async def decide_on(database: Database, member: str, submission: Submission, number: int) -> None:
    """Give a member an extension, adjustments and a comment."""
    of = {"membership_id": member, "course_assignment_id": submission.course_assignment_id, "made_by": "teacher"}
    async with database.write() as session:
        session.add(Extension(**of, due=NOW + timedelta(days=number), more_attempts=number, reason=f"r{number}"))
        session.add(Adjustment(**of, value=number, reason="earlier", ended_at=NOW, ended_by="teacher"))
        session.add(Adjustment(**of, delta=number, reason=f"r{number}"))
        session.add(Comment(**of, text=f"c{number}"))


async def two_students(database: Database) -> tuple[str, str, list[Submission]]:
    """Let ivanov hand in twice, then newcomer."""
    handed_in = [await add(database, student) for student in ("ivanov", "ivanov", "newcomer", "newcomer")]
    kept, other = [await id_of(database, student) for student in ("ivanov", "newcomer")]
    for number, (member, submission) in enumerate(((kept, handed_in[0]), (other, handed_in[2])), 1):
        await decide_on(database, member, submission, number)
    async with database.write() as session:
        session.add(
            Token(name="link", role="submitter", sha256="1" * 64, membership_id=other, student="newcomer", is_link=True)
        )
        of_check = {"assignment_id": "lstm-layer", "filename": "f", "sha256": "f", "submitted_by": "t"}
        session.add(Check(membership_id=other, job_status=JobStatus.DONE, **of_check))
        until = NOW + timedelta(minutes=10)
        of_notebook = {"assignment_id": "lstm-layer", "language": "en", "sha256": "2" * 64, "expires_at": until}
        session.add(NotebookCode(membership_id=other, **of_notebook))
    return kept, other, handed_in


@on_both
async def test_kept_member_has_everything_and_undoing_gives_it_back(database):
    kept, other, handed_in = await two_students(database)
    async with database.write() as session:
        course_assignment = CourseAssignment(course_id=DEFAULT_COURSE, assignment_id="lstm-notebook", rules={})
        session.add(course_assignment)
        await session.flush()
        of = {"membership_id": other, "course_assignment_id": course_assignment.id, "made_by": "teacher"}
        session.add(Extension(**of, closes=NOW, more_attempts=0, reason="of the other one alone"))
    before = await snapshot(database)
    merge = await join(database, kept, other)
    assert await attempts(database, kept) == [(each.id, n, "ivanov") for n, each in enumerate(handed_in, 1)]
    assert await attempts(database, other) == []
    async with database.read() as session:
        # The limits count all of them.
        assert set(await too_many_uploads(session, [kept, other], 4)) == {kept}
        assert len(await repository.attempts(session, kept, handed_in[0].course_assignment_id)) == 4
        extensions = (await session.scalars(select(Extension).where(Extension.membership_id == kept))).all()
        assert {(each.due, each.closes, each.more_attempts, each.reason) for each in extensions} == {
            (NOW + timedelta(days=2), None, 2, "r1; r2"),
            (None, NOW, 0, "of the other one alone"),
        }
        applying = select(Adjustment.delta).where(Adjustment.membership_id == kept, Adjustment.ended_at.is_(None))
        assert (await session.scalars(applying)).all() == [2]
        assert len((await session.scalars(select(Comment).where(Comment.membership_id == kept))).all()) == 2
        token = await session.scalar(select(Token).where(Token.is_link))
        assert (token.membership_id, token.student) == (kept, "ivanov")
        # The hour's limit counts the one, and the notebook that was shown the other connects.
        assert [await session.scalar(select(table.membership_id)) for table in (Check, NotebookCode)] == [kept, kept]
        assert (await session.get_one(Membership, other)).removed_at is not None
    await undo(database, merge)
    assert await snapshot(database) == before
    with pytest.raises(JoinUndone):
        await undo(database, merge)
    with pytest.raises(JoinNotFound):
        await undo(database, new_id())
    await undo(database, await join(database, other, kept))
    assert await snapshot(database) == before


@on_both
async def test_attempts_that_come_between_stay_with_the_kept_member(database):
    kept, other, handed_in = await two_students(database)
    merge = await join(database, kept, other)
    since = await add(database, "ivanov")
    assert since.attempt == 5
    await store(database, Membership, Membership.id == kept, external_id="i.ivanov")
    await undo(database, merge)
    first, second, third, fourth = handed_in
    assert [row[:2] for row in await attempts(database, kept)] == [(first.id, 1), (second.id, 2), (since.id, 3)]
    assert await attempts(database, other) == [(third.id, 1, "newcomer"), (fourth.id, 2, "newcomer")]


@on_both_thoroughly
@pytest.mark.parametrize("newer", ["kept", "other"])
async def test_adjustment_that_comes_between_stays_and_nobody_has_two(database, newer):
    handed_in = [await add(database, student) for student in ("ivanov", "newcomer")]
    kept, other = [await id_of(database, student) for student in ("ivanov", "newcomer")]
    use_id = handed_in[0].course_assignment_id
    for member in (other, kept) if newer == "kept" else (kept, other):
        async with database.write() as session:
            of = {"membership_id": member, "course_assignment_id": use_id, "made_by": "teacher"}
            session.add(Adjustment(**of, value=1.0, reason=member))
    merge = await join(database, kept, other)
    async with database.write() as session:
        use = await session.get_one(CourseAssignment, use_id)
        place = StudentWork(await session.get_one(Membership, kept), use)
        await adjustments.adjust(session, {}, place, value=2.0, reason="between", made_by="teacher")
    await undo(database, merge)
    async with database.read() as session:
        applying = select(Adjustment.membership_id, Adjustment.reason).where(Adjustment.ended_at.is_(None))
        rows = [tuple(row) for row in await session.execute(applying)]
    assert sorted(rows) == sorted([(kept, "between"), (other, other)])


@on_both_thoroughly
async def test_decisions_about_the_removed_member_since_are_not_mixed_with_the_earlier_ones(database):
    kept, other = [(await add(database, student)).membership_id for student in ("ivanov", "newcomer")]
    handed_in = await add(database, "newcomer")
    await decide_on(database, other, handed_in, 1)
    merge = await join(database, kept, other)
    await decide_on(database, other, handed_in, 2)
    with pytest.raises(JoinOutdated) as outdated:
        await undo(database, merge)
    assert outdated.value.params == {"changed": ["extension", "adjustment"]}
    async with database.write() as session:
        await session.execute(delete(Extension).where(Extension.membership_id == other))
        await session.execute(update(Adjustment).where(Adjustment.membership_id == other).values(ended_at=utc_now()))
    await undo(database, merge)
    reasons = select(Extension.reason).where(Extension.membership_id == other)
    assert await all_of(database, reasons) == ["r1"]
    applying = select(Adjustment.reason).where(Adjustment.membership_id == other, Adjustment.ended_at.is_(None))
    assert await all_of(database, applying) == ["r1"]


@on_both
async def test_join_waits_for_one_of_two_running_attempts_and_goes_on_with_one(database):
    kept, other, _ = await two_students(database)
    first, second = await next_claim(database), await next_claim(database)
    with pytest.raises(AttemptsRunning):
        await join(database, kept, other)
    assert await finish(database, first)
    merge = await join(database, kept, other)
    assert await claim(database) is None  # One attempt of a student at a time.
    assert await finish(database, second)
    while again := await claim(database):
        assert await finish(database, again)
    await undo(database, merge)
    assert set(await all_of(database, select(Submission.job_status))) == {"done"}


@on_both
async def test_joins_uploads_and_claims_at_once_leave_every_attempt_its_number(database):
    kept, other, _ = await two_students(database)

    async def claim_one() -> None:
        with contextlib.suppress(order.Overtaken):
            await claim(database)

    one_round = [join(database, kept, other), add(database, "ivanov"), claim_one()]
    another = [join(database, kept, other), add(database, "ivanov"), claim_one()]
    done: list[object] = await asyncio.gather(*one_round, *another, return_exceptions=True)
    assert len({each for each in done if isinstance(each, str)}) <= 1  # Repeated, it is the first one.
    assert all(isinstance(each, str | Submission | None | MemberRemoved | AttemptsRunning) for each in done), done
    for member in (kept, other):
        numbers = [number for _, number, _ in await attempts(database, member)]
        assert numbers == list(range(1, len(numbers) + 1))


@on_postgresql
async def test_join_that_is_undone_twice_at_once_is_undone_once(database):
    kept, other, _ = await two_students(database)
    merge = await join(database, kept, other)
    outcomes = await asyncio.gather(*(undo(database, merge) for _ in range(3)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in outcomes) == ["JoinUndone", "JoinUndone", "NoneType"]


@on_both_thoroughly
async def test_undoing_is_refused_once_it_cannot_be_told_what_is_whose(database):
    kept, other, _ = await two_students(database)
    await add(database, "third")
    third = await id_of(database, "third")
    with pytest.raises(SameMember):
        await join(database, kept, kept)
    first = await join(database, kept, other)
    assert await join(database, kept, other) == first
    second = await join(database, third, kept)
    with pytest.raises(JoinFollowed) as followed:
        await undo(database, first)
    assert followed.value.params == {"join": second}
    await undo(database, second)
    await store(database, Extension, Extension.membership_id == kept, more_attempts=9)
    rights: dict[str, Any] = {"manages": set(MemberRole), "may_change_shared": True, "made_by": "teacher"}
    with pytest.raises(MemberJoined) as joined:
        await write_by(database, membership.change, DEFAULT_COURSE, other, {"removed": False}, **rights)
    assert joined.value.params == {"member": kept, "join": first}
    await store(database, Membership, Membership.id == other, removed_at=None)
    with pytest.raises(JoinOutdated) as outdated:
        await undo(database, first)
    assert outdated.value.params == {"changed": ["member", "extension"]}


async def test_undoing_is_refused_while_a_third_member_has_the_address(database):
    kept, other, _ = await two_students(database)
    rights: dict[str, Any] = {"manages": set(MemberRole), "made_by": "teacher"}
    confirmed = {"confirmed": True, "email": "ivanov@example.org"}
    await write_by(database, membership.change, DEFAULT_COURSE, other, confirmed, may_change_shared=True, **rights)
    merge = await join(database, kept, other)
    values: dict[str, Any] = {"role": MemberRole.STUDENT, "name": None, "email": "Ivanov@example.org", "group": None}
    third = (await write_by(database, membership.add, DEFAULT_COURSE, external_id="third", **values, **rights)).id
    with pytest.raises(EmailTaken) as taken:
        await undo(database, merge)
    assert taken.value.params == {"member": third}
    await write_by(
        database, membership.change, DEFAULT_COURSE, third, {"email": None}, may_change_shared=True, **rights
    )
    await undo(database, merge)


@on_both_thoroughly
@pytest.mark.parametrize("which", range(3))
async def test_all_members_of_a_chain_are_one_person_to_launches_archives_and_deletion(database, which):
    kept, other, _ = await two_students(database)
    third = (await add(database, "third")).membership_id
    await join(database, kept, other)
    await join(database, third, kept)
    chain = [third, kept, other]
    member = await row_of(database, Membership, chain[which])
    assert (await read_by(database, membership.kept_of, member)).id == third
    scope = await export.scope_of_member(database, chain[which])
    assert set(scope.member_ids) == set(chain)
    assert (await deletion.delete_member(database, chain[which], DEFAULT_COURSE)).submissions == 5
    assert (await count(database, Membership), await count(database, Person)) == (0, 0)


@on_both_thoroughly
async def test_single_sign_on_of_the_other_member_leads_to_the_kept_one(database):
    kept, other, _ = await two_students(database)
    async with database.write() as session:
        person = (await session.get_one(Membership, other)).person_id
        session.add(Identity(person_id=person, issuer="https://sso", subject="7"))
        (await session.get_one(Person, person)).name = "I. Ivanov"
        roster = (await session.get_one(Membership, kept)).person_id
        (await session.get_one(Person, roster)).name = "Иван Иванов"
    before = await snapshot(database)
    merge = await join(database, kept, other)
    assert (await row_of(database, Membership, kept)).person_id == person
    assert (await row_of(database, Person, person)).name == "Иван Иванов"
    await undo(database, merge)
    assert await snapshot(database) == before


async def test_teacher_gives_nobody_a_part_in_another_course(database):
    """The kept member's person is in another course, so the other one's identity does not become theirs."""
    kept, other, _ = await two_students(database)
    async with database.write() as session:
        person = (await session.get_one(Membership, other)).person_id
        session.add(Identity(person_id=person, issuer="https://sso", subject="7"))
        elsewhere = Course(title="x", language="en", time_zone="UTC")
        session.add(elsewhere)
        await session.flush()
        victim = (await session.get_one(Membership, kept)).person_id
        session.add(Membership(course_id=elsewhere.id, person_id=victim, role=MemberRole.TEACHER))
    await join(database, kept, other)
    assert (await row_of(database, Membership, kept)).person_id == victim
    assert await all_of(database, select(Identity.person_id)) == [person]
