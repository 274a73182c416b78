"""Assignments: what a student is told of them. Seeds and sizes of hidden cases stay here."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request

from app.api.openapi import problem_answers
from app.api.schemas import AssignmentBody, AssignmentCase, AssignmentDetail, AssignmentList
from app.errors import AssignmentNotFound
from app.services import Services, services
from app.texts import language_of, title_of
from grader import Assignment
from grader.messages import translate

router = APIRouter(prefix="/assignments", tags=["assignments"])


@router.get("", summary="List the assignments")
async def list_assignments(request: Request) -> AssignmentList:
    parts = services(request)
    language = language_of(request)
    return AssignmentList(items=[_body(parts, assignment, language) for assignment in parts.assignments.values()])


@router.get("/{assignment_id}", summary="Read one of them", responses=problem_answers(AssignmentNotFound))
async def read_assignment(
    request: Request, assignment_id: Annotated[str, Path(description="out of the list", examples=["lstm-layer"])]
) -> AssignmentDetail:
    """What is asked and what it is worth. Of hidden cases only what they try."""
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


def _body(parts: Services, assignment: Assignment, language: str) -> AssignmentBody:
    return AssignmentBody(
        id=assignment.id,
        title=title_of(assignment, language),
        max_points=assignment.max_points,
        digest=assignment.digest,
        upload_bytes=min(assignment.upload.upload_bytes, parts.settings.upload_bytes),
    )
