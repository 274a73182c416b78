"""The source that a report keeps, and the difference of two: whatever they hold, they are bounded and checked."""

import json
import time
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.report.source import LONGEST_LINE, MOST_BYTES, MOST_LINES, Cell, Cells, Line, pack, read_cells, unpack
from grader.report.source_difference import Beside, Hunk, side_by_side, source_difference
from tests.growth import assert_in_proportion


def cell(text: str, index: int = 0) -> Cell:
    return Cell(
        index=index, lines=[Line(text=each, runs=[("", len(each))] if each else []) for each in text.split("\n")]
    )


def shown(hunks: list[Hunk]) -> list[str]:
    marks = {"same": " ", "gone": "-", "new": "+"}
    return [marks[row.change] + row.line.text for hunk in hunks for row in hunk.lines]


def test_a_packed_source_comes_back_as_it_was() -> None:
    cells = [cell("a = 1\n\n# х"), cell("b", index=7)]
    name, content = pack(cells)
    assert name.endswith(".source")
    assert len(name) <= 64
    assert unpack(content) == cells


@pytest.mark.parametrize(
    "data",
    [
        {"not": "a list"},
        [{"index": 0, "lines": [{"text": "abc", "runs": [["k", 2]]}]}],
        [{"index": 0, "lines": [{"text": "abc", "runs": [["<script>", 3]]}]}],
        [{"index": 0, "lines": [{"text": "a\nb", "runs": [["", 3]]}]}],
        [{"index": 0, "lines": [{"text": "", "runs": [["", 0]]}]}],
        [{"index": 0, "lines": [{"text": "a" * (LONGEST_LINE + 1), "runs": [["", LONGEST_LINE + 1]]}]}],
        [{"index": 0, "lines": [{"text": "", "runs": []}] * (MOST_LINES + 1)}],
        [{"index": -1, "lines": []}],
    ],
)
def test_lines_in_another_form_are_refused(data: object) -> None:
    assert read_cells(data) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nothing",
        zlib.compress(b"[1]"),
        zlib.compress(b"[" * 100_000),
        zlib.compress(json.dumps([[0, [["a", [["k", 1]]]]]]).encode())[:-6],
        zlib.compress(b"[[0, [" + b" " * (MOST_BYTES + 10) + b"]]]"),
    ],
)
def test_bytes_that_are_no_source_are_none(content: bytes) -> None:
    assert unpack(content) is None


def test_a_difference_shows_changed_lines_with_their_neighbours() -> None:
    old = [cell("import tf\n\n\nclass A:\n    h = o * c\n    return h\n\nend")]
    new = [cell("import tf\n\n\nclass A:\n    h = o * tanh(c)\n    return h\n\nend")]
    (hunk,) = source_difference(old, new)
    assert shown([hunk]) == [" ", " class A:", "-    h = o * c", "+    h = o * tanh(c)", "     return h", " "]
    assert [(row.old_number, row.new_number) for row in hunk.lines][2:4] == [(5, None), (None, 5)]


def test_equal_sources_have_no_difference_whatever_white_space_ends_their_lines() -> None:
    assert source_difference([cell("a\nb")], [cell("a  \nb")]) == []


def test_lines_in_another_cell_keep_that_cells_numbers() -> None:
    (hunk,) = source_difference([cell("a"), cell("b\nc", 3)], [cell("a"), cell("b\nd", 4)])
    assert hunk.cell == 4
    assert shown([hunk])[-2:] == ["-c", "+d"]


texts = st.lists(st.sampled_from(["a", "b", "c", "", "x = 1", "  y"]), max_size=12).map("\n".join)


@given(texts, texts)
@settings(max_examples=200)
def test_a_difference_leads_from_the_one_source_to_the_other(old: str, new: str) -> None:
    rows = [row for hunk in source_difference([cell(old)], [cell(new)]) for row in hunk.lines]
    lines, taken = old.split("\n"), {row.old_number for row in rows if row.change == "gone"}
    kept = [line for number, line in enumerate(lines, start=1) if number not in taken]
    added = {row.new_number: row.line.text for row in rows if row.change == "new"}
    rest = iter(kept)
    count = len(kept) + len(added)
    assert [added[n] if n in added else next(rest) for n in range(1, count + 1)] == new.split("\n")


@pytest.mark.parametrize("lines", [["a"] * MOST_LINES, ["a", "b"] * (MOST_LINES // 2)], ids=["equal", "two in turn"])
def test_lines_that_repeat_are_compared_step_by_step(lines: list[str]) -> None:
    old: Cells = [cell("\n".join(lines))]
    new: Cells = [cell("\n".join([*lines[: MOST_LINES // 2], "new", *lines[MOST_LINES // 2 + 1 :]]))]
    (hunk,) = source_difference(old, new)
    assert [row.change for row in hunk.lines if row.change != "same"] == ["gone", "new"]


LINES = st.lists(
    st.sampled_from(["", "h = f(x)", "c = f(x)", "  c = f(x)  ", "return h  # done", "return c", "#", "x: 1"])
)


def marked(side: int, rows: list[Beside]) -> list[str]:
    """The lines of one side, with brackets around what is marked."""
    lines = (row[side] for row in rows)
    return ["".join(f"[{text}]" if other else text for text, other in line.pieces) if line else "-" for line in lines]


@given(LINES, LINES)
def test_side_by_side_every_line_stands_once_and_whatever_differs_is_marked(left: list[str], right: list[str]) -> None:
    sources = [cell("\n".join(lines)) for lines in (left, right)]
    rows = side_by_side([sources[0]], [sources[1]])
    for side, source in enumerate(sources):
        shown = [row[side] for row in rows if row[side] is not None]
        assert ["".join(text for text, _ in line.pieces) for line in shown if line] == [e.text for e in source.lines]
        assert [line.number for line in shown if line] == list(range(1, len(source.lines) + 1))
    for one, other in rows:
        texts = ["".join("".join(text for text, _ in line.pieces).split()) if line else "" for line in (one, other)]
        assert any(line is not None and line.differs for line in (one, other)) == (texts[0] != texts[1])


def test_a_renamed_copy_stands_beside_its_original_with_the_names_marked() -> None:
    original = cell("import x\nclass A:\n    h = f(x)\n    c = g(h)\n    return 'h'")
    copy = cell("class B:\n    # mine\n    a = f(x)\n    b = g(a)\n    print(a)\n    return 'h'")
    rows = side_by_side([original], [copy])
    assert marked(0, rows) == [
        "[import x]",
        "class [A]:",
        "-",
        "    [h] = f(x)",
        "    [c] = g([h])",
        "-",
        "    return 'h'",
    ]
    assert marked(1, rows) == [
        "-", "class [B]:", "    [# mine]", "    [a] = f(x)", "    [b] = g([a])", "    [print(a)]", "    return 'h'",
    ]  # fmt: skip


def test_white_space_behind_a_comment_is_no_difference() -> None:
    comments = "# h", "# h "
    sides = [[Cell(index=0, lines=[Line(text=f"h{each}", runs=[("", 1), ("c", len(each))])])] for each in comments]
    assert [marked(side, side_by_side(*sides)) for side in (0, 1)] == [["h# h"], ["h# h "]]


def test_sources_made_to_be_slow_are_set_beside_each_other_in_proportion_to_their_lines() -> None:
    def seconds(lines: int) -> float:
        left, right = (cell("\n".join([f"{name} = f(x)"] * lines)) for name in "ab")
        before = time.process_time()
        side_by_side([left], [right])
        return time.process_time() - before

    assert_in_proportion(seconds, MOST_LINES // 4)


def test_characters_that_turn_text_around_are_shown_as_escapes() -> None:
    (row,) = side_by_side([cell("a\u202e = 1")], [cell("a\u202e = 1")])
    assert marked(0, [row]) == ["a\\u202e = 1"]
