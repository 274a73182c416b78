"""What a request handler works with; one per application, kept in `app.state`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from app.artefacts import ArtefactFolder
from app.database import Database
from app.jobs import Jobs
from app.limits import Limits
from app.settings import Settings
from grader import Assignment


@dataclass(frozen=True)
class Services:
    settings: Settings
    assignments: Mapping[str, Assignment]
    database: Database
    jobs: Jobs
    artefacts: ArtefactFolder
    limits: Limits


def services(request: HTTPConnection) -> Services:
    found: Services = request.app.state.services
    return found
