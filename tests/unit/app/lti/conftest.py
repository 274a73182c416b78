"""A service that a platform in memory launches."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from app.lti import platforms
from app.lti.platforms import Registration
from app.outgoing import client as outgoing
from app.outgoing.client import Outgoing
from app.settings import Settings
from app.storage.models import LtiPlatform
from tests.platforms import REGISTRATION, FakePlatform, login_parameters
from tests.unit.app.conftest import FakeGrader, Service, running

LOGIN, LAUNCH = "/lti/login", "/lti/launch"
TEACHER = {"role": "Instructor", "sub": "teacher-1", "name": "Мария Кюри"}


@pytest.fixture
def fake() -> FakePlatform:
    return FakePlatform()


@pytest.fixture
async def service(
    anyio_backend: str, settings: Settings, grader: FakeGrader, fake: FakePlatform, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Service]:
    async def known(host: str, port: int, *, private: bool) -> list[str]:
        return ["203.0.113.9"]

    monkeypatch.setattr(outgoing, "look_up", known)
    monkeypatch.setattr("app.main.Outgoing", partial(Outgoing, transport=fake.transport()))
    async with running(settings, grader) as service:
        yield service


@pytest.fixture
async def platform(service: Service) -> LtiPlatform:
    return await register(service)


async def register(service: Service, said: Registration = REGISTRATION, *, confirmed: bool = True) -> LtiPlatform:
    async with service.services.database.write() as session:
        return await platforms.add(session, said, made_by="test", confirmed=confirmed)


def browser(service: Service, **headers: str) -> httpx.AsyncClient:
    return service.client(None, **{"Accept": "text/html", "Accept-Language": "en", **headers})


async def begin(client: httpx.AsyncClient, **changed: str) -> str:
    """Begin a launch as a platform does; return the platform's address that the browser is sent to."""
    answer = await client.post(LOGIN, data=login_parameters(**changed))
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


async def launch(client: httpx.AsyncClient, fake: FakePlatform, **claims: Any) -> httpx.Response:
    return await client.post(LAUNCH, data=fake.message(await begin(client), **claims))


async def everything(service: Service, table: type[Any]) -> list[Any]:
    async with service.services.database.read() as session:
        return list((await session.scalars(select(table))).all())
