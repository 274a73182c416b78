"""Regrades: begin them, and apply or drop their previews."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.idempotency import make_once
from app.access.rights import Right
from app.actions.actor import Actor, Writer, action, change
from app.actions.fields import ActionRequest, AssignmentKey, Id, Name
from app.storage.models import JobStatus, Regrade
from app.submissions import repository
from app.submissions.listing import Selection
from app.teaching import previews, regrades
from app.teaching.overview.attention import failed_ids
from app.teaching.regrades import RegradeProgress
from app.values import Moment
from grader import Status


class SubmissionFilter(ActionRequest):
    """A filter with at least one condition. Several are combined with "and"."""

    at_least_one = "student", "assignment", "job_status", "status", "since"

    student: Name | None = None
    assignment: AssignmentKey | None = None
    job_status: JobStatus | None = None
    status: Status | None = Field(None, description="of the report that counts")
    since: Moment | None = Field(None, description="submitted at this moment or later")


class BeginRegrade(ActionRequest):
    """A choice of submissions by exactly one of ids, a filter, and all."""

    examples = (
        {"filter": {"assignment": "lstm-layer", "status": "failed"}},
        {"all": True},
        {"filter": {"assignment": "lstm-layer"}, "preview": True},
    )
    exactly_one = "submissions", "filter", "all"

    submissions: list[Id] | None = Field(None, min_length=1, max_length=1000)
    filter: SubmissionFilter | None = None
    all: bool = Field(False, strict=True, description="every submission that has a report")
    preview: bool = Field(
        False, strict=True, description="the new reports do not count, and are sent nowhere, until they are applied"
    )

    @property
    def selection(self) -> dict[str, Any]:
        """The choice in the words of the request."""
        return self.model_dump(mode="json", exclude_defaults=True, exclude={"preview"})

    @property
    def choice(self) -> list[str] | Selection:
        if self.submissions is not None:
            return self.submissions
        return Selection(**self.filter.model_dump()) if self.filter else Selection()


@action(Right.REGRADE)
async def begin_regrade(
    actor: Actor, wanted: BeginRegrade, *, key: str | None = None, share_preview: bool = False
) -> RegradeProgress:
    """Grade again those of the selected submissions that have a report.

    All uploads go before them. Each gets a new report, which counts from then on; the earlier ones stay.

    With `preview` the new reports do not count: nobody but the staff sees them, nothing is sent and nothing is held,
    until the preview is applied or dropped. Meanwhile uploads and other regrades go on as ever, and before it.

    Args:
        key: the same request sent again with it begins nothing.
        share_preview: give a preview of the same choice that is still being graded, instead of a second one.
    Raises: IdempotencyKeyReused, CourseArchived
    """
    holder = actor.holder
    values: dict[str, Any] = {"selection": wanted.selection, "is_preview": wanted.preview}
    in_course = {"course_id": holder.course} if holder.names_course else {}

    async def begin(session: AsyncSession) -> Regrade:
        if share_preview and wanted.preview:
            running = await regrades.running_preview(session, actor.course_id, wanted.selection)
            if running is not None:
                return running
        return await regrades.begin(
            session,
            requested_by=holder.id,
            choice=wanted.choice,
            course=holder.course,
            idempotency_key=key,
            **values,
        )

    regrade, _ = await make_once(actor.database, Regrade, holder.id, key, values | in_course, begin)
    async with actor.database.read() as session:
        return await regrades.find_regrade(session, regrade.id)


@change(Right.REGRADE)
async def regrade_attempt(actor: Writer, submission_id: str) -> None:
    """Grade an attempt again. Its report stays until the new one is there.

    Raises: SubmissionNotFound, CourseArchived
    """
    submission = await repository.existing_submission(actor.session, submission_id, actor.holder)
    await _begin(actor, submission.course_id, [submission.id])


@change(Right.REGRADE)
async def regrade_failed(actor: Writer) -> None:
    """Grade all attempts of the course again that we failed to grade. Raises: CourseArchived"""
    if ids := await failed_ids(actor.session, actor.course_id):
        await _begin(actor, actor.course_id, ids)


async def _begin(actor: Writer, course_id: str, ids: Sequence[str]) -> None:
    selection = {"submissions": ids}
    await regrades.begin(actor.session, requested_by=actor.holder.id, choice=ids, selection=selection, course=course_id)


@change(Right.REGRADE)
async def apply_preview(actor: Writer, regrade_id: str) -> RegradeProgress:
    """Let all reports of a preview count from now on, as after any regrade: attempts are held and webhooks are sent
    now.

    A submission that has a newer report keeps that (`superseded`). Applied again, it changes nothing. A preview that is
    not done is refused.

    Raises: RegradeNotFound, RegradeNotPreview, PreviewUnfinished, PreviewDropped, CourseArchived
    """
    await previews.apply(actor.session, regrade_id, actor.holder.course)
    return await regrades.find_regrade(actor.session, regrade_id)


@action(Right.REGRADE)
async def drop_preview(actor: Actor, regrade_id: str) -> RegradeProgress:
    """Delete the reports of a preview, and grade no more for it, done or not. Dropped again, it changes nothing.

    Raises: RegradeNotFound, RegradeNotPreview, PreviewApplied, CourseArchived
    """
    async with actor.write() as session:
        await previews.drop(session, regrade_id, actor.holder.course)
        progress = await regrades.find_regrade(session, regrade_id)
    await actor.database.empty_log()
    return progress
