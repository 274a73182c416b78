"""Bodies about imports of rosters."""

from __future__ import annotations

from pydantic import Field

from app.api.schemas.base import EXAMPLE_ID, Body
from app.courses.roster.planning import Conflict, Outcome
from app.courses.roster.reading import Fault
from app.storage.models import MemberRole


class RosterProblem(Body):
    code: Fault = Field(description="what is wrong with the row")
    column: str | None = Field(description="the heading of its column; null: the row as a whole", examples=["Почта"])
    message: str = Field(description="what came, and what was expected", examples=["ivanov@ is no e-mail address"])


class RosterChange(Body):
    field: str = Field(examples=["group"])
    before: str | bool | None = Field(description="what is stored", examples=["БПМИ201"])
    after: str | bool | None = Field(description="what will be, or is by now", examples=["БПМИ202"])


class RosterRow(Body):
    line: int = Field(description="of the file, from 1", ge=1, examples=[2])
    id: str = Field(description="in the grade book; empty if the row has none that can be used", examples=["ivanov"])
    name: str | None = Field(examples=["Иван Иванов"])
    email: str | None = Field(examples=["ivanov@example.org"])
    group: str | None = Field(examples=["БПМИ202"])
    role: MemberRole
    outcome: Outcome = Field(
        description="`new`, `changed` and `restored` are carried out; `conflict` and `invalid` are not"
    )
    member: str | None = Field(description="the `id` of the member, if there is one already", examples=[EXAMPLE_ID])
    changes: list[RosterChange] = Field(description="what differs from the stored values")
    problems: list[RosterProblem] = Field(description="why the row is `invalid`")
    conflict: Conflict | None = Field(description="why the row is a `conflict`")
    message: str | None = Field(description="the conflict in words", examples=[None])
    kept: list[str] = Field(
        description="fields that differ and stay as they are, because the person is in other courses, too"
    )
    perhaps: list[str] = Field(
        description="unconfirmed members who gave the same e-mail address or id; perhaps they are the same person"
    )
    link: str | None = Field(None, description="a new personal link. Only this answer holds it")
    mailed: bool | None = Field(None, description="whether the link goes out by mail; null: this was not asked for")


class MissingMember(Body):
    member: str = Field(description="the `id` of the member", examples=[EXAMPLE_ID])
    id: str | None = Field(description="in the grade book", examples=["sidorov"])
    name: str | None = Field(examples=["Сидор Сидоров"])
    confirmed: bool


class RosterBody(Body):
    course: str = Field(examples=[EXAMPLE_ID])
    dry_run: bool = Field(description="whether nothing was stored")
    plan: str = Field(
        description="names what is done; sent with the import, it refuses anything else", examples=["0" * 64]
    )
    id_column: str = Field(description="the heading of the column that gave the ids", examples=["ID number"])
    ignored_columns: list[str] = Field(description="headings of columns that mean nothing here", examples=[["№"]])
    left_out: int = Field(
        description="rows that are no people: Canvas' points possible and test student, deleted users", examples=[0]
    )
    counts: dict[Outcome, int] = Field(description="rows by outcome")
    rows: list[RosterRow]
    missing: list[MissingMember] = Field(description="students of the course who are not in the file; they stay")
