"""The export of a person: one zip archive with all data about them.

The archive is written while it is sent (`archives`), one section at a time, so no transaction stays open. Names in the
archive are made of our own ids; a student's file name appears only as a value in JSON.
"""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, inspect, or_, select, true
from sqlalchemy.orm import undefer

from app.courses.assignments import Assignments
from app.errors import PersonNotFound, existing
from app.privacy.archives import Entry, archive_of, suffix_of
from app.privacy.deletion import same_people, with_merged
from app.storage.database import Database
from app.storage.models import (
    Adjustment,
    Artefact,
    Base,
    BatchFile,
    Change,
    Check,
    Comment,
    Course,
    CourseAssignment,
    Delivery,
    Extension,
    Identity,
    Letter,
    LtiMember,
    LtiScore,
    LtiSelection,
    Membership,
    Merge,
    NewsMail,
    NotebookCode,
    Person,
    Regrade,
    RegradeItem,
    ReportDiagnosis,
    ReviewRequest,
    Session,
    StoredReport,
    Submission,
    SubmissionEvent,
    Token,
    Webhook,
)
from app.submissions import grades
from app.submissions.derivation import in_words

#: Columns left out of archives: hashes and keys that grant access, seeds, which would give the answers away, the state
#: of machines, and files and reports, which have entries of their own.
LEFT_OUT_COLUMNS = frozenset(
    {
        "secret",
        "idempotency_key",
        "seed",
        "content",
        "body",
        "source",
        "claim",
        "beat",
        "arrival",
        "priority",
        "last_error",
    }
)
#: Tables that refer to people but are left out of archives, with the reason.
LEFT_OUT: Mapping[type[Base], str] = {
    ReportDiagnosis: "copied out of the report",
    LtiSelection: "a question of a platform's, for an hour",
    NotebookCode: "for ten minutes",
}


@dataclass(frozen=True)
class Scope:
    """The person or member whose data is exported.

    Attributes:
        is_own: the archive is for the member, whose reports are as on the pages, without previews.
    """

    people: Collection[str]
    members: Sequence[Membership]
    is_own: bool

    @property
    def member_ids(self) -> list[str]:
        return [member.id for member in self.members]

    @property
    def courses(self) -> set[str]:
        return {member.course_id for member in self.members}


#: Returns a report as the archive's recipient may see it.
ShownReport = Callable[[StoredReport], Mapping[str, Any]]


async def scope_of_person(database: Database, person_id: str) -> Scope:
    """Return the scope of all memberships of a person.

    Raises:
        PersonNotFound
    """
    async with database.read() as session:
        existing(await session.get(Person, person_id), PersonNotFound)
        people = await same_people(session, [person_id])
        members = await session.scalars(select(Membership).where(Membership.person_id.in_(people)))
        return Scope(people, await with_merged(session, members.all()), is_own=False)


async def scope_of_member(database: Database, member_id: str) -> Scope:
    """Return the scope of one member of a course, for the member.

    Raises:
        PersonNotFound: the member was deleted meanwhile.
    """
    async with database.read() as session:
        member = existing(await session.get(Membership, member_id), PersonNotFound)
        return Scope([member.person_id], await with_merged(session, [member]), is_own=True)


def _tokens_of(scope: Scope) -> Select[str]:
    return select(Token.id).where(Token.membership_id.in_(scope.member_ids))


def _merges_of(scope: Scope) -> ColumnElement[bool]:
    of_members = [column.in_(scope.member_ids) for column in (Merge.kept_member_id, Merge.merged_member_id)]
    of_people = [column.in_(scope.people) for column in (Merge.kept_person_id, Merge.merged_person_id)]
    return or_(*of_members, *([] if scope.is_own else of_people))


def _items_of(submission_id: str, scope: Scope) -> ColumnElement[bool]:
    seen = select(Regrade.id).where(or_(~Regrade.is_preview, Regrade.applied_at.is_not(None)))
    is_seen = RegradeItem.regrade_id.in_(seen) if scope.is_own else true()
    return and_(RegradeItem.submission_id == submission_id, is_seen)


def _of_members(model: type[Base]) -> Callable[[Scope], ColumnElement[bool]]:
    return lambda scope: model.membership_id.in_(scope.member_ids)  # type: ignore[attr-defined]


#: Tables whose rows are members' own.
OF_MEMBERS = (Extension, Adjustment, Comment, BatchFile, LtiMember, LtiScore, Letter, Check, Change)
#: The table and condition of each entry. Rows are written with all columns but `LEFT_OUT_COLUMNS`.
SECTIONS: Mapping[str, tuple[type[Base], Callable[[Scope], ColumnElement[bool]]]] = {
    "people.json": (Person, lambda scope: Person.id.in_(scope.people)),
    "identities.json": (Identity, lambda scope: Identity.person_id.in_(scope.people)),
    "news_mails.json": (NewsMail, lambda scope: NewsMail.person_id.in_(scope.people)),
    "memberships.json": (Membership, lambda scope: Membership.id.in_(scope.member_ids)),
    "courses.json": (Course, lambda scope: Course.id.in_(scope.courses)),
    "tokens.json": (Token, lambda scope: Token.id.in_(_tokens_of(scope))),
    "sessions.json": (
        Session,
        lambda scope: or_(Session.person_id.in_(scope.people), Session.token_id.in_(_tokens_of(scope))),
    ),
    "webhooks.json": (Webhook, lambda scope: Webhook.created_by.in_(_tokens_of(scope))),
    **{f"{model.__tablename__}.json": (model, _of_members(model)) for model in OF_MEMBERS},
    "merges.json": (Merge, _merges_of),
    "course_assignments.json": (CourseAssignment, lambda scope: CourseAssignment.course_id.in_(scope.courses)),
}
#: The same for the entries of each submission.
SECTIONS_OF_SUBMISSION: Mapping[str, tuple[type[Base], Callable[[str, Scope], ColumnElement[bool]]]] = {
    "events.json": (SubmissionEvent, lambda submission_id, _: SubmissionEvent.submission_id == submission_id),
    "reviews.json": (ReviewRequest, lambda submission_id, _: ReviewRequest.submission_id == submission_id),
    "regrades.json": (RegradeItem, _items_of),
    "deliveries.json": (
        Delivery,
        lambda submission_id, _: Delivery.report_id.in_(
            select(StoredReport.id).where(StoredReport.submission_id == submission_id)
        ),
    ),
}


def archive(database: Database, scope: Scope, visible: ShownReport, assignments: Assignments) -> AsyncIterator[bytes]:
    """Write the archive, piece by piece."""
    facts = {"people": sorted(scope.people), "members": scope.member_ids}
    return archive_of(_entries(database, scope, visible, assignments), facts)


async def _entries(
    database: Database, scope: Scope, visible: ShownReport, assignments: Assignments
) -> AsyncIterator[Entry]:
    yield "grades.json", await grades_of(database, scope, assignments)
    for name, (model, condition) in SECTIONS.items():
        yield name, await rows_of(database, model, condition(scope))
    async with database.read() as session:
        of_them = select(Submission.id).where(Submission.membership_id.in_(scope.member_ids))
        submissions = (await session.scalars(of_them.order_by(Submission.id))).all()
        waiting = select(BatchFile.id).where(
            BatchFile.membership_id.in_(scope.member_ids), BatchFile.content.is_not(None)
        )
        files = (await session.scalars(waiting.order_by(BatchFile.id))).all()
    for id in files:
        async with database.read() as session:
            file = await session.get(BatchFile, id, options=[undefer(BatchFile.content)])
        if file is not None and file.content is not None:  # Otherwise it has been handed in meanwhile.
            yield f"batch_files/{id}{suffix_of(file.filename)}", file.content
    for id in submissions:
        async for entry in _submission(database, id, scope, visible):
            yield entry


async def _submission(database: Database, id: str, scope: Scope, visible: ShownReport) -> AsyncIterator[Entry]:
    """Return one submission with its file and reports, unless it was deleted meanwhile."""
    folder = f"submissions/{id}"
    async with database.read() as session:
        query = select(Submission).where(Submission.id == id).options(undefer(Submission.content))
        submission = await session.scalar(query)
    if submission is None:
        return
    yield f"{folder}/submission.json", row_of(submission)
    yield f"{folder}/file{suffix_of(submission.filename)}", submission.content
    del submission
    for name, (model, condition) in SECTIONS_OF_SUBMISSION.items():
        yield f"{folder}/{name}", await rows_of(database, model, condition(id, scope))
    of_it = select(StoredReport.id).where(StoredReport.submission_id == id)
    if scope.is_own:
        of_it = of_it.where(StoredReport.preview_id.is_(None))
    async with database.read() as session:
        reports = (await session.scalars(of_it.order_by(StoredReport.id))).all()
    for report_id in reports:
        async with database.read() as session:
            stored = await session.get(StoredReport, report_id)
            of_report = select(Artefact).where(Artefact.report_id == report_id).order_by(Artefact.name)
            artefacts = (await session.scalars(of_report)).all()
        if stored is None:
            continue
        here = f"{folder}/reports/{report_id}"
        shown = {"artefacts": [each.name for each in artefacts], "report": visible(stored)}
        yield f"{here}.json", {**row_of(stored), **shown}
        for number, artefact in enumerate(artefacts, 1):
            yield f"{here}-{number}{PurePosixPath(artefact.name).suffix}", artefact.content


async def grades_of(database: Database, scope: Scope, assignments: Assignments) -> list[dict[str, Any]]:
    """Return the counted grades of the scope, each with its derivation."""
    async with database.read() as session:
        uses = await session.scalars(select(CourseAssignment).where(CourseAssignment.course_id.in_(scope.courses)))
        by_id = {use.id: use for use in uses}
        counted = await grades.counted_grades(session, assignments, scope.members, list(by_id.values()))
    return [
        {
            "membership_id": member_id,
            "assignment": by_id[use_id].assignment_id,
            **asdict(grade),
            "derivation": in_words(grade.steps, "en"),
        }
        for (member_id, use_id), grade in counted.items()
        if grade.attempts or grade.is_adjusted
    ]


async def rows_of(database: Database, model: type[Base], condition: ColumnElement[bool]) -> list[dict[str, Any]]:
    query = select(model).where(condition).order_by(*inspect(model).primary_key)
    async with database.read() as session:
        return [row_of(row) for row in await session.scalars(query)]


def row_of(row: Base) -> dict[str, Any]:
    columns = inspect(type(row)).columns
    left_out = LEFT_OUT_COLUMNS | ({"sha256"} if not isinstance(row, Submission) else set())
    return {column.name: getattr(row, key) for key, column in columns.items() if column.name not in left_out}
