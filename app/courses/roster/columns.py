"""The columns of a roster, by their headings; `words.toml` lists these."""

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.errors import RosterColumnUnknown, RosterHeadingsUnknown

WORDS = tomllib.loads((Path(__file__).parent / "words.toml").read_text("utf-8"))
#: The kinds of columns. Those of `IDS` name a student; the first one that has values is the external id: a grade book
#: that is imported later finds the students by it.
HEADINGS: Mapping[str, Sequence[str]] = WORDS["headings"]
IDS = ("id", "id_number", "user_id", "username", "login_id", "student", "email")
NAME_PARTS = ("first_name", "middle_name", "last_name")
FIELDS = {heading: name for name, headings in HEADINGS.items() for heading in headings}
#: For a refusal: headings that name a student, in both languages.
EXPECTED = ("id", "username", "email", "Логин", "Почта")


@dataclass(frozen=True)
class Columns:
    """The known columns, by their field.

    Attributes:
        headings: as they stand in the file.
        at: the place of each field's column; the first of several columns with the same meaning counts.
        chosen: the field or column that the request names as the external id.
    """

    headings: tuple[str, ...]
    at: Mapping[str, int]
    chosen: int | None = None

    @property
    def name_parts(self) -> list[int]:
        """The columns that make the name, in the order of the file: a list of surnames stays one."""
        if "name" in self.at:
            return [self.at["name"]]
        return sorted(self.at[part] for part in NAME_PARTS if part in self.at)

    @property
    def is_canvas_gradebook(self) -> bool:
        headings = set(map(plain, self.headings))
        return "id" in headings and "sis login id" in headings and "section" in headings

    @property
    def ids(self) -> list[int]:
        """The columns that can be the external id, the best first."""
        return [self.chosen] if self.chosen is not None else [self.at[name] for name in IDS if name in self.at]


def plain(heading: str) -> str:
    """Return a heading in the form of the table above.

    >>> plain(" E-mail_address ")
    'e mail address'
    """
    folded = unicodedata.normalize("NFC", heading).casefold().replace("зачет", "зачёт")
    return " ".join(re.split(r"[\s\W_]+", folded)).strip()


def meanings(headings: Sequence[str]) -> dict[str, int]:
    """Return the first column of each field."""
    at: dict[str, int] = {}
    for place, heading in enumerate(headings):
        if (name := FIELDS.get(plain(heading))) is not None:
            at.setdefault(name, place)
    # Beside an id, "Student" is the name (Canvas); alone it is the id, as in uploads.
    if "student" in at and not ({"name", *NAME_PARTS} & set(at)) and (set(IDS) - {"student", "email"}) & set(at):
        at["name"] = at.pop("student")
    return at


def find(headings: Sequence[str], id_column: str | None = None) -> Columns:
    """Find the columns of a roster.

    Args:
        id_column: the heading of the column that is to be the external id.
    Raises:
        RosterHeadingsUnknown: none of them names a student.
        RosterColumnUnknown: there is no such column.
    """
    at = meanings(headings)
    listed = [heading.strip()[:100] for heading in headings[:30]]
    chosen = None
    if id_column is not None:
        matching = [place for place, heading in enumerate(headings) if plain(heading) == plain(id_column)]
        if not matching:
            raise RosterColumnUnknown(came=id_column[:100], known=listed)
        chosen = matching[0]
    elif not set(IDS) & set(at):
        raise RosterHeadingsUnknown(came=listed, expected=list(EXPECTED))
    return Columns(tuple(headings), at, chosen)
