"""The difference of two sources that reports keep, in brief or side by side.

Both are hostile: an attempt may be made so that comparing takes hours, as `difflib` does on lines that repeat. So lines
that stand once in both sources are found first, the longest run of them in the same order is kept, and the lines around
each are compared outwards from it. That takes n log n steps for n lines, of which there are 3,000 at most.
Only stretches that are short on both sides are compared line by line.
"""

import bisect
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from grader.report.source import Cells, Line, visible

#: Lines shown above and below a change.
AROUND = 2
WORD = re.compile(r"(\w+)")
# Pairs of lines that are compared in 50 ms.
MOST_PAIRS = 200_000
#: Kinds of tokens that are no name.
FIXED = frozenset("smk")
COMMENT = "c"
Change = Literal["same", "gone", "new"]


@dataclass(frozen=True)
class ChangedLine:
    """One line of a difference, with its numbers in the older and in the newer cell; None where it is in one alone."""

    change: Change
    old_number: int | None
    new_number: int | None
    line: Line


@dataclass(frozen=True)
class Hunk:
    """Neighbouring changes with the lines around them; `cell` is that of the newer source, from 0."""

    cell: int
    lines: list[ChangedLine]


@dataclass(frozen=True)
class SideLine:
    """A line on one of two sides, with its number in its cell, cut into pieces that are equal there or not."""

    cell: int
    number: int
    pieces: list[tuple[str, bool]]

    @property
    def differs(self) -> bool:
        return any(is_other for _, is_other in self.pieces)


#: A line of either source, or None where the other one has no line like it.
Beside = tuple[SideLine | None, SideLine | None]


@dataclass(frozen=True)
class _PlacedLine:
    cell: int
    number: int
    line: Line


def source_difference(old: Cells, new: Cells) -> list[Hunk]:
    """Return the changes from one source to another, in the newer one's order; empty for equal sources.

    White space at the end of a line is no change. A cell that moved as a whole counts as moved lines.
    """
    before, after = _placed(old), _placed(new)
    pairs = _matches([_text(each) for each in before], [_text(each) for each in after])
    rows: list[tuple[int, ChangedLine]] = []
    i = j = 0
    for at_old, at_new in [*pairs, (len(before), len(after))]:
        cell = after[min(j, len(after) - 1)].cell if after else 0
        rows += [(cell, ChangedLine("gone", each.number, None, each.line)) for each in before[i:at_old]]
        rows += [(each.cell, ChangedLine("new", None, each.number, each.line)) for each in after[j:at_new]]
        if at_old < len(before) and at_new < len(after):
            one, other = before[at_old], after[at_new]
            rows.append((other.cell, ChangedLine("same", one.number, other.number, other.line)))
        i, j = at_old + 1, at_new + 1
    return _hunks(rows)


def side_by_side(left: Cells, right: Cells) -> list[Beside]:
    """Set the lines of two sources beside each other: equal ones, and between them those equal but for names."""
    before, after = _placed(left), _placed(right)
    equal = _matches([_text(each) for each in before], [_text(each) for each in after])
    old, new = [_shape(each.line) for each in before], [_shape(each.line) for each in after]
    rows: list[Beside] = []
    i = j = 0
    for at_left, at_right in [*equal, (len(before), len(after))]:
        alike = [(i + k, j + m) for k, m in _alike(old[i:at_left], new[j:at_right])]
        for k, m in [*alike, (at_left, at_right)]:
            rows += [(_alone(each), None) for each in before[i:k]]
            rows += [(None, _alone(each)) for each in after[j:m]]
            if k < len(before) and m < len(after):
                rows.append((_compared(before[k], after[m]), _compared(after[m], before[k])))
            i, j = k + 1, m + 1
    return rows


def _shape(line: Line) -> str:
    """Return the part of a line that is neither name nor comment nor space."""
    code = (text if kind in FIXED else WORD.sub("_", text) for kind, text in line.tokens() if kind != COMMENT)
    return "".join("".join(code).split())


def _alike(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Pair as many equal shapes as can be without crossing; in long stretches, as `_matches` does. Empty ones stay."""
    if len(old) * len(new) > MOST_PAIRS:
        return [(i, j) for i, j in _matches(old, new) if old[i]]
    lengths = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i, j in itertools.product(reversed(range(len(old))), reversed(range(len(new)))):
        is_pair = old[i] == new[j] != ""
        lengths[i][j] = lengths[i + 1][j + 1] + 1 if is_pair else max(lengths[i + 1][j], lengths[i][j + 1])
    pairs, i, j = [], 0, 0
    while i < len(old) and j < len(new):
        if old[i] == new[j] != "":
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif lengths[i + 1][j] >= lengths[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs


def _alone(placed: _PlacedLine) -> SideLine:
    text = placed.line.text
    words = text.lstrip()
    pieces = [(text[: len(text) - len(words)], False), (words, True)]
    return SideLine(placed.cell, placed.number, [(visible(piece), is_other) for piece, is_other in pieces if piece])


def _compared(placed: _PlacedLine, other: _PlacedLine) -> SideLine:
    """Mark the words and the comment in which a line differs from one of the same shape."""
    tokens = other.line.tokens()
    words = iter([word for kind, text in tokens if kind != COMMENT for word in WORD.findall(text)])
    comments = [text.rstrip() for kind, text in tokens if kind == COMMENT]
    pieces: list[tuple[str, bool]] = []
    for kind, text in placed.line.tokens():
        if kind == COMMENT:
            pieces.append((visible(text), text.rstrip() not in comments))
            continue
        for piece in filter(None, WORD.split(text)):
            pieces.append((visible(piece), WORD.fullmatch(piece) is not None and piece != next(words, None)))
    return SideLine(placed.cell, placed.number, pieces)


def _placed(cells: Cells) -> list[_PlacedLine]:
    return [_PlacedLine(cell.index, number, line) for cell in cells for number, line in enumerate(cell.lines, start=1)]


def _text(placed: _PlacedLine) -> str:
    return placed.line.text.rstrip()


def _matches(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Pair equal lines so that no two pairs cross."""
    anchors = [(-1, -1), *_anchors(old, new), (len(old), len(new))]
    pairs: list[tuple[int, int]] = []
    for (i, j), (end_i, end_j) in itertools.pairwise(anchors):
        i, j = i + 1, j + 1
        while i < end_i and j < end_j and old[i] == new[j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        upwards: list[tuple[int, int]] = []
        back_i, back_j = end_i - 1, end_j - 1
        while back_i >= i and back_j >= j and old[back_i] == new[back_j]:
            upwards.append((back_i, back_j))
            back_i, back_j = back_i - 1, back_j - 1
        pairs += reversed(upwards)
        if end_i < len(old) and end_j < len(new):
            pairs.append((end_i, end_j))
    return pairs


def _anchors(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Return the longest increasing chain of lines that stand exactly once in both."""
    in_old, in_new = Counter(old), Counter(new)
    at_new = {text: j for j, text in enumerate(new) if in_new[text] == 1 and in_old[text] == 1}
    unique = [(i, at_new[text]) for i, text in enumerate(old) if text in at_new]
    ends: list[int] = []  # the least last j of a chain of each length
    chain: list[int] = []  # the index into `unique` of that chain's last pair
    before: list[int] = []
    for index, (_, j) in enumerate(unique):
        length = bisect.bisect_left(ends, j)
        ends[length : length + 1] = [j]
        before.append(chain[length - 1] if length else -1)
        chain[length : length + 1] = [index]
    kept, index = [], chain[-1] if chain else -1
    while index >= 0:
        kept.append(unique[index])
        index = before[index]
    return kept[::-1]


def _hunks(rows: Sequence[tuple[int, ChangedLine]]) -> list[Hunk]:
    near: set[int] = set()
    for index, (_, row) in enumerate(rows):
        if row.change != "same":
            near.update(range(max(0, index - AROUND), min(len(rows), index + AROUND + 1)))
    hunks: list[Hunk] = []
    for index in sorted(near):
        cell, row = rows[index]
        if index - 1 in near and hunks[-1].cell == cell:
            hunks[-1].lines.append(row)
        else:
            hunks.append(Hunk(cell, [row]))
    # The lines around a change may reach into a cell without one.
    return [hunk for hunk in hunks if any(row.change != "same" for row in hunk.lines)]
