"""Assignments as students see them. Seeds and sizes of hidden cases are left out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic.json_schema import SkipJsonSchema

from app.api.openapi import problem_answers
from app.api.schemas.assignments import AssignmentBody, AssignmentCase, AssignmentDetail, AssignmentList, StatisticsBody
from app.errors import AssignmentNotFound, NotPermitted
from app.http.auth import teacher
from app.http.parameters import Moment
from app.http.texts import language_of, title_of
from app.services import Services, services
from app.teaching.statistics import statistics_of
from grader import Assignment
from grader.report.messages import translate

AssignmentId = Annotated[str, Path(description="an `id` from the list", examples=["lstm-layer"])]

router = APIRouter(prefix="/assignments", tags=["assignments"])


@router.get("", summary="List the assignments")
async def list_assignments(request: Request) -> AssignmentList:
    parts = services(request)
    language = language_of(request)
    return AssignmentList(items=[_body(parts, assignment, language) for assignment in parts.assignments.values()])


@router.get("/{assignment_id}", summary="Read one of them", responses=problem_answers(AssignmentNotFound))
async def read_assignment(request: Request, assignment_id: AssignmentId) -> AssignmentDetail:
    """Read the task and its points. Of a hidden case only the category is shown."""
    parts = services(request)
    assignment = parts.assignments.get(assignment_id)
    if assignment is None:
        raise AssignmentNotFound
    language = language_of(request)
    return AssignmentDetail(
        **_body(parts, assignment, language).model_dump(),
        language=assignment.language,
        keras=assignment.keras,
        points=dict(assignment.points),
        atol=assignment.tolerance.atol,
        rtol=assignment.tolerance.rtol,
        cpu_seconds=assignment.limits.cpu_seconds,
        wall_seconds=assignment.limits.wall_seconds,
        cases=[
            AssignmentCase(
                id=case.id,
                visibility=case.visibility,
                category=case.category,
                title=translate(f"category.{case.category}", language),
                shape=[case.batch, case.timesteps, case.features] if case.visibility == "public" else None,
                units=case.units if case.visibility == "public" else None,
            )
            for case in assignment.cases
        ],
    )


@router.get(
    "/{assignment_id}/statistics",
    summary="Statistics of an assignment",
    dependencies=[Depends(teacher)],
    responses=problem_answers(NotPermitted, AssignmentNotFound),
)
async def read_statistics(
    request: Request,
    assignment_id: AssignmentId,
    since: Annotated[
        Moment | SkipJsonSchema[None], Query(description="only submissions of this moment or later")
    ] = None,
) -> StatisticsBody:
    """Count scores by attempt and by student, and misconceptions by frequency, with how many were gone in the same
    student's next attempt."""
    parts = services(request)
    if assignment_id not in parts.assignments:
        raise AssignmentNotFound
    async with parts.database.read() as session:
        found = await statistics_of(session, assignment_id, since)
    return StatisticsBody.model_validate(asdict(found))


def _body(parts: Services, assignment: Assignment, language: str) -> AssignmentBody:
    return AssignmentBody(
        id=assignment.id,
        title=title_of(assignment, language),
        max_points=assignment.max_points,
        digest=assignment.digest,
        upload_bytes=min(assignment.upload.upload_bytes, parts.settings.upload_bytes),
    )
