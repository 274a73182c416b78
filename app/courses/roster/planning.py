"""The plan of a roster's import, row by row, and its execution.

A member is found by the external id and by nothing else: an e-mail address or a name is no proof that two people are
one. An import adds students, confirms them, brings removed ones back, and changes what the file says differently. It
takes nobody out and touches no teacher or assistant. A person who is in other courses, too, keeps name and address:
they are not this course's to change. A person who signs on keeps the address, too: links of later courses go there.
"""

import hashlib
import json
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses import changes, course, members
from app.courses.roster.reading import Roster, Row
from app.mail.addresses import comparable
from app.storage.memberships import with_persons
from app.storage.models import Identity, MemberRole, Membership, Merge, utc_now

#: The values before and after.
Change = tuple[Any, Any]


class Outcome(StrEnum):
    """The fate of a row. The values are the strings in the JSON."""

    NEW = "new"
    UNCHANGED = "unchanged"
    CHANGED = "changed"
    RESTORED = "restored"
    CONFLICT = "conflict"
    INVALID = "invalid"


class Conflict(StrEnum):
    """The reason why a row is not carried out."""

    OTHER_ROLE = "other_role"
    ROLE_RESERVED = "role_reserved"
    EMAIL_TAKEN = "email_taken"
    JOINED = "joined"


@dataclass(frozen=True)
class Step:
    """A row and what becomes of it.

    Attributes:
        member: the member with this id, with the values from before the import.
        changes: what is stored and what will be, by field.
        conflict: the reason why nothing is done.
        with_id: the external id of the member with whom there is the conflict.
        kept: the fields that differ and stay, because the person is in other courses, too, or signs on.
        perhaps: ids of unconfirmed members who gave the same e-mail address or id; perhaps they are the same person.
    """

    row: Row
    outcome: Outcome
    member: Membership | None = None
    changes: Mapping[str, Change] = field(default_factory=dict)
    conflict: Conflict | None = None
    with_id: str | None = None
    kept: tuple[str, ...] = ()
    perhaps: tuple[str, ...] = ()

    @property
    def is_carried_out(self) -> bool:
        return self.outcome in (Outcome.NEW, Outcome.CHANGED, Outcome.RESTORED)


@dataclass(frozen=True)
class Plan:
    """The plan of an import.

    Attributes:
        missing: students of the course who are not in the file. They stay.
    """

    course_id: str
    steps: tuple[Step, ...]
    missing: tuple[Membership, ...]

    @property
    def digest(self) -> str:
        """Return the SHA-256 of what will be done, in hex. Two plans that do the same have the same."""
        done = [[step.row.id, step.outcome, step.conflict, dict(step.changes)] for step in self.steps]
        return hashlib.sha256(json.dumps(done, sort_keys=True).encode()).hexdigest()

    def counts(self) -> dict[Outcome, int]:
        return {outcome: sum(step.outcome == outcome for step in self.steps) for outcome in Outcome}


@dataclass(frozen=True)
class _Before:
    """The members of a course before the import."""

    by_id: Mapping[str, Membership]
    all: Sequence[Membership]
    #: People who are in other courses, too.
    elsewhere: Collection[str]
    #: People with an identity of single sign-on, through which they may be in other courses.
    signing_on: Collection[str]
    #: Ids of unconfirmed students, by the address and the id that they gave.
    by_address: Mapping[str, Sequence[str]]
    by_claim: Mapping[str, Sequence[str]]
    #: After joins of members: the external id of the kept member, by that of the removed one.
    joined: Mapping[str, str | None]


async def plan(session: AsyncSession, course_id: str, roster: Roster, may_add: Collection[MemberRole]) -> Plan:
    """Plan an import, without changing anything.

    The caller's transaction must be able to write. Until it ends, no other one changes these members, or adds any.

    Args:
        may_add: the roles that the person who imports may give.
    Raises:
        CourseArchived: nothing there changes any more.
    """
    await course.keep_open(session, course_id)
    await members.take_course(session, course_id)
    known = await _before_import(session, course_id)
    conflicts = dict(_conflicts(roster.rows, known, may_add))
    steps = tuple(_step(row, known, conflicts.get(row.line)) for row in roster.rows)
    named = {row.id for row in roster.rows}
    missing = [member for member in known.all if _is_live_student(member) and member.external_id not in named]
    return Plan(course_id, steps, tuple(missing))


async def carry_out(session: AsyncSession, plan: Plan, made_by: str) -> dict[int, Membership]:
    """Carry out a plan in the transaction that has made it, and log the changes.

    Args:
        made_by: for the log.
    Returns:
        The members who were added or changed, by the line of their row.
    """
    steps = [step for step in plan.steps if step.is_carried_out]
    them = [step.member or _add(session, plan.course_id, step.row) for step in steps]
    now = utc_now()
    for step, member in zip(steps, them, strict=True):
        member.confirmed_at = member.confirmed_at or now
        member.removed_at = member.dropped_by = None
        member.group = step.changes.get("group", (None, member.group))[1]
        for name in ("name", "email"):
            if name in step.changes:
                setattr(member.person, name, step.changes[name][1])
    await session.flush()
    for step, member in zip(steps, them, strict=True):
        before = {name: value for name, (value, _) in step.changes.items() if step.member is not None}
        changes.log(session, member, made_by, before, {name: value for name, (_, value) in step.changes.items()})
    return {step.row.line: member for step, member in zip(steps, them, strict=True)}


def _add(session: AsyncSession, course_id: str, row: Row) -> Membership:
    return members.add(session, course_id, external_id=row.id, role=row.role)


async def _before_import(session: AsyncSession, course_id: str) -> _Before:
    here = with_persons(Membership.course_id == course_id).order_by(Membership.id)
    # The lock lets uploads, which refer to these rows, go on.
    members = (await session.scalars(here.with_for_update(of=Membership, key_share=True))).all()
    of_people = select(Membership.person_id).where(Membership.course_id == course_id)
    elsewhere = select(Membership.person_id).where(
        Membership.course_id != course_id, Membership.person_id.in_(of_people)
    )
    by_id = {member.external_id: member for member in members if member.external_id is not None}
    by_address: dict[str, list[str]] = {}
    by_claim: dict[str, list[str]] = {}
    for member in members:
        if _is_live_student(member) and member.confirmed_at is None:
            by_address.setdefault(comparable(member.person.email or ""), []).append(member.id)
            by_claim.setdefault(member.claimed_id or "", []).append(member.id)
    joins = await session.execute(
        select(Merge.merged_member_id, Membership.external_id)
        .join(Membership, Membership.id == Merge.kept_member_id)
        .where(Merge.course_id == course_id, Merge.undone_at.is_(None))
    )
    joined = {merged or "": kept for merged, kept in joins}
    signing_on = set(await session.scalars(select(Identity.person_id).where(Identity.person_id.in_(of_people))))
    return _Before(by_id, members, set(await session.scalars(elsewhere)), signing_on, by_address, by_claim, joined)


def _conflicts(
    rows: Sequence[Row], known: _Before, may_add: Collection[MemberRole]
) -> Iterator[tuple[int, tuple[Conflict, str | None]]]:
    """Give the line, the reason and the other member's external id for each row that cannot be carried out."""
    possible: list[Row] = []
    for row in rows:
        if row.problems:
            continue
        member = known.by_id.get(row.id)
        if member is not None and member.removed_at is not None and member.id in known.joined:
            yield row.line, (Conflict.JOINED, known.joined[member.id])
        elif member is not None and member.role != row.role:
            yield row.line, (Conflict.OTHER_ROLE, row.id)
        elif member is None and row.role not in may_add:
            yield row.line, (Conflict.ROLE_RESERVED, None)
        else:
            possible.append(row)
    for line, other in _address_conflicts(possible, known):
        yield line, (Conflict.EMAIL_TAKEN, other)


def _address_conflicts(rows: Sequence[Row], known: _Before) -> Iterator[tuple[int, str | None]]:
    """Give the line of each row whose address another member keeps, and the external id of that member.

    An address may move from one member to another within the file. A row that cannot have its address is not carried
    out: its member keeps the earlier one, which then blocks another row, and so on.
    """
    by_id = {row.id: row for row in rows}
    wanting: dict[str, list[Row]] = {}
    for row in rows:
        if address := _address(row, known):
            wanting.setdefault(address, []).append(row)
    keepers: deque[Membership] = deque()
    for member in known.all:
        row_of = by_id.get(member.external_id or "")
        moves = row_of is not None and row_of.email
        if not moves and (_is_certain(member) or row_of is not None):
            keepers.append(member)
    while keepers:
        keeper = keepers.popleft()
        address = comparable(keeper.person.email or "")
        there = wanting.pop(address, [])
        wanting[address] = [row for row in there if row.id == keeper.external_id]
        for row in there:
            if row.id != keeper.external_id:
                yield row.line, keeper.external_id
                mover = known.by_id.get(row.id)
                if row.email and mover is not None and _is_certain(mover):
                    keepers.append(mover)


def _address(row: Row, known: _Before) -> str:
    """Return the address that the import of this row gives its member, or "" if it gives none."""
    member = known.by_id.get(row.id)
    if row.email is None and member is not None and not _is_certain(member):
        return comparable(member.person.email or "")  # The member gets it back, if nobody else has it.
    return row.email or ""


def _is_certain(member: Membership) -> bool:
    return member.removed_at is None and member.confirmed_at is not None


def _step(row: Row, known: _Before, conflict: tuple[Conflict, str | None] | None) -> Step:
    member = known.by_id.get(row.id)
    if row.problems:
        return Step(row, Outcome.INVALID, member)
    if conflict is not None:
        return Step(row, Outcome.CONFLICT, member, conflict=conflict[0], with_id=conflict[1])
    if member is None:
        given = {"external_id": row.id, "role": row.role.value, "confirmed": True, **_file_values(row)}
        added: dict[str, Change] = {name: (None, value) for name, value in given.items()}
        return Step(row, Outcome.NEW, changes=added, perhaps=_perhaps(row, known))
    if member.role != MemberRole.STUDENT:
        return Step(row, Outcome.UNCHANGED, member)
    stored = {"name": member.person.name, "email": member.person.email, "group": member.group}
    changed: dict[str, Change] = {
        name: (stored[name], value)
        for name, value in _file_values(row).items()
        if not members.is_same(name, value, stored[name])
    }
    kept = tuple(
        name
        for name in changed
        if (name != "group" and member.person_id in known.elsewhere)
        or (name == "email" and member.person_id in known.signing_on)
    )
    changed = {name: change for name, change in changed.items() if name not in kept}
    if member.confirmed_at is None:
        changed["confirmed"] = (False, True)
    if member.removed_at is not None:
        changed["removed"] = (True, False)
        return Step(row, Outcome.RESTORED, member, changed, kept=kept, perhaps=_perhaps(row, known))
    outcome = Outcome.CHANGED if changed else Outcome.UNCHANGED
    return Step(row, outcome, member, changed, kept=kept, perhaps=_perhaps(row, known))


def _file_values(row: Row) -> dict[str, str]:
    """Return the values in the file, without empty cells."""
    return {name: value for name in ("name", "email", "group") if (value := getattr(row, name)) is not None}


def _perhaps(row: Row, known: _Before) -> tuple[str, ...]:
    """Return the ids of unconfirmed members who claim the row's address or id."""
    themselves = known.by_id.get(row.id)
    others = {*(known.by_address.get(row.email, ()) if row.email else ()), *known.by_claim.get(row.id, ())}
    return tuple(sorted(others - ({themselves.id} if themselves else set())))


def _is_live_student(member: Membership) -> bool:
    return member.role == MemberRole.STUDENT and member.removed_at is None
