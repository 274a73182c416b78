"""Reads the rows of a roster from its bytes, without looking at the course.

A fault of the file raises an error, a fault of a row is a `Problem` of that row. Lines are counted as an editor does.
"""

import contextlib
import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from app.courses.roster import columns
from app.courses.roster.columns import Columns
from app.courses.roster.decoding import decode
from app.errors import RosterBroken, RosterEmpty, RosterTooLong
from app.mail.addresses import CHARACTERS, comparable, is_address
from app.storage.models import MemberRole

MOST_BYTES = 1_000_000
MOST_ROWS = 5000
DELIMITERS = (";", ",", "\t")
# The limits of the database's columns, in characters.
LENGTHS = {"id": 200, "name": 200, "email": CHARACTERS, "group": 100}
#: Moodle's number of a participant, which differs in every assignment.
PARTICIPANT = re.compile(r"(Participant|Участник) \d+")
#: Letters that another program could not save: U+FFFD, or question marks where letters are.
LOST = re.compile(r"\ufffd|\?\?|[^\W\d_]\?|\?[^\W\d_]")
ROLES = {word: MemberRole(role) for role, words in columns.WORDS["roles"].items() for word in words}
# Canvas adds this student to each course, so that teachers can see it as a student.
TEST_STUDENTS = ("student, test", "test student")


class Fault(StrEnum):
    """A reason why a row cannot be imported as it is."""

    ID_MISSING = "id_missing"
    TOO_LONG = "too_long"
    UNPRINTABLE = "unprintable"
    EMAIL_INVALID = "email_invalid"
    ROLE_UNKNOWN = "role_unknown"
    ID_TWICE = "id_twice"
    EMAIL_TWICE = "email_twice"
    TOO_MANY_CELLS = "too_many_cells"


@dataclass(frozen=True)
class Problem:
    """A fault of one row.

    Attributes:
        column: its heading; None: the row as a whole.
        params: the found value and the expected one, for the text.
    """

    fault: Fault
    column: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """A person in the file. None: the file has no value.

    Attributes:
        line: on which it begins, from 1.
    """

    line: int
    id: str
    name: str | None = None
    email: str | None = None
    group: str | None = None
    role: MemberRole = MemberRole.STUDENT
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Roster:
    """The content of a file.

    Attributes:
        id_column: the heading of the column that gives the external ids.
        ignored: headings that mean nothing here.
        left_out: the number of rows that are no people (points possible, the test student, deleted users), or repeat
            a row.
    """

    rows: tuple[Row, ...]
    id_column: str
    ignored: tuple[str, ...] = ()
    left_out: int = 0

    @property
    def lines_of_lost_letters(self) -> list[int]:
        """The lines of names whose letters seem to have been damaged before the file came here."""
        return [row.line for row in self.rows if LOST.search(row.name or "") or _is_misread(row.name or "")]


@dataclass(frozen=True)
class _Record:
    line: int
    cells: Sequence[str]

    def cell(self, place: int | None) -> str:
        return self.cells[place] if place is not None and place < len(self.cells) else ""

    def is_empty(self) -> bool:
        return not any(cell.strip() for cell in self.cells)


def read(content: bytes, id_column: str | None = None) -> Roster:
    """Read a roster.

    Args:
        id_column: the heading of the column that is to be the external id; None: the best one that has values.
    Raises:
        RosterRefused: one of its subclasses; no row can be read.
    """
    if len(content) > MOST_BYTES:
        raise RosterTooLong(limit=MOST_ROWS, limit_bytes=MOST_BYTES)
    records = _records(*_text_of(content))
    headings = next(records, None)
    if headings is None:
        raise RosterEmpty
    layout = columns.find([heading.strip() for heading in headings.cells], id_column)
    people, left_out = _people(records, layout)
    id_place = _id_place(people, layout)
    rows = list(_each_once(_row(record, layout, id_place) for record in people))
    left_out += len(people) - len(rows)
    used = {
        id_place,
        *layout.name_parts,
        *(layout.at[name] for name in ("email", "group", "role") if name in layout.at),
    }
    ignored = [heading for place, heading in enumerate(layout.headings) if heading and place not in used]
    return Roster(tuple(_mark_duplicates(rows, layout, id_place)), layout.headings[id_place], tuple(ignored), left_out)


@dataclass(frozen=True)
class Table:
    """The cells of a file, its headings first, without empty lines."""

    rows: list[Sequence[str]]
    delimiter: str


def table(content: bytes, most_bytes: int) -> Table:
    """Read the cells of a file.

    Args:
        most_bytes: the limit, which the caller has checked; a refusal names it.
    Raises:
        RosterRefused: one of its subclasses; it is no CSV, empty, or has more rows than a roster.
    """
    text, delimiter, _ = _text_of(content)
    rows: list[Sequence[str]] = []
    for record in _records(text, delimiter):
        _check_room(len(rows) - 1, most_bytes)
        rows.append(record.cells)
    if not rows:
        raise RosterEmpty
    return Table(rows, delimiter)


def _text_of(content: bytes) -> tuple[str, str, int]:
    """Return the text of a file, its delimiter, and how many lines were taken off above it."""
    text, delimiter = _without_separator_line(decode(content))
    if re.fullmatch(r"[\s;,]*", text):
        raise RosterEmpty
    return text, delimiter or _delimiter_of(text), 0 if delimiter is None else 1


def _without_separator_line(text: str) -> tuple[str, str | None]:
    """Take off the line ``sep=;`` by which Excel may be told the delimiter."""
    match = re.match(r"sep=([;,\t])\r?\n", text, re.IGNORECASE)
    return (text[match.end() :], match[1]) if match else (text, None)


def _delimiter_of(text: str) -> str:
    """Choose the delimiter that gives the most known headings, and among equals the most headings."""

    def worth(delimiter: str) -> tuple[int, int]:
        try:
            headings = next(_records(text, delimiter), None)
        except RosterBroken:
            return -1, 0
        return (len(columns.meanings(headings.cells)), len(headings.cells)) if headings else (0, 0)

    return max(DELIMITERS, key=worth)


def _records(text: str, delimiter: str, offset: int = 0) -> Iterator[_Record]:
    """Yield the records that are not empty.

    Raises:
        RosterBroken: a quotation mark does not end where a cell does.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            record = _Record(line + offset, cells)
            line = reader.line_num + 1
            if not record.is_empty():
                yield record
    except csv.Error as exc:
        raise RosterBroken(line=line + offset, reason=str(exc)) from exc


def _check_room(rows: int, most_bytes: int = MOST_BYTES) -> None:
    """Check that a file may have one row more than these. Raises: RosterTooLong"""
    if rows == MOST_ROWS:
        raise RosterTooLong(limit=MOST_ROWS, limit_bytes=most_bytes)


def _people(records: Iterator[_Record], layout: Columns) -> tuple[list[_Record], int]:
    """Return the records of people, and the number of the others.

    Raises:
        RosterTooLong
    """
    people: list[_Record] = []
    left_out = 0
    for record in records:
        if _is_nobody(record, layout, is_first=not people):
            left_out += 1
            continue
        _check_room(len(people))
        people.append(record)
    return people, left_out


def _is_nobody(record: _Record, layout: Columns, *, is_first: bool) -> bool:
    if record.cell(layout.at.get("status")).strip().lower() == "deleted":
        return True
    if not layout.is_canvas_gradebook:
        return False
    # Above the students Canvas has lines about the assignments.
    no_id = not any(record.cell(layout.at.get(name)).strip() for name in columns.IDS)
    name = " ".join(record.cell(place).strip() for place in layout.name_parts)
    return (is_first and no_id) or name.lower() in TEST_STUDENTS


def _id_place(people: Sequence[_Record], layout: Columns) -> int:
    """Return the column of the external ids: the best one that has a value in some row."""
    candidates = layout.ids
    for place in candidates:
        values = [value for record in people if (value := record.cell(place).strip())]
        if values and not all(map(PARTICIPANT.fullmatch, values)):
            return place
    return candidates[0]


def _row(record: _Record, layout: Columns, id_place: int) -> Row:
    problems: list[Problem] = []
    headings = layout.headings

    def take(kind: str, place: int | None, value: str) -> str | None:
        """Return a value as it is stored, and note its faults."""
        if not value:
            return None
        heading = headings[place] if place is not None else None
        if not _is_printable(value):
            problems.append(Problem(Fault.UNPRINTABLE, heading, {"came": ascii(value[:100])}))
            return None
        if len(value) > LENGTHS[kind]:
            problems.append(Problem(Fault.TOO_LONG, heading, {"came": len(value), "limit": LENGTHS[kind]}))
            return None
        return value

    def at(name: str) -> str:
        return unicodedata.normalize("NFC", record.cell(layout.at.get(name))).strip()

    if any(cell.strip() for cell in record.cells[len(headings) :]):
        problems.append(
            Problem(Fault.TOO_MANY_CELLS, None, {"came": len(record.cells), "limit": len(headings)}),
        )
    id = unicodedata.normalize("NFC", record.cell(id_place)).strip()
    if not id:
        problems.append(Problem(Fault.ID_MISSING, headings[id_place]))
    email = take("email", layout.at.get("email"), comparable(at("email")))
    if email and not is_address(email):
        problems.append(Problem(Fault.EMAIL_INVALID, headings[layout.at["email"]], {"came": email[:100]}))
        email = None
    role = ROLES.get(columns.plain(at("role")))
    if role is None:
        problems.append(Problem(Fault.ROLE_UNKNOWN, headings[layout.at["role"]], {"came": at("role")[:100]}))
    name = take("name", next(iter(layout.name_parts), None), _name(record, layout))
    group = take("group", layout.at.get("group"), at("group"))
    id = take("id", id_place, comparable(id) if id_place == layout.at.get("email") else id) or ""
    return Row(record.line, id, name, email, group, role or MemberRole.STUDENT, tuple(problems))


def _name(record: _Record, layout: Columns) -> str:
    name = " ".join(record.cell(place) for place in layout.name_parts)
    name = " ".join(unicodedata.normalize("NFC", name).split())
    last, comma, first = name.partition(", ")
    # "Last, First", the name by which Canvas sorts.
    return f"{first} {last}" if comma and layout.is_canvas_gradebook and "," not in first else name


def _is_misread(name: str) -> bool:
    """Tell whether another program has read UTF-8 in the encoding of Windows: no name becomes UTF-8 by chance."""
    for encoding in ("cp1251", "cp1252"):
        with contextlib.suppress(UnicodeError):
            return not name.isascii() and bool(name.encode(encoding).decode())
    return False


def _is_printable(value: str) -> bool:
    return all(unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp") for character in value)


def _each_once(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield the rows without exact repetitions of an earlier one, which are the same person."""
    seen = set()
    for row in rows:
        person = row.id, row.name, row.email, row.group, row.role
        if row.problems or person not in seen:
            yield row
        seen.add(person)


def _mark_duplicates(rows: Sequence[Row], layout: Columns, id_place: int) -> Iterator[Row]:
    """Yield the rows, with a problem in each that has the id or the address of another one."""
    # Both are marked, because nobody knows which of them is right.
    lines: dict[tuple[Fault, str], list[int]] = {}
    for row in rows:
        for fault, value in ((Fault.ID_TWICE, row.id), (Fault.EMAIL_TWICE, row.email)):
            if value:
                lines.setdefault((fault, value), []).append(row.line)
    for row in rows:
        problems = list(row.problems)
        for fault, value, place in (
            (Fault.ID_TWICE, row.id, id_place),
            (Fault.EMAIL_TWICE, row.email, layout.at.get("email")),
        )[: 1 if id_place == layout.at.get("email") else 2]:
            same = lines.get((fault, value or ""), [])
            if len(same) > 1 and place is not None:
                params = {"came": value, "lines": same[:10]}
                problems.append(Problem(fault, layout.headings[place], params))
        yield Row(row.line, row.id, row.name, row.email, row.group, row.role, tuple(problems))
