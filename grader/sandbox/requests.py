"""The table of requests that the box reads too: `grader/runner/box_requests.py`."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # mypy knows the modules of the box by their names inside it
    from box_requests import ACTIVATIONS, ClassRequest, Kind, NotebookRequest, Question, Spoil, UploadRequest
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

__all__ = ["ACTIVATIONS", "ClassRequest", "Kind", "NotebookRequest", "Question", "Spoil", "UploadRequest"]
