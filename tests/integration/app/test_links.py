"""Personal links and join links: what happens at the same moment, and what ends what."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.access import joining, links, sessions, tokens
from app.access.joining import Newcomer
from app.access.links import NewLink
from app.access.tokens import Principal, hash_secret
from app.actions import ways_in
from app.actions.actor import Actor
from app.actions.ways_in import MakeJoinLink, MakeLinks, MakeToken
from app.errors import JoinLinkFull, MemberNotFound, MemberRemoved, NotPermitted, SessionMissing
from app.storage.database import Database
from app.storage.models import (
    DEFAULT_COURSE,
    Course,
    JoinLink,
    MemberRole,
    Membership,
    Person,
    Role,
    Session,
    Token,
    new_id,
    utc_now,
)
from app.storage.paging import Paging
from tests.integration.app.kinds import on_both, on_both_thoroughly
from tests.integration.app.rows import add_member, add_rows, all_of, count, read_by, store, write_by

HOUR = timedelta(hours=1)
TEACHER = Principal("0" * 26, Role.TEACHER, name="teacher")


async def new_link(database: Database, member: Membership) -> NewLink:
    async with database.write() as session:
        (link,) = await links.make(session, await links.choose(session, TEACHER, [member.id]), TEACHER.id)
    return link


async def come_in(database: Database, link: NewLink) -> None:
    async with database.write() as session:
        await links.use(session, link.token)
        await sessions.add(session, sha256=new_id(), of=link.token, lifetime=HOUR)


async def is_valid(database: Database, link: NewLink) -> bool:
    return await read_by(database, tokens.find_token, hash_secret(link.secret)) is not None


@on_both_thoroughly
async def test_older_links_end_when_the_new_one_is_used_and_not_before(database):
    member = await add_member(database, "ivanov")
    first, second = await new_link(database, member), await new_link(database, member)
    await come_in(database, first)
    third = await new_link(database, member)
    assert [await is_valid(database, link) for link in (first, second, third)] == [True, True, True]
    await come_in(database, second)
    assert [await is_valid(database, link) for link in (first, second, third)] == [False, True, True]
    assert await count(database, Session) == 1
    with pytest.raises(SessionMissing):
        await come_in(database, first)
    # Again by the same link, and by the newest.
    await come_in(database, second)
    await come_in(database, third)
    assert [await is_valid(database, link) for link in (first, second, third)] == [False, False, True]


@on_both
async def test_links_used_at_once_leave_the_newest(database):
    member = await add_member(database, "ivanov")
    series = [await new_link(database, member) for _ in range(6)]
    await asyncio.gather(*(come_in(database, link) for link in series), return_exceptions=True)
    assert [await is_valid(database, link) for link in series] == [False] * 5 + [True]
    assert await count(database, Session) == 1


@on_both_thoroughly
async def test_links_of_others_and_other_tokens_stay(database):
    member, other = await add_member(database, "ivanov"), await add_member(database, "petrov")
    own = await write_by(database, tokens.add_token, name="own", role=Role.SUBMITTER, sha256="0" * 64, student="ivanov")
    theirs = await new_link(database, other)
    await new_link(database, member)
    await come_in(database, await new_link(database, member))
    assert await is_valid(database, theirs)
    async with database.write() as session:
        assert (await session.get_one(Token, own.id)).revoked_at is None
        assert await links.revoke(session, TEACHER, member.id) == 1
    assert await is_valid(database, theirs)
    assert await count(database, Session) == 0
    async with database.write() as session:
        assert await links.revoke(session, TEACHER) == 1
        assert (await session.get_one(Token, own.id)).revoked_at is None


@on_both_thoroughly
async def test_teacher_makes_no_link_of_teachers_elsewhere_or_removed(database, owner):
    other = new_id()
    await add_rows(database, Course(id=other, title="Other", language="en", time_zone="UTC"))
    boss = await add_member(database, "boss", role=MemberRole.TEACHER)
    removed = await add_member(database, "removed", removed_at=utc_now())
    stranger = await add_member(database, "stranger", other)
    helper = await add_member(database, "helper", role=MemberRole.ASSISTANT)
    student = await add_member(database, "ivanov")
    async with database.write() as session:
        for ids, refusal in (
            ([boss.id], NotPermitted),
            ([removed.id], MemberRemoved),
            ([stranger.id, student.id], MemberNotFound),
        ):
            with pytest.raises(refusal):
                await links.choose(session, TEACHER, ids)
        assert [each.id for each in await links.choose(session, TEACHER)] == [student.id]
        assert [each.id for each in await links.choose(session, TEACHER, [helper.id])] == [helper.id]
        assert [each.id for each in await links.choose(session, owner, [boss.id])] == [boss.id]
        await links.make(session, await links.choose(session, owner, [boss.id]), owner.id)
        assert len(await links.list_links(session, owner, Paging(9))) == 1
        assert await links.list_links(session, TEACHER, Paging(9)) == []
        assert await links.revoke(session, TEACHER) == 0
        for refusal, id in ((NotPermitted, boss.id), (MemberNotFound, stranger.id), (MemberNotFound, new_id())):
            with pytest.raises(refusal):
                await links.revoke(session, TEACHER, id)
        assert await links.revoke(session, owner, boss.id) == 1


async def make_join(database: Database, limit: int | None = None) -> str:
    return (await write_by(database, joining.make, TEACHER, group=None, limit=limit, expires_at=None))[1]


async def join(database: Database, secret: str, key: str = "") -> NewLink:
    return await write_by(database, joining.join, secret, key or new_id(), Newcomer("Анна"))


@on_both
async def test_same_form_sent_again_and_at_once_makes_one_student(database):
    secret = await make_join(database, limit=2)
    answers = await asyncio.gather(*(join(database, secret, "key") for _ in range(5)))
    assert len({link.secret for link in answers}) == 1
    await join(database, secret, "other")
    assert (await join(database, secret, "key")).secret == answers[0].secret
    (join_link,) = await all_of(database, select(JoinLink))
    assert (join_link.uses, await count(database, Membership)) == (2, 2)
    await write_by(database, joining.revoke, DEFAULT_COURSE, join_link.id)
    # A connection may have swallowed the link of somebody who has joined.
    assert (await join(database, secret, "key")).secret == answers[0].secret


@on_both
async def test_form_of_a_teacher_sent_twice_at_once_makes_one_of_each(database, owner):
    await add_member(database, "ivanov", name="Иван")
    actor = Actor(owner, database, {})
    kinds: list[Callable[[], Awaitable[object]]] = [
        lambda: ways_in.make_links(actor, MakeLinks(all=True), form_key="key"),
        lambda: ways_in.make_token(actor, MakeToken(name="x"), form_key="key"),
        lambda: ways_in.make_join_link(actor, MakeJoinLink(expires_at=None), form_key="key"),
    ]
    await asyncio.gather(*(make() for make in kinds for _ in range(3)))
    assert sorted(await all_of(database, select(Token.name))) == ["owner", "x", "Иван"]
    assert len(await all_of(database, select(JoinLink))) == 1


@on_both
async def test_last_place_is_taken_once(database):
    secret = await make_join(database, limit=3)
    answers = await asyncio.gather(*(join(database, secret) for _ in range(8)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert [type(answer) for answer in refused] == [JoinLinkFull] * 5
    assert await count(database, Membership) == 3


@on_both
async def test_person_who_is_signed_in_joins_once_as_themselves(database):
    secret = await make_join(database)
    person = Person(name="Анна", email="anna@hse.ru")
    await add_rows(database, person)

    async def join_as() -> Membership:
        return await write_by(database, joining.join_as, secret, person, "claimed")

    joined = await asyncio.gather(*(join_as() for _ in range(4)))
    assert {member.id for member in joined} == {joined[0].id}
    assert (joined[0].person_id, joined[0].confirmed_at, joined[0].claimed_id) == (person.id, None, "claimed")
    await store(database, Membership, Membership.id == joined[0].id, removed_at=utc_now())
    assert (await count(database, Person), await all_of(database, select(JoinLink.uses))) == (1, [1])
    with pytest.raises(MemberRemoved):
        await join_as()
