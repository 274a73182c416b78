"""The service's owner, on whose behalf the commands ask for actions."""

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import cached_property
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from app.access import tokens
from app.access.tokens import Principal
from app.actions.actor import Actor
from app.actions.fields import ID
from app.answers import answer_for, words_for
from app.commands.shell import THE_DEFAULT
from app.errors import AppError
from app.errors.commands import CannotStart, NotPossible
from app.settings import Settings
from app.storage.database import Database
from app.storage.models import DEFAULT_COURSE, Course
from grader import Assignment, load_assignments


class LazyAssignments(Mapping[str, Assignment]):
    """All assignments, loaded when a command first needs one. A mistake in a file stops no other command."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    @cached_property
    def _by_id(self) -> Mapping[str, Assignment]:
        return load_assignments(self._folder)

    def __getitem__(self, id: str) -> Assignment:
        return self._by_id[id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)


@contextlib.asynccontextmanager
async def owner_of(settings: Settings, course: str | None) -> AsyncIterator[Actor]:
    """Yield the service's owner as an actor.

    Args:
        course: the id of the only course to act in, or `THE_DEFAULT`; None: all courses.
    Raises:
        AssignmentError: the work needs an assignment, and a file has a mistake.
        NotPossible: there is no such course, no service was ever started on the database, or an action was refused.
        DatabaseOutdated: the tables are missing, or of an older version.
    """
    database = Database(settings.database_url)
    try:
        await database.check_revision()
        async with database.read() as session:
            owner = await _owner(session)
            holder = owner if course is None else owner.in_course(await _course(session, course))
        yield Actor(holder, database, LazyAssignments(settings.assignments_dir), settings.url())
    except CannotStart:
        raise
    except AppError as exc:
        title, detail = words_for(answer_for(exc), "en", exc.params)
        raise NotPossible(reason=f"{title}. {detail}") from exc
    finally:
        await database.close()


async def _owner(session: AsyncSession) -> Principal:
    owner = await tokens.find_owner_token(session)
    if owner is None:
        raise NotPossible(
            reason="no service was ever started on this database, so nobody owns it; start it once: lstm-grader serve"
        )
    return Principal.of(owner)


async def _course(session: AsyncSession, named: str) -> Course:
    course_id = DEFAULT_COURSE if named == THE_DEFAULT else named
    course = await session.get(Course, course_id) if ID.fullmatch(course_id) else None
    if course is None:
        raise NotPossible(reason=f"there is no course {named!a}")
    return course
