"""Forms of our pages: read within limits, proved to be ours, answered with a redirect or with the same page again."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData
from starlette.status import HTTP_303_SEE_OTHER

from app.answers import answer_for
from app.errors import (
    AdjustmentReplaced,
    AppError,
    AssignmentInUse,
    DeletionUnconfirmed,
    EmailTaken,
    ExternalIdTaken,
    FieldsMissing,
    JoinFollowed,
    LateWithoutDue,
    NoFileChosen,
    PersonsShareCourse,
    RosterChanged,
    RulesContradictory,
)
from app.http.auth.proof import FORM_FIELD, check_form_secret, check_origin
from app.http.bodies import texts_of
from app.http.pages import SAID
from app.http.problems import problem
from app.http.texts import language_of
from app.texts import text

#: The largest form has a box to tick in each row of a page of members.
FIELDS_MAX = 500
#: The field at which a refusal is shown. Contradictory dates name theirs themselves.
AT: Mapping[type[AppError], str] = {
    ExternalIdTaken: "external_id",
    EmailTaken: "email",
    LateWithoutDue: "late_percent_per_day",
    DeletionUnconfirmed: "confirmation",
}
#: Texts for people, where those of the problem documents suit only programs.
WORDS: Mapping[type[AppError], str] = {
    ExternalIdTaken: "refused.id_taken",
    EmailTaken: "refused.email_taken",
    LateWithoutDue: "refused.late_without_due",
    DeletionUnconfirmed: "refused.unconfirmed",
    AssignmentInUse: "refused.in_use",
    PersonsShareCourse: "refused.share_course",
    JoinFollowed: "refused.followed",
    RosterChanged: "refused.roster_changed",
    FieldsMissing: "refused.no_roster",
    NoFileChosen: "refused.no_file",
    AdjustmentReplaced: "course.replaced",
}


async def read_page_form(request: Request) -> FormData:
    """Read a form of a page, without files. `session_holder` has checked the origin.

    Raises:
        FormExpired: it is not from a page of this session.
        starlette.exceptions.HTTPException: it has too many parts.
    """
    form = await request.form(max_files=0, max_fields=FIELDS_MAX)
    # For the page of a refusal.
    request.state.long_texts = texts_of(form)
    await check_form_secret(request, form.get(FORM_FIELD))
    return form


async def read_strangers_form(request: Request, most_fields: int) -> dict[str, str]:
    """Read the texts of a form that somebody who is not signed in has sent from a page of ours. Raises: OtherSite"""
    check_origin(request)
    async with request.form(max_files=0, max_fields=most_fields) as form:
        return fields_of(form)


async def texts_in(request: Request, most_fields: int) -> list[tuple[str, str]]:
    """Read the texts of a form that a platform has sent, in their order."""
    async with request.form(max_files=0, max_fields=most_fields) as form:
        return [(name, value) for name, value in form.multi_items() if isinstance(value, str)]


def fields_of(form: FormData) -> dict[str, str]:
    """Return the texts of a form without spaces around them, to show the form again as it was filled in."""
    return {name: lines_of(value).strip() for name, value in form.items() if isinstance(value, str)}


def lines_of(text: str) -> str:
    """Return a text with line ends as we write them. Browsers send CR LF, and a page shows a CR as a character."""
    return text.replace("\r\n", "\n")


def see_other(address: str, *, said: str | None = None) -> Response:
    """Send the browser to another page of ours after a change.

    Args:
        address: begins with a slash.
        said: the next page shows the text ``said.<said>``.
    """
    parts = urlsplit(address)
    query = "&".join(filter(None, [parts.query, urlencode({SAID: said}) if said else ""]))
    return RedirectResponse(urlunsplit(parts._replace(query=query)), HTTP_303_SEE_OTHER)


def refusal_context(request: Request, error: AppError) -> dict[str, Any]:
    """Return what shows a refusal above the form of a page: ``status_code``, and the ``problem`` in words."""
    answer = answer_for(error)
    return {"status_code": answer.status, "problem": problem(answer, language_of(request), error.params)}


def field_errors(refusal: AppError, language: str) -> dict[str, str]:
    """Return the words of a refusal by the field that it concerns; empty: it concerns none."""
    if isinstance(refusal, RulesContradictory):
        return {name: text(f"refused.order.{name}", language) for name in refusal.params["fields"]}
    name = AT.get(type(refusal))
    return {name: text(WORDS[type(refusal)], language, **refusal.params)} if name else {}
