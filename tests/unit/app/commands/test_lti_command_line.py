"""Learning platforms from a shell: invited, listed, checked."""

import asyncio
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pytest

from app.lti import platforms
from app.lti.platforms import Registration
from app.outgoing import client as outgoing
from app.outgoing.client import Outgoing
from app.storage.database import Database
from tests.platforms import REGISTRATION, FakePlatform
from tests.unit.app.commands.test_command_line import assert_sentence, folder, output_of, owned, run
from tests.unit.app.lti.conftest import down

__all__ = ["folder", "owned"]


@pytest.fixture
def fake(folder: Path, monkeypatch: pytest.MonkeyPatch) -> FakePlatform:
    async def known(host: str, port: int, *, private: bool) -> list[str]:
        return ["203.0.113.9"]

    fake = FakePlatform()
    monkeypatch.setattr(outgoing, "look_up", known)
    monkeypatch.setattr("app.outgoing.client.Outgoing", partial(Outgoing, transport=fake.transport()))
    monkeypatch.setenv("LSTM_GRADER_PUBLIC_URL", "https://grader.example.edu")
    return fake


def add(folder: Path, registration: Registration = REGISTRATION) -> str:
    async def store() -> str:
        database = Database(f"sqlite:///{folder / 'data' / 'lstm-grader.sqlite3'}")
        async with database.write() as session:
            platform = await platforms.add(session, registration, made_by="owner", confirmed=True)
        await database.close()
        return platform.id

    return asyncio.run(store())


def test_invitation_is_an_address_that_is_new_each_time(fake):
    first, second = (output_of("lti", "invite") for _ in range(2))
    assert re.fullmatch(r"https://grader\.example\.edu/lti/register/[\w-]{43}", first)
    assert first != second


def test_platforms_are_listed_with_what_is_known_of_them(fake, folder):
    id = add(folder, replace(REGISTRATION, deployments=("3", "1", "2")))
    assert re.fullmatch(rf"{id}  active       .+  deployments 3, 1, 2  courses 0", output_of("lti", "list"))


def test_each_rotation_lets_another_key_sign(fake):
    assert len({output_of("lti", "rotate-key") for _ in range(3)}) == 3


def test_check_says_what_is_wrong_and_ends_with_1(fake, folder):
    id = add(folder, replace(REGISTRATION, deployments=()))
    fake.answers["/token"] = lambda: httpx.Response(400, json={"error": "invalid_scope"})
    fake.answers["/lti/keys"] = lambda: httpx.Response(404)
    ended = run("lti", "check", id)
    assert ended.exit_code == 1
    lines = ended.stdout.strip().split("\n")
    assert [line.split(".")[0] for line in lines[:1]] == ["No deployment is known"]
    assert "At https://grader.example.edu/lti/keys" in lines[1]
    assert "lets it use no grades" in lines[2]
    assert len(lines) == 3


def test_check_of_a_healthy_platform_says_so(fake, folder):
    id = add(folder)
    # The service shows its keys to nobody here, which says nothing about the platform.
    fake.answers["/lti/keys"] = down
    assert "it gives us tokens" in output_of("lti", "check", id)
    assert_sentence(run("lti", "check", "x" * 26), "There is no such platform")


def test_check_says_that_another_platform_has_the_same_client_id(fake, folder):
    add(folder)
    other = add(folder, replace(REGISTRATION, issuer="https://another.example.edu"))
    assert f"({REGISTRATION.issuer}) have one client id" in run("lti", "check", other).stdout
