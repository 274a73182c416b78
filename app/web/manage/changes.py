"""The log of changes to a course, in words: who changed what, from what to what, and when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Response

from app.access.rights import Right
from app.actions.fields import ID
from app.courses import changes
from app.courses.changes import LINKS, NAMES, Subjects
from app.http.pages import maker_in_words
from app.http.visits import ROWS, Pages, Visit, one_page
from app.storage.models import Change, Membership
from app.storage.paging import Paging
from app.texts import text
from grader.report import numbers

#: Values that are moments in ISO 8601, and the beginnings of the ids of texts for values with words of their own.
MOMENTS = frozenset({"opens", "due", "closes"})
WORDS = {
    "to": "letter.log.",
    "role": "role.",
    "counts": "settings.counts.",
    "language": "language.",
    "decision": "course.hold.",
}
#: Values with several parts, in the order of the sentence.
IN_PARTS = ("extension", "adjustment", "hold", "letter")
PARTS = (
    *("attempt", "decision", "due", "closes", "more_attempts", "delta", "value", "reason"),
    *("count", "to", "below", "subject"),
)
POINTS = ("delta", "value")
#: Values that only describe a new or a deleted row.
OF_ROWS = {"course": "title", "assignment": "assignment", "member": "role"}
#: Values that are only ids, so there is nothing to say but that they were added or removed.
ONLY_IDS = frozenset({"comment", "answered_review", "identity", "person_id"})

router = Pages("/courses/{course_id}")


@dataclass(frozen=True)
class Line:
    """A value that changed. None: there was none, or there is none."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Entry:
    """A change in words.

    Attributes:
        kind: the subject, and ``made``, ``changed`` or ``removed``.
        by: the one who made it.
        about: the name of what was changed.
        member: the member concerned, if it is still there.
    """

    change: Change
    kind: str
    by: str
    about: str
    member: Membership | None
    lines: Sequence[Line]


@router.page("/changes", Right.SEE_MEMBERS)
async def list_changes(
    visit: Visit, page_from: str = "", subject: str = "", by: str = "", member: str = ""
) -> Response:
    by = by if by.isprintable() else ""
    paging = Paging(ROWS, int(page_from) if page_from.isdecimal() and len(page_from) < 19 else None)
    rows = await changes.list_changes(
        visit.session,
        visit.course_id,
        paging,
        subject=subject if subject in NAMES else None,
        made_by=by[:200],
        member_id=member if ID.fullmatch(member) else None,
    )
    subjects = await changes.subjects_of(visit.session, visit.course_id, rows)
    makers = await changes.makers(visit.session, visit.course_id)
    titles = visit.every_title(tuple(subjects.uses.values()))
    words = Words(visit.language, visit.zone, subjects, titles)
    return visit.page(
        "manage/changes.html",
        "changes",
        makers=[(name, maker_in_words(name, words.language)) for name in makers],
        subjects=list(NAMES),
        filters={"subject": subject, "by": by},
        member=subjects.members.get(member),
        **one_page("entries", paging, list(map(words.entry, rows)), lambda row: row.change.id),
    )


@dataclass(frozen=True)
class Words:
    """Puts changes into words.

    Attributes:
        subjects: the members and assignments of the changes, as they are now.
        titles: of assignments, by the ids of their files.
    """

    language: str
    zone: ZoneInfo
    subjects: Subjects
    titles: Mapping[str, str]

    def entry(self, change: Change) -> Entry:
        own = OF_ROWS[change.subject]
        is_new, is_gone = own not in change.before, own not in change.after
        kind = "changed" if is_new == is_gone else "made" if is_new else "removed"
        names = sorted({*change.before, *change.after}, key=lambda name: (name not in ("title", "name"), name))
        shown = [name for name in names if not (kind != "changed" and name in ("assignment", "removed", "archived"))]
        lines = [self._line(change.subject, name, change.before, change.after) for name in shown]
        member = self.subjects.members.get(change.membership_id or "")
        return Entry(
            change,
            f"{change.subject}.{kind}",
            maker_in_words(change.made_by, self.language),
            self._about(change),
            member,
            [each for each in lines if each.before or each.after],
        )

    def _about(self, change: Change) -> str:
        values = {**change.before, **change.after}
        if change.subject == "assignment":
            use = self.subjects.uses.get(change.subject_id)
            return self._title(values.get("assignment") or (use.assignment_id if use else change.subject_id))
        if change.subject == "member":
            member = self.subjects.members.get(change.subject_id)
            return self._member(member) if member else values.get("external_id") or change.subject_id
        return ""

    def _line(self, subject: str, name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Line:
        if name in ONLY_IDS:
            was, now = before.get(name), after.get(name)
            happened = "change.changed" if was and now else "change.came" if now else "change.went"
            return Line(f"{subject}.{name}", None, self._text(happened))
        return Line(
            f"{subject}.{name}",
            self._value(name, before[name]) if name in before else None,
            self._value(name, after[name]) if name in after else None,
        )

    def _value(self, name: str, value: Any) -> str | None:
        """Return a value as people write it; None: there is none."""
        if value is None or value == "":
            return None
        if isinstance(value, bool):
            return self._text("change.yes" if value else "change.no")
        if name in LINKS:
            member = self.subjects.members.get(value)
            return self._member(member) if member else str(value)
        if name in IN_PARTS and isinstance(value, dict):
            # Zero further attempts are not worth mentioning; zero points are.
            parts = {part: value.get(part) for part in PARTS if value.get(part) or part in POINTS}
            phrases = [
                self._text(f"change.part.{part}", value=self._value(part, each))
                for part, each in parts.items()
                if each is not None
            ]
            return f"{self._title(str(value.get('assignment')))}: {', '.join(phrases)}"
        if name == "assignment":
            return self._title(str(value))
        if name in MOMENTS:
            return self._moment(value)
        if name in WORDS:
            return self._text(f"{WORDS[name]}{value}")
        if isinstance(value, int | float):
            return numbers.points(float(value), self.language)
        return str(value)

    def _moment(self, value: str) -> str:
        try:
            return numbers.moment(datetime.fromisoformat(value).astimezone(self.zone), self.language)
        except ValueError:
            return str(value)

    def _member(self, member: Membership) -> str:
        return member.person.name or member.external_id or member.id

    def _title(self, assignment_id: str) -> str:
        return self.titles.get(assignment_id, assignment_id)

    def _text(self, id: str, **params: object) -> str:
        return text(id, self.language, **params)
