"""The table of requests and the exercise's cell, which the box reads too: `box_requests.py` in `grader/runner/`."""
# ruff: noqa: F403 the whole table is imported from here

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # mypy knows the modules of the box by their names inside it
    from box_requests import *
    from box_requests import SIZES
    from supplied_cell import *
else:
    from grader.runner.box_requests import *
    from grader.runner.box_requests import SIZES
    from grader.runner.supplied_cell import *


def sizes_of(spec: Any) -> dict[str, int]:
    """Return the sizes of a case, or of an entry of an assignment, by name."""
    return {name: getattr(spec, name) for name in SIZES}
