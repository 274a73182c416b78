"""One page of a list, and where the next one begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Row = TypeVar("Row")


def page(found: Sequence[Row], limit: int, id_of: Callable[[Row], str]) -> tuple[Sequence[Row], str | None]:
    """The rows that are shown, and the cursor of the next page.

    Args:
        found: one more than `limit`, if there are so many.
    """
    shown = found[:limit]
    return shown, id_of(shown[-1]) if len(found) > limit else None
