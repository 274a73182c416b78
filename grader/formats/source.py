"""The student's source in a report: excerpts around the marked lines, and the whole of it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from grader.formats.view import View
from grader.report.messages import CELL, place_of, translate
from grader.report.source import Cell, Line, source_in, visible

#: Lines shown above and below a mark.
AROUND = 3
#: Characters of a line in a form that is text.
SHOWN_CODE = 100
#: The exercise's names of the gates, by the letters of its layers.
LETTERS = {"I": "i", "F": "f", "C": "ch", "O": "o"}
OF_GATES = frozenset({"sum", "activation", "weights"})
CONFIDENCES = ("certain", "probable")

Mark = Literal["certain", "probable"]


@dataclass(frozen=True)
class ShownLine:
    """A line of an excerpt.

    Attributes:
        number: as in the notebook's cell, or in the file.
        tokens: the kind of each token and its text; a kind is a letter of `grader.report.source`, or empty.
        notes: the parts that are marked here, named at the last line of each mark.
        follows_gap: lines between this one and the one above are left out.
    """

    number: int
    mark: Mark | None
    tokens: list[tuple[str, str]]
    notes: list[str]
    follows_gap: bool


@dataclass(frozen=True)
class Block:
    """Lines of one cell, or of the file."""

    title: str
    lines: list[ShownLine]


class Sources:
    """The excerpts of one report.

    In a template: ``sources.of(cause.code)`` for the lines of one cause, ``sources.whole`` for everything; both are
    empty where there is nothing to show. `source.html` writes an excerpt.
    """

    def __init__(self, view: View) -> None:
        self._language = view.language
        self._filename: str = view.report["submission"]["filename"]
        self._is_notebook = view.report["submission"]["format"] == "ipynb"
        self._places: Sequence[Mapping[str, Any]] = view.report["source"]["places"]
        self._cells = source_in(view.artefacts, view.report["source"]["artefact"]) or []

    def of(self, code: str) -> list[Block]:
        """Return the lines around the marks of one cause."""
        return self._excerpt([place for place in self._places if place["code"] == code], AROUND)

    def lines_of(self, code: str) -> list[str]:
        """Return a line of text for each mark of one cause: its place, the code there, and the part that it is."""
        cells = {cell.index: cell.lines for cell in self._cells}
        shown_places = []
        for place in self._places:
            if place["code"] == code:
                lines, line = cells.get(self._index(place["file"]), []), place["line"]
                shown = f" {_plain(lines[line - 1])}" if 0 < line <= len(lines) else ""
                shown_places.append(f"{place_of(place, self._language)}:{shown} ({note_of(place, self._language)})")
        return list(dict.fromkeys(shown_places))

    @cached_property
    def whole(self) -> list[Block]:
        """Return all lines that were kept, with all marks."""
        return self._excerpt(self._places, None)

    def _excerpt(self, places: Sequence[Mapping[str, Any]], around: int | None) -> list[Block]:
        by_cell: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
        for place in places:
            by_cell[self._index(place["file"])].append(place)
        return [
            Block(self._title(cell), lines)
            for cell in self._cells
            if (lines := self._lines(cell, by_cell[cell.index], around))
        ]

    def _index(self, file: str) -> int:
        cell = CELL.fullmatch(file) if self._is_notebook else None
        return int(cell[1]) - 1 if cell else 0

    def _title(self, cell: Cell) -> str:
        if not self._is_notebook:
            return self._filename
        return translate("source.cell", self._language, cell=cell.index + 1)

    def _lines(self, cell: Cell, places: Iterable[Mapping[str, Any]], around: int | None) -> list[ShownLine]:
        marks: dict[int, Mark] = {}
        notes: dict[int, list[str]] = defaultdict(list)
        shown = set(range(1, len(cell.lines) + 1)) if around is None else set()
        # The last lines of a long file are not kept.
        kept = [place for place in places if place["line"] <= len(cell.lines)]
        # Certain marks last, so that they win.
        for place in sorted(kept, key=lambda place: CONFIDENCES.index(place["confidence"]), reverse=True):
            first, last = place["line"], min(place["last_line"], len(cell.lines))
            marks.update(dict.fromkeys(range(first, last + 1), place["confidence"]))
            if around is not None:
                shown.update(range(max(1, first - around), min(len(cell.lines), last + around) + 1))
            if (note := note_of(place, self._language)) not in notes[last]:
                notes[last].append(note)
        return [
            ShownLine(
                number,
                marks.get(number),
                [(kind, visible(text)) for kind, text in cell.lines[number - 1].tokens()],
                notes.get(number, []),
                follows_gap=number > 1 and number - 1 not in shown,
            )
            for number in sorted(shown)
        ]


def note_of(place: Mapping[str, Any], language: str) -> str:
    """Say that something stands at a place, and how certain that is."""
    if place["part"] == "line":
        return translate(f"source.{place['confidence']}.line", language)
    return translate(f"source.{place['confidence']}", language, part=part_name(place, language))


def part_name(place: Mapping[str, Any], language: str) -> str:
    """Name what stands at a place: a part of the class."""
    gate, id = place["gate"], f"part.{place['part']}"
    if place["part"] in OF_GATES:
        return translate(id, language, gate=LETTERS[gate]) if gate else translate(f"{id}.any", language)
    return translate(id, language)


def _plain(line: Line) -> str:
    text = visible(line.text.strip())
    return text if len(text) <= SHOWN_CODE else f"{text[:SHOWN_CODE]}…"
