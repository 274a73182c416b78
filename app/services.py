"""What request handlers work with; one of each per application, kept in `app.state`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from app.backlog import Backlog
from app.database import Database
from app.jobs import Jobs
from app.limits import RateLimit
from app.metrics import Metrics
from app.selftest import SelfTest
from app.settings import Settings
from grader import Assignment


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
    metrics: Metrics


@dataclass(frozen=True)
class Services:
    """Attributes: request_limit: of one token to the API."""

    settings: Settings
    assignments: Mapping[str, Assignment]
    database: Database
    jobs: Jobs
    request_limit: RateLimit
    backlog: Backlog


def services(request: HTTPConnection) -> Services:
    found: Services = request.app.state.services
    return found


def operations(request: HTTPConnection) -> Operations:
    found: Operations = request.app.state.operations
    return found
