"""Ways into a course: tokens of programs, personal links, join links, and rosters with the links of their people.

Only what an action returns holds the secret of a new token or link.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Self

from pydantic import ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import joining, links, tokens
from app.access.idempotency import make_once
from app.access.links import NewLink
from app.access.rights import Right
from app.access.tokens import OWNER, hash_secret, new_token
from app.actions.actor import Actor, Writer, action, change
from app.actions.fields import NO_NAME, ActionRequest, Group, Id, Name, both, has_property, not_
from app.courses import course as courses
from app.courses.roster import planning
from app.courses.roster.planning import Outcome, Plan
from app.courses.roster.reading import Roster, read
from app.errors import MailNotSet, RosterChanged, TokenMadeBefore, TokenNotFound
from app.storage.models import Course, JoinLink, MemberRole, Role, Token, utc_now
from app.values import WHOLE, Moment

# --- tokens -----------------------------------------------------------------------------------------------------------

_STUDENT_AND_OTHER_ROLE = both(has_property("student"), has_property("role", not_({"const": "submitter"})))


class MakeToken(ActionRequest):
    model_config = ConfigDict(json_schema_extra=not_(_STUDENT_AND_OTHER_ROLE))

    name: Name = Field(
        description="the token's purpose",
        examples=["Moodle"],
        json_schema_extra={"not": {"anyOf": [*NO_NAME["anyOf"], {"const": OWNER}]}},
    )
    role: Role = Field(Role.SUBMITTER, description="`submitter` sees its own submissions, `teacher` all of the course")
    student: Name | None = Field(None, description="makes it this student's own", examples=["ivanov"])
    expires_at: Moment | None = Field(None, description="null: never", examples=["2030-02-01T00:00:00Z"])

    @field_validator("name")
    @classmethod
    def _is_not_the_owners(cls, name: str) -> str:
        if name == OWNER:
            raise PydanticCustomError("owner", "this name is the owner's, whose token is set when the service starts")
        return name

    @model_validator(mode="after")
    def _only_submitters_are_students(self) -> Self:
        if self.student is not None and self.role != Role.SUBMITTER:
            raise PydanticCustomError("choice", "a student's own token has the role submitter", {"field": "role"})
        return self


@action(Right.MAKE_TOKENS)
async def make_token(
    actor: Actor, wanted: MakeToken, *, key: str | None = None, form_key: str | None = None
) -> tuple[Token, str]:
    """Make a token of the course.

    Args:
        key: the same request sent again with it makes no second token.
        form_key: random, known to one browser alone; the same form sent again gives the same token, and another one if
            that was revoked since.
    Returns:
        The token, and its secret.
    Raises:
        NotPermitted: only an admin makes tokens of staff.
        MemberRemoved, MemberNotStudent: the student was removed, or is none.
        TokenMadeBefore, IdempotencyKeyReused: the key was used before.
    """
    if wanted.role != Role.SUBMITTER:
        actor.holder.check(Right.MAKE_TOKENS_OF_STAFF)
    values = {**wanted.model_dump(), "course_id": actor.course_id}
    made_by = actor.holder.id
    secret = new_token()

    async def make(session: AsyncSession) -> Token:
        sha256 = hash_secret(secret)
        return await tokens.add_token(session, **values, sha256=sha256, created_by=made_by, idempotency_key=key)

    if form_key is not None:
        # Somebody who goes back and changes the form gets another token.
        content = json.dumps(["token", actor.course_id, wanted.model_dump(mode="json")])
        async with actor.write() as session:
            secret, last = await links.find_last(session, Token, form_key, content)
            return last if last is not None and last.revoked_at is None else await make(session), secret
    token, is_new = await make_once(actor.database, Token, made_by, key, values, make)
    if not is_new:
        raise TokenMadeBefore(id=token.id)
    return token, secret


@change(Right.MANAGE_TOKENS)
async def revoke_token(actor: Writer, token_id: str) -> None:
    """End the token at once, and sign out its browsers. Its submissions stay.

    Raises:
        TokenNotFound: there is none that the holder manages.
    """
    if not await tokens.revoke_token(actor.session, token_id, actor.holder):
        raise TokenNotFound


# --- personal links ---------------------------------------------------------------------------------------------------


class MakeLinks(ActionRequest):
    """Exactly one of the three."""

    exactly_one = "members", "all", "never_used"

    members: list[Id] | None = Field(None, description="the `id`s of members", min_length=1, max_length=1000)
    all: bool = Field(False, description="all students of the course")
    never_used: bool = Field(
        False, description="the students who have never come in, by a link or by single sign-on", examples=[False]
    )


@action(Right.MAKE_LINKS)
async def make_links(
    actor: Actor, wanted: MakeLinks, *, by_mail: bool = False, form_key: str | None = None
) -> list[NewLink]:
    """Make a personal link for each of these members. Earlier ones work until somebody first comes in by a new one.

    Args:
        by_mail: send them to the members, too.
        form_key: random, known to one browser alone; the same form sent again gives the same links, and a new one for
            each that was revoked since.
    Raises:
        MailNotSet: there is no mail server.
        MemberNotFound, MemberRemoved: one of the members is none, or is one no more.
        NotPermitted: only an admin makes links of teachers.
    """
    _check_mail(actor, by_mail=by_mail)
    async with actor.write() as session:
        chosen = await links.choose(session, actor.holder, wanted.members, never_used=wanted.never_used)
        if form_key is None:
            new_links = await links.make(session, chosen, actor.holder.id)
        else:
            new_links = await links.make_once(session, chosen, form_key, actor.holder.id)
        course = await courses.existing(session, actor.course_id)
    return [_mail(actor, link, course) for link in new_links] if by_mail else new_links


@change(Right.MANAGE_LINKS)
async def revoke_links(actor: Writer, member_id: str | None = None) -> int:
    """End the links of a member, or all of the course, and sign out the browsers that came by them.

    Args:
        member_id: a missing one raises MemberNotFound; None: all.
    Returns:
        The number of links that worked until now.
    Raises:
        NotPermitted: only an admin ends links of teachers.
    """
    return await links.revoke(actor.session, actor.holder, member_id)


def _check_mail(actor: Actor, *, by_mail: bool) -> None:
    if by_mail and actor.mailer is None:
        raise MailNotSet


def _mail(actor: Actor, link: NewLink, course: Course) -> NewLink:
    assert actor.mailer is not None
    return replace(link, mailed=links.mail(actor.mailer, link, course, actor.url))


# --- join links -------------------------------------------------------------------------------------------------------

#: The default lifetime of a join link, and the most people who may join through it.
JOIN_DAYS = 30
JOIN_LIMIT = 500


class MakeJoinLink(ActionRequest):
    group: Group | None = Field(None, description="the group of the students who join through it")
    limit: Annotated[int, Field(ge=1, le=100_000, strict=True), WHOLE] | None = Field(
        JOIN_LIMIT, description="the most people who may join; null: no limit", examples=[300]
    )
    expires_at: Moment | None = Field(
        default_factory=lambda: utc_now() + timedelta(days=JOIN_DAYS),
        description=f"null: never; by default in {JOIN_DAYS} days",
        examples=["2030-02-01T00:00:00Z"],
    )


@action(Right.MAKE_LINKS)
async def make_join_link(actor: Actor, wanted: MakeJoinLink, *, form_key: str | None = None) -> tuple[JoinLink, str]:
    """Make a link for a whole course. Everybody who opens it and gives a name becomes a new, unconfirmed student.

    It never leads to an entry that is there, whatever they type: a teacher joins the two.

    Args:
        form_key: as for `make_token`.
    Returns:
        The link, and its address.
    """
    async with actor.write() as session:
        link, secret = await joining.make(session, actor.holder, **wanted.model_dump(), form_key=form_key)
    return link, joining.address(actor.url, secret)


@change(Right.MANAGE_LINKS)
async def revoke_join_link(actor: Writer, join_link_id: str) -> None:
    """End a join link at once. Those who came by it stay members. Raises: JoinLinkNotFound"""
    await joining.revoke(actor.session, actor.course_id, join_link_id)


# --- rosters ----------------------------------------------------------------------------------------------------------


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
class ImportResult:
    """The result of an import, or of its dry run.

    Attributes:
        links: by the line of the row.
    """

    roster: Roster
    plan: Plan
    links: Mapping[int, NewLink] = field(default_factory=dict)


@action(Right.MANAGE_MEMBERS)
async def import_roster(
    actor: Actor,
    content: bytes,
    *,
    id_column: str | None = None,
    dry_run: bool = False,
    expected: str | None = None,
    links_for: LinksFor = LinksFor.NONE,
    by_mail: bool = False,
    keep: Callable[[ImportResult], None] = lambda imported: None,
) -> ImportResult:
    """Import a roster into the course, and make links for its people.

    Args:
        content: the CSV file.
        id_column: the heading of the column with the ids; None: the best one that has values.
        dry_run: only say what would be done.
        expected: the digest of the plan that the holder has seen.
        by_mail: send the links, too.
        keep: is called before anything is stored; an exception from it ends the import.
    Raises:
        RosterRefused: the file cannot be read.
        RosterChanged: the plan is another one by now.
        MailNotSet, CourseArchived
    """
    _check_mail(actor, by_mail=by_mail)
    may_add = {MemberRole.STUDENT, MemberRole.ASSISTANT}
    if actor.holder.has(Right.MANAGE_TEACHERS):
        may_add.add(MemberRole.TEACHER)
    roster = await asyncio.to_thread(read, content, id_column)
    async with actor.write() as session:
        plan = await planning.plan(session, actor.course_id, roster, may_add)
        if expected is not None and plan.digest != expected:
            raise RosterChanged(plan=plan.digest)
        if dry_run:
            return ImportResult(roster, plan)
        stored = await planning.carry_out(session, plan, actor.name)
        chosen = {step.row.line: step.member for step in plan.steps if step.outcome in OUTCOMES[links_for]}
        members = {line: member for line, known in chosen.items() if (member := stored.get(line, known)) is not None}
        links.check(actor.holder, members.values())
        new_links = await links.make(session, members.values(), actor.holder.id)
        imported = ImportResult(roster, plan, dict(zip(members, new_links, strict=True)))
        keep(imported)
        course = await courses.existing(session, actor.course_id)
    if by_mail:
        return replace(imported, links={line: _mail(actor, link, course) for line, link in imported.links.items()})
    return imported
