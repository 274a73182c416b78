"""The part below a report for the staff: the student, and the attempts that need a look before and after it."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from app.access.rights import Right
from app.access.tokens import Principal
from app.courses import course as courses
from app.storage.models import MemberRole, Membership, Submission
from app.teaching.overview.attention import beside, names_of


async def staff_context(session: AsyncSession, viewer: Principal, submission: Submission) -> dict[str, Any]:
    """Return what ``course/staff_tools.html`` and the pages above it need, for one of the staff."""
    course = await courses.existing(session, submission.course_id)
    acting = viewer.in_course(course)
    before, after = await beside(session, course.id, submission.id)
    names = await names_of(session, [submission])
    member = await session.get_one(Membership, submission.membership_id)
    return {
        "course": course,
        "viewer": acting,
        "zone": ZoneInfo(course.time_zone),
        "staff": {
            "name": names.get(submission.membership_id),
            "is_student": member.role == MemberRole.STUDENT,
            "may": {right.value: acting.may(right) for right in Right},
            "is_closed": acting.in_archived,
            "before": before,
            "after": after,
        },
    }
