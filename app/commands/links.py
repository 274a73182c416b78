"""An operator's commands on rosters, personal links and join links, by the rules of the API."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import AsyncIterator, Collection, Sequence, Sized
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from app.access import joining, links
from app.access.links import NewLink
from app.access.rights import Right
from app.access.tokens import sign_in_link
from app.actions import ways_in as actions
from app.actions.ways_in import ImportResult, LinksFor, MakeJoinLink
from app.commands.acting import asking, checked, member_id_of, opened, owner_in, refused_in_words
from app.courses.roster.planning import Outcome, Step
from app.courses.roster.reading import MOST_BYTES
from app.errors.commands import NotPossible
from app.errors.ways_in import JoinLinkNotFound
from app.mail.mailer import Mailer
from app.settings import Settings
from app.storage.models import Course, JoinLink, Token, utc_now
from app.texts import text

MOST_LISTED = 5000
OWNER_ONLY = 0o600


@dataclass(frozen=True)
class Done:
    """The result of a command that makes links.

    Attributes:
        lines: for the output.
        unsent: what the mail server did not take, and how the people get their links; None: nothing.
    """

    lines: Sequence[str]
    unsent: str | None = None


async def import_roster(
    settings: Settings,
    file: Path,
    course: str | None,
    *,
    dry_run: bool,
    id_column: str | None,
    links_for: LinksFor,
    output: Path | None,
    mail: bool,
) -> Done:
    """Import a roster: there is a line for each of its rows, and what it comes to.

    Args:
        output: for the links, as CSV. It must not exist yet.
    """
    with file.open("rb") as opened_file:
        content = opened_file.read(MOST_BYTES + 1)

    def keep(imported: ImportResult) -> None:
        if output is not None:
            _write(output, links.links_csv(imported.links.values(), settings.url()))

    async with asking(settings, course) as owner, _mailer(settings, wanted=mail) as mailer:
        imported = await actions.import_roster(
            replace(owner, mailer=mailer),
            content,
            id_column=id_column,
            dry_run=dry_run,
            links_for=links_for,
            by_mail=mail,
            keep=keep,
        )
    lines = [_line(step) for step in imported.plan.steps]
    lines += [
        f"{'':<11}{member.external_id or member.id}: in the course, and not in the file; left as it is"
        for member in imported.plan.missing
    ]
    lines.append(_sum(imported, imported.roster.id_column, dry_run=dry_run, mailer=mailer))
    return Done(lines, _unsent(mailer, output, course))


def _line(step: Step) -> str:
    row = step.row
    said = [text(f"roster.fault.{problem.fault}", "en", **problem.params) for problem in row.problems]
    if step.conflict is not None:
        said.append(text(f"roster.conflict.{step.conflict}", "en", with_id=step.with_id or "?"))
    if step.outcome != Outcome.NEW:
        said += [f"{name}: {_shown(before)} -> {_shown(after)}" for name, (before, after) in step.changes.items()]
    said += [f"{name} stays: the person is in other courses, too, or signs in with an account" for name in step.kept]
    who = " ".join(filter(None, (row.id, row.name)))
    why = "; ".join(said)
    return f"{row.line:>5}  {step.outcome:<10}  {who}{f'  ({why})' if why else ''}"


def _shown(value: object) -> str:
    return "-" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _sum(imported: ImportResult, id_column: str, *, dry_run: bool, mailer: Mailer | None) -> str:
    counted = ", ".join(f"{outcome}: {count}" for outcome, count in imported.plan.counts().items() if count)
    end = "; nothing was stored" if dry_run else f"; {_counted(imported.links, mailer)}" if imported.links else ""
    return f"{counted or 'no rows'} (ids from {id_column!r}){end}"


async def make_links(
    settings: Settings,
    member: str | None,
    course: str | None,
    *,
    never_used: bool = False,
    output: Path | None = None,
    mail: bool = False,
) -> Done:
    """Make links: there is a line for each, or, if they go into a file or by mail, how many there are.

    Args:
        member: an id in the grade book or of a membership; None: all students.
    """
    with refused_in_words():
        async with opened(settings) as database, _mailer(settings, wanted=mail) as mailer:
            owner = await owner_in(database, course, Right.MAKE_LINKS)
            async with database.write() as session:
                ids = None if member is None else [await member_id_of(session, owner, member)]
                chosen = await links.choose(session, owner, ids, never_used=never_used)
                made = await links.make(session, chosen, owner.id)
                if output is not None:
                    _write(output, links.links_csv(made, settings.url()))
                course_row = await session.get_one(Course, owner.course_id)
            _mail(mailer, made, course_row, settings)
    if output is not None or mail:
        return Done([_counted(made, mailer)], _unsent(mailer, output, course, member))
    return Done([sign_in_link(settings.url(), link.secret) for link in made])


async def list_links(settings: Settings, course: str | None) -> list[str]:
    """Return a line for each personal link of a course, the newest first."""
    async with opened(settings) as database:
        owner = await owner_in(database, course, Right.MANAGE_LINKS)
        async with database.read() as session:
            found = await links.list_links(session, owner, limit=MOST_LISTED)
    return [f"{token.id}  {_state(token):<18}  {member.external_id or member.id}" for token, member in found]


def _state(token: Token) -> str:
    if token.revoked_at is not None:
        return f"ended {token.revoked_at:%Y-%m-%d}"
    return "never used" if token.used_at is None else f"used {token.used_at:%Y-%m-%d}"


async def revoke_links(settings: Settings, member: str | None, course: str | None) -> int:
    """End the links of a member, or of the whole course; return their number."""
    with refused_in_words():
        async with opened(settings) as database:
            owner = await owner_in(database, course, Right.MANAGE_LINKS)
            async with database.write() as session:
                id = None if member is None else await member_id_of(session, owner, member)
                return await links.revoke(session, owner, id)


async def make_join_link(
    settings: Settings, course: str | None, *, group: str | None, limit: int | None, days: int | None
) -> tuple[str, str]:
    """Make a join link; return its id and its address."""
    expires_at = utc_now() + timedelta(days=days) if days else None
    wanted = checked(MakeJoinLink, {"group": group, "limit": limit, "expires_at": expires_at})
    async with opened(settings) as database:
        owner = await owner_in(database, course, Right.MAKE_LINKS)
        async with database.write() as session:
            link, secret = await joining.make(session, owner, **wanted.model_dump())
    return link.id, joining.address(settings.url(), secret)


async def list_join_links(settings: Settings, course: str | None) -> list[str]:
    """Return a line for each join link of a course, the newest first."""
    async with opened(settings) as database:
        owner = await owner_in(database, course, Right.MANAGE_LINKS)
        async with database.read() as session:
            found = await joining.list_links(session, owner.course_id, limit=MOST_LISTED)
    return [_join_line(link) for link in found]


def _join_line(link: JoinLink) -> str:
    now = utc_now()
    state = "valid"
    if link.revoked_at is not None:
        state = f"revoked {link.revoked_at:%Y-%m-%d}"
    elif link.expires_at is not None:
        state = f"{'expired' if link.expires_at <= now else 'until'} {link.expires_at:%Y-%m-%d}"
    of = "" if link.limit is None else f" of {link.limit}"
    return f"{link.id}  {state:<18}  {link.uses}{of} have come{f', group {link.group}' if link.group else ''}"


async def revoke_join_link(settings: Settings, link_id: str, course: str | None) -> None:
    """Raises: NotPossible: the course has no such join link."""
    async with opened(settings) as database:
        owner = await owner_in(database, course, Right.MANAGE_LINKS)
        try:
            async with database.write() as session:
                await joining.revoke(session, owner.course_id, link_id)
        except JoinLinkNotFound as exc:
            reason = f"the course has no join link {link_id!a}; `join-links list` shows those that it has"
            raise NotPossible(reason=reason) from exc


@contextlib.asynccontextmanager
async def _mailer(settings: Settings, *, wanted: bool) -> AsyncIterator[Mailer | None]:
    """Give a mailer, and wait in the end until every message is sent or given up.

    Raises:
        NotPossible: mail is wanted, and the settings name no mail server.
    """
    if not wanted:
        yield None
        return
    server = settings.mail_server
    if server is None:
        raise NotPossible(reason="no mail can be sent: set LSTM_GRADER_SMTP_HOST")
    async with Mailer(server) as mailer:
        yield mailer
        await mailer.finish()


def _mail(mailer: Mailer | None, made: Collection[NewLink], course: Course, settings: Settings) -> None:
    if mailer is not None:
        for link in made:
            links.mail(mailer, link, course, settings.url())


def _counted(made: Sized, mailer: Mailer | None) -> str:
    """Say how many links were made, and how many of them were sent by a mailer that has finished."""
    return f"links: {len(made)}{f', mailed: {mailer.sent}' if mailer else ''}"


def _unsent(mailer: Mailer | None, output: Path | None, course: str | None, member: str | None = None) -> str | None:
    """Say what a mailer that has finished has given up, and where the links are; None: nothing.

    Args:
        output: has the links; None: nobody has them, so they are made again.
        member: whose link alone was made.
    """
    if mailer is None or not mailer.given_up:
        return None
    again = f"make {shlex.quote(member)}" if member else "make-all FILE --never-used"
    again = f"lstm-grader members link {again} --mail{f' --course {course}' if course else ''}"
    reasons = ", ".join(sorted(mailer.given_up))
    way = f"their links are in {output}" if output else f"make their links again: {again}"
    return f"messages that could not be sent: {mailer.given_up.total()} ({reasons}); {way}"


def _write(file: Path, content: str) -> None:
    """Write a new file that only its owner reads. Raises: NotPossible: it is there already."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    except FileExistsError as exc:
        raise NotPossible(reason=f"{file} exists already") from exc
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as out:
        out.write(content)
