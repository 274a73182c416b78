"""Reads the text of cells from the JSON of a notebook, in any format that ever existed.

The JSON is cut down to cell kinds and sources as soon as it is parsed: outputs can be huge, and hold no code. The rest
goes through nbformat's own converters, which then never meet a malformed cell.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from typing import Any

import nbformat

from reader.text.decoding import Unreadable

NOTEBOOK_KEY = re.compile(r'"(?:nbformat|cell_type|worksheets)"\s*:')
# Kernels whose specification often lacks its language.
OTHER_KERNELS = re.compile(
    r"ir|r|julia.*|xcpp.*|c\+\+.*|scala|almond|javascript|jslab|bash|octave|matlab|rust|evcxr|sql|\.net.*",
    re.IGNORECASE,
)
PYTHON = re.compile(r"python|pyspark|sage", re.IGNORECASE)
CURRENT = 4


@dataclass(frozen=True)
class Cell:
    """A cell: `index` is its place in the notebook, from 0; `kind` is ``code``, ``markdown`` or ``raw``."""

    index: int
    kind: str
    source: str


def looks_like_notebook(text: str) -> bool:
    """Return whether a file without a notebook's name is the JSON of a notebook, perhaps a broken one."""
    return text.lstrip().startswith("{") and NOTEBOOK_KEY.search(text) is not None


def parse_notebook(text: str) -> list[Cell]:
    """Return all cells, in order.

    Raises:
        Unreadable: ``invalid_notebook_json``, ``invalid_notebook``, ``not_python``, ``link_only``.
    """
    notebook = _load(text)
    if not isinstance(notebook, dict):
        raise Unreadable("invalid_notebook", found=type(notebook).__name__)
    version, cells = _cells(notebook)
    metadata = notebook.get("metadata")
    _require_python(metadata if isinstance(metadata, dict) else {}, cells)
    if version < CURRENT:
        cells = _converted(version, cells)
    return [Cell(index, cell["cell_type"], cell["source"]) for index, cell in enumerate(cells)]


def _load(text: str) -> Any:
    text = text.lstrip("\ufeff")
    try:
        try:
            # Not strict: an unescaped line end in a string does not make a notebook unreadable.
            return json.loads(text, strict=False)
        except json.JSONDecodeError:
            raise
        except ValueError:  # a number with more digits than Python converts
            return json.loads(text, strict=False, parse_int=float)
    except json.JSONDecodeError as exc:
        raise Unreadable("invalid_notebook_json", line=exc.lineno, column=exc.colno, message=exc.msg) from None
    except RecursionError:
        raise Unreadable("invalid_notebook_json", message="nested too deeply") from None


def _cells(notebook: dict[str, Any]) -> tuple[int, list[dict[str, str]]]:
    """Return the major version that the structure shows, and kind, source and language of each cell.

    The number in ``nbformat`` does not decide: editing by hand and merging leave it wrong.
    """
    declared = notebook.get("nbformat")
    worksheets = notebook.get("worksheets")
    if isinstance(notebook.get("cells"), list):
        return (1 if declared == 1 else CURRENT), [_slim(cell) for cell in notebook["cells"]]
    if isinstance(worksheets, list):
        sheets = [sheet.get("cells") for sheet in worksheets if isinstance(sheet, dict)]
        cells = [_slim(cell) for sheet in sheets if isinstance(sheet, list) for cell in sheet]
        return (2 if declared == 2 else 3), cells
    if isinstance(notebook.get("url"), str):  # Google Drive's stand-in for a document
        raise Unreadable("link_only")
    raise Unreadable("invalid_notebook", found="dict")


def _slim(cell: Any) -> dict[str, str]:
    if not isinstance(cell, dict):
        return {"cell_type": "raw", "source": ""}
    kind = cell.get("cell_type")
    text = next((cell[key] for key in ("source", "input", "code", "text") if cell.get(key)), "")
    if isinstance(text, list):
        lines = [line for line in text if isinstance(line, str)]
        # Lines should bring their own line ends; some tools leave them out.
        text = ("" if any(line.endswith("\n") for line in lines) else "\n").join(lines)
    slim = {
        "cell_type": kind if kind in ("code", "markdown") else "raw",
        "source": text if isinstance(text, str) else "",
    }
    if isinstance(cell.get("language"), str):
        slim["language"] = cell["language"]
    return slim


def _require_python(metadata: dict[str, Any], cells: list[dict[str, str]]) -> None:
    info, kernel = (
        part if isinstance(part, dict) else {} for part in (metadata.get("language_info"), metadata.get("kernelspec"))
    )
    of_cells = {cell["language"] for cell in cells if cell["cell_type"] == "code" and cell.get("language")}
    named = [
        name for name in (info.get("name"), kernel.get("language"), *sorted(of_cells)) if isinstance(name, str) and name
    ]
    if not named:
        name = kernel.get("name")
        named = [name] if isinstance(name, str) and OTHER_KERNELS.fullmatch(name) else []
    if named and not any(PYTHON.search(name) for name in named):
        raise Unreadable("not_python", language=named[0])


def _converted(version: int, cells: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Convert cells with nbformat, from a format whose cells had other keys."""
    body = [_in_version(version, cell) for cell in cells]
    whole: dict[str, Any] = {"nbformat": version, "nbformat_minor": 0, "metadata": {"name": ""}}
    whole.update({"cells": body} if version == 1 else {"worksheets": [{"cells": body, "metadata": {}}]})
    logging.getLogger("traitlets").setLevel(logging.CRITICAL)  # remarks on the schema help nobody here
    old = nbformat.versions[version].to_notebook_json(whole, minor=0)
    converted: list[dict[str, Any]] = nbformat.convert(old, CURRENT)["cells"]
    return converted


def _in_version(version: int, cell: dict[str, str]) -> dict[str, Any]:
    is_code, source = cell["cell_type"] == "code", cell["source"]
    if version == 1:
        return {"cell_type": "code", "code": source} if is_code else {"cell_type": "text", "text": source}
    if is_code:
        return {
            "cell_type": "code",
            "input": source,
            "language": "python",
            "outputs": [],
            "collapsed": False,
            "metadata": {},
        }
    return {"cell_type": cell["cell_type"], "source": source, "metadata": {}}
