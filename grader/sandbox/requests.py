"""The table of requests and the exercise's cell, which the box reads too: `box_requests.py` in `grader/runner/`."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # mypy knows the modules of the box by their names inside it
    from box_requests import ACTIVATIONS, ClassRequest, Kind, NotebookRequest, Question, Spoil, UploadRequest
    from supplied_cell import SUPPLIED_CELL
else:
    from grader.runner.box_requests import (
        ACTIVATIONS,
        ClassRequest,
        Kind,
        NotebookRequest,
        Question,
        Spoil,
        UploadRequest,
    )
    from grader.runner.supplied_cell import SUPPLIED_CELL

__all__ = [
    "ACTIVATIONS",
    "SUPPLIED_CELL",
    "ClassRequest",
    "Kind",
    "NotebookRequest",
    "Question",
    "Spoil",
    "UploadRequest",
]
