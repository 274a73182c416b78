"""Courses themselves: make, change, copy and delete them; and the assignments that they use."""

from collections.abc import AsyncIterator, Collection
from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.idempotency import make_once
from app.access.rights import Right
from app.actions.actor import Actor, Writer, action, change
from app.actions.fields import ActionRequest, Language, Name, Points, TimeZone
from app.courses import changes, copying, uses
from app.courses import course as courses
from app.courses.assignments import Rules
from app.courses.uses import UsedAssignment
from app.errors import DeletionUnconfirmed
from app.privacy import deletion
from app.privacy.deletion import DeletedCourse
from app.storage.models import Course
from app.teaching.course_archive import course_archive
from app.values import WHOLE

RETENTION = "age at which submissions are deleted; null: as in the settings of the service; for admins"
MOST_COPY_DAYS = 3660

RetentionDays = Annotated[float, Field(ge=0.01, le=36500, strict=True, allow_inf_nan=False)]


class MakeCourse(ActionRequest):
    examples = ({"title": "Сети, весна", "language": "ru", "time_zone": "Europe/Moscow"},)

    title: Name
    language: Language = Field(Language.EN, description="of texts for its people, where the reader asks for none")
    time_zone: TimeZone = "UTC"
    retention_days: RetentionDays | None = Field(None, description=RETENTION)


class ChangeCourse(ActionRequest):
    """The fields to change; the others stay."""

    examples = ({"title": "Сети, осень"}, {"archived": True})

    # The document shows no defaults: a missing field differs from null.
    title: Name = Field(default_factory=str)
    language: Language = Field(default_factory=lambda: Language.EN)
    time_zone: TimeZone = Field(default_factory=str)
    retention_days: RetentionDays | None = Field(default_factory=lambda: None, description=RETENTION)
    archived: bool = Field(default_factory=bool, strict=True, description="true: nothing in it changes any more")


class CopyCourse(ActionRequest):
    examples = ({"title": "Сети, весна 2027", "shift_days": 364},)

    title: Name
    shift_days: Annotated[int, Field(ge=-MOST_COPY_DAYS, le=MOST_COPY_DAYS, strict=True), WHOLE] | None = Field(
        0,
        description="how far its dates move, by the clock on the wall in the course's time zone; "
        "null: the copy has no dates",
    )


@action(Right.MAKE_COURSES)
async def make_course(
    actor: Actor, wanted: MakeCourse, *, uses_too: Collection[str] = (), key: str | None = None
) -> Course:
    """Make a course. It has no people and uses no assignments yet.

    Args:
        uses_too: ids of the assignments that it uses from the beginning; another one raises AssignmentUnknown.
        key: the same request sent again with it makes no second course.
    Raises: IdempotencyKeyReused
    """
    values = wanted.model_dump(mode="json")

    async def make(session: AsyncSession) -> Course:
        course = await courses.add(
            session, **values, made_by=actor.name, created_by=actor.holder.id, idempotency_key=key
        )
        for assignment_id in uses_too:
            await uses.put(session, course.id, assignment_id, actor.assignments, {}, actor.name)
        return course

    course, _ = await make_once(actor.database, Course, actor.holder.id, key, values, make)
    return course


@change(Right.MANAGE_COURSE)
async def change_course(actor: Writer, wanted: ChangeCourse) -> Course:
    """Change what is given. In an archived course only `archived` and `retention_days` change, unless the request opens
    it again. Only an admin sets `retention_days`: data is deleted by it.

    Raises: NotPermitted, CourseArchived
    """
    given = wanted.set_values()
    if "retention_days" in given:
        actor.holder.check(Right.DELETE_STUDENTS)
    return await courses.change(actor.session, actor.course_id, given, actor.name)


@action(Right.MANAGE_COURSE)
async def copy_course(actor: Actor, wanted: CopyCourse, *, key: str | None = None) -> Course:
    """Make a course with the same assignments, dates and rules, and with the same teachers and assistants, without
    students and submissions. An archived course can be copied, too.

    Args:
        key: the same request sent again with it makes no second copy.
    Raises: IdempotencyKeyReused
    """

    async def copy(session: AsyncSession) -> Course:
        return await copying.copy(
            session,
            await courses.existing(session, actor.course_id),
            actor.assignments,
            **wanted.model_dump(),
            made_by=actor.name,
            created_by=actor.holder.id,
            idempotency_key=key,
        )

    course, _ = await make_once(actor.database, Course, actor.holder.id, key, {"title": wanted.title}, copy)
    return course


@action(Right.MANAGE_COURSE)
async def export_course(actor: Actor, language: str) -> AsyncIterator[bytes]:
    """Write an archive of the course with all files, reports, grades, people, decisions and the log of changes, which
    gets a line for it. It holds no secret, no hash of one, and no numbers that the next attempt is asked.

    Args:
        language: of the text that explains the archive.
    """
    async with actor.write() as session:
        course = await courses.existing(session, actor.course_id)
        changes.log(session, course, actor.name, {}, {"exported": True})
    return course_archive(actor.database, actor.assignments, course, language)


@action(Right.DELETE_COURSE)
async def delete_course(actor: Actor, *, title: str) -> DeletedCourse:
    """Delete a course with everything in it, and the people who are in no other one. This cannot be undone.

    The course Default stays, empty, and so do the tokens of admins. Earlier backups still hold the data.

    Args:
        title: its exact title, as a confirmation.
    Raises:
        DeletionUnconfirmed: the title is another one.
    """
    async with actor.database.read() as session:
        course = await courses.existing(session, actor.course_id)
    if course.title != title:
        raise DeletionUnconfirmed(came=title[:200])
    return await deletion.delete_course(actor.database, course.id)


# --- the assignments of a course --------------------------------------------------------------------------------------

RuleName = Literal[
    "opens", "due", "closes", "late_percent_per_day", "late_percent_max", "limit", "cooldown_seconds", "counts",
    "checks_per_hour",
]  # fmt: skip


class UseAssignment(ActionRequest):
    examples = ({"title": "Неделя 3: LSTM", "rules": {"due": "2026-10-01T20:59:59Z", "limit": 5}},)

    title: Name | None = Field(None, description="replaces the file's; null: the file's")
    grade_book_points: Points | None = Field(
        None, description="the maximum in the grade book; null: the points of the file"
    )
    rules: Rules = Rules()


class ChangeAssignment(ActionRequest):
    """The fields to change; the others stay."""

    examples = ({"rules": {"due": "2026-10-08T20:59:59Z"}, "as_in_file": ["closes"]},)

    title: Name | None = Field(default_factory=lambda: None, description="null: the file's")
    grade_book_points: Points | None = Field(default_factory=lambda: None, description="null: the points of the file")
    rules: Rules = Field(default_factory=Rules)
    as_in_file: list[RuleName] = Field(
        default_factory=list, max_length=9, description="dates and rules that the course sets no longer"
    )


@change(Right.MANAGE_ASSIGNMENTS)
async def add_assignment(actor: Writer, assignment_id: str) -> None:
    """Have the course use an assignment as its file says. An assignment that it already uses keeps its dates.

    Raises: AssignmentUnknown
    """
    used = await uses.list_used(actor.session, actor.course_id, actor.assignments)
    if assignment_id not in {each.use.assignment_id for each in used}:
        await uses.put(actor.session, actor.course_id, assignment_id, actor.assignments, {}, actor.name)


@change(Right.MANAGE_ASSIGNMENTS)
async def use_assignment(actor: Writer, assignment_id: str, wanted: UseAssignment) -> UsedAssignment:
    """Use a file, with these dates and rules and no others. One that is not given is as in the file, null is none.

    A course uses one file once. Dates count at once, for what was handed in, too; nothing is graded again.

    Raises: AssignmentUnknown, RulesContradictory, LateWithoutDue
    """
    return await uses.put(
        actor.session, actor.course_id, assignment_id, actor.assignments, wanted.set_values(), actor.name
    )


@change(Right.MANAGE_ASSIGNMENTS)
async def change_assignment(actor: Writer, assignment_id: str, wanted: ChangeAssignment) -> UsedAssignment:
    """Change what is given. `as_in_file` names the dates and rules for which the file holds again.

    Raises:
        AssignmentNotFound: the course does not use it.
        RulesContradictory, LateWithoutDue
    """
    return await uses.change(
        actor.session,
        actor.course_id,
        assignment_id,
        actor.assignments,
        wanted.set_values(),
        actor.name,
        wanted.as_in_file,
    )


@change(Right.MANAGE_ASSIGNMENTS)
async def remove_assignment(actor: Writer, assignment_id: str) -> None:
    """Let the course use an assignment no more. Refused while there are submissions to it. In the course Default the
    file's own dates and rules hold again.

    Raises:
        AssignmentInUse: there are submissions to it, or decisions about somebody's.
        AssignmentNotFound: the course does not use it.
    """
    await uses.remove(actor.session, actor.course_id, assignment_id, actor.name)
