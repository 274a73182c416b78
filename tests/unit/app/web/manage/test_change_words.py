"""Changes in words: each value that the log may hold, in both languages."""

import re
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.courses.changes import NAMES, Subjects
from app.http.pages import maker_in_words
from app.storage.models import Change, new_id, utc_now
from app.web.manage.changes import Words
from grader.report.messages import LANGUAGES

VALUES: dict[str, Any] = {
    "role": "assistant",
    "language": "ru",
    "counts": "last",
    "due": "2030-10-01T20:59:59Z",
    "opens": "2030-10-01T20:59:59Z",
    "closes": "2030-10-01T20:59:59Z",
    "extension": {"assignment": "lstm-layer", "due": "2030-10-01T20:59:59+00:00", "more_attempts": 2, "reason": "ill"},
    "adjustment": {"assignment": "lstm-layer", "id": "x", "delta": 5.0, "value": None, "reason": "a plot"},
    "hold": {"assignment": "lstm-layer", "attempt": 2, "decision": "rejected", "reason": "it was no accident"},
    "confirmed": True,
    "removed": False,
    "archived": True,
    "limit": 5,
}
PLACES = [(subject, name) for subject, names in NAMES.items() for name in sorted(names)]


def change(subject: str, before: dict[str, Any], after: dict[str, Any]) -> Change:
    return Change(
        id=1, subject=subject, subject_id=new_id(), made_by="anna", created_at=utc_now(), before=before, after=after
    )


def words(zone: str = "UTC", language: str = "en", **titles: str) -> Words:
    return Words(
        language, ZoneInfo(zone), Subjects({}, {}), {id.replace("_", "-"): each for id, each in titles.items()}
    )


def test_every_value_of_the_log_has_words():
    wrong = []
    for language in LANGUAGES:
        for subject, name in PLACES:
            (line,) = (
                words("Europe/Moscow", language)
                .entry(change(subject, {name: None}, {name: VALUES.get(name, "x")}))
                .lines
            )
            assert line.name == f"{subject}.{name}"
            if not line.after or any(marks in line.after for marks in ("{", "change.", "None", "T20:59")):
                wrong.append((language, line.name, line.after))
    assert wrong == []


def test_moments_are_by_the_clock_of_the_course():
    (line,) = words("Europe/Moscow").entry(change("assignment", {"due": "2030-10-01T20:59:59Z"}, {"due": None})).lines
    assert (line.before, line.after) == ("1 October 2030, 23:59 UTC+03:00", None)


def test_assignments_have_their_titles():
    titled = words(lstm_layer="An LSTM of one's own")
    added = titled.entry(change("assignment", {}, {"assignment": "lstm-layer", "limit": 5}))
    assert added.about == "An LSTM of one's own"
    for name in "extension", "adjustment", "hold":
        (line,) = titled.entry(change("member", {}, {name: VALUES[name]})).lines
        assert line.after.startswith("An LSTM of one's own: ")
    assert titled.entry(change("assignment", {"assignment": "gone"}, {})).about == "gone"


@pytest.mark.parametrize("way", ["value", "delta"])
def test_grade_that_is_set_to_zero_is_said(way):
    adjustment = {"assignment": "lstm-layer", "delta": None, "value": None, "reason": "copied", way: 0.0}
    (line,) = words().entry(change("member", {}, {"adjustment": adjustment})).lines
    assert re.search(r"\b0\b", line.after)
    assert len(line.after.split(", ")) == 2
    extended = {"assignment": "lstm-layer", "due": None, "more_attempts": 0, "reason": "ill"}
    (line,) = words().entry(change("member", {}, {"extension": extended})).lines
    assert "0" not in str(line.after)


def test_makers_that_are_no_people_have_words():
    assert maker_in_words("anna", "en") == "anna"
    assert maker_in_words("single sign-on", "en") == "single sign-on"
    assert maker_in_words(f"join link {new_id()}", "en").startswith("link for everybody")
    assert maker_in_words("owner", "ru") == "владелец сервиса"


@pytest.mark.parametrize(
    ("before", "after", "said"), [(None, "1", "added"), ("1", None, "removed"), ("1", "2", "changed")], ids=str
)
def test_values_that_are_only_ids_are_said_to_come_and_go(before, after, said):
    sides = [{"comment": side} if side else {} for side in (before, after)]
    (line,) = words().entry(change("member", *sides)).lines
    assert (line.before, line.after) == (None, said)


def test_new_things_are_told_from_changed_and_removed_ones():
    for subject, before, after, kind in (
        ("course", {}, {"title": "x"}, "course.made"),
        ("course", {"title": "x"}, {"title": "y"}, "course.changed"),
        ("assignment", {}, {"assignment": "x", "limit": 5}, "assignment.made"),
        ("assignment", {}, {"due": "2030-10-01T20:59:59Z"}, "assignment.changed"),
        ("assignment", {"limit": 5}, {}, "assignment.changed"),
        ("assignment", {"assignment": "x"}, {}, "assignment.removed"),
        ("member", {}, {"role": "student"}, "member.made"),
        ("member", {}, {"comment": "id"}, "member.changed"),
        ("member", {"comment": "id"}, {}, "member.changed"),
    ):
        assert words().entry(change(subject, before, after)).kind == kind
