"""Refusals in the words of pages, where those of the problem documents suit only programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request

from app.errors import AppError
from app.errors.courses import AssignmentInUse, DeletionUnconfirmed, LateWithoutDue, RulesContradictory
from app.errors.members import EmailTaken, ExternalIdTaken, JoinFollowed, PersonsShareCourse
from app.errors.rosters import RosterChanged
from app.errors.uploads import FieldsMissing
from app.http.forms import refusal_context
from app.http.texts import language_of
from app.texts import text

#: The field at which a refusal is shown. Contradictory dates name theirs themselves.
AT: Mapping[type[AppError], str] = {
    ExternalIdTaken: "external_id",
    EmailTaken: "email",
    LateWithoutDue: "late_percent_per_day",
    DeletionUnconfirmed: "confirmation",
}
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
}


def page_refusal_context(request: Request, refusal: AppError) -> dict[str, Any]:
    """Return what a page needs to show a refusal: ``status_code`` and ``problem``."""
    shown = refusal_context(request, refusal)
    if id := WORDS.get(type(refusal)):
        shown["problem"]["detail"] = text(id, language_of(request), **refusal.params)
    return shown


def field_errors(refusal: AppError, language: str) -> dict[str, str]:
    """Return the words of a refusal by the field that it concerns; empty: it concerns none."""
    if isinstance(refusal, RulesContradictory):
        return {name: text(f"refused.order.{name}", language) for name in refusal.params["fields"]}
    name = AT.get(type(refusal))
    return {name: text(WORDS[type(refusal)], language, **refusal.params)} if name else {}
