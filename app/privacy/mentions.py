"""Mentions of people without a foreign key: names in filters and in the log of changes, and ids of actors.

Only unambiguous mentions are replaced: judged by their key in the JSON, and not if another member of the course has the
same name, address or id. A `Merge` holds the own values of two existing members, so nothing in it is replaced, and the
join can still be undone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses.matching import WORDS_MIN, Candidate, Matcher, comparable, words_of
from app.storage.models import Batch, BatchFile, Change, Course, Membership, Merge, Person, Regrade, Submission, Token
from app.storage.updates import update_rows
from grader.batch.collect import Student

#: Replaces a deleted person's name.
NOBODY = "deleted"
# In a text, a shorter name may be any word, and a shorter number a year.
SHORTEST_IN_TEXT, SHORTEST_NUMBER_IN_TEXT = 4, 5
# The JSON keys of people's names, of their ids in the course, and of free texts.
NAMES = frozenset({"name", "email"})
IDS = frozenset({"external_id", "claimed_id", "student"})
TEXTS = frozenset({"title", "connection", "reason", "filename"})
# The columns that name an actor, with the column of the idempotency key, which is unique for an actor.
ACTORS = (
    (Course, Course.created_by),
    (Regrade, Regrade.requested_by),
    (Submission, Submission.submitted_by),
    (Token, Token.created_by),
)


@dataclass(frozen=True)
class Mentions:
    """The names and ids of deleted people, to be replaced in the data of a course.

    Attributes:
        names: names and addresses that nobody else in the course has.
        ids: external ids that nobody else in the course has.
        words: names and ids that are safe to replace in free texts, because they are no one else's name, id or address.
    """

    names: Collection[str] = ()
    ids: Collection[str] = ()
    words: Collection[str] = ()

    @classmethod
    def among(cls, others: Collection[Candidate], names: Collection[str], ids: Collection[str]) -> Mentions:
        """Return the mentions without the names and ids that other members share."""
        called = (text for each in others for text in (each.external_id, each.name, each.email) if text)
        taken = set(map(comparable, called))
        words = {word for word in {*names, *ids} if comparable(word) not in taken}
        return cls(words.intersection(names), ids, words)

    def without_mentions(self, value: Any, key: str = "") -> Any:
        """Return a JSON value, found under this key, without the mentions."""
        if isinstance(value, Mapping):
            return {name: self.without_mentions(item, name) for name, item in value.items()}
        if not isinstance(value, str):
            return value
        if key in TEXTS:
            return remove_words(value, self.words)
        is_mention = (key in NAMES and value in self.names) or (key in IDS and value in self.ids)
        return NOBODY if is_mention else value


async def forget_names(
    session: AsyncSession,
    people: Collection[tuple[str | None, str | None]],
    ids: Mapping[str, Collection[str]],
    submission_ids: Collection[str],
    *,
    as_makers: bool,
) -> None:
    """Replace the names of deleted people in the data that courses keep about others.

    Args:
        people: the deleted people's names, each with an address.
        ids: their external ids, by the course from which they were deleted.
        submission_ids: submissions to remove from the selections of regrades.
        as_makers: replace names also where the log names the author of a change.
    """
    await forget_in_regrades(session, ids, submission_ids)
    names = {text for person in people for text in person if text}
    for course_id, known in ids.items():
        others = await _members(session, course_id)
        mentions = Mentions.among(others, names, known)
        for change in await session.scalars(select(Change).where(Change.course_id == course_id)):
            change.before, change.after = (
                mentions.without_mentions(change.before),
                mentions.without_mentions(change.after),
            )
        theirs = [
            *(Candidate(NOBODY, id) for id in known),
            *(Candidate(NOBODY, "", name, email) for name, email in people),
        ]
        await _forget_in_batches(session, course_id, mentions, Matcher(theirs), Matcher(others))
        # Somebody who joined by a link may have claimed to be this student.
        claims = Membership.course_id == course_id, Membership.claimed_id.in_(known)
        await update_rows(session, Membership, *claims, claimed_id=None)
        if as_makers:
            await _forget_makers(session, course_id, mentions.words)


async def forget_in_regrades(
    session: AsyncSession, ids: Mapping[str, Collection[str]], submission_ids: Collection[str] = ()
) -> None:
    """Replace external ids, by course, in the filters of regrades, and remove submissions from their selections."""
    everywhere = {id for known in ids.values() for id in known}
    # An admin's regrade of all courses may have meant this student, or another one with the same id.
    for regrade in await session.scalars(
        select(Regrade).where(or_(Regrade.course_id.in_(ids), Regrade.course_id.is_(None)))
    ):
        selection = Mentions(ids=ids.get(regrade.course_id or "", everywhere)).without_mentions(regrade.selection)
        if chosen := selection.get("submissions"):
            selection["submissions"] = [id for id in chosen if id not in submission_ids]
        regrade.selection = selection


async def _members(session: AsyncSession, course_id: str) -> list[Candidate]:
    """Return all members of a course as one candidate: a file that matches any of them may be somebody's."""
    rows = await session.execute(
        select(Membership.external_id, Person.name, Person.email)
        .join(Membership.person)
        .where(Membership.course_id == course_id)
    )
    return [Candidate(course_id, external_id or "", name, email) for external_id, name, email in rows]


async def _forget_in_batches(
    session: AsyncSession, course_id: str, mentions: Mentions, theirs: Matcher, others: Matcher
) -> None:
    """Delete files without an owner that can only be a deleted person's; replace the names in the others."""
    for batch in await session.scalars(select(Batch).where(Batch.course_id == course_id)):
        batch.filename = remove_words(batch.filename, mentions.words)
    whole = set(map(comparable, mentions.names))
    # A single word may be part of anybody's name.
    words = [word for word in mentions.words if word in mentions.ids or len(words_of(word)) >= WORDS_MIN]
    of_course = select(BatchFile).join(Batch, Batch.id == BatchFile.batch_id).where(Batch.course_id == course_id)
    for file in await session.scalars(of_course):
        student = Student(file.name, cast("Any", file.platform), file.platform_id)
        if theirs.find(student).member_id or comparable(file.name) in whole:
            if others.find(student).member_id:
                continue  # Its name also matches another member, who needs the name.
            if file.membership_id is None:
                await session.delete(file)
                continue
        for name in ("name", "path", "filename"):
            setattr(file, name, remove_words(getattr(file, name), words))
        file.reason = mentions.without_mentions(file.reason)
        # Moodle's id is the number of a participant.
        if file.platform != "moodle" and file.platform_id in mentions.ids:
            file.platform_id = NOBODY


async def _forget_makers(session: AsyncSession, course_id: str, words: Collection[str]) -> None:
    """Replace these names of students where the log names the author of a change, unless a token has the same name."""
    of_tokens = set(await session.scalars(select(Token.name).where(Token.name.in_(words))))
    for table in (Change, Merge):
        in_course = or_(table.course_id == course_id, table.course_id.is_(None))
        await update_rows(session, table, table.made_by.in_(set(words) - of_tokens), in_course, made_by=NOBODY)


async def forget_actors(session: AsyncSession, ids: Collection[str]) -> None:
    """Remove these ids from the columns that name actors."""
    for model, column in ACTORS:
        await update_rows(session, model, column.in_(ids), **{column.key: NOBODY, "idempotency_key": None})


def remove_words(text: str, words: Collection[str]) -> str:
    """Replace these words in a text, where they are whole words; short ones stay, because they may mean anything."""
    patterns = [
        re.escape(word)
        for word in sorted(words, key=len, reverse=True)
        if len(word) >= (SHORTEST_NUMBER_IN_TEXT if word.isdecimal() else SHORTEST_IN_TEXT)
    ]
    # Platforms write ``Name Surname_12345``: an underscore ends a name.
    return re.sub(rf"(?<![^\W_])(?:{'|'.join(patterns)})(?![^\W_])", NOBODY, text) if patterns else text
