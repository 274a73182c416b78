"""Mail goes to a real server: by TLS or not, again after a failure, never with what it says in the log."""

import asyncio
import logging

import pytest

from app.mail.mailer import Mailer, MailServer
from app.mail.messages import MailKind
from tests.mailbox import PASSWORD, USER, certificate, link_in, receiving
from tests.waiting import until

# The mail server does not see that its connections begin with TLS.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")

TO = "ivanov@example.edu"
LINK = "https://grader.example.org/enter?token=lstmg_" + "x" * 43
SENDER = "grader@example.org"
SOON = (0.01, 0.01, 0.01)


def send(mailer: Mailer, to: str = TO) -> bool:
    return mailer.send(to, "ru", MailKind.INVITATION, course="Сети", link=LINK)


async def test_message_arrives_whole(mailbox):
    async with Mailer(mailbox.server) as mailer:
        assert send(mailer)
        await until(lambda: mailbox.messages)
    message, envelope = mailbox.messages[0], mailbox.envelopes[0]
    assert link_in(message) == LINK
    assert "Вас записали на курс «Сети»" in message.get_content()
    assert (envelope.mail_from, envelope.rcpt_tos) == (SENDER, [TO])


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_connection_is_encrypted_and_the_account_is_named(security, tmp_path):
    ours, trusted = certificate(tmp_path)
    with receiving(ours, at_once=security == "tls") as box:
        server = MailServer("127.0.0.1", box.port, security, SENDER, USER, PASSWORD)  # type: ignore[arg-type]
        async with Mailer(server, tls=trusted) as mailer:
            assert send(mailer)
            await until(lambda: box.messages)
        assert box.encrypted == [True]


@pytest.mark.parametrize(("security", "offers_tls"), [("starttls", True), ("tls", True), ("starttls", False)])
async def test_server_without_tls_or_with_a_certificate_that_nobody_trusts_gets_nothing(
    security, offers_tls, tmp_path, caplog
):
    ours, _ = certificate(tmp_path)
    with receiving(ours if offers_tls else None, at_once=security == "tls") as box:
        server = MailServer("127.0.0.1", box.port, security, SENDER, USER, PASSWORD)  # type: ignore[arg-type]
        async with Mailer(server, retry_seconds=()) as mailer:
            assert send(mailer)
            await until(lambda: "mail_failed" in caplog.messages)
        assert box.tries == 0


async def test_message_is_sent_again_after_a_short_failure(mailbox, caplog):
    mailbox.answers = ["451 try later", "421 busy"]
    async with Mailer(mailbox.server, retry_seconds=SOON) as mailer:
        send(mailer)
        await until(lambda: mailbox.messages)
    assert mailbox.tries == 3
    assert [vars(record)["code"] for record in caplog.records if record.message == "mail_failed"] == [451, 421]


@pytest.mark.parametrize(
    ("refuses", "failure"),
    [({"answers": [f"550 no such user {TO}"]}, "SMTPDataError 550"), ({"unknown": {TO}}, "SMTPRecipientsRefused 550")],
)
async def test_message_that_the_server_refuses_for_good_is_not_sent_again(mailbox, refuses, failure, caplog):
    vars(mailbox).update(refuses)
    async with Mailer(mailbox.server, retry_seconds=SOON) as mailer:
        send(mailer)
        await until(lambda: "mail_failed" in caplog.messages)
        send(mailer, "petrov@example.edu")
        await mailer.finish()
    assert mailbox.tries == 2
    assert (mailer.sent, mailer.given_up) == (1, {failure: 1})
    assert mailbox.to(TO) == []


async def test_server_that_is_away_is_given_up_after_a_few_tries(caplog):
    with receiving() as gone:
        pass
    async with Mailer(gone.server, retry_seconds=SOON) as mailer:
        send(mailer)
        await until(lambda: caplog.messages.count("mail_failed") == len(SOON) + 1)
    last = vars(caplog.records[-1])
    assert (last["levelname"], last["will_be_repeated"], last["code"]) == ("ERROR", False, None)


async def test_log_holds_no_address_no_link_and_no_password(mailbox, caplog):
    caplog.set_level(logging.DEBUG)
    mailbox.answers = [f"451 {TO} is busy", f"550 no such user {TO}"]
    async with Mailer(mailbox.server, retry_seconds=SOON) as mailer:
        assert not send(mailer, "no address")
        send(mailer)
        await until(lambda: caplog.messages.count("mail_failed") == 2)
        send(mailer)
        await until(lambda: mailbox.messages)
    log = "\n".join(str(vars(record)) for record in caplog.records if record.name.startswith("app."))
    assert "mail_sent" in log
    assert "mail_refused" in log
    for secret in (TO, "no address", LINK, "grader.example.org"):
        assert secret not in log


async def test_sending_waits_for_nothing_and_a_stop_drops_what_is_left(mailbox, caplog):
    mailbox.answers = ["451 later"] * 20
    async with Mailer(mailbox.server, retry_seconds=(3600.0,)) as mailer:
        assert all(send(mailer) for _ in range(20))
        assert mailbox.tries == 0  # Nothing has been sent yet.
        await until(lambda: mailbox.tries == 20)
    assert vars(caplog.records[-1])["messages"] == 20
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "mail"]
