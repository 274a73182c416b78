"""Learning platforms from a shell: invited, registered, checked."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pytest

from app.lti.platforms import Registration
from app.outgoing import client as outgoing
from app.outgoing.client import Outgoing
from tests.platforms import CLIENT_ID, DEPLOYMENT, REGISTRATION, FakePlatform
from tests.unit.app.commands.test_command_line import assert_sentence, folder, owned, run
from tests.unit.app.commands.test_courses_command_line import output_of

__all__ = ["folder", "owned"]

ADDRESSES = ("issuer", "login_url", "token_url", "keys_url")


@pytest.fixture
def fake(folder: Path, monkeypatch: pytest.MonkeyPatch) -> FakePlatform:
    async def known(host: str, port: int, *, private: bool) -> list[str]:
        return ["203.0.113.9"]

    fake = FakePlatform()
    monkeypatch.setattr(outgoing, "look_up", known)
    monkeypatch.setattr("app.commands.lti.Outgoing", partial(Outgoing, transport=fake.transport()))
    monkeypatch.setenv("LSTM_GRADER_PUBLIC_URL", "https://grader.example.edu")
    return fake


def add(registration: Registration = REGISTRATION, *options: str) -> list[str]:
    addresses = [part for name in ADDRESSES for part in (f"--{name.replace('_', '-')}", getattr(registration, name))]
    return output_of("lti", "platforms", "add", "--client-id", CLIENT_ID, *addresses, *options).split("\n")


def test_invitation_is_an_address_that_is_new_each_time(fake: FakePlatform) -> None:
    first, second = (output_of("lti", "platforms", "invite") for _ in range(2))
    assert re.fullmatch(r"https://grader\.example\.edu/lti/register/[\w-]{43}", first)
    assert first != second


def test_registered_platform_gets_our_addresses(fake: FakePlatform) -> None:
    id, *addresses = add()
    assert addresses == [
        "Tool URL:              https://grader.example.edu/lti/open",
        "Login initiation URL:  https://grader.example.edu/lti/login",
        "Redirection URI:       https://grader.example.edu/lti/launch",
        "Public keyset URL:     https://grader.example.edu/lti/keys",
    ]
    assert output_of("lti", "platforms", "list").startswith(f"{id}  active")


def test_check_says_what_is_wrong_and_ends_with_1(fake: FakePlatform) -> None:
    id, *_ = add()
    fake.answers |= {"/token": lambda: httpx.Response(400, json={"error": "invalid_scope"}), "/lti/keys": gone}
    ended = run("lti", "platforms", "check", id)
    assert ended.exit_code == 1
    lines = ended.stdout.strip().split("\n")
    assert [line.split(".")[0] for line in lines[:1]] == ["No deployment is known"]
    assert "At https://grader.example.edu/lti/keys" in lines[1]
    assert "lets it use no grades" in lines[2]
    assert len(lines) == 3


def test_check_of_a_healthy_platform_says_so(fake: FakePlatform) -> None:
    id, *_ = add(REGISTRATION, "--deployment", DEPLOYMENT)
    # The service shows its keys to nobody here, which says nothing about the platform.
    fake.answers["/lti/keys"] = down
    assert "it gives us tokens" in output_of("lti", "platforms", "check", id)
    assert_sentence(run("lti", "platforms", "check", "x" * 26), "There is no such platform")


def test_two_platforms_of_one_client_id_are_said_to_be_when_one_is_confirmed(fake: FakePlatform) -> None:
    id, *_ = add()
    assert output_of("lti", "platforms", "confirm", id) == ""
    other, *_ = add(replace(REGISTRATION, issuer="https://another.example.edu"))
    assert "https://another.example.edu) have one client id" in output_of("lti", "platforms", "confirm", id)
    assert f"({REGISTRATION.issuer}) have one client id" in run("lti", "platforms", "check", other).stdout


def gone() -> httpx.Response:
    return httpx.Response(404)


def down() -> httpx.Response:
    raise httpx.ConnectError("refused")
