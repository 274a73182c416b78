"""Clients of the service whose pages are tested."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.unit.app.conftest import Service

Browser = httpx.AsyncClient


@pytest.fixture
async def browser(service: Service) -> AsyncIterator[Browser]:
    """The browser of the owner, who is signed in."""
    async with service.browser() as browser:
        yield browser


@pytest.fixture
async def owner(service: Service) -> AsyncIterator[Browser]:
    """A program with the owner's token, which asks the API."""
    async with service.client() as owner:
        yield owner


@pytest.fixture
async def anna(service: Service) -> AsyncIterator[Browser]:
    """The browser of a student, who is signed in by a token of the own."""
    await service.add_token("of-anna", student="anna")
    async with service.browser("of-anna") as browser:
        yield browser


@pytest.fixture
async def visitor(service: Service) -> AsyncIterator[Browser]:
    """The browser of somebody who is not signed in."""
    async with service.client(None, **{"Accept": "text/html", "Accept-Language": "en"}) as browser:
        yield browser
