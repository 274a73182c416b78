"""The table of requests and the exercise's cell, which the box reads too: `box_requests.py` in `grader/runner/`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # mypy knows the modules of the box by their names inside it
    from box_requests import (
        ACTIVATIONS,
        SIZES,
        ClassRequest,
        Kind,
        NotebookRequest,
        Question,
        Run,
        Spoil,
        UploadRequest,
    )
    from supplied_cell import SUPPLIED_CELL
else:
    from grader.runner.box_requests import (
        ACTIVATIONS,
        SIZES,
        ClassRequest,
        Kind,
        NotebookRequest,
        Question,
        Run,
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
    "Run",
    "Spoil",
    "UploadRequest",
    "sizes_of",
]


def sizes_of(spec: Any) -> dict[str, int]:
    """Return the sizes of a case, or of an entry of an assignment, by name."""
    return {name: getattr(spec, name) for name in SIZES}
