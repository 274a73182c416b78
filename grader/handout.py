"""The file that students begin with: the cells of the course's notebook, and the class LSTM to fill in.

It is made from the assignment, so a teacher's own file with other sizes, or with Task 2, needs no notebook of its own.
The cells stand in ``handouts/``, one text for each language, separated by ``# %%`` lines; a cell of Task 2 is marked
``task2``.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

from grader.assignment import Assignment
from grader.sandbox.requests import SUPPLIED_CELL

FOLDER = Path(__file__).parent / "handouts"
MARK = "# %%"


@dataclass(frozen=True)
class HandoutCell:
    """A cell of the file. Attributes: text: of code, or of Markdown."""

    text: str
    is_code: bool
    is_task2: bool


def notebook(assignment: Assignment, language: str, last_cell: str | None = None) -> bytes:
    """Return the file as a notebook (nbformat 4.5).

    Args:
        last_cell: the code of one more cell, which hands the notebook in.
    Raises:
        KeyError: the language is not one of ours.
    """
    parts = _cells_for(assignment, language)
    if last_cell is not None:
        parts.append(HandoutCell(last_cell, is_code=True, is_task2=False))
    cells = [_in_notebook(number, cell) for number, cell in enumerate(parts)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    document = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


def module(assignment: Assignment, language: str) -> bytes:
    """Return the file as a module, whose explanations are comments.

    Raises:
        KeyError: the language is not one of ours.
    """
    cells = _cells_for(assignment, language)
    parts = [cell.text if cell.is_code else _commented(cell.text) for cell in cells]
    return ("\n\n\n".join(parts) + "\n").encode()


def _cells_for(assignment: Assignment, language: str) -> list[HandoutCell]:
    exercise = assignment.cases[0]
    values = {
        "title": assignment.title_in(language),
        "batch": exercise.batch,
        "timesteps": exercise.timesteps,
        "features": exercise.features,
        "units": exercise.units,
        "cell": SUPPLIED_CELL.strip(),
    }
    return [
        HandoutCell(Template(cell.text).substitute(values), cell.is_code, cell.is_task2)
        for cell in _cells(language)
        if assignment.has_task2 or not cell.is_task2
    ]


@cache
def _cells(language: str) -> tuple[HandoutCell, ...]:
    path = {each.suffixes[0][1:]: each for each in FOLDER.glob("lstm.*.txt")}[language]
    cells = []
    for part in path.read_text(encoding="utf-8").split(MARK)[1:]:
        marks, _, text = part.partition("\n")
        is_code = "[markdown]" not in marks
        text = text.strip("\n")
        cells.append(HandoutCell(text if is_code else _uncommented(text), is_code, "task2" in marks))
    return tuple(cells)


def _in_notebook(number: int, cell: HandoutCell) -> dict[str, Any]:
    common = {"id": f"cell-{number}", "metadata": {}, "source": cell.text.splitlines(keepends=True)}
    if not cell.is_code:
        return {"cell_type": "markdown", **common}
    return {"cell_type": "code", "execution_count": None, "outputs": [], **common}


def _commented(text: str) -> str:
    return "\n".join(f"# {line}".rstrip() for line in text.split("\n"))


def _uncommented(text: str) -> str:
    return "\n".join(line.removeprefix("#").removeprefix(" ") for line in text.split("\n"))
