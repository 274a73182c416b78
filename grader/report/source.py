"""The student's source as a report keeps it: an artefact that holds lines and the kinds of their tokens.

The limited reader child makes lines and tokens (`grader/runner/reader/source_lines.py`). Here their form and their size
are checked, on the way into a report and on the way out.
"""

import hashlib
import json
import zlib
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

#: Kinds of tokens: comment, string, number, keyword, decorator, function or class, built-in name, error; "" for others.
Kind = Literal["", "c", "s", "m", "k", "d", "f", "b", "e"]
MOST_LINES, LONGEST_LINE, MOST_RUNS = 3000, 1000, 1000
# Honest sources take a twentieth of it.
MOST_BYTES = 4_000_000
SUFFIX = ".source"
#: The width of a tab where the source is shown.
TAB = 4

Length = Annotated[int, Field(gt=0, le=LONGEST_LINE)]
Run = tuple[Kind, Length]


class SourceModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Line(SourceModel):
    """One line: its text, and runs of characters of one kind that together cover it."""

    text: Annotated[str, Field(max_length=LONGEST_LINE)]
    runs: Annotated[list[Run], Field(max_length=MOST_RUNS)] = []

    @model_validator(mode="after")
    def _covers(self) -> Self:
        if "\n" in self.text or sum(length for _, length in self.runs) != len(self.text):
            raise ValueError("the runs do not cover the line")
        return self

    def tokens(self) -> list[tuple[str, str]]:
        """Return kind and text of each run."""
        tokens: list[tuple[str, str]] = []
        at = 0
        for kind, length in self.runs:
            tokens.append((kind, self.text[at : at + length]))
            at += length
        return tokens


class Cell(SourceModel):
    """A code cell of a notebook, `index` counting all cells from 0; or a file, as cell 0. The end may be left out."""

    index: Annotated[int, Field(ge=0)]
    lines: list[Line]


Cells = list[Cell]
_CELLS: TypeAdapter[Cells] = TypeAdapter(Cells)


def visible(text: str) -> str:
    """Write characters that do not print, or that turn text around, as their escapes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else " " * TAB if char == "\t" else ascii(char)[1:-1] for char in text)


def read_cells(data: object) -> Cells | None:
    """Check the reader child's lines; None for anything of another form."""
    try:
        cells = _CELLS.validate_python(data)
    except ValidationError:
        return None
    return cells if sum(len(cell.lines) for cell in cells) <= MOST_LINES else None


def pack(cells: Cells) -> tuple[str, bytes]:
    """Pack a source into an artefact: its name and its content."""
    compact = [[cell.index, [[line.text, line.runs] for line in cell.lines]] for cell in cells]
    content = zlib.compress(json.dumps(compact, ensure_ascii=False, separators=(",", ":")).encode(), 6)
    return f"{hashlib.sha256(content).hexdigest()[:32]}{SUFFIX}", content


def unpack(content: bytes, *, most_bytes: int = MOST_BYTES) -> Cells | None:
    """Return the source in an artefact; None where the bytes hold none, or unpack to more than `most_bytes`."""
    try:
        text = zlib.decompressobj().decompress(content, most_bytes)
        compact = json.loads(text)
        spread = [
            {"index": index, "lines": [{"text": text, "runs": runs} for text, runs in lines]}
            for index, lines in compact
        ]
    except (zlib.error, ValueError, TypeError, RecursionError):
        return None
    return read_cells(spread)


def source_in(artefacts: Mapping[str, bytes], name: str | None) -> Cells | None:
    """Return the source of a report out of its artefacts; None where none was kept."""
    content = artefacts.get(name) if name is not None else None
    return unpack(content) if content is not None else None
