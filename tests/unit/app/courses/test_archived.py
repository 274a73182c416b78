"""A course that is archived between the check of a request and its transaction."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses import membership, uses
from app.courses.roster import planning
from app.courses.roster.reading import read
from app.errors import CourseArchived
from app.storage.models import DEFAULT_COURSE, Course, MemberRole, new_id, utc_now
from app.teaching import reviews
from app.teaching.joins import joins
from app.teaching.student_work import take_student_work
from grader import Assignment

HERE, ID = DEFAULT_COURSE, new_id()
ROLES = set(MemberRole)
NEWCOMER: dict[str, Any] = {"external_id": "x", "role": MemberRole.STUDENT, "name": None, "email": None, "group": None}
Change = Callable[[AsyncSession, dict[str, Assignment]], Awaitable[object]]
ROSTER = read(b"id,name\nivanov,Ivan\n")
CHANGES: dict[str, Change] = {
    "extend, adjust, comment": lambda session, files: take_student_work(session, files, HERE, ID, "lstm-layer"),
    "answer": lambda session, _: reviews.answer(session, HERE, ID, "x", answered_by="x"),
    "add": lambda session, _: membership.add(session, HERE, **NEWCOMER, manages=ROLES, made_by="x"),
    "change": lambda session, _: membership.change(
        session, HERE, ID, {"removed": True}, manages=ROLES, may_change_shared=True, made_by="x"
    ),
    "join": lambda session, _: joins.join(session, HERE, ID, new_id(), "x"),
    "import": lambda session, _: planning.plan(session, HERE, ROSTER, ROLES),
    "use": lambda session, files: uses.put(session, HERE, "lstm-layer", files, {}, "x"),
    "set": lambda session, files: uses.change(session, HERE, "lstm-layer", files, {}, "x"),
    "use no more": lambda session, _: uses.remove(session, HERE, "lstm-layer", "x"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
async def test_transaction_refuses_what_an_archived_course_no_longer_takes(service, change):
    await service.store(Course, Course.id == HERE, archived_at=utc_now())
    with pytest.raises(CourseArchived):
        await service.write(change, dict(service.services.assignments))
