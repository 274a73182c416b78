"""What the box reads too: its table of requests, `grader/runner/box_requests.py`, and the exercise's cell."""

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
