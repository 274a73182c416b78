"""All JSON endpoints under one prefix, with the checks and refusals that they share."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from app.access.tokens import Principal
from app.api.endpoints import (
    assignments,
    checks,
    courses,
    grades,
    members,
    notebooks,
    regrades,
    reports,
    rosters,
    submissions,
    ways_in,
    webhooks,
    work,
)
from app.http.auth.holders import token_holder
from app.http.parameters import language_parameter
from app.services import services


async def within_limit(request: Request, holder: Annotated[Principal, Depends(token_holder)]) -> None:
    """Raises: TooManyRequests: the token asks too often."""
    services(request).request_limit.take(holder.id)


#: Calls of those who have no token yet.
of_strangers = APIRouter(dependencies=[Depends(language_parameter)])
of_strangers.include_router(notebooks.router)

#: For `include_router`. As the prefix of `api` itself, FastAPI would prepare all routes twice.
PREFIX = "/api/v1"
api = APIRouter(dependencies=[Depends(within_limit), Depends(language_parameter)])
for part in (
    *(courses, members, submissions, checks, reports, grades, work, assignments, regrades, rosters),
    *(ways_in, webhooks),
):
    api.include_router(part.router)
