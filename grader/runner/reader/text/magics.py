"""Turns IPython's magics and shell lines into Python, one logical line at a time.

IPython's own transformer decides what a magic is and what it becomes. It only ever sees one line, because its time
grows with the square of their number (400 magics in one cell: 87 s). Lines keep their numbers.
"""

import functools
import re
import warnings
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager, classic_prompt, ipython_prompt, leading_indent

from reader.text.lexical import pieces

# Cheap and generous: IPython decides about the lines that match.
CANDIDATE = re.compile(r"\s*[%!?,;/]|.*\?\s*$|.*=\s*[%!]", re.DOTALL)
# Commands that a notebook accepts without a percent sign. Followed by a word, none of them is Python.
AUTOMAGIC = re.compile(r"(?:pip|conda|cd|ls|cat|mkdir|cp|mv|rm)[ \t]+[-\w./~]")
# `%time` runs the statement behind it in the notebook's own namespace, so only the statement counts.
TIMED_STATEMENT = re.compile(r"(%time[ \t]+)(?=\S)")
CELL_MAGIC = re.compile(r"%%(\w[\w.]*)")
# Cell magics whose cell is Python for the notebook (`%%python3`: for a process beside it, but it is code to read).
PYTHON_BODY = re.compile(
    r"time|timeit|capture|[ml]?prun|memit|heat|snakeviz|scalene|pyinstrument|python3?|debug|notify"
)


# IPython's transformers carry no types.
_PROMPTS: Any = (leading_indent, classic_prompt, ipython_prompt)
_MANAGER: Any = TransformerManager


def strip_prompts(text: str) -> str:
    """Strip ``>>>`` or ``In [1]:`` and an indentation that all lines share, as IPython does first."""
    lines = text.splitlines(keepends=True)
    if len(lines) != text.count("\n") + (not text.endswith("\n")):
        return text  # other line separators: not pasted from a prompt
    for transform in _PROMPTS:
        lines = transform(lines)
    return "".join(lines)


def take_cell_magics(text: str) -> tuple[str | None, str]:
    """Return the cell magic that makes a cell something other than Python, if any, and the text without the others."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = CELL_MAGIC.match(line)
        if match is None:
            break
        if PYTHON_BODY.fullmatch(match[1]) is None:
            return match[1], text
        lines[number] = ""
    return None, "\n".join(lines)


def to_python(text: str) -> str:
    """Replace every magic and shell line by the call that IPython makes of it."""
    return "".join(piece.text for piece in pieces(text, _rewrite))


def _rewrite(line: str) -> str | None:
    if CANDIDATE.match(line) is None and AUTOMAGIC.match(line.lstrip()) is None:
        return None
    body = line.lstrip(" \t")
    indent = line[: len(line) - len(body)]
    if timed := TIMED_STATEMENT.match(body):
        return indent + body[timed.end() :]
    call = _transform(("%" if AUTOMAGIC.match(body) else "") + body)
    return None if call is None else indent + call + "\n" * line.count("\n")


@functools.lru_cache(maxsize=1024)
def _transform(line: str) -> str | None:
    """Return IPython's version of a line that stands alone; None when it leaves the line as it is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call: str = _MANAGER().transform_cell(line + "\n").rstrip("\n")
    except (SyntaxError, ValueError):
        return None
    return None if call == line.rstrip() or "\n" in call else call
