"""Lists page by page. A page begins after an id, not at an offset, so that new rows shift none from page to page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, TypeVar

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute

Query = TypeVar("Query", bound=Select[*tuple[Any, ...]])
Row = TypeVar("Row")


@dataclass(frozen=True)
class Paging:
    """The page of a list that is asked for.

    Attributes:
        limit: the most rows of it; None: all.
        cursor: the id of the last row of the page before; None: it is the first page.
    """

    limit: int | None = None
    cursor: str | int | None = None

    def of(self, query: Query, id: InstrumentedAttribute[Any], *, oldest_first: bool = False) -> Query:
        """Select the rows of the page, the newest first, and one more if there is another page."""
        if self.cursor is not None:
            query = query.where(id > self.cursor if oldest_first else id < self.cursor)
        return query.order_by(id.asc() if oldest_first else id.desc()).limit(self.limit and self.limit + 1)

    def cut(
        self, rows: Sequence[Row], id_of: Callable[[Row], object] = attrgetter("id")
    ) -> tuple[Sequence[Row], str | None]:
        """Return the rows of the page, and the cursor of the next one; None: this is the last.

        Args:
            rows: selected with `of`.
        """
        shown = rows[: self.limit]
        return shown, str(id_of(shown[-1])) if len(rows) > len(shown) else None

    def is_full(self, rows: Sequence[object]) -> bool:
        """Tell whether there are as many rows as `of` would select."""
        return self.limit is not None and len(rows) > self.limit


EVERY_ROW = Paging()
