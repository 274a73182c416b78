"""Makes the text of a cell or a file compile, where that takes no guess about the student's intent."""

import ast
import re
import warnings
from dataclasses import dataclass

from reader.text import magics
from reader.text.lexical import pieces

# Replacements for a space made by editors, messengers and web pages, and invisible characters that they add.
SPACES = "\u00a0\u1680\u202f\u205f\u3000\u2028\u2029\x85\x0b" + "".join(map(chr, range(0x2000, 0x200B)))
NOTHING = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f\x1a"
INVISIBLE = str.maketrans({**dict.fromkeys(SPACES, " "), **dict.fromkeys(NOTHING, "")})
INDENT = re.compile(r"(?:(?<=\n)|\A)[ ]*\t[ \t]*")
TAB_WIDTHS = (8, 4)


@dataclass(frozen=True)
class Problem:
    """The reason why a text is not Python. `line` counts from 1 within the text; None: it is nested too deeply."""

    message: str
    line: int | None
    text: str


def problem_of(text: str) -> Problem | None:
    """Return None when the text compiles as a cell does, where ``await`` may stand outside functions."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError as exc:
        lines = text.split("\n")
        line = min(max(exc.lineno or 1, 1), len(lines))
        return Problem(exc.msg, line, lines[line - 1].strip()[:200])
    except (ValueError, OverflowError) as exc:
        return Problem(str(exc), 1, "")
    except (RecursionError, MemoryError):
        return Problem("", None, "")  # Python does not say where
    return None


def repair(text: str) -> tuple[str, Problem | None]:
    """Return the text as Python with the same number of lines, or the text as it was and its problem."""
    if problem_of(text) is None:
        return text, None
    python = visible(magics.to_python(text))
    problem = problem_of(python)
    if problem is None:
        return python, None
    for width in TAB_WIDTHS if "\t" in python else ():
        spaced = _expand_indents(python, width)
        if problem_of(spaced) is None:
            return spaced, None
    return text, problem


def visible(text: str) -> str:
    """Return the text without invisible characters in code; strings and comments keep theirs."""
    if text.isascii() and not {"\x0b", "\x1a"} & set(text):
        return text
    return "".join(p.text.translate(INVISIBLE) if p.kind in ("code", "line") else p.text for p in pieces(text))


def _expand_indents(text: str, width: int) -> str:
    """Turn tabs that indent a line into spaces; a line that begins inside a string keeps its own."""
    expanded, line_start = [], True
    for piece in pieces(text):
        code = piece.text
        if piece.kind == "code":
            head = "" if line_start else "-"  # stands for the text before the piece in its line
            code = INDENT.sub(lambda match: match[0].expandtabs(width), head + code)[len(head) :]
        line_start = piece.text.endswith("\n")
        expanded.append(code)
    return "".join(expanded)
