"""Rosters from a shell."""

import csv
import re
import stat
from pathlib import Path

import pytest
from sqlalchemy import select

from app.access import tokens
from app.storage.models import Identity, Membership
from tests.integration.app.conftest import Run
from tests.integration.app.kinds import on_both, on_both_thoroughly
from tests.integration.app.rows import add_rows, all_of, count, read_by
from tests.mailbox import Mailbox, link_in

ROSTER = "id;ФИО;Почта\nivanov;Иван Иванов;ivanov@hse.ru\npetrova;Анна;petrova@hse.ru\n"


@pytest.fixture
def run(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command where the roster lies."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "roster.csv").write_bytes(ROSTER.encode("cp1251"))
    return run


@on_both
async def test_roster_is_looked_at_imported_and_its_links_go_into_a_file(run, database, tmp_path):
    looked = await run("roster", "import", "roster.csv", "--dry-run", "--links", "links.csv")
    assert looked.exit_code == 0
    assert re.search(r"^ +2  new +ivanov Иван Иванов$", looked.stdout, re.MULTILINE)
    assert "new: 2 (ids from 'id'); nothing was stored" in looked.stdout
    assert not (tmp_path / "links.csv").exists()
    assert await count(database, Membership) == 0
    done = await run("roster", "import", "roster.csv", "--links", "links.csv")
    assert "new: 2 (ids from 'id'); links: 2" in done.stdout
    assert "token=" not in done.stdout
    links = tmp_path / "links.csv"
    assert stat.S_IMODE(links.stat().st_mode) == 0o600
    rows = list(csv.DictReader(links.read_text("utf-8-sig").splitlines()))
    assert [row["id"] for row in rows] == ["ivanov", "petrova"]
    secret = rows[0]["link"].partition("token=")[2]
    assert await read_by(database, tokens.find_token, tokens.hash_secret(secret)) is not None
    again = await run("roster", "import", "roster.csv", "--links", "links.csv", "--all")
    assert again.exit_code == 2
    assert "links.csv: File exists" in again.stderr
    (tmp_path / "links.csv").unlink()
    assert "links: 2" in (await run("roster", "import", "roster.csv", "--links", "links.csv", "--all")).stdout


@on_both_thoroughly
async def test_roster_says_what_stays_as_it_is_and_why(run, database, tmp_path):
    await run("roster", "import", "roster.csv")
    (tmp_path / "other.csv").write_text("id,name,email\nivanov,Иван,petrova@hse.ru\n,x,\nsidorov,Сидор,x\n")
    lines = (await run("roster", "import", "other.csv")).stdout.splitlines()
    assert lines[0].startswith("    2  conflict    ivanov Иван  (The address is that of another member")
    assert lines[1].startswith("    3  invalid     x  (The row has no id.")
    assert lines[2].startswith("    4  invalid     sidorov Сидор  (“x” is not an e-mail address")
    assert lines[3].strip() == "petrova: in the course, and not in the file; left as it is"
    assert lines[4] == "conflict: 1, invalid: 2 (ids from 'id')"
    (tmp_path / "third.csv").write_text("id,name\nivanov,Иван\n")
    assert "(name: Иван Иванов -> Иван)" in (await run("roster", "import", "third.csv")).stdout
    (person_id,) = await all_of(database, select(Membership.person_id).where(Membership.external_id == "ivanov"))
    await add_rows(database, Identity(person_id=person_id, issuer="https://sso", subject="7"))
    (tmp_path / "fourth.csv").write_text("id,email\nivanov,other@hse.ru\n")
    said = (await run("roster", "import", "fourth.csv")).stdout
    assert "email stays: the person is in other courses, too, or signs in with an account" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("roster import roster.csv --course x", "there is no course 'x'"),
        ("roster import roster.csv --id-column login", "The list has no such column"),
        ("roster import roster.csv --mail", "LSTM_GRADER_SMTP_HOST"),
        ("roster import roster.csv --links no/x.csv", "there is no folder no"),
    ],
)
async def test_wrong_usage_is_told_in_words(run, arguments, said):
    ended = await run(*arguments.split())
    assert ended.exit_code == 2
    assert said in ended.stderr


@pytest.fixture
def mailbox(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> Mailbox:
    settings = {"HOST": "127.0.0.1", "PORT": str(mailbox.port), "SECURITY": "none", "SENDER": "grader@hse.ru"}
    for name, value in settings.items():
        monkeypatch.setenv(f"LSTM_GRADER_SMTP_{name}", value)
    monkeypatch.setenv("LSTM_GRADER_PUBLIC_URL", "https://grader.hse.ru")
    return mailbox


async def test_command_ends_when_the_mail_is_sent(run, mailbox):
    assert "links: 2, mailed: 2" in (await run("roster", "import", "roster.csv", "--mail")).stdout
    assert "links: 2, mailed: 2" in (await run("roster", "import", "roster.csv", "--mail", "--all")).stdout
    sent = sorted(str(message["To"]) for message in mailbox.messages)
    assert sent == 2 * ["ivanov@hse.ru"] + 2 * ["petrova@hse.ru"]
    assert link_in(mailbox.messages[0]).startswith("https://grader.hse.ru/enter?token=")


@pytest.mark.parametrize(
    ("option", "way"),
    [("", "make them new links on the course's page Ways in"), ("--links links.csv", "their links are in links.csv")],
)
async def test_mail_that_was_given_up_is_told_with_a_way_on(run, mailbox, option, way):
    mailbox.answers = ["550 no such user"]
    ended = await run("roster", "import", "roster.csv", "--mail", *option.split())
    assert ended.exit_code == 3
    assert "links: 2, mailed: 1" in ended.stdout
    assert "messages that could not be sent: 1 (SMTPDataError 550)" in ended.stderr
    assert way in ended.stderr
