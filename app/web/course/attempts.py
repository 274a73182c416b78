"""Attempts: compare two, decide on a held one, grade some again, and find those with the same code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Response
from starlette.concurrency import run_in_threadpool

from app.access.rights import Right
from app.access.tokens import Principal
from app.actions import regrades, work
from app.courses import course as courses
from app.errors import SubmissionNotFound
from app.http.visibility import report_for
from app.http.visits import Pages, Visit
from app.storage.models import CourseAssignment, Submission
from app.submissions import grades, reports, repository
from app.submissions.sources import difference_of_reports, sources_side_by_side
from app.submissions.standing import Standing, standing_of
from app.teaching import holds, same_code
from app.teaching.grade_list import used_assignments
from app.teaching.overview.attention import names_of
from grader.report.messages import render
from grader.report.model import MEASURED

#: The addresses of an attempt, and of forms about it.
ONE, COURSE = "/submissions/{submission_id}", "/courses/{course_id}"
IN_COURSE = f"{COURSE}{ONE}"

router = Pages()


@dataclass(frozen=True)
class Side:
    """One of the two attempts. Attributes: report: in words; None: there is none yet."""

    standing: Standing
    report: Mapping[str, Any] | None

    @property
    def points(self) -> float | None:
        """The points after lateness; None: there are none."""
        if self.standing.grade is not None:
            return self.standing.grade.points
        return self.standing.stored.points if self.standing.stored else None

    @property
    def is_measured(self) -> bool:
        return self.report is not None and self.report["status"] in MEASURED

    @property
    def causes(self) -> Mapping[str, Mapping[str, Any]]:
        return {each["code"]: each for each in self.report["diagnoses"]} if self.report else {}

    @property
    def checks(self) -> Mapping[str, Mapping[str, Any]]:
        return {each["id"]: each for each in self.report["checks"]} if self.report else {}


@router.page("/submissions/{submission_id}/beside/{other_id}")
async def beside(visit: Visit, submission_id: str, other_id: str) -> Response:
    """Compare two attempts of one course that the reader may see, the earlier one on the left."""
    viewer, ids = visit.holder, sorted((submission_id, other_id))
    async with visit.database.read() as session:
        attempts = [await standing_of(session, visit.assignments, id, viewer) for id in ids]
        if len({each.submission.course_id for each in attempts}) > 1:
            raise SubmissionNotFound
        course = await courses.existing(session, attempts[0].submission.course_id)
        names = await names_of(session, [each.submission for each in attempts])
        uses = await used_assignments(session, visit.assignments, course.id)
    left, right = [await _side(each, viewer, visit.language) for each in attempts]
    of_two = left.standing.submission.membership_id != right.standing.submission.membership_id
    hunks = rows = None
    if left.standing.stored and right.standing.stored:
        pair = left.standing.stored.id, right.standing.stored.id
        if of_two:
            rows = await sources_side_by_side(visit.database, pair)
        else:
            hunks = await difference_of_reports(visit.database, pair)
    return visit.page(
        "course/beside.html",
        "course",
        course=course,
        left=left,
        right=right,
        wide=of_two,
        of_two=of_two,
        checks=[id for id in {**left.checks, **right.checks} if _max_points(left, id) or _max_points(right, id)],
        hunks=hunks,
        rows=rows,
        gone=_causes_only_in(left, right) if of_two or right.is_measured else [],
        kept=[cause for code, cause in right.causes.items() if code in left.causes],
        new=_causes_only_in(right, left) if of_two or left.is_measured else [],
        names=names,
        titles=visit.titles_of(uses),
    )


async def _decision_page(visit: Visit, submission_id: str) -> Response:
    """Ask again for a decision, with what was typed."""
    async with visit.database.read() as session:
        submission = await repository.existing_submission(session, submission_id, visit.holder)
        report = await reports.newest_report(session, submission.id)
        use = await session.get_one(CourseAssignment, submission.course_assignment_id)
        names = await names_of(session, [submission])
    return visit.page(
        "course/decision.html",
        "course",
        submission=submission,
        student=names.get(submission.membership_id),
        title=visit.title_of(use),
        reasons=holds.reasons_of(report, visit.language),
    )


_NAMES = {"reason": "decision_reason"}
router.act(f"{IN_COURSE}/decision", work.decide_attempt, ONE, "attempt.decided", names=_NAMES, again=_decision_page)
router.act(f"{IN_COURSE}/regrade", regrades.regrade_attempt, ONE, "attempt.regraded")
router.act(f"{COURSE}/failed/regrade", regrades.regrade_failed, COURSE, "attempt.all_regraded")


async def _side(standing: Standing, viewer: Principal, language: str) -> Side:
    if standing.stored is None:
        return Side(standing, None)
    return Side(standing, await run_in_threadpool(render, report_for(standing.stored, viewer), language))


def _causes_only_in(side: Side, other: Side) -> Sequence[Mapping[str, Any]]:
    return [cause for code, cause in side.causes.items() if code not in other.causes]


def _max_points(side: Side, check_id: str) -> float:
    check = side.checks.get(check_id)
    return check["max_points"] if check else 0.0


# --- the same code ----------------------------------------------------------------------------------------------------


@router.page(f"{COURSE}/assignments/{{assignment_id}}/same-code", Right.SEE_GRADES)
async def list_groups(visit: Visit, assignment_id: str) -> Response:
    uses = await used_assignments(visit.session, visit.assignments, visit.course_id, assignment_id)
    comparison = await same_code.same_code(visit.session, uses[0].id)
    title = visit.titles_of(uses)[assignment_id]
    return visit.page(
        "course/same_code.html", "course", assignment_id=assignment_id, title=title, comparison=comparison
    )


@router.page(f"{IN_COURSE}/same-code", Right.SEE_GRADES)
async def group_page(visit: Visit, submission_id: str) -> Response:
    submission = await repository.existing_submission(visit.session, submission_id, visit.holder)
    if submission.course_id != visit.course_id:
        raise SubmissionNotFound
    uses = await used_assignments(visit.session, visit.assignments, visit.course_id, submission.assignment_id)
    group = await same_code.group_of(visit.session, submission)
    copies = [copy.submission for holder in group.students for copy in holder.attempts] if group else []
    listed = (await visit.session.execute(reports.with_reports(Submission.id.in_(copies)))).all()
    points = await grades.points_of(visit.session, visit.assignments, listed)
    return visit.page(
        "course/same_code_group.html",
        "course",
        assignment_id=submission.assignment_id,
        title=visit.titles_of(uses)[submission.assignment_id],
        group=group,
        reports={attempt.id: report for attempt, report in listed},
        points={attempt.id: each for (attempt, _), each in zip(listed, points, strict=True)},
    )
