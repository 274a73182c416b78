"""Changes of the staff to a student's work: adjustments, extensions, comments."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Path, Request, Response

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions.fields import ID, MOST_ATTEMPTS, MOST_POINTS
from app.courses import course as courses
from app.courses import extensions
from app.errors.requests import FieldsWrong
from app.errors.teaching import AdjustmentNotFound, AdjustmentReplaced, CommentNotFound
from app.http.auth.holders import PageFor
from app.http.fields import Fields
from app.http.forms import fields_of, form_of, see_other
from app.http.staff import AssignmentId, MemberId, words
from app.services import services
from app.teaching import adjustments, comments
from app.teaching.adjustments import Wanted
from app.teaching.places import check_submission, find_place, take_place
from app.web.course.members import show_work

WORK = "/courses/{course_id}/members/{member_id}/assignments/{assignment_id}"

Adjuster = Annotated[Principal, Depends(PageFor(Right.ADJUST))]
Extender = Annotated[Principal, Depends(PageFor(Right.EXTEND))]
Commenter = Annotated[Principal, Depends(PageFor(Right.COMMENT))]

router = APIRouter(prefix=WORK)


@router.post("/adjustment")
async def adjust(request: Request, holder: Adjuster, member_id: MemberId, assignment_id: AssignmentId) -> Response:
    """Adjust the grade. Where another adjustment came meanwhile, show it, and ask again."""
    parts = services(request)
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    is_value = fields.choice("way", ("delta", "value"), "delta") == "value"
    points = fields.number("points", least=0 if is_value else -MOST_POINTS, most=MOST_POINTS)
    if not fields.has("points"):
        fields.wrong("points", "required")
    reason = words(fields, "adjustment_reason")
    replaces = fields.came.get("replaces", "") or None
    try:
        fields.check()
        wanted = Wanted(None if is_value else points, points if is_value else None, reason)
        async with parts.database.write() as session:
            place = await take_place(session, parts.assignments, holder.course_id, member_id, assignment_id)
            await adjustments.adjust(session, parts.assignments, place, wanted, made_by=holder.name, replaces=replaces)
    except (FieldsWrong, AdjustmentReplaced) as refusal:
        return await show_work(request, holder, member_id, assignment_id, fields, refusal)
    return _back(holder, member_id, assignment_id, "work.adjusted")


@router.post("/adjustments/{adjustment_id}/withdraw")
async def withdraw(
    request: Request,
    holder: Adjuster,
    member_id: MemberId,
    assignment_id: AssignmentId,
    adjustment_id: Annotated[str, Path()],
) -> Response:
    """Let an adjustment apply no more. It stays in the history."""
    parts = services(request)
    if not ID.fullmatch(adjustment_id):
        raise AdjustmentNotFound
    async with form_of(request), parts.database.write() as session:
        place = await take_place(session, parts.assignments, holder.course_id, member_id, assignment_id)
        await adjustments.withdraw(session, place, adjustment_id, made_by=holder.name)
    return _back(holder, member_id, assignment_id, "work.withdrawn")


@router.post("/extension")
async def extend(request: Request, holder: Extender, member_id: MemberId, assignment_id: AssignmentId) -> Response:
    """Give more time, or more attempts, in place of an earlier extension."""
    parts = services(request)
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    async with parts.database.read() as session:
        zone = ZoneInfo((await courses.existing(session, holder.course_id)).time_zone)
        place = await find_place(session, parts.assignments, holder.course_id, member_id, assignment_id)
        given = await extensions.find(session, place.member, place.use)
    due = fields.moment("due", zone, given.due if given else None)
    closes = fields.moment("closes", zone, given.closes if given else None)
    more_attempts = fields.whole("more_attempts", least=0, most=MOST_ATTEMPTS) or 0
    if not fields.has("due") and not fields.has("closes") and not more_attempts:
        fields.wrong("due", "extension_empty")
    reason = words(fields, "extension_reason")
    try:
        fields.check()
    except FieldsWrong as refusal:
        return await show_work(request, holder, member_id, assignment_id, fields, refusal)
    async with parts.database.write() as session:
        place = await take_place(session, parts.assignments, holder.course_id, member_id, assignment_id)
        await extensions.put(
            session,
            place.member,
            place.use,
            made_by=holder.name,
            due=due,
            closes=closes,
            more_attempts=more_attempts,
            reason=reason,
        )
    return _back(holder, member_id, assignment_id, "work.extended")


@router.post("/extension/remove")
async def take_back(request: Request, holder: Extender, member_id: MemberId, assignment_id: AssignmentId) -> Response:
    """Take an extension back. One that is gone already stays so."""
    parts = services(request)
    async with form_of(request), parts.database.write() as session:
        place = await take_place(session, parts.assignments, holder.course_id, member_id, assignment_id)
        await extensions.remove(session, place.member, place.use, made_by=holder.name)
    return _back(holder, member_id, assignment_id, "work.extension_removed")


@router.post("/comments")
async def comment(request: Request, holder: Commenter, member_id: MemberId, assignment_id: AssignmentId) -> Response:
    """Write a comment for the student, on all of the work or on one attempt."""
    parts = services(request)
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    text = words(fields, "comment")
    submission_id = fields.came.get("submission") or None
    try:
        fields.check()
    except FieldsWrong as refusal:
        return await show_work(request, holder, member_id, assignment_id, fields, refusal)
    async with parts.database.write() as session:
        place = await take_place(session, parts.assignments, holder.course_id, member_id, assignment_id)
        if submission_id is not None:
            await check_submission(session, place, submission_id)
        await comments.add(session, place, text, submission_id=submission_id, made_by=holder.name)
    return _back(holder, member_id, assignment_id, "work.commented")


@router.post("/comments/{comment_id}/delete")
async def delete_comment(
    request: Request,
    holder: Commenter,
    member_id: MemberId,
    assignment_id: AssignmentId,
    comment_id: Annotated[str, Path()],
) -> Response:
    """Delete a comment: a teacher any, an assistant their own."""
    parts = services(request)
    if not ID.fullmatch(comment_id):
        raise CommentNotFound
    async with form_of(request), parts.database.write() as session:
        place = await take_place(session, parts.assignments, holder.course_id, member_id, assignment_id)
        await comments.delete(session, place, comment_id, holder)
    return _back(holder, member_id, assignment_id, "work.comment_deleted")


def _back(holder: Principal, member_id: str, assignment_id: str, said: str) -> Response:
    address = WORK.format(course_id=holder.course_id, member_id=member_id, assignment_id=assignment_id)
    return see_other(address, said=said)
