"""The things in a course that need a person: requests for review, held attempts, our failures, unconfirmed students."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.storage.memberships import are_students
from app.storage.models import (
    Delivery,
    JobStatus,
    Membership,
    Person,
    ReviewRequest,
    StoredReport,
    Submission,
    Webhook,
)
from app.submissions.reports import counting_report_id
from app.submissions.repository import waits_for_decision
from grader import Status

Third = TypeVar("Third", ReviewRequest, StoredReport)
#: Cases of each kind that are shown with their students; the others are only counted.
MOST_LISTED = 5
#: The most cases among which a report finds the ones before and after it.
MOST_IN_TURN = 1000


@dataclass(frozen=True)
class Case:
    """An attempt that needs a look.

    Attributes:
        name: of the student's person.
        review: the open request for review, if it is about one.
        report: the one that counts; None in a request for review.
    """

    submission: Submission
    name: str | None
    review: ReviewRequest | None = None
    report: StoredReport | None = None


@dataclass(frozen=True)
class Kind:
    """Attempts that need a look for one reason. Attributes: total: including those that are not listed."""

    total: int
    listed: Sequence[Case]


@dataclass(frozen=True)
class Attention:
    """Everything in a course that needs a person.

    Attributes:
        unconfirmed: how many students nobody has confirmed.
        given_up: how many messages to webhooks never arrived.
    """

    reviews: Kind
    held: Kind
    failed: Kind
    unconfirmed: int
    given_up: int

    @property
    def is_anything(self) -> bool:
        """Whether anything needs a person."""
        kinds = (self.reviews, self.held, self.failed)
        return any(kind.total for kind in kinds) or self.unconfirmed > 0 or self.given_up > 0


def failed() -> ColumnElement[bool]:
    """Return the condition on `Submission` that we failed to grade it and no regrade of it waits."""
    reports = select(StoredReport.id).where(
        StoredReport.submission_id == Submission.id, StoredReport.preview_id.is_(None)
    )
    ours = exists(reports.where(StoredReport.status == Status.INTERNAL_ERROR).correlate(Submission))
    graded = exists(reports.where(StoredReport.points.is_not(None)).correlate(Submission))
    return and_(Submission.job_status == JobStatus.DONE, ours, ~graded)


async def attention(session: AsyncSession, course_id: str) -> Attention:
    """Find everything that needs a person, in five statements."""
    reviews = (
        _cases(course_id, ReviewRequest)
        .join(ReviewRequest, ReviewRequest.submission_id == Submission.id)
        .where(ReviewRequest.answered_at.is_(None))
        .order_by(ReviewRequest.id)
    )
    held, failures = (
        _cases(course_id, StoredReport)
        .outerjoin(StoredReport, StoredReport.id == counting_report_id())
        .where(condition)
        .order_by(Submission.id)
        for condition in (waits_for_decision(), failed())
    )
    return Attention(
        reviews=await _kind_of(session, reviews),
        held=await _kind_of(session, held),
        failed=await _kind_of(session, failures),
        unconfirmed=await session.scalar(
            select(func.count()).where(are_students(course_id), Membership.confirmed_at.is_(None))
        )
        or 0,
        given_up=await session.scalar(
            select(func.count())
            .select_from(Delivery)
            .join(Webhook, Webhook.id == Delivery.webhook_id)
            .where(Webhook.course_id == course_id, Delivery.next_at.is_(None), Delivery.delivered_at.is_(None))
        )
        or 0,
    )


async def failed_ids(session: AsyncSession, course_id: str) -> Sequence[str]:
    """List the ids of all attempts of a course that we failed to grade."""
    return (await session.scalars(select(Submission.id).where(Submission.course_id == course_id, failed()))).all()


async def beside(session: AsyncSession, course_id: str, submission_id: str) -> tuple[str | None, str | None]:
    """Find the attempts that need a look before and after this one, of other students."""
    has_request = exists(
        select(ReviewRequest.id)
        .where(ReviewRequest.submission_id == Submission.id, ReviewRequest.answered_at.is_(None))
        .correlate(Submission)
    )
    member = select(Submission.membership_id).where(Submission.id == submission_id).scalar_subquery()
    rows = await session.scalars(
        select(Submission.id)
        .where(
            Submission.course_id == course_id,
            or_(waits_for_decision(), has_request, failed()),
            Submission.membership_id != member,
        )
        .order_by(Submission.id)
        .limit(MOST_IN_TURN)
    )
    ids = rows.all()
    before = max((id for id in ids if id < submission_id), default=None)
    return before, min((id for id in ids if id > submission_id), default=None)


async def names_of(session: AsyncSession, submissions: Collection[Submission]) -> dict[str, str | None]:
    """Find the names of these submissions' students, by the ids of the members."""
    rows = await session.execute(
        select(Membership.id, Person.name)
        .join(Person, Person.id == Membership.person_id)
        .where(Membership.id.in_({each.membership_id for each in submissions}))
    )
    return {id: name for id, name in rows}  # noqa: C416 rows are no pairs to the type checker


def _cases(course_id: str, third: type[Third]) -> Select[Submission, str | None, Third, int]:
    """Select attempts of a course with the name of their students, and how many there are."""
    return (
        select(Submission, Person.name, third, func.count().over())
        .join(Membership, Membership.id == Submission.membership_id)
        .join(Person, Person.id == Membership.person_id)
        .where(Submission.course_id == course_id)
        .limit(MOST_LISTED)
    )


async def _kind_of(session: AsyncSession, cases: Select[Submission, str | None, Third, int]) -> Kind:
    rows = (await session.execute(cases)).all()
    listed = [
        Case(
            submission,
            name,
            review=third if isinstance(third, ReviewRequest) else None,
            report=third if isinstance(third, StoredReport) else None,
        )
        for submission, name, third, _ in rows
    ]
    return Kind(rows[0][3] if rows else 0, listed)
