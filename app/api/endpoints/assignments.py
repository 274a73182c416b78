"""Assignments as students see them. Seeds and sizes of hidden cases are left out."""

from collections.abc import Collection
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field

from app.access.rights import Right
from app.actions.fields import Name
from app.api.dependencies import AnyReading, Reading, reads
from app.api.schemas.base import Items
from app.bodies import Body, shows
from app.courses.assignments import used_in
from app.errors import AssignmentNotFound
from app.http.parameters import Omittable, Refuses
from app.services import services
from app.teaching.statistics import Statistics, statistics_of
from app.values import Moment
from grader import Assignment
from grader.assignment import CaseEntry
from grader.report.messages import translate

AssignmentId = Annotated[
    str, Path(description="an `id` from the list", examples=["lstm-layer"]), Refuses((AssignmentNotFound,))
]

router = APIRouter(prefix="/assignments", tags=["assignments"])


class AssignmentBody(Body):
    id: str = shows("the value of `assignment` in an upload", "lstm-layer")
    title: str
    max_points: float
    digest: str = shows("changes when anything that decides a grade changes")
    upload_bytes: int = shows("largest accepted file")


class AssignmentCase(Body):
    """One input on which the answer is compared."""

    id: str = Field(examples=["exercise"])
    visibility: Literal["public", "hidden"]
    category: str = shows("the kind of input", "exercise")
    title: str
    shape: list[int] | None = shows("(batch, timesteps, features); null for a hidden case")
    units: int | None = shows("null for a hidden case")


class AssignmentDetail(AssignmentBody):
    language: str = shows("default language of reports", "ru")
    keras: str = shows("the generation of Keras: `3`, `2`, or `auto` for the one that gives more points")
    points: dict[str, float] = shows("points of each check", {"contract": 10})
    atol: float = shows("close means |actual - expected| <= atol + rtol * |expected|", of="tolerance.atol")
    rtol: float = shows(of="tolerance.rtol")
    cpu_seconds: int = shows("limit of a run", of="limits.cpu_seconds")
    wall_seconds: float = shows(of="limits.wall_seconds")
    cases: list[AssignmentCase]


@router.get("", summary="List the assignments")
async def list_assignments(request: Request, reading: AnyReading) -> Items[AssignmentBody]:
    """List those that the course uses."""
    used = await _used_ids(reading)
    shown = [assignment for id, assignment in reading.assignments.items() if id in used]
    return Items(items=[AssignmentBody.from_row(each, **_more(request, each, reading.language)) for each in shown])


@router.get("/{assignment_id}", summary="Read one of them")
async def read_assignment(request: Request, reading: AnyReading, assignment_id: AssignmentId) -> AssignmentDetail:
    """Read the task and its points. A hidden case shows its category alone."""
    assignment = reading.assignments.get(assignment_id)
    if assignment is None or assignment_id not in await _used_ids(reading):
        raise AssignmentNotFound
    cases = [_case(case, reading.language) for case in assignment.cases]
    return AssignmentDetail.from_row(assignment, **_more(request, assignment, reading.language), cases=cases)


@router.get("/{assignment_id}/statistics", summary="Statistics of an assignment")
async def read_statistics(
    reading: Annotated[Reading, reads(Right.SEE_STATISTICS)],
    assignment_id: AssignmentId,
    since: Annotated[Omittable[Moment], Query(description="only submissions of this moment or later")] = None,
    group: Annotated[Omittable[Name], Query(description="only of students of this group")] = None,
) -> Statistics:
    """Count scores by attempt and by student, the students who pass each check, and misconceptions by frequency, with
    how many were gone in the same student's next attempt. Attempts of removed members and of staff, held and rejected
    ones are left out."""
    if assignment_id not in await _used_ids(reading):
        raise AssignmentNotFound
    return await statistics_of(reading.session, assignment_id, since, reading.viewer.course, group)


async def _used_ids(reading: Reading) -> Collection[str]:
    """Return the ids of the assignments that the reader's course uses; an admin's without a course are all."""
    if reading.viewer.course is None:
        return reading.assignments
    return await used_in(reading.session, reading.viewer.course, reading.assignments)


def _more(request: Request, assignment: Assignment, language: str) -> dict[str, str | int]:
    """Return the values of an `AssignmentBody` that depend on the request and on the service."""
    return {
        "title": assignment.title_in(language),
        "upload_bytes": services(request).inbox.most_bytes(assignment),
    }


def _case(case: CaseEntry, language: str) -> AssignmentCase:
    title, is_shown = translate(f"category.{case.category}", language), case.visibility == "public"
    shape = [case.batch, case.timesteps, case.features] if is_shown else None
    return AssignmentCase.from_row(case, title=title, shape=shape, units=case.units if is_shown else None)
