"""All JSON endpoints under one prefix, with the checks and refusals that they share."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from app.access.tokens import Principal
from app.api.endpoints import (
    assignments,
    checks,
    course_assignments,
    courses,
    events,
    grades,
    links,
    members,
    notebooks,
    people,
    regrades,
    reports,
    reviews,
    rosters,
    submissions,
    tokens,
    webhooks,
    work,
)
from app.api.openapi import problem_answers
from app.errors.courses import CourseNotFound
from app.errors.requests import NotAuthenticated, TooManyRequests
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
api = APIRouter(
    dependencies=[Depends(within_limit), Depends(language_parameter)],
    responses=problem_answers(
        NotAuthenticated, CourseNotFound, RequestValidationError, TooManyRequests, SQLAlchemyError, NoConnectionFree
    ),
)
for part in (
    courses,
    course_assignments,
    members,
    submissions,
    checks,
    events,
    reports,
    grades,
    work,
    reviews,
    people,
    assignments,
    regrades,
    rosters,
    links,
    tokens,
    webhooks,
):
    api.include_router(part.router)
