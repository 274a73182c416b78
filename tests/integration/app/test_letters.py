"""A teacher's letters outlive the process that stored them: each is sent once, by one of several, in time or never."""

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from app.access.tokens import Principal
from app.courses import members
from app.mail.mailer import CONNECTIONS, LEASE, STORED_RETRY_SECONDS, Mailer, MailServer
from app.storage.database import Database
from app.storage.models import DEFAULT_COURSE, Letter, Person
from app.teaching import letters
from app.teaching.grade_list import used_assignments
from app.teaching.letters import LONGEST, LetterSender, Recipient
from grader import load_assignments
from tests.integration.app.kinds import on_both
from tests.integration.app.rows import write_by
from tests.mailbox import Mailbox

pytestmark = [pytest.mark.anyio, on_both]


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


async def send(database: Database, mailbox: Mailbox, processes: int = 1) -> None:
    """Let processes look for letters at the same moment, and wait until each has sent its own."""
    async with Mailer(MailServer("127.0.0.1", mailbox.port, "none", "grader@example.org")) as mailer:
        senders = [LetterSender(database, mailer, "https://grader.example.edu") for _ in range(processes)]
        await asyncio.gather(*(each._send_due() for each in senders))
        await asyncio.gather(*(task for each in senders for task in each._sending))


async def waiting(database: Database) -> int:
    async with database.read() as session:
        return await session.scalar(select(func.count()).select_from(Letter)) or 0


async def test_each_letter_is_sent_once_by_one_of_several_processes(
    database: Database, owner: Principal, mailbox: Mailbox, clock: list[datetime]
) -> None:
    await write(database, 8)
    await send(database, mailbox, processes=3)
    assert sorted(each["To"] for each in mailbox.messages) == [f"s{number}@example.edu" for number in range(8)]
    assert {each["Subject"] for each in mailbox.messages} == {"Default: Still missing"}
    assert await waiting(database) == 0


async def test_refused_letter_and_one_of_a_dead_process_are_sent_later_by_another(
    database: Database, owner: Principal, mailbox: Mailbox, clock: list[datetime]
) -> None:
    await write(database, 1)
    mailbox.answers = ["451 later"]
    await send(database, mailbox)
    await send(database, mailbox)
    assert (mailbox.tries, mailbox.messages) == (1, [])
    clock[0] += timedelta(seconds=STORED_RETRY_SECONDS[0])
    async with database.write() as session:  # A process claims it, and dies.
        assert len(await letters._claim_due(session, 1)) == 1
    await send(database, mailbox)
    assert mailbox.messages == []
    clock[0] += LEASE
    await send(database, mailbox)
    assert len(mailbox.to("s0@example.edu")) == 1
    assert await waiting(database) == 0


async def test_letter_that_waits_for_a_connection_until_another_process_has_claimed_it_is_left_to_that_one(
    database: Database, owner: Principal, mailbox: Mailbox, clock: list[datetime]
) -> None:
    await write(database, 1)
    async with Mailer(MailServer("127.0.0.1", mailbox.port, "none", "grader@example.org")) as mailer:
        sender = LetterSender(database, mailer, "https://grader.example.edu")
        for _ in range(CONNECTIONS):
            await mailer.connections.acquire()
        await sender._send_due()
        clock[0] += LEASE
        assert len(await write_by(database, letters._claim_due, 1)) == 1
        for _ in range(CONNECTIONS):
            mailer.connections.release()
        await asyncio.gather(*sender._sending)
    assert mailbox.tries == 0


@pytest.mark.parametrize("due_hours", [None, 3])
async def test_letter_is_given_up_after_a_day_or_when_the_students_deadline_is_over(
    database: Database,
    owner: Principal,
    mailbox: Mailbox,
    clock: list[datetime],
    caplog: pytest.LogCaptureFixture,
    due_hours: int | None,
) -> None:
    await write(database, 1, clock[0] + timedelta(hours=due_hours) if due_hours else None)
    clock[0] += timedelta(hours=due_hours, seconds=1) if due_hours else LONGEST + timedelta(seconds=1)
    await send(database, mailbox)
    assert (mailbox.tries, await waiting(database)) == (0, 0)
    assert "letter_given_up" in caplog.messages
