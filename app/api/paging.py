"""Pages of a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Row = TypeVar("Row")


def page_of(found: Sequence[Row], limit: int, id_of: Callable[[Row], str]) -> tuple[Sequence[Row], str | None]:
    """Return the rows of this page, and the cursor of the next one.

    Args:
        found: one more than `limit`, if there are so many.
    """
    shown = found[:limit]
    return shown, id_of(shown[-1]) if len(found) > limit else None
