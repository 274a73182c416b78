"""The text of cells as lines with coloured tokens, bounded in size and time.

Everything here is a courtesy: what does not fit is shown as plain text, or is left out.
"""

import time
from collections.abc import Sequence
from typing import Any

from pygments.lexers.python import PythonLexer
from pygments.token import Comment, Error, Keyword, Name, Number, Operator, String, _TokenType

from reader.module_text import Module

MOST_LINES, MOST_CHARACTERS = 3000, 200_000
LONGEST_LINE = 1000
# Colours take 5 us a character. The class and its cell have 3,000.
MOST_COLOURED, LONGEST_COLOURED, COLOUR_SECONDS = 12_000, 300, 1.0
# Longer cells have colours where the class is, and nowhere else.
WHOLE_CELL = 4000
#: A letter for each kind of token that has a colour; the trusted side knows the same ones.
KINDS: tuple[tuple[_TokenType, str], ...] = (
    (Comment, "c"),
    (String, "s"),
    (Number, "m"),
    (Operator.Word, "k"),
    (Keyword, "k"),
    (Name.Decorator, "d"),
    (Name.Function, "f"),
    (Name.Class, "f"),
    (Name.Builtin, "b"),
    (Error, "e"),
)

#: ``text``, and ``runs``: pairs of a kind and the number of characters that have it, which together cover the text.
Line = dict[str, Any]

_lexer = PythonLexer(stripnl=False, ensurenl=False)


def source_cells(module: Module) -> list[dict[str, Any]]:
    """Return ``index`` and ``lines`` of the code cells, as they were handed in; those of the class come first."""
    cells, left, room = [], MOST_LINES, MOST_CHARACTERS
    colours = _Colours(module)
    for place in _most_telling_first(module):
        lines: list[Line] = []
        for number, text in enumerate(module.cells[place].text.split("\n"), start=1):
            text = text[:LONGEST_LINE]
            if not left or len(text) > room:
                break
            left, room = left - 1, room - len(text)
            lines.append({"text": text, "runs": colours.of(place, number, text)})
        if lines:
            cells.append({"index": module.cells[place].index, "lines": lines})
    return sorted(cells, key=lambda cell: cell["index"])


def _most_telling_first(module: Module) -> list[int]:
    core = _core_spans(module)
    return sorted(range(len(module.cells)), key=lambda place: (place not in core, place))


def _core_spans(module: Module) -> dict[int, list[tuple[int, int]]]:
    """Map the place of a cell -> first and last lines, in the cell, of statements that the class needs."""
    spans: dict[int, list[tuple[int, int]]] = {}
    for index, place in enumerate(module.places()):
        statement = module.plan.statements[index]
        if index in module.plan.core:
            start = module.first_lines[place] - 1
            spans.setdefault(place, []).append((statement.first_line - start, statement.last_line - start))
    for place, cell in enumerate(module.cells):
        if cell.problem is not None:
            spans[place] = [(1, cell.text.count("\n") + 1)]
    return spans


class _Colours:
    """Tokens of the lines around the class; of all others, only comments have a colour."""

    def __init__(self, module: Module) -> None:
        self._found: dict[tuple[int, int], list[Any]] = {}
        room, deadline = MOST_COLOURED, time.thread_time() + COLOUR_SECONDS
        for place, spans in _core_spans(module).items():
            lines = module.cells[place].text.split("\n")
            for first, last in [(1, len(lines))] if sum(map(len, lines)) <= WHOLE_CELL else spans:
                texts = lines[first - 1 : last]
                room -= sum(map(len, texts))
                if room < 0 or any(len(text) > LONGEST_COLOURED for text in texts):
                    continue
                coloured = _coloured(texts, deadline)
                self._found.update({(place, number): runs for number, runs in enumerate(coloured, start=first)})

    def of(self, place: int, number: int, text: str) -> list[Any]:
        runs = self._found.get((place, number))
        if runs is not None:
            return runs
        return [["c" if text.lstrip().startswith("#") else "", len(text)]] if text else []


def _coloured(texts: Sequence[str], deadline: float) -> list[list[Any]]:
    """Return the runs of each line, as far as the time allows."""
    lines: list[list[Any]] = [[]]
    for _, type, value in _lexer.get_tokens_unprocessed("\n".join(texts)):
        if time.thread_time() > deadline:
            break
        kind = _kind(type)
        for number, piece in enumerate(value.split("\n")):
            lines += [[]] if number else []
            runs = lines[-1]
            if piece and runs and runs[-1][0] == kind:
                runs[-1][1] += len(piece)
            elif piece:
                runs.append([kind, len(piece)])
    # The last line may be incomplete.
    return [runs for runs, text in zip(lines, texts, strict=False) if sum(length for _, length in runs) == len(text)]


def _kind(type: _TokenType) -> str:
    return next((letter for parent, letter in KINDS if type in parent), "")


def warm_up() -> None:
    """Compile the lexer's expressions, which takes longer than most files."""
    list(_lexer.get_tokens_unprocessed("class A(B):\n    '''a'''\n    def f(self): return f'{1}' # c\n"))
