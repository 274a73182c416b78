"""Mentions of people where no foreign key leads: names in filters, in the log of changes, and ids of actors."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.storage.models import Batch, BatchFile, Change, Course, Membership, Merge, Regrade, Submission, Token

#: Replaces a deleted person's name.
NOBODY = "deleted"
# A shorter one is replaced only where it stands alone: in a text it may be any number or word.
SHORTEST_IN_TEXT = 4
# The columns that name an actor; with the key of the request, which the same actor may not use twice.
ACTORS = (
    (Course, Course.created_by),
    (Regrade, Regrade.requested_by),
    (Submission, Submission.submitted_by),
    (Token, Token.created_by),
)


async def forget_names(
    session: AsyncSession,
    names: Collection[str],
    course_ids: Collection[str],
    external_ids: Collection[tuple[str, str]] = (),
    submission_ids: Collection[str] = (),
) -> None:
    """Replace the names of deleted people in what these courses keep about others.

    Args:
        names: of the people, with addresses and external ids.
        external_ids: each with the id of its course before it.
        submission_ids: are taken out of the choices of regrades.
    """
    # An admin's regrade of all courses may have meant this student, or another one of that name.
    for regrade in await session.scalars(
        select(Regrade).where(or_(Regrade.course_id.in_(course_ids), Regrade.course_id.is_(None)))
    ):
        selection = forgotten(regrade.selection, names)
        if chosen := selection.get("submissions"):
            selection["submissions"] = [id for id in chosen if id not in submission_ids]
        if selection != regrade.selection:
            regrade.selection = selection
    for change in await session.scalars(select(Change).where(Change.course_id.in_(course_ids))):
        before, after = forgotten(change.before, names), forgotten(change.after, names)
        if (before, after) != (change.before, change.after):
            change.before, change.after = before, after
    for merge in await session.scalars(select(Merge).where(Merge.course_id.in_(course_ids))):
        if (moved := forgotten(merge.moved, names)) != merge.moved:
            merge.moved = moved
    await _forget_in_batches(session, names, course_ids)
    for course_id, external_id in external_ids:
        # Somebody who joined by a link may have claimed to be this student.
        await session.execute(
            update(Membership)
            .where(Membership.course_id == course_id, Membership.claimed_id == external_id)
            .values(claimed_id=None)
            .execution_options(synchronize_session=False)
        )


async def _forget_in_batches(session: AsyncSession, names: Collection[str], course_ids: Collection[str]) -> None:
    for batch in await session.scalars(select(Batch).where(Batch.course_id.in_(course_ids))):
        if (filename := forgotten(batch.filename, names)) != batch.filename:
            batch.filename = filename
    of_courses = select(BatchFile).join(Batch, Batch.id == BatchFile.batch_id).where(Batch.course_id.in_(course_ids))
    for file in await session.scalars(of_courses):
        named = {name: getattr(file, name) for name in ("name", "path", "filename", "platform_id", "reason")}
        if (left := forgotten(named, names)) == named:
            continue
        if file.membership_id is None:  # Nobody knew whose it was.
            await session.delete(file)
            continue
        for name, value in left.items():
            setattr(file, name, value)


async def forget_makers(session: AsyncSession, names: Collection[str], course_ids: Collection[str]) -> None:
    """Replace these names of students where the logs of these courses say who has changed something."""
    for made_by, course_id in ((Change.made_by, Change.course_id), (Merge.made_by, Merge.course_id)):
        await session.execute(
            update(made_by.class_)
            .where(made_by.in_(names), or_(course_id.in_(course_ids), course_id.is_(None)))
            .values(made_by=NOBODY)
            .execution_options(synchronize_session=False)
        )


async def forget_actors(session: AsyncSession, ids: Collection[str]) -> None:
    """Take these ids out of the records of who has made what."""
    for model, column in ACTORS:
        await session.execute(
            update(model)
            .where(column.in_(ids))
            .values({column.key: NOBODY, "idempotency_key": None})
            .execution_options(synchronize_session=False)
        )


def forgotten(value: Any, names: Collection[str]) -> Any:
    """Return a value of JSON in which these names are replaced, also inside longer texts."""
    if isinstance(value, str):
        if value in names:
            return NOBODY
        words = [re.escape(name) for name in names if len(name) >= SHORTEST_IN_TEXT]
        return re.sub(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)", NOBODY, value) if words else value
    if isinstance(value, Mapping):
        return {key: forgotten(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [forgotten(item, names) for item in value]
    return value
