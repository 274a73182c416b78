"""Cells of a CSV file for spreadsheets and grade books: numbers, and text that is not mistaken for a formula."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from grader.formats.commands import without_commands
from grader.report.server_paths import clean

#: The first columns of Canvas' gradebook. Source: "How do I import grades in the Gradebook?" in its instructor guide.
CANVAS_COLUMNS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
POINTS_POSSIBLE = "    Points Possible"
# A spreadsheet reads a cell that begins like this as a formula, and formulas can read files and run programs. It skips
# leading blanks and control characters. If its separator is not our comma (a semicolon in Russian), a cell can begin in
# the middle of one of ours, quoted or not.
# Source: OWASP, "CSV Injection".
SEPARATORS = r";\t\r\n|"
INVISIBLE = r"\x00-\x08\x0b\x0c\x0e-\x20\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u2060\u3000\ufeff\""
FORMULA = re.compile(rf"(^|[{SEPARATORS}])([{INVISIBLE}]*)(?=[=+\-@＝＋－＠﹦﹢﹣﹫])")
BLANK_START = ("\t", "\r", "\n")
# For a file whose separator is not the comma, a spreadsheet's may be.
FORMULA_AFTER_COMMA = re.compile(FORMULA.pattern.replace(SEPARATORS, SEPARATORS + ","))
# A harmful formula calls a function, or names a file or a program; these characters do not suffice for that.
HARMLESS_ID = re.compile(r"[+\-@]?[\w.@+\-]*")


@dataclass(frozen=True)
class GradeBook:
    """A CSV file.

    Attributes:
        changed: number of cells that looked like a formula and now have an apostrophe.
    """

    text: str
    changed: int


def number(value: float | None) -> str:
    """Write points with at most two decimals; nothing for none.

    >>> number(7.50), number(100), number(None)
    ('7.5', '100', '')
    """
    return "" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


def as_text(cell: str, delimiter: str = ",") -> str:
    """Add an apostrophe wherever a spreadsheet could see the start of a formula.

    Args:
        delimiter: of the file.
    """
    formula = FORMULA if delimiter == "," else FORMULA_AFTER_COMMA
    apart = formula.sub(lambda match: f"{match[1]}'{match[2]}", cell)
    return f"'{apart}" if apart.startswith(BLANK_START) else apart


def as_id(cell: str, delimiter: str = ",") -> str:
    """Leave an id unchanged, because grade books find students by it, unless it could be a harmful formula.

    >>> as_id("-ivanov"), as_id("+79990001122"), as_id("=SUM(A1)")
    ('-ivanov', '+79990001122', "'=SUM(A1)")
    """
    return cell if HARMLESS_ID.fullmatch(cell) else as_text(cell, delimiter)


def csv_of(lines: Iterable[Sequence[str]], ids: Sequence[int] = (), delimiter: str = ",") -> GradeBook:
    """Write lines of cells.

    Args:
        ids: indices of the columns that hold ids.
    """
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    changed = 0
    for line in lines:
        # Some readers stop at NUL. Otherwise an id belongs to the platform, and is not changed.
        cells = [
            cell.replace("\x00", "\ufffd") if place in ids else without_commands(clean(cell))
            for place, cell in enumerate(line)
        ]
        harmless = [(as_id if place in ids else as_text)(cell, delimiter) for place, cell in enumerate(cells)]
        changed += sum(before != after for before, after in zip(cells, harmless, strict=True))
        writer.writerow(harmless)
    return GradeBook(text.getvalue(), changed)
