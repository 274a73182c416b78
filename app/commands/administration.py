"""An operator's commands on tokens, students, held attempts and regrades, by the rules of the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from app.access import tokens
from app.access.rights import Right
from app.actions import ways_in as actions
from app.actions.fields import ID
from app.actions.ways_in import MakeToken
from app.api.schemas.regrades import RegradeRequest
from app.api.schemas.submissions import DecisionRequest
from app.commands.acting import asking, check_left, checked, course_id_of, opened, owner_of
from app.errors.commands import NotPossible
from app.errors.uploads import StudentInvalid
from app.privacy import deletion, retention
from app.privacy.deletion import Deleted
from app.settings import Settings
from app.storage.database import Database
from app.storage.models import Course, Role, Token, utc_now
from app.submissions import listing, repository
from app.submissions.listing import Selection
from app.submissions.uploads import check_student
from app.teaching import holds, regrades
from app.teaching.regrades import Regraded, RegradeProgress

LOOK_SECONDS = 1.0
AT_ONCE = 200
MOST_LISTED = 1000


async def create_token(
    settings: Settings, name: str, role: str, student: str | None, days: int | None, course: str | None = None
) -> tuple[str, str]:
    """Make a token; return it, and the link that signs a browser in with it.

    Raises:
        NotPossible: the API would not make it either.
    """
    expires_at = utc_now() + timedelta(days=days) if days else None
    wanted = checked(MakeToken, {"name": name, "role": role, "student": student, "expires_at": expires_at})
    async with asking(settings, course) as owner:
        _, secret = await actions.make_token(owner, wanted)
        return secret, tokens.sign_in_link(owner.url, secret)


async def list_tokens(settings: Settings) -> list[str]:
    """Return a line for each token, the newest first."""
    async with opened(settings) as database, database.read() as session:
        with_courses = select(Token, Course.title).join(Course, Course.id == Token.course_id)
        listed = with_courses.where(~Token.is_link).order_by(Token.id.desc())
        found = (await session.execute(listed)).all()
    now = utc_now()
    return [_token_line(token, title, now) for token, title in found]


def _token_line(token: Token, course: str, now: datetime) -> str:
    state = "valid"
    if token.revoked_at is not None:
        state = f"revoked {token.revoked_at:%Y-%m-%d}"
    elif token.expires_at is not None:
        state = f"{'expired' if token.expires_at <= now else 'until'} {token.expires_at:%Y-%m-%d}"
    student = f" ({token.student})" if token.student else ""
    where = "all courses" if token.role == Role.ADMIN else course
    return f"{token.id}  {token.role:<9}  {state:<18}  {token.name}{student}  [{where}]"


async def revoke_token(settings: Settings, token_id: str) -> None:
    """Raises: NotPossible: there is no such token."""
    async with opened(settings) as database:
        owner = await owner_of(database)
        async with database.write() as session:
            if not ID.fullmatch(token_id) or not await tokens.revoke_token(session, token_id, owner):
                raise NotPossible(reason=f"there is no token {token_id!a}")


async def delete_student(settings: Settings, student: str, course: str | None = None) -> Deleted:
    """Delete everything that a course keeps about a student, named as `known_student` gives it."""
    async with opened(settings) as database:
        async with database.read() as session:
            course_id = await course_id_of(session, course)
        return await deletion.delete_student(database, student, course_id)


def known_student(name: str) -> str:
    """Give a student's name the form in which it is stored.

    Raises:
        NotPossible: no student can have it.
    """
    try:
        return check_student(name)
    except StudentInvalid as exc:
        raise NotPossible(reason="nobody can have this name") from exc


async def count_older(settings: Settings, days: float) -> int:
    """Return the number of submissions that are older than this."""
    async with opened(settings) as database:
        return await retention.count_older(database, days)


async def prune(settings: Settings, days: float) -> int:
    """Delete submissions that are older than this; return their number."""
    async with opened(settings) as database:
        return await retention.delete_older(database, days)


async def list_held(settings: Settings) -> list[str]:
    """Return a line for each attempt that waits for a decision, the newest first."""
    async with opened(settings) as database:
        owner = await owner_of(database)
        async with database.read() as session:
            found = await listing.list_submissions(session, owner, Selection(held=True), limit=MOST_LISTED)
    return [
        f"{submission.id}  {submission.held_at:%Y-%m-%d %H:%M}  "
        f"{submission.student}, {submission.assignment_id}, attempt {submission.attempt}"
        for submission, _ in found
    ]


async def decide_held(settings: Settings, submission_id: str, decision: str, reason: str) -> None:
    """Raises: NotPossible: there is no such submission, it was never held, or its course is archived."""
    wanted = checked(DecisionRequest, {"decision": decision, "reason": reason})
    async with opened(settings) as database:
        owner = await owner_of(database)
        async with database.write() as session:
            submission = (
                await repository.find_submission(session, submission_id, owner) if ID.fullmatch(submission_id) else None
            )
            if submission is None:
                raise NotPossible(reason=f"there is no submission {submission_id!a}")
            await check_left(session, Right.DECIDE, submission.course_id)
            if not await holds.decide(session, submission, **wanted.model_dump(), decided_by=owner.name):
                raise NotPossible(reason="this submission was never held: it counts like any other")


async def regrade(
    settings: Settings,
    submissions: Sequence[str] | None,
    selection: dict[str, Any],
    *,
    wait: bool,
    say: Callable[[str], None],
    preview: bool = False,
) -> None:
    """Begin a regrade; with `wait`, wait for its end and report the changes through `say`.

    Args:
        submissions: ids; None: choose by `selection`, in the words of the API, or all.
    Raises:
        NotPossible: the API would not begin it either.
    """
    if unknown := [each for each in submissions or () if not ID.fullmatch(each)]:
        raise NotPossible(reason=f"there is no submission {unknown[0]!a}")
    if (since := selection.get("since")) is not None:
        selection = {**selection, "since": since.replace(tzinfo=since.tzinfo or UTC)}
    chosen = {"submissions": submissions} if submissions else {"filter": selection} if selection else {"all": True}
    wanted = checked(RegradeRequest, {**chosen, "preview": preview})
    async with opened(settings) as database:
        owner = await owner_of(database)
        async with database.write() as session:
            regrade = await regrades.begin(
                session,
                requested_by=owner.id,
                meant=wanted.meant,
                selection=wanted.selection,
                is_preview=wanted.preview,
            )
            id = regrade.id
        while True:
            async with database.read() as session:
                progress = await regrades.find_regrade(session, id)
            assert progress is not None
            if not wait or progress.done == progress.total:
                break
            await asyncio.sleep(LOOK_SECONDS)
        say(progress_line(progress))
        if wait:
            async for item in changed_items(database, id):
                say(change_line(item))


def progress_line(progress: RegradeProgress) -> str:
    """Say how far a regrade is."""
    regrade = progress.regrade
    line = f"{regrade.id}: {progress.done} of {progress.total} submissions are graded again, {progress.changed} changed"
    if not regrade.is_preview:
        return line
    if regrade.dropped_at is not None:
        return f"{line}; a preview, dropped {regrade.dropped_at:%Y-%m-%d %H:%M}"
    if regrade.applied_at is None:
        return f"{line}; a preview"
    line = f"{line}; a preview, applied {regrade.applied_at:%Y-%m-%d %H:%M}"
    return f"{line}, {progress.superseded} keep a newer report" if progress.superseded else line


async def changed_items(database: Database, id: str) -> AsyncIterator[Regraded]:
    after = None
    while True:
        async with database.read() as session:
            items = await regrades.list_items(session, id, only_changed=True, limit=AT_ONCE, after=after)
        for item in items:
            yield item
        if len(items) < AT_ONCE:
            return
        after = items[-1].submission.id


def change_line(item: Regraded) -> str:
    submission, old, new = item.submission, item.old, item.new
    assert new is not None
    before, after = (f"{each.status} {'-' if each.points is None else format(each.points, 'g')}" for each in (old, new))
    what = f"{submission.student}, {submission.assignment_id}, attempt {submission.attempt}"
    return f"{submission.id}  {what}: {before} -> {after}"
