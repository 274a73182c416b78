"""Clients of the service whose pages are tested."""

from collections.abc import AsyncIterator

import pytest

from app.settings import Settings
from tests.mailbox import Mailbox
from tests.unit.app.conftest import FakeGrader, Service, running


@pytest.fixture
async def mailing(
    anyio_backend: str, settings: Settings, grader: FakeGrader, mailbox: Mailbox, with_tables: None
) -> AsyncIterator[Service]:
    """A service with a mail server."""
    server = {"smtp_host": "127.0.0.1", "smtp_port": mailbox.port, "smtp_security": "none"}
    async with running(settings.model_copy(update=server | {"smtp_sender": "grader@example.org"}), grader) as service:
        yield service
