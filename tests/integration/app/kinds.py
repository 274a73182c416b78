"""Which of the two databases a test runs on.

Every test runs on SQLite. It runs on PostgreSQL a second time only where the answer can be another one: in turns and
locks, in times, numbers and letters, in connections, in migrations, and for the first test of a query of one's own.
"""

from __future__ import annotations

import pytest

on_both = pytest.mark.parametrize("kind", ["sqlite", "postgresql"], indirect=True)
#: The second time in `make test-all` alone, where another test asks PostgreSQL much the same in `make test`.
on_both_thoroughly = pytest.mark.parametrize(
    "kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.thorough)], indirect=True
)
on_postgresql = pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
