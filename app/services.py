"""What request handlers work with; one of each per application, kept in `app.state`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection

from app.access.limits import RateLimit
from app.access.tokens import Principal
from app.operations.charts import Charts
from app.operations.metrics import Metrics
from app.operations.probe import WriteProbe
from app.operations.selftest import SelfTest
from app.queue import Jobs
from app.queue.backlog import Backlog
from app.queue.inbox import Inbox
from app.settings import Settings
from app.storage.batches import Batcher
from app.storage.database import Database
from grader import Assignment

WATCHERS_LOOKING = 4


@dataclass(frozen=True)
class Operations:
    """What says how the process is, one that serves and one that only grades.

    Attributes:
        self_test: None: this process does not grade.
    """

    settings: Settings
    database: Database
    is_working: Callable[[], bool]
    self_test: SelfTest | None
    probe: WriteProbe
    metrics: Metrics


@dataclass(frozen=True)
class Services:
    """What handlers of uploads, pages and the API share.

    Attributes:
        holders: whose a token is, by its hash.
        request_limit: of one token to the API.
        looking: how many of those who wait for a submission may ask the database at the same time. Hundreds do when a
            grade ends, and uploads shall find a free connection then.
    """

    settings: Settings
    assignments: Mapping[str, Assignment]
    database: Database
    jobs: Jobs
    request_limit: RateLimit
    backlog: Backlog
    inbox: Inbox
    holders: Batcher[str, Principal | None]
    charts: Charts
    looking: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(WATCHERS_LOOKING))


def services(request: HTTPConnection) -> Services:
    found: Services = request.app.state.services
    return found


def operations(request: HTTPConnection) -> Operations:
    found: Operations = request.app.state.operations
    return found
