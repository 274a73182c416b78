"""Assignments as a course uses them: which files, and the dates and rules that differ from the file.

The file holds for everything that a course leaves out, and is asked on each request. A teacher who moves a deadline
there moves it in every course that sets none of its own.
"""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field
from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.storage.models import DEFAULT_COURSE, CourseAssignment
from app.storage.turns import take_turns
from app.values import WHOLE, Moment, Percent
from grader import Assignment
from grader.assignment import AssignmentModel, Attempts, Deadline

#: The assignments of the service, by the ids of their files.
Assignments = Mapping[str, Assignment]
#: A course's id, and the id of an assignment file.
Use = tuple[str, str]
#: Largest limit that a course or an extension may set.
MOST_ATTEMPTS = 1000


def _rule(missing: object, description: str) -> Any:
    # The API's document shows no defaults: for a missing field the file's value holds.
    return Field(default_factory=lambda: missing, description=description)


class Rules(AssignmentModel):
    """The dates and rules that the course sets. A missing one is as in the file; null means that there is none."""

    opens: Moment | None = _rule(None, "before that nothing is accepted")
    due: Moment | None = _rule(None, "later attempts are late")
    closes: Moment | None = _rule(None, "from here on nothing is accepted")
    late_percent_per_day: Percent = _rule(0.0, "of its points that a late attempt loses for each day begun")
    late_percent_max: Percent = _rule(100.0, "the most that lateness costs")
    limit: Annotated[int, Field(ge=1, le=MOST_ATTEMPTS, strict=True), WHOLE] | None = _rule(None, "most attempts")
    cooldown_seconds: Annotated[int, Field(ge=0, le=30 * 86400, strict=True), WHOLE] = _rule(
        0, "from one attempt to the next"
    )
    counts: Literal["best", "last"] = _rule("best", "which attempt is the grade")
    checks_per_hour: Annotated[int, Field(ge=0, le=60, strict=True), WHOLE] = _rule(
        0, "checks of a student before handing in, which use no attempt; 0: none"
    )

    def applied_to(self, assignment: Assignment) -> Assignment:
        """Return the assignment with these dates and rules.

        The order of the dates is not checked: one that was moved in the file later must not stop uploads.
        """
        given = {name: getattr(self, name) for name in self.model_fields_set}
        changed = {
            "deadline": assignment.deadline.model_copy(update=_of(Deadline, given)),
            "attempts": assignment.attempts.model_copy(update=_of(Attempts, given)),
        }
        return assignment.model_copy(update=changed)


def _of(model: type[Deadline | Attempts], given: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in given.items() if name in model.model_fields}


def in_course(assignments: Assignments, use: CourseAssignment) -> Assignment | None:
    """Return the assignment with the dates and rules of the course; None: its file is gone."""
    assignment = assignments.get(use.assignment_id)
    return assignment and Rules.model_validate(use.rules).applied_to(assignment)


def title_of(use: CourseAssignment, assignments: Assignments, language: str) -> str:
    """Return its title in the course, or else that of its file; without the file, its id."""
    file = assignments.get(use.assignment_id)
    return use.title or (file.title_in(language) if file else use.assignment_id)


async def offer(session: AsyncSession, uses: Collection[Use]) -> dict[Use, CourseAssignment]:
    """Find the rows of these assignments in these courses, without those that their course does not use.

    The default course uses every file, so a missing row is added there.
    """
    uses_here = await find(session, uses)
    missing = sorted({use for use in uses if use not in uses_here and use[0] == DEFAULT_COURSE})
    if missing:
        await take_turns(session, [turn_of(assignment_id) for _, assignment_id in missing])
        uses_here |= await find(session, missing)  # Another transaction may have added the row first.
        for course_id, assignment_id in missing:
            if (course_id, assignment_id) not in uses_here:
                use = CourseAssignment(course_id=course_id, assignment_id=assignment_id, rules={})
                session.add(use)
                uses_here[course_id, assignment_id] = use
        await session.flush()
    return uses_here


def stand_in(assignment_id: str) -> CourseAssignment:
    """Return a use by the course Default, which uses every file, even without a row. No grade refers to it."""
    return CourseAssignment(id=f"-{assignment_id}", course_id=DEFAULT_COURSE, assignment_id=assignment_id, rules={})


def turn_of(assignment_id: str) -> str:
    """Return the turn in which rows of this assignment are added, changed and removed, in any course."""
    return f"assignment:{assignment_id}"


async def find(session: AsyncSession, uses: Collection[Use]) -> dict[Use, CourseAssignment]:
    """Find the rows of these assignments in these courses."""
    ids = tuple_(CourseAssignment.course_id, CourseAssignment.assignment_id)
    rows = await session.scalars(select(CourseAssignment).where(ids.in_(uses)))
    return {(use.course_id, use.assignment_id): use for use in rows}


async def used_in(session: AsyncSession, course_id: str, assignments: Assignments) -> list[str]:
    """List the ids of the assignments that a course uses, as far as their files are there."""
    if course_id == DEFAULT_COURSE:
        return sorted(assignments)
    ids = await session.scalars(select(CourseAssignment.assignment_id).where(CourseAssignment.course_id == course_id))
    return sorted(set(ids) & set(assignments))
