"""Imports of rosters with the links of those who came: one transaction for both."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncSession

from app.access import links
from app.access.links import NewLink
from app.access.rights import RIGHTS, Right
from app.access.tokens import Principal, sign_in_link
from app.courses.roster import planning
from app.courses.roster.planning import Outcome, Plan
from app.courses.roster.reading import Roster
from app.errors.rosters import RosterChanged
from app.storage.models import MemberRole
from grader.batch.cells import as_text

CSV_COLUMNS = ("id", "name", "email", "group", "link")


class LinksFor(StrEnum):
    """The people in a roster who get a personal link."""

    NONE = "none"
    NEW = "new"
    ALL = "all"


OUTCOMES = {
    LinksFor.NONE: frozenset[Outcome](),
    LinksFor.NEW: frozenset({Outcome.NEW}),
    LinksFor.ALL: frozenset(Outcome) - {Outcome.CONFLICT, Outcome.INVALID},
}


@dataclass(frozen=True)
class Imported:
    """The result of an import, or of its dry run.

    Attributes:
        links: by the line of the row.
    """

    plan: Plan
    links: Mapping[int, NewLink] = field(default_factory=dict)


async def import_roster(
    session: AsyncSession,
    importer: Principal,
    roster: Roster,
    *,
    dry_run: bool = False,
    links_for: LinksFor = LinksFor.NONE,
    expected: str | None = None,
) -> Imported:
    """Import a roster into the importer's course, in a writing transaction.

    Args:
        dry_run: only say what would be done.
        expected: the digest of the plan that the importer has seen.
    Raises:
        RosterChanged: what would be done now is something else.
    """
    may_add = {MemberRole.STUDENT, MemberRole.ASSISTANT}
    if importer.role in RIGHTS[Right.MANAGE_TEACHERS].roles:
        may_add.add(MemberRole.TEACHER)
    plan = await planning.plan(session, importer.course_id, roster, may_add)
    if expected is not None and plan.digest != expected:
        raise RosterChanged(plan=plan.digest)
    if dry_run:
        return Imported(plan)
    carried_out = await planning.carry_out(session, plan, importer.name)
    outcomes = OUTCOMES[links_for]
    chosen = {
        step.row.line: carried_out.get(step.row.line, step.member) for step in plan.steps if step.outcome in outcomes
    }
    members = {line: member for line, member in chosen.items() if member is not None}
    links.check(importer, members.values())
    made = await links.make(session, members.values(), importer.id)
    return Imported(plan, dict(zip(members, made, strict=True)))


def links_csv(made: Collection[NewLink], url: str) -> str:
    """Write the links for a mail merge, with the mark by which spreadsheets see that it is UTF-8.

    No cell is a formula to a spreadsheet.

    Args:
        url: of the service, without a slash at the end.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(CSV_COLUMNS)
    for link in made:
        member = link.member
        values = (member.external_id, member.person.name, member.person.email, member.group)
        writer.writerow([*(as_text(value or "") for value in values), sign_in_link(url, link.secret)])
    return f"\ufeff{out.getvalue()}"
