"""The grades of a course, of one student, and the holder's own; the grade book as a file; groups with the same code."""

from collections.abc import Mapping
from operator import attrgetter
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from starlette.concurrency import run_in_threadpool

from app.actions.fields import AssignmentKey, Name
from app.api.dependencies import AnyReading, GradeReading, Paged, Reading, page_of
from app.api.openapi import BYTES, TEXT, refusals
from app.api.schemas import work as bodies
from app.api.schemas.base import Page
from app.courses import membership
from app.errors import AssignmentNotFound, MemberNotStudent
from app.http.archives import as_file
from app.http.parameters import AssignmentId, MemberId, Omittable, Refuses
from app.storage.models import Adjustment, Comment, MemberRole, Membership
from app.submissions.derivation import Counted
from app.teaching import grade_book, grade_list, reviews
from app.teaching.grade_book import XLSX_TYPE, GradeBookFormat
from app.teaching.grade_list import GradeFilter, used_assignments
from app.teaching.same_code import SameCode, same_code
from app.teaching.student_work import rows_of_member

Flag = Omittable[bool]
FORMATS = (
    "the program that takes it: `plain`, `moodle` and `canvas` are CSV; `semicolon` is CSV with `;` and a decimal "
    "comma, as a Russian Excel opens it; `xlsx` is a workbook"
)

router = APIRouter(tags=["grades"])


async def _filter(
    group: Annotated[Omittable[Name], Query(description="only of this group")] = None,
    unconfirmed: Annotated[Flag, Query(description="no teacher or roster has confirmed the student")] = None,
    late: Annotated[Flag, Query(description="a grade comes from a late attempt")] = None,
    stale: Annotated[Flag, Query(description="points below an adjustment have changed since it was made")] = None,
    held: Annotated[Flag, Query(description="an attempt waits for a teacher's decision")] = None,
) -> GradeFilter:
    return GradeFilter(group, unconfirmed, late, stale, held)


AssignmentFilter = Annotated[
    Omittable[AssignmentKey],
    Query(description="only at this assignment", examples=["lstm-layer"]),
    Refuses((AssignmentNotFound,)),
]


@router.get("/courses/{course_id}/grades", summary="List the grades of a course", response_model=bodies.GradesList)
async def list_grades(
    reading: GradeReading,
    paging: Paged,
    chosen: Annotated[GradeFilter, Depends(_filter)],
    assignment: AssignmentFilter = None,
) -> Page[bodies.StudentGradesBody]:
    """List all students of the course, also those who handed in nothing, with the counted grade at each assignment, in
    the order in which they joined.

    Filters are combined with "and". Each grade comes with its derivation.
    """
    uses = await grade_list.used_assignments(reading.session, reading.assignments, reading.course_id, assignment)
    rows = await grade_list.list_grades(reading.session, reading.assignments, uses, reading.course_id, chosen, paging)
    return page_of(
        paging,
        rows,
        lambda row: bodies.StudentGradesBody.from_row(row.member, grades=_grades(row.grades, reading)),
        attrgetter("member.id"),
    )


@router.get("/courses/{course_id}/grades/me", summary="Read your own grades")
async def read_own_grades(reading: AnyReading) -> bodies.OwnGradesBody:
    """Read the grades of the member whose own token this is, with adjustments, comments and answers.

    A token that is no member's own has no grades.
    """
    session = reading.session
    if reading.viewer.membership_id is None:
        return bodies.OwnGradesBody(student=None, grades=[], adjustments=[], comments=[], reviews=[])
    member = await membership.find(session, reading.course_id, reading.viewer.membership_id)
    adjustments = await rows_of_member(session, Adjustment, member)
    comments = await rows_of_member(session, Comment, member)
    return bodies.OwnGradesBody(
        student=member.external_id,
        grades=_grades(await _grades_of(reading, member), reading),
        adjustments=list(map(bodies.AdjustmentBody.model_validate, adjustments)),
        comments=list(map(bodies.CommentBody.model_validate, comments)),
        reviews=list(map(bodies.ReviewBody.model_validate, await reviews.all_of(session, member.id))),
    )


@router.get(
    "/courses/{course_id}/members/{member_id}/grades",
    summary="Read the grades of a student",
    responses=refusals(MemberNotStudent),
)
async def read_grades(reading: GradeReading, member_id: MemberId) -> bodies.StudentGradesBody:
    member = await membership.find(reading.session, reading.course_id, member_id)
    if member.role != MemberRole.STUDENT:
        raise MemberNotStudent
    return bodies.StudentGradesBody.from_row(member, grades=_grades(await _grades_of(reading, member), reading))


@router.get(
    "/courses/{course_id}/grade-book",
    summary="Get the grade book of a course as a file",
    response_class=Response,
    responses={
        200: {
            "description": "The grade book; CSV is UTF-8 with a byte order mark.",
            "content": {
                "text/csv": {
                    "schema": TEXT,
                    "example": "id,name,email,group,confirmed,lstm-layer\r\nivanov,Ivan Ivanov,,A,yes,7.5\r\n",
                },
                XLSX_TYPE: {"schema": BYTES},
            },
        }
    },
)
async def read_grade_book(
    reading: GradeReading,
    format: Annotated[GradeBookFormat, Query(description=FORMATS)] = GradeBookFormat.PLAIN,
    assignment: AssignmentFilter = None,
    missing: Annotated[
        Omittable[Literal["zero"]],
        Query(description="`zero`: write 0 where a student handed in nothing; by default the cell is empty"),
    ] = None,
    unconfirmed: Annotated[
        Omittable[bool],
        Query(description="with unconfirmed students; by default not for Moodle and Canvas"),
    ] = None,
) -> Response:
    """Download a line for every student, in points of the grade book. An empty cell is no grade: nothing was handed in,
    it is not graded yet, or it is withheld."""
    lines = await grade_book.grade_book(
        reading.session,
        reading.assignments,
        reading.course_id,
        format,
        reading.language,
        only=assignment,
        unconfirmed=unconfirmed,
        missing_is_zero=missing == "zero",
    )
    book = await run_in_threadpool(grade_book.book_file, lines, format)
    return Response(book.content, media_type=book.media_type, headers=as_file(book.name))


async def _grades_of(reading: Reading, member: Membership) -> Mapping[str, Counted]:
    uses = await grade_list.used_assignments(reading.session, reading.assignments, member.course_id)
    return await grade_list.grades_of_member(reading.session, reading.assignments, uses, member)


def _grades(grades: Mapping[str, Counted], reading: Reading) -> list[bodies.AssignmentGrade]:
    return [
        bodies.AssignmentGrade.of(counted, reading.language, reading.viewer, assignment=id)
        for id, counted in grades.items()
    ]


# --- students with the same code --------------------------------------------------------------------------------------


@router.get(
    "/courses/{course_id}/assignments/{assignment_id}/same-code",
    summary="List groups of students with the same code",
    responses=refusals(AssignmentNotFound),
)
async def list_same_code(reading: GradeReading, assignment_id: AssignmentId) -> SameCode:
    """List all groups. Their code is the same but for names, comments and the order of independent lines.

    It is a hint, never a verdict: right answers look alike.
    """
    (use,) = await used_assignments(reading.session, reading.assignments, reading.course_id, assignment_id)
    return await same_code(reading.session, use.id)
