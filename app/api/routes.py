"""All JSON endpoints under one prefix, with the checks and refusals that they share."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from app.api.endpoints import (
    assignments,
    course_assignments,
    courses,
    events,
    grades,
    links,
    members,
    people,
    regrades,
    reports,
    reviews,
    rosters,
    same_code,
    submissions,
    tokens,
    webhooks,
    work,
)
from app.api.openapi import problem_answers
from app.errors.courses import CourseNotFound
from app.errors.requests import NotAuthenticated, TooManyRequests
from app.http.auth.holders import Reader
from app.http.parameters import language_parameter
from app.services import services


async def within_limit(request: Request, holder: Reader) -> None:
    """Raises: TooManyRequests: the token asks too often."""
    services(request).request_limit.take(holder.id)


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
    events,
    reports,
    grades,
    work,
    same_code,
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
