"""The rows of course assignments: add, change and remove them, with a line in the log for each change.

Each change waits for the assignment's turn (`assignments.turn_of`) and reads the row in it, so two changes at once lose
nothing. A course uses one file once: a second row for the same file would need a name of its own in uploads.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses import changes, course
from app.courses.assignments import Assignments, Rules, find, in_course, stand_in, turn_of
from app.errors import (
    AssignmentInUse,
    AssignmentNotFound,
    AssignmentUnknown,
    LateWithoutDue,
    RulesContradictory,
    existing,
)
from app.storage.models import DEFAULT_COURSE, Adjustment, Comment, CourseAssignment, Extension, LtiLink, Submission
from app.storage.passback import grades_changed
from app.storage.turns import take_turns
from app.storage.updates import update_rows
from grader import Assignment

DATES = ("opens", "due", "closes")


@dataclass(frozen=True)
class UsedAssignment:
    """An assignment as a course uses it.

    Attributes:
        use: the row; a stand-in for it in the course Default, which uses every file.
        effective: the file with the course's dates and rules; None: the file is gone.
    """

    use: CourseAssignment
    effective: Assignment | None

    @property
    def rules(self) -> Rules:
        """The dates and rules that hold."""
        return rules_of(self.effective) if self.effective else Rules.model_validate(self.use.rules)


async def list_used(session: AsyncSession, course_id: str, assignments: Assignments) -> Sequence[UsedAssignment]:
    """List the assignments of a course by their ids, also those whose file is gone."""
    return (await used_by_course(session, [course_id], assignments))[course_id]


async def used_by_course(
    session: AsyncSession, course_ids: Collection[str], assignments: Assignments
) -> Mapping[str, Sequence[UsedAssignment]]:
    """List the assignments of these courses as `list_used` does, by the id of the course."""
    uses: dict[str, dict[str, CourseAssignment]] = {course_id: {} for course_id in course_ids}
    for use in await session.scalars(select(CourseAssignment).where(CourseAssignment.course_id.in_(course_ids))):
        uses[use.course_id][use.assignment_id] = use
    if DEFAULT_COURSE in uses:
        uses[DEFAULT_COURSE] = {id: stand_in(id) for id in assignments} | uses[DEFAULT_COURSE]
    return {
        course_id: [UsedAssignment(here[id], in_course(assignments, here[id])) for id in sorted(here)]
        for course_id, here in uses.items()
    }


async def find_used(
    session: AsyncSession, course_id: str, assignment_id: str, assignments: Assignments
) -> UsedAssignment:
    """Raises: AssignmentNotFound: the course does not use it."""
    use = (await find(session, [(course_id, assignment_id)])).get((course_id, assignment_id))
    if use is None and course_id == DEFAULT_COURSE and assignment_id in assignments:
        use = stand_in(assignment_id)
    use = existing(use, AssignmentNotFound)
    return UsedAssignment(use, in_course(assignments, use))


async def put(
    session: AsyncSession,
    course_id: str,
    assignment_id: str,
    assignments: Assignments,
    given: Mapping[str, Any],
    made_by: str,
) -> UsedAssignment:
    """Let a course use an assignment, with only these values.

    Args:
        given: `title`, `grade_book_points`, and the dates and rules that differ from the file as `rules`.
        made_by: for the log.
    Raises:
        CourseArchived: nothing there changes any more.
        AssignmentUnknown: there is no such file.
        RulesContradictory, LateWithoutDue
    """
    if assignment_id not in assignments:
        raise AssignmentUnknown(came=assignment_id, known=sorted(assignments))
    use = await _take_row(session, course_id, assignment_id)
    before = values(use) if use else {}
    if use is None:
        use = CourseAssignment(course_id=course_id, assignment_id=assignment_id, rules={})
        session.add(use)
    use.title, use.grade_book_points = given.get("title"), given.get("grade_book_points")
    use.rules = given.get("rules", {})
    return await _store(session, use, assignments, before, made_by)


async def change(
    session: AsyncSession,
    course_id: str,
    assignment_id: str,
    assignments: Assignments,
    given: Mapping[str, Any],
    made_by: str,
    as_in_file: Collection[str] = (),
) -> UsedAssignment:
    """Change the given values, dates and rules.

    Args:
        given: as for `put`.
        as_in_file: names of rules that return to the file's values.
        made_by: for the log.
    Raises:
        CourseArchived: nothing there changes any more.
        AssignmentNotFound: the course does not use it.
        RulesContradictory, LateWithoutDue
    """
    use = await _take_row(session, course_id, assignment_id)
    before = values(use) if use else {}
    if use is None:
        await find_used(session, course_id, assignment_id, assignments)
        use = CourseAssignment(course_id=course_id, assignment_id=assignment_id, rules={})
        session.add(use)
    for name in ("title", "grade_book_points"):
        if name in given:
            setattr(use, name, given[name])
    rules = {**use.rules, **given.get("rules", {})}
    use.rules = {name: value for name, value in rules.items() if name not in as_in_file}
    return await _store(session, use, assignments, before, made_by)


async def remove(session: AsyncSession, course_id: str, assignment_id: str, made_by: str) -> None:
    """Remove an assignment from a course. The course Default then uses it as the file says.

    Raises:
        CourseArchived: nothing there changes any more.
        AssignmentNotFound: the course does not use it.
        AssignmentInUse: there are submissions to it, or decisions about somebody's.
    """
    use = existing(await _take_row(session, course_id, assignment_id), AssignmentNotFound)
    if refusal := await in_use(session, use):
        raise refusal
    changes.log(session, use, made_by, values(use), {})
    # A platform's link to it then leads nowhere, and asks its teacher for another assignment.
    await update_rows(session, LtiLink, LtiLink.course_assignment_id == use.id, course_assignment_id=None)
    await session.delete(use)
    await session.flush()


async def in_use(session: AsyncSession, use: CourseAssignment) -> AssignmentInUse | None:
    """Return the refusal to remove it, with the numbers of rows that refer to it; None: there are none."""
    submissions = await _count(session, Submission, use)
    decisions = sum([await _count(session, each, use) for each in (Extension, Adjustment, Comment)])
    return AssignmentInUse(submissions=submissions, decisions=decisions) if submissions or decisions else None


def values(use: CourseAssignment) -> dict[str, Any]:
    """Return what can be changed, for the log."""
    return {
        "assignment": use.assignment_id,
        "title": use.title,
        "grade_book_points": use.grade_book_points,
        **use.rules,
    }


def check(effective: Assignment, rules: Mapping[str, Any]) -> None:
    """Check the dates and rules as they would hold, if the course sets any of them.

    Raises:
        RulesContradictory: it would not open before it is due, or close before that.
        LateWithoutDue: the course has lateness cost points, and nobody can be late.
    """
    dates = {name: getattr(effective.deadline, name) for name in DATES}
    wrong = _out_of_order(**dates)
    if wrong and any(rules.get(name) for name in DATES):
        raise RulesContradictory(fields=wrong, **{name: date and date.isoformat() for name, date in dates.items()})
    if rules.get("late_percent_per_day") and effective.deadline.due is None:
        raise LateWithoutDue


def _out_of_order(opens: datetime | None, due: datetime | None, closes: datetime | None) -> list[str]:
    """Name the dates that stand before one that they should follow, or after one that should follow them."""
    wrong = set()
    if opens and due and due <= opens:
        wrong |= {"opens", "due"}
    if opens and closes and closes <= opens:
        wrong |= {"opens", "closes"}
    if due and closes and closes < due:
        wrong |= {"due", "closes"}
    return [name for name in DATES if name in wrong]


async def _take_row(session: AsyncSession, course_id: str, assignment_id: str) -> CourseAssignment | None:
    """Find the row in the assignment's turn. Raises: CourseArchived"""
    await course.keep_open(session, course_id)
    await take_turns(session, [turn_of(assignment_id)])
    of = CourseAssignment.course_id == course_id, CourseAssignment.assignment_id == assignment_id
    return await session.scalar(select(CourseAssignment).where(*of).execution_options(populate_existing=True))


async def _store(
    session: AsyncSession, use: CourseAssignment, assignments: Assignments, before: Mapping[str, Any], made_by: str
) -> UsedAssignment:
    effective = in_course(assignments, use)
    if effective is not None:
        check(effective, use.rules)
    await session.flush()
    if changes.log(session, use, made_by, before, values(use)):
        await grades_changed(session, use.id)
    return UsedAssignment(use, effective)


async def _count(
    session: AsyncSession,
    table: type[Submission] | type[Extension] | type[Adjustment] | type[Comment],
    use: CourseAssignment,
) -> int:
    return await session.scalar(select(func.count()).where(table.course_assignment_id == use.id)) or 0


def rules_of(assignment: Assignment) -> Rules:
    """Return the dates and rules of an assignment."""
    given = {**dict(assignment.deadline), **dict(assignment.attempts)}
    return Rules.model_validate({name: given[name] for name in Rules.model_fields})
