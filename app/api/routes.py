"""All JSON endpoints under one prefix, with the checks and refusals that they share."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request

from app.api.endpoints import (
    assignments,
    courses,
    grades,
    members,
    people,
    regrades,
    reports,
    rosters,
    same_code,
    submissions,
    ways_in,
    webhooks,
    work,
)
from app.http.auth.holders import Reader
from app.http.parameters import language_parameter
from app.services import services


async def within_limit(request: Request, holder: Reader) -> None:
    """Raises: TooManyRequests: the token asks too often."""
    services(request).request_limit.take(holder.id)


#: For `include_router`. As the prefix of `api` itself, FastAPI would prepare all routes twice.
PREFIX = "/api/v1"
api = APIRouter(dependencies=[Depends(within_limit), Depends(language_parameter)])
parts = (
    *(courses, members, submissions, reports, grades, work, same_code, people, assignments, regrades, rosters),
    *(ways_in, webhooks),
)
for part in parts:
    api.include_router(part.router)
