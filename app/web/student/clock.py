"""The clock by which a student's pages tell times: that of the course, and with scripts the reader's own."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from app.storage.models import Course
from app.submissions.derivation import Step, step_in_words


def zone_of(course: Course) -> ZoneInfo:
    """Return the clock of a course."""
    return ZoneInfo(course.time_zone)


def told(steps: Sequence[Step], language: str, zone: ZoneInfo) -> list[tuple[str, str | None]]:
    """Put the steps to a grade into words, each with the time (ISO 8601) that it tells by the clock of `zone`."""
    return [(step_in_words(step, language, zone), step.params.get("due")) for step in steps]
