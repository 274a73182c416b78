"""Reads the text of cells from the JSON of a notebook, in any format that ever existed.

The JSON is cut down to cell kinds and sources as soon as it is parsed: outputs can be huge, and hold no code. Nothing
else of a cell ever moved but the key of its text, and the place of the list of cells.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from reader.text.decoding import Unreadable

NOTEBOOK_KEY = re.compile(r'"(?:nbformat|cell_type|worksheets)"\s*:')
# Kernels whose specification often lacks its language.
OTHER_KERNELS = re.compile(
    r"ir|r|julia.*|xcpp.*|c\+\+.*|scala|almond|javascript|jslab|bash|octave|matlab|rust|evcxr|sql|\.net.*",
    re.IGNORECASE,
)
PYTHON = re.compile(r"python|pyspark|sage", re.IGNORECASE)
# Format 1 had one kind of text.
KINDS = {"code": "code", "markdown": "markdown", "text": "markdown"}


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
    cells = _cells(notebook)
    metadata = notebook.get("metadata")
    _require_python(metadata if isinstance(metadata, dict) else {}, cells)
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


def _cells(notebook: dict[str, Any]) -> list[dict[str, str]]:
    """Return kind, source and language of each cell.

    The number in ``nbformat`` does not decide: editing by hand and merging leave it wrong.
    """
    worksheets = notebook.get("worksheets")
    if isinstance(notebook.get("cells"), list):
        return [_slim(cell) for cell in notebook["cells"]]
    if isinstance(worksheets, list):  # formats 2 and 3
        sheets = [sheet.get("cells") for sheet in worksheets if isinstance(sheet, dict)]
        return [_slim(cell) for sheet in sheets if isinstance(sheet, list) for cell in sheet]
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
        "cell_type": KINDS.get(kind, "raw") if isinstance(kind, str) else "raw",
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
