"""News for students about their work: words of the staff, and changes of grades and dates.

News is kept nowhere of its own. It is derived from the comments, requests for review, adjustments, extensions,
decisions and regrades that are stored anyway, so it is deleted with these, and moves with them when members are joined.
Each member has the time of the newest news shown, and each person that of the newest news mailed.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    String,
    Subquery,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from app.storage.memberships import is_student
from app.storage.models import (
    ID_LENGTH,
    Adjustment,
    Comment,
    Course,
    CourseAssignment,
    Extension,
    HoldDecision,
    Membership,
    Regrade,
    RegradeItem,
    ReviewRequest,
    StoredReport,
    Submission,
    utc_now,
)
from app.storage.updates import update_rows
from app.submissions.repository import is_withheld

#: How long news is listed after it was seen, and the most entries of a list.
SHOWN_FOR, SHOWN = timedelta(days=14), 30


class NewsKind(StrEnum):
    """The kind of news; its words are the text ``news.<value>``."""

    COMMENT = "comment"
    ANSWER = "answer"
    ADJUSTED = "adjusted"
    WITHDRAWN = "withdrawn"
    EXTENDED = "extended"
    REGRADED = "regraded"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True)
class News:
    """One thing that is new.

    Attributes:
        attempt: the number of the attempt that it is about; None: all of the work.
        is_new: whether the student has not seen it yet.
    """

    kind: NewsKind
    at: datetime
    member_id: str
    course: Course
    use: CourseAssignment
    submission_id: str | None
    attempt: int | None
    is_new: bool

    @property
    def path(self) -> str:
        """The page that shows it."""
        if self.submission_id is not None:
            return f"/submissions/{self.submission_id}"
        return f"/courses/{self.course.id}/assignments/{self.use.assignment_id}"


async def list_news(session: AsyncSession, member_ids: Collection[str]) -> Sequence[News]:
    """List the unseen and the recent news of these members, the newest first."""
    news = stored_news(Membership.id.in_(member_ids))
    is_shown = or_(is_unseen(news), news.c.at > utc_now() - SHOWN_FOR)
    return await read_news(session, news, is_shown, limit=SHOWN)


async def count_unseen(session: AsyncSession, member_ids: Collection[str]) -> int:
    news = stored_news(Membership.id.in_(member_ids))
    return await session.scalar(select(func.count()).select_from(news).where(is_unseen(news))) or 0


async def see(session: AsyncSession, seen: Mapping[str, datetime]) -> None:
    """Record the times up to which members, by their ids, have seen their news. Times never go back."""
    for member_id, until in sorted(seen.items()):
        is_older = or_(Membership.news_seen_at.is_(None), Membership.news_seen_at < until)
        await update_rows(session, Membership, Membership.id == member_id, is_older, news_seen_at=until)


def is_unseen(news: Subquery) -> ColumnElement[bool]:
    return or_(news.c.seen_at.is_(None), news.c.at > news.c.seen_at)


async def read_news(
    session: AsyncSession, news: Subquery, condition: ColumnElement[bool], *, limit: int
) -> Sequence[News]:
    rows = await session.execute(
        select(
            news.c.kind,
            news.c.at,
            news.c.member_id,
            Course,
            CourseAssignment,
            news.c.submission_id,
            news.c.attempt,
            is_unseen(news),
        )
        .select_from(news)
        .join(CourseAssignment, CourseAssignment.id == news.c.use_id)
        .join(Course, Course.id == CourseAssignment.course_id)
        .where(condition)
        .order_by(news.c.at.desc(), news.c.key)
        .limit(limit)
    )
    return [News(NewsKind(kind), *rest) for kind, *rest in rows]


def stored_news(of: ColumnElement[bool]) -> Subquery:
    """Select all news of some students.

    Args:
        of: a condition on `Membership`.
    """
    theirs = of & is_student()
    later = aliased(Adjustment)
    is_replaced = (
        select(later.id)
        .where(
            later.membership_id == Adjustment.membership_id,
            later.course_assignment_id == Adjustment.course_assignment_id,
            later.id > Adjustment.id,
        )
        .exists()
    )
    old, new = aliased(StoredReport), aliased(StoredReport)
    none = cast(null(), String(ID_LENGTH)), cast(null(), Integer)
    of_attempt = Submission.id, Submission.attempt
    is_accepted = Submission.hold_decision == HoldDecision.ACCEPTED
    adjusted_at = func.coalesce(Adjustment.ended_at, Adjustment.created_at)

    def one_of(condition: ColumnElement[bool], kind: NewsKind, other: NewsKind) -> ColumnElement[str]:
        return case((condition, literal(kind.value)), else_=literal(other.value))

    def part(kind: NewsKind | ColumnElement[str], at: Any, key: Any, use: Any, attempt: Any) -> Select[Any]:
        return select(
            (literal(kind.value) if isinstance(kind, NewsKind) else kind).label("kind"),
            at.label("at"),
            cast(key, String(ID_LENGTH)).label("key"),
            use.label("use_id"),
            attempt[0].label("submission_id"),
            attempt[1].label("attempt"),
            Membership.id.label("member_id"),
            Membership.news_seen_at.label("seen_at"),
        ).where(theirs)

    return union_all(
        part(NewsKind.COMMENT, Comment.created_at, Comment.id, Comment.course_assignment_id, of_attempt)
        .join(Membership, Membership.id == Comment.membership_id)
        .outerjoin(Submission, Submission.id == Comment.submission_id),
        part(
            NewsKind.ANSWER,
            ReviewRequest.answered_at,
            ReviewRequest.id,
            Submission.course_assignment_id,
            of_attempt,
        )
        .join(Submission, Submission.id == ReviewRequest.submission_id)
        .join(Membership, Membership.id == Submission.membership_id)
        .where(ReviewRequest.answered_at.is_not(None)),
        part(
            one_of(Adjustment.ended_at.is_(None), NewsKind.ADJUSTED, NewsKind.WITHDRAWN),
            adjusted_at,
            Adjustment.id,
            Adjustment.course_assignment_id,
            none,
        )
        .join(Membership, Membership.id == Adjustment.membership_id)
        .where(~is_replaced),
        part(NewsKind.EXTENDED, Extension.created_at, Extension.id, Extension.course_assignment_id, none).join(
            Membership, Membership.id == Extension.membership_id
        ),
        part(
            one_of(is_accepted, NewsKind.ACCEPTED, NewsKind.REJECTED),
            Submission.hold_decided_at,
            Submission.id,
            Submission.course_assignment_id,
            of_attempt,
        )
        .join(Membership, Membership.id == Submission.membership_id)
        .where(Submission.hold_decided_at.is_not(None)),
        # Two regrades may share a new report.
        part(
            NewsKind.REGRADED,
            func.coalesce(func.max(Regrade.applied_at), new.created_at),
            new.id,
            Submission.course_assignment_id,
            of_attempt,
        )
        .select_from(RegradeItem)
        .join(Regrade, Regrade.id == RegradeItem.regrade_id)
        .join(Submission, Submission.id == RegradeItem.submission_id)
        .join(Membership, Membership.id == Submission.membership_id)
        .join(old, old.id == RegradeItem.old_report_id)
        .join(new, new.id == RegradeItem.new_report_id)
        .where(new.preview_id.is_(None), new.points.is_not(None), new.points.is_distinct_from(old.points))
        .where(~is_withheld())
        .group_by(new.id, new.created_at, Submission.id, Membership.id),
    ).subquery("news")
