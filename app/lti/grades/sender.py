"""Sends grades to the grade books of platforms, and repeats failed tries later.

The newest grade wins. It is computed when it is sent, so the platform gets the grade that the student sees here, with
lateness, extensions, adjustments and regrades. An interrupted try is repeated with the same grade and a later stamp,
which changes nothing at the platform.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses.assignments import Assignments, title_of
from app.errors import AnswerUnusable, TargetRefused
from app.errors.lti import PlatformRefused, TokenRefused
from app.lti.grades import comparison, lineitems, outbox, scores
from app.lti.grades.comparison import PlatformGrade
from app.lti.grades.expected import ExpectedGrade, expected_grade
from app.lti.grades.outbox import DueScore
from app.lti.platform_services import SCORE_SCOPE, PlatformServices, is_page, may_pass, words_of
from app.lti.registration import kinds
from app.outgoing.client import Answer
from app.outgoing.sender import Sender
from app.storage.database import Database
from app.storage.models import Course, LtiScore, Membership, ReportDiagnosis, StoredReport, Submission
from app.storage.passback import GONE
from app.submissions.derivation import Counted, in_words
from app.submissions.grades import counted_grade
from app.texts import text
from grader.report import messages

logger = logging.getLogger(__name__)

#: The limit for a token, a search for the line item, and the score together.
TRY_SECONDS = 120.0
#: Longer than a try and the recording of its outcome.
LEASE = timedelta(seconds=TRY_SECONDS + 60)
#: Scores that one process sends to one platform at the same time.
SIDE_BY_SIDE = 4
#: Waits after the first failure, the second, ...; the last one repeats, for about a week. A platform that was down for
#: an hour has its grades a quarter of an hour later.
RETRY_SECONDS = (10, 60, 300, *(6 * (900,)), 3600, 3 * 3600)
MOST_TRIES = 60
#: Repeats with a new stamp after a refused one; then it is a failure like others.
RESTAMPS = 3
RESTAMP_SECONDS = 2.0
LONGEST_WAIT = timedelta(hours=6)
#: The wait before a missing assignment file is looked for again.
FILE_MISSING = timedelta(hours=1)
#: The wait for a column that another process is creating.
IN_A_MOMENT = timedelta(seconds=1)
#: Teachers are told the reason of a longer wait for the next stamp.
UNSAID = timedelta(minutes=1)


@dataclass(frozen=True)
class _Grade:
    """A grade on its way. Attributes: expected: None: nothing is sent; submitted_at: of the counting attempt."""

    expected: ExpectedGrade | None
    comment: str
    submitted_at: datetime | None
    title: str

    @property
    def comment_sha256(self) -> str:
        return sha256(self.comment.encode()).hexdigest()


class ScoreSender(Sender[DueScore]):
    """Sends due scores while the async context is entered. Several processes may each run one."""

    NAME = "lti-scores"

    def __init__(self, database: Database, assignments: Assignments, services: PlatformServices) -> None:
        super().__init__(database)
        self._assignments = assignments
        self._services = services

    async def _is_something_due(self, session: AsyncSession) -> bool:
        return await outbox.is_something_due(session)

    async def _claim(self, session: AsyncSession, busy: Mapping[str, int]) -> Iterable[DueScore]:
        rooms = {platform: SIDE_BY_SIDE - count for platform, count in busy.items()}
        return await outbox.claim_due(session, LEASE, rooms, SIDE_BY_SIDE)

    def _receiver(self, item: DueScore) -> str:
        return item.platform.id

    async def _send(self, due: DueScore) -> None:
        async with self._database.read() as session:
            grade = await self._grade(session, due)
        if grade is None:
            # The assignment's file is missing, perhaps by mistake, so the grade is kept.
            async with self._database.write() as session:
                await outbox.put_off(session, due, FILE_MISSING)
            return
        if grade.expected is None:
            async with self._database.write() as session:
                await outbox.store_delivery(session, due, None)
            return
        try:
            # A try that outlasts its lease could arrive after the next one.
            async with asyncio.timeout(TRY_SECONDS):
                posted = await self._post(due, grade, grade.expected)
        except TimeoutError:
            await self._store_failure(due, None, "the platform did not answer in time")
        except PlatformRefused as exc:
            answer_facts = int(exc.params["status"]), str(exc.params["words"]), exc.params.get("retry_after")
            await self._store_failure(due, *answer_facts, token_refused=isinstance(exc, TokenRefused))
        except AnswerUnusable as exc:
            await self._store_failure(due, None, str(exc.params["reason"]))
        except TargetRefused as exc:
            # Another try would use the same address.
            await self._store_failure(due, None, f"the address is refused: {exc.params['reason']}", is_final=True)
        else:
            await self._end(due, grade, posted)

    async def _post(
        self, due: DueScore, grade: _Grade, expected: ExpectedGrade
    ) -> tuple[Answer, PlatformGrade | None] | timedelta:
        """Post the score; or return the wait before it can be posted.

        Returns:
            The platform's answer, and the grade that its book shows now; None: unknown.
        """
        lineitem = await lineitems.of_link(
            self._database,
            self._services,
            due.platform,
            due.link,
            label=grade.title,
            max_points=expected.max_points,
            resource=due.use.id,
        )
        if lineitem is None:
            return IN_A_MOMENT
        await self._services.prepare(due.platform, [SCORE_SCOPE])
        async with self._database.write() as session:
            stamp = await outbox.stamp(session, due.score.id, self._services.now_at(due.platform))
        if isinstance(stamp, timedelta):
            return stamp
        is_canvas = kinds.is_canvas(due.platform)
        # Canvas adds a comment each time. Moodle deletes its comment if none is sent.
        is_shown = is_canvas and due.score.comment_sha256 == grade.comment_sha256
        comment = None if is_shown else grade.comment
        score = scores.score_of(
            user_id=due.score.user_id,
            points=expected.points,
            max_points=expected.max_points,
            comment=comment,
            stamp=stamp,
            # The stamp may come from another clock.
            submitted_at=min(grade.submitted_at, stamp) if grade.submitted_at else None,
            is_new=_is_new(due.score, grade) if is_canvas else None,
        )
        answer = await scores.post_score(self._services, due.platform, lineitem, score)
        if is_canvas and answer.status == HTTPStatus.UNPROCESSABLE_ENTITY:
            # Canvas may allow no more attempts, but still changes the grade of the last one.
            score[scores.CANVAS_SUBMISSION] = {"new_submission": False}
            answer = await scores.post_score(self._services, due.platform, lineitem, score)
        if answer.status in GONE and await lineitems.replace_if_gone(
            self._database, self._services, due.platform, due.link, lineitem
        ):
            return IN_A_MOMENT
        there = None
        if answer.is_success and kinds.is_moodle(due.platform):
            # It takes a score of an overridden grade like any other. Platforms that store later would show the old one.
            there = await comparison.shown_to(self._services, due.platform, due.link, lineitem, due.score.user_id)
        return answer, there

    async def _fault(self, item: DueScore) -> None:
        await self._store_failure(item, None, "a fault of this service")

    async def _end(self, due: DueScore, grade: _Grade, posted: tuple[Answer, PlatformGrade | None] | timedelta) -> None:
        """Record the outcome of a try, or the wait before it."""
        if isinstance(posted, timedelta):
            async with self._database.write() as session:
                await outbox.put_off(session, due, posted, outbox.AHEAD if posted > UNSAID else None)
            return
        answer, there = posted
        if not answer.is_success:
            await self._store_failure(due, answer.status, words_of(answer), answer.retry_after)
        elif is_page(answer):
            # A page instead of an answer means that no score was stored.
            await self._store_failure(due, None, "the platform answered with a page")
        else:
            async with self._database.write() as session:
                await outbox.store_delivery(
                    session,
                    due,
                    grade.expected,
                    submitted_at=grade.submitted_at,
                    comment_sha256=grade.comment_sha256,
                )
                if there is not None:
                    await comparison.mark_shown(session, due.score.id, there)
            logger.info("lti_score_delivered", extra=_facts(due))

    async def _store_failure(
        self,
        due: DueScore,
        status: int | None,
        words: str,
        retry_after: float | None = None,
        *,
        is_final: bool = False,
        token_refused: bool = False,
    ) -> None:
        """Schedule the next try, or give up, depending on the platform's answer.

        Args:
            token_refused: the platform refused a token, so it has not seen the grade.
        """
        wait = None if is_final else _wait(None if token_refused else status, due.score.attempts, retry_after)
        async with self._database.write() as session:
            await outbox.store_failure(
                session, due, again_in=wait, status=status, words=words, token_refused=token_refused
            )
        facts = {**_facts(due), "status": status, "reason": words, "will_be_repeated": wait is not None}
        facts["token_refused"] = token_refused
        logger.warning("lti_score_failed", extra=facts)

    async def _grade(self, session: AsyncSession, due: DueScore) -> _Grade | None:
        """Compute the current grade; None: the assignment's file is gone."""
        member = await session.get_one(Membership, due.member.id)
        counted = await counted_grade(session, self._assignments, member, due.use)
        if counted is None:
            return None
        course = await session.get_one(Course, member.course_id)
        title = title_of(due.use, self._assignments, course.language)
        attempt = None
        if counted.attempt is not None:
            attempt = await session.scalar(
                select(Submission).where(
                    Submission.membership_id == member.id,
                    Submission.course_assignment_id == due.use.id,
                    Submission.attempt == counted.attempt,
                )
            )
        grade = expected_grade(await session.get_one(LtiScore, due.score.id), counted)
        if grade is not None and grade.is_kept:
            return _Grade(grade, text("passback.kept", course.language), None, title)
        comment = await self._comment(session, counted, attempt, course)
        return _Grade(grade, comment, attempt.created_at if attempt else None, title)

    async def _comment(
        self, session: AsyncSession, counted: Counted, attempt: Submission | None, course: Course
    ) -> str:
        """Return a comment: the derivation of the points, and the cause of lost ones.

        It has no link to the report, because platforms show comments as plain text, and a bare address signs nobody in.
        """
        cause = None
        if attempt is not None:
            newest = select(StoredReport.id).where(
                StoredReport.submission_id == attempt.id, StoredReport.preview_id.is_(None)
            )
            report = newest.order_by(StoredReport.id.desc()).limit(1).scalar_subquery()
            code = await session.scalar(
                select(ReportDiagnosis.code).where(ReportDiagnosis.report_id == report).limit(1)
            )
            cause = messages.title_of(code, course.language) if code else None
        where = text("passback.report", course.language) if attempt is not None else None
        words = in_words(counted.steps, course.language, ZoneInfo(course.time_zone))
        return " ".join(f"{each.rstrip('.')}." for each in (words, cause, where) if each)


def _is_new(score: LtiScore, grade: _Grade) -> bool:
    """Tell whether the attempt is newer than the one whose grade has arrived."""
    if grade.submitted_at is None:
        return False
    return score.submitted_at is None or grade.submitted_at > score.submitted_at


def _wait(status: int | None, tries: int, retry_after: float | None) -> timedelta | None:
    """Return the wait before the next try; None: give up.

    Args:
        status: None: there was no readable answer.
        retry_after: the seconds that the platform asks us to wait.
    """
    if tries >= MOST_TRIES or (status is not None and not may_pass(status)):
        return None
    if status == HTTPStatus.CONFLICT and tries <= RESTAMPS:
        return timedelta(seconds=RESTAMP_SECONDS)
    return min(max(timedelta(seconds=retry_after or 0.0), _backoff(tries)), LONGEST_WAIT)


def _backoff(tries: int) -> timedelta:
    return timedelta(seconds=RETRY_SECONDS[min(tries, len(RETRY_SECONDS)) - 1])


def _facts(due: DueScore) -> dict[str, object]:
    return {
        "score_id": due.score.id,
        "platform": due.platform.id,
        "member_id": due.member.id,
        "attempts": due.score.attempts,
    }
