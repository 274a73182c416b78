"""Mail about news, and letters of a teacher: each is sent once by one of several processes, in time or never."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select, update

from app.actions.mail import end_news_mail
from app.courses import members
from app.mail.mailer import CONNECTIONS, LEASE, STORED_RETRY_SECONDS, Mailer
from app.outgoing.sender import Sender
from app.privacy import deletion, export
from app.storage.database import Database
from app.storage.models import DEFAULT_COURSE, Comment, Letter, Membership, NewsMail, Person, utc_now
from app.teaching import letters, news, news_mail
from app.teaching.grade_list import used_assignments
from app.teaching.joins import joins
from app.teaching.letters import LetterSender, Recipient
from app.teaching.news_mail import EVERY, LONGEST, SETTLED, WAIT, NewsSender
from grader import load_assignments
from tests.integration.app.kinds import on_both
from tests.integration.app.rows import add, add_course, all_of, count, read_by, store, write_by
from tests.mailbox import Mailbox

pytestmark = on_both

ASSIGNMENTS = load_assignments()
NewSender = Callable[[Database, Mailer], Sender[Any]]

SERVICE, ANNA, BORIS = "https://grader.example.edu", "anna@example.edu", "boris@example.edu"


async def comment(database: Database, at: datetime, email: str, course: str, text: str) -> str:
    """Comment on an attempt of the person with this address; return the member's id."""
    submission = await add(database, email.partition("@")[0], course)
    async with database.write() as session:
        member = await session.get_one(Membership, submission.membership_id)
        await session.execute(update(Person).where(Person.id == member.person_id).values(email=email))
        session.add(
            Comment(
                membership_id=member.id,
                course_assignment_id=submission.course_assignment_id,
                submission_id=submission.id,
                text=text,
                made_by="t",
                created_at=at,
            )
        )
    return member.id


def of_news(database: Database, mailer: Mailer) -> NewsSender:
    return NewsSender(database, ASSIGNMENTS, mailer, SERVICE)


def of_letters(database: Database, mailer: Mailer) -> LetterSender:
    return LetterSender(database, mailer, SERVICE)


async def send(database: Database, mailbox: Mailbox, processes: int = 1, sender: NewSender = of_news) -> None:
    """Let processes look for mail at the same moment, and wait until each has sent its own."""
    async with Mailer(mailbox.server) as mailer:
        senders = [sender(database, mailer) for _ in range(processes)]
        await asyncio.gather(*(each._send_due() for each in senders))
        await asyncio.gather(*(task for each in senders for task in each._sending))


@contextlib.asynccontextmanager
async def a_process_waits(database: Database, mailbox: Mailbox, sender: NewSender) -> AsyncIterator[None]:
    """A process has claimed what is due, and waits for a connection until the block ends; then it sends."""
    async with Mailer(mailbox.server) as mailer:
        process = sender(database, mailer)
        for _ in range(CONNECTIONS):
            await mailer.connections.acquire()
        await process._send_due()
        yield
        for _ in range(CONNECTIONS):
            mailer.connections.release()
        await asyncio.gather(*process._sending)


async def write(database: Database, count: int, due: datetime | None = None) -> None:
    """Store a letter to so many students."""
    async with database.write() as session:
        (use,) = await used_assignments(session, load_assignments(), DEFAULT_COURSE, "lstm-layer")
        enrolled = await members.enrol(session, [(DEFAULT_COURSE, f"s{number}") for number in range(count)])
        for member in enrolled.values():
            member.person = await session.get_one(Person, member.person_id)
            member.person.email = f"{member.external_id}@example.edu"
            to = Recipient(member, None, due, is_extended=False)
            await letters.add(session, use, to, subject="Still missing", text="Dear all,\n\nhand in.", language="en")


async def add_due(database: Database, clock: list[datetime], sender: NewSender) -> None:
    """Store what this sender sends now, as one message."""
    if sender is of_letters:
        await write(database, 1)
    else:
        await comment(database, clock[0], ANNA, await add_course(database), "Well done.")
        clock[0] += WAIT + timedelta(minutes=1)


async def claim(database: Database, sender: NewSender) -> None:
    (_,) = await write_by(database, sender(database, None)._claim, {})  # type: ignore[arg-type]


async def test_person_gets_one_mail_a_day_with_what_is_new_from_one_of_two_processes(
    database, mailbox, clock, monkeypatch
):
    course = await add_course(database)
    begin = clock[0]
    anna = await comment(database, begin, ANNA, course, "Well done: 90 points.")
    await comment(database, begin - timedelta(seconds=1), BORIS, course, "Well done.")
    await store(database, Person, Person.email == BORIS, language="ru")
    clock[0] = begin + WAIT - timedelta(minutes=1)
    await send(database, mailbox)
    assert mailbox.messages == []
    clock[0] = begin + WAIT + timedelta(minutes=1)
    with monkeypatch.context() as patched:
        patched.setattr(news_mail, "AT_ONCE", 1)
        await send(database, mailbox)
    assert [each["To"] for each in mailbox.messages] == [BORIS]
    await send(database, mailbox, processes=3)
    assert sorted(each["To"] for each in mailbox.messages) == [ANNA, BORIS]
    (message,) = mailbox.to(ANNA)
    body = message.get_content()
    assert message["Subject"] == "News about your work: Networks"
    assert "Your teacher commented on your work: " in body
    assert f"{SERVICE}/submissions/" in body
    assert "90 points" not in body  # Ids hold any two digits.
    assert mailbox.to(BORIS)[0]["Subject"].startswith("Новое о ваших работах")
    for hours in (3, 22):
        await comment(database, begin + timedelta(hours=hours), ANNA, course, "Once more.")
        clock[0] = begin + timedelta(hours=hours) + WAIT
        await send(database, mailbox, processes=2)
    assert len(mailbox.to(ANNA)) == 1
    clock[0] = begin + timedelta(hours=26)
    await send(database, mailbox, processes=2)
    assert [each.get_content().count("/submissions/") for each in mailbox.to(ANNA)] == [1, 2]
    # News that was seen on the page is not mailed.
    await comment(database, begin + timedelta(hours=30), ANNA, course, "Seen.")
    await write_by(database, news.see, {anna: begin + timedelta(hours=30)})
    clock[0] = begin + timedelta(hours=60)
    await send(database, mailbox)
    assert len(mailbox.to(ANNA)) == 2


@pytest.mark.parametrize("sender", [of_news, of_letters])
async def test_mail_is_tried_again_until_the_server_takes_it_and_by_others_after_a_death(
    database, owner, mailbox, clock, sender
):
    await add_due(database, clock, sender)
    mailbox.answers = ["451 later", "451 later"]
    for tries, seconds in enumerate(STORED_RETRY_SECONDS[:2], start=1):
        for processes in (2, 1):
            await send(database, mailbox, processes, sender)
            assert (mailbox.tries, mailbox.messages) == (tries, [])
        clock[0] += timedelta(seconds=seconds)
    await claim(database, sender)  # By a process that dies.
    await send(database, mailbox, sender=sender)
    assert mailbox.messages == []
    clock[0] += LEASE
    await send(database, mailbox, 2, sender)
    assert len(mailbox.messages) == 1


@pytest.mark.parametrize("sender", [of_news, of_letters])
async def test_mail_that_waits_for_a_connection_until_another_process_has_claimed_it_is_left_to_that_one(
    database, owner, mailbox, clock, sender
):
    await add_due(database, clock, sender)
    async with a_process_waits(database, mailbox, sender):
        clock[0] += LEASE
        await claim(database, sender)
    assert mailbox.tries == 0
    clock[0] += LEASE
    await send(database, mailbox, sender=sender)
    assert mailbox.tries == len(mailbox.messages) == 1


async def test_mail_leaves_out_old_news_and_tells_of_the_latest_the_next_day(database, mailbox, clock):
    course = await add_course(database)
    await comment(database, clock[0] - LONGEST, BORIS, course, "Long ago.")
    await comment(database, clock[0], ANNA, course, "First.")
    clock[0] += WAIT + timedelta(minutes=1)
    # A transaction that is still open may add news between the two.
    await comment(database, clock[0] - SETTLED / 2, ANNA, course, "Second.")
    for _ in range(2):
        await send(database, mailbox)
        clock[0] += EVERY + timedelta(minutes=1)
    assert [each["To"] for each in mailbox.messages] == [ANNA, ANNA]
    assert [each.get_content().count("/submissions/") for each in mailbox.messages] == [1, 1]


@pytest.mark.parametrize("meanwhile", ["off", "seen"])
async def test_mail_that_a_process_has_claimed_is_not_sent_if_the_person_has_seen_the_news_or_wants_none(
    database, mailbox, clock, meanwhile
):
    anna = await comment(database, clock[0], ANNA, await add_course(database), "Well done.")
    begin = clock[0]
    clock[0] += WAIT + timedelta(minutes=1)
    async with Mailer(mailbox.server) as mailer:
        sender = NewsSender(database, ASSIGNMENTS, mailer, SERVICE)
        (letter,) = await write_by(database, sender._claim, {})
        async with database.write() as session:
            if meanwhile == "off":
                await news_mail.switch(session, letter.person_id, off=True)
            else:
                await news.see(session, {anna: begin})
        await sender._send(letter)
    assert mailbox.messages == []


async def test_seen_news_is_listed_for_a_while_and_not_new(database, monkeypatch):
    course, now = await add_course(database), utc_now()
    times = [now - news.SHOWN_FOR - timedelta(minutes=1), now - timedelta(days=1), now]
    for at in times:
        anna = await comment(database, at, ANNA, course, "Well done.")
    async with database.write() as session:
        assert [each.at for each in await news.list_news(session, [anna])] == times[::-1]
        for seen in (now, now - timedelta(days=30)):  # The second device shows an older page.
            await news.see(session, {anna: seen})
        listed = await news.list_news(session, [anna])
        assert [(each.at, each.is_new) for each in listed] == [(times[2], False), (times[1], False)]
        monkeypatch.setattr(news, "SHOWN", 1)
        assert len(await news.list_news(session, [anna])) == 1


async def test_mail_is_switched_off_by_its_link_alone_in_the_form_that_mail_programs_press(database, mailbox, clock):
    begin = clock[0]
    course = await add_course(database)
    await comment(database, begin, ANNA, course, "Well done.")
    clock[0] += WAIT + timedelta(minutes=1)
    await send(database, mailbox)
    (message,) = mailbox.to(ANNA)
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    raw = mailbox.envelopes[0].content
    assert isinstance(raw, bytes)
    (line,) = [each for each in raw.decode().splitlines() if each.startswith("List-Unsubscribe:")]
    link = line.partition("<")[2].rstrip(">")
    assert link in message.get_content()
    await end_news_mail(database, "of nobody")
    await end_news_mail(database, parse_qs(urlsplit(link).query)["of"][0])
    await comment(database, begin + timedelta(days=2), ANNA, course, "Again.")
    clock[0] += timedelta(days=3)
    await send(database, mailbox)
    assert len(mailbox.messages) == 1


async def test_news_of_joined_members_is_the_students_and_goes_with_them(database, mailbox, clock):
    course = await add_course(database)
    begin = clock[0]
    other = await comment(database, begin, BORIS, course, "On the other entry.")
    kept = await comment(database, begin + timedelta(seconds=9), ANNA, course, "On this one.")
    async with database.write() as session:
        await news.see(session, {kept: begin + timedelta(seconds=9)})
        await joins.join(session, course, kept, other, "t")
    assert [each.is_new for each in await read_by(database, news.list_news, [kept])] == [True, True]
    assert await read_by(database, news.count_unseen, [other]) == 0
    clock[0] += WAIT + timedelta(minutes=1)
    await send(database, mailbox)
    assert [each["To"] for each in mailbox.messages] == [ANNA]
    scope = await export.scope_of_member(database, kept)
    model, condition = export.SECTIONS["news_mails.json"]
    (row,) = await export.rows_of(database, model, condition(scope))
    assert row["mailed_until"]
    assert "secret" not in row
    await deletion.delete_member(database, kept, course)
    assert await all_of(database, select(NewsMail)) == []
    assert await read_by(database, news.count_unseen, [kept, other]) == 0


async def test_joined_members_have_seen_what_both_had_seen(database):
    course, begin, later = await add_course(database), utc_now(), utc_now() + timedelta(seconds=9)
    other = await comment(database, begin, BORIS, course, "On the other entry.")
    kept = await comment(database, later, ANNA, course, "On this one.")
    await write_by(database, news.see, {other: begin})
    await write_by(database, news.see, {kept: later})
    await write_by(database, joins.join, course, kept, other, "t")
    assert [each.is_new for each in await read_by(database, news.list_news, [kept])] == [True, False]


async def test_nobody_is_mailed_about_a_course_that_they_left_or_teach(database, mailbox, clock):
    course = await add_course(database)
    left = await comment(database, clock[0], ANNA, course, "Well done.")
    teaches = await comment(database, clock[0], BORIS, course, "A trial.")
    await store(database, Membership, Membership.id == left, removed_at=utc_now())
    await store(database, Membership, Membership.id == teaches, role="teacher")
    clock[0] += WAIT + timedelta(minutes=1)
    await send(database, mailbox)
    assert mailbox.messages == []


async def test_each_letter_is_sent_once_by_one_of_several_processes(database, owner, mailbox, clock):
    await write(database, 9)
    await store(database, Membership, Membership.external_id == "s8", removed_at=clock[0])
    await send(database, mailbox, 3, of_letters)
    assert sorted(each["To"] for each in mailbox.messages) == [f"s{number}@example.edu" for number in range(8)]
    assert {each["Subject"] for each in mailbox.messages} == {"Default: Still missing"}
    assert await count(database, Letter) == 0


@pytest.mark.parametrize("due_hours", [None, 3])
async def test_letter_is_given_up_after_a_day_or_when_the_students_deadline_is_over(
    database, owner, mailbox, clock, caplog, due_hours
):
    await write(database, 1, clock[0] + timedelta(hours=due_hours) if due_hours else None)
    clock[0] += timedelta(hours=due_hours, seconds=1) if due_hours else letters.LONGEST + timedelta(seconds=1)
    await send(database, mailbox, sender=of_letters)
    assert (mailbox.tries, await count(database, Letter)) == (0, 0)
    assert "letter_given_up" in caplog.messages
