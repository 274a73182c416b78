"""Tokens of notebooks, for the codes that assignments' pages show. The only call that takes no token."""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import Field
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from starlette.status import HTTP_201_CREATED

from app.actions import notebooks as actions
from app.api.openapi import refusals
from app.bodies import Body, shows
from app.courses.assignments import title_of
from app.errors import AssignmentNotFound, NotebookCodeUnusable, TooManyRequests
from app.http.auth.sessions import client_of
from app.services import services

PATH = "/notebook/tokens"

router = APIRouter(tags=["tokens"])


class NotebookTokenBody(Body):
    """The token of a notebook: for the student's submissions to one assignment."""

    token: str = shows("send it as `Authorization: Bearer ...`; it is shown only here")
    assignment: str = Field(examples=["lstm-layer"])
    title: str
    language: Literal["en", "ru"] = shows("of the page that showed the code")
    expires_at: datetime
    whole_notebook: bool = shows("the notebook is run as well, so its class alone is not enough")
    upload_bytes: int = shows("the limit of a file", 20_000_000)
    check_only: bool = shows("whether the course allows checks that use no attempt")


@router.post(
    PATH,
    summary="Exchange a code for a token",
    status_code=HTTP_201_CREATED,
    responses=refusals(
        NotebookCodeUnusable,
        AssignmentNotFound,
        RequestValidationError,
        TooManyRequests,
        SQLAlchemyError,
        NoConnectionFree,
    ),
    openapi_extra={"security": []},
)
async def exchange_code(request: Request, wanted: actions.ExchangeCode) -> NotebookTokenBody:
    """Exchange the code that a student's page shows for a token of this one assignment.

    A code works once, for ten minutes. One that is wrong, used, replaced or too old is refused in the same way.
    """
    parts, client = services(request), client_of(request)
    for limit, of in (parts.wrong_codes, ""), (parts.wrong_codes_of_client, client):
        limit.check(of)
    try:
        notebook = await actions.exchange_code(parts.database, parts.assignments, wanted)
    except NotebookCodeUnusable:
        for limit, of in (parts.wrong_codes, ""), (parts.wrong_codes_of_client, client):
            limit.take(of)
        raise
    assignment, token = notebook.used.effective, notebook.token
    assert assignment is not None
    assert token.expires_at is not None
    return NotebookTokenBody(
        token=notebook.secret,
        assignment=assignment.id,
        title=title_of(notebook.used.use, parts.assignments, notebook.language),
        language=notebook.language,
        expires_at=token.expires_at,
        whole_notebook=assignment.has_task2,
        upload_bytes=parts.inbox.most_bytes(assignment),
        check_only=assignment.attempts.checks_per_hour > 0,
    )
