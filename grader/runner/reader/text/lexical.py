"""Cuts Python text into code, strings and comments, in one pass and without needing it to be valid.

Cells with magics are not Python, so neither `ast` nor `tokenize` can say where a string ends in them. IPython runs
`tokenize` again for every magic it finds, which is quadratic; this module looks at each character once.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

TOKEN = re.compile(r"#[^\n]*|'''|\"\"\"|['\"]|[\[({]|[\])}]|\\\n|\n")
# The rest of a string after its opening quote. Possessive: no way back, so an unclosed string costs one look.
STRING_REST = {
    "'": re.compile(r"(?:[^'\\\n]|\\.)*+'", re.DOTALL),
    '"': re.compile(r'(?:[^"\\\n]|\\.)*+"', re.DOTALL),
    "'''": re.compile(r"(?:[^'\\]|\\.|'(?!''))*+'''", re.DOTALL),
    '"""': re.compile(r'(?:[^"\\]|\\.|"(?!""))*+"""', re.DOTALL),
}
LINE_REST = re.compile(r"[^\n]*")
# A line and the lines that backslashes join to it.
JOINED_LINE = re.compile(r"(?:[^\n]*\\\n)*[^\n]*")


@dataclass(frozen=True)
class Piece:
    """A piece of text; the pieces joined are the whole text. ``line`` is a logical line that `rewrite` replaced."""

    kind: Literal["code", "string", "comment", "line"]
    text: str


def pieces(text: str, rewrite: Callable[[str], str | None] | None = None) -> list[Piece]:
    """Cut a text into pieces.

    Args:
        rewrite: called for every line that begins a logical line (so never inside a string or brackets, nor after a
            backslash), with the lines that backslashes join to it. Its answer replaces the line; None leaves it alone.
    """
    pieces: list[Piece] = []
    position = code_start = depth = 0
    at_start = True

    def take(kind: Literal["string", "comment", "line"], start: int, end: int, replacement: str | None = None) -> None:
        nonlocal position, code_start
        if start > code_start:
            pieces.append(Piece("code", text[code_start:start]))
        pieces.append(Piece(kind, text[start:end] if replacement is None else replacement))
        position = code_start = end

    while position < len(text):
        if at_start and rewrite is not None:
            joined = JOINED_LINE.match(text, position)
            assert joined is not None
            if (replacement := rewrite(joined[0])) is not None:
                take("line", joined.start(), joined.end(), replacement)
                position = min(position + 1, len(text))  # its line end is code, and the next line starts fresh
                continue
        at_start = False
        token = TOKEN.search(text, position)
        if token is None:
            break
        position = token.end()
        match token[0]:
            case "\n":
                at_start = depth == 0
            case "(" | "[" | "{":
                depth += 1
            case ")" | "]" | "}":
                depth -= 1
            case "\\\n":
                pass
            case "'" | '"' | "'''" | '"""' as quote:
                rest = STRING_REST[quote].match(text, position)
                if rest is None and len(quote) == 1:
                    rest = LINE_REST.match(text, position)
                take("string", token.start(), rest.end() if rest else len(text))
            case _:
                take("comment", token.start(), token.end())
    if code_start < len(text):
        pieces.append(Piece("code", text[code_start:]))
    return pieces
