"""Sentences of these pages that are put together from a report, and times as the axis of a picture has them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from babel.dates import format_datetime

from app.storage.models import StoredReport
from app.teaching.overview.activity import Unit
from grader import Report
from grader.report.messages import render
from grader.report.model import HELD
from grader.report.server_paths import clean

#: How each step of an axis is named.
PATTERNS = {Unit.HOUR: "d MMM, HH:mm", Unit.DAY: "d MMMM", Unit.WEEK: "d MMMM"}


def reason_of_hold(stored: StoredReport | None, language: str) -> Sequence[str]:
    """Say in words why an attempt is held. A later report may no longer say it."""
    if stored is None:
        return ()
    said = render(Report.model_validate(stored.body), language)["advisories"]
    return [clean(each["message"]) for each in said if each["code"] == HELD]


def step_in_words(step: datetime, unit: Unit, language: str) -> str:
    """Name a step of the axis by its beginning."""
    return format_datetime(step, PATTERNS[unit], tzinfo=step.tzinfo, locale=language)
