"""The kinds of databases that a test runs on: SQLite always, and PostgreSQL where its answer can be another one.

That is so for turns and locks, for times, numbers and letters, for connections and migrations. And each module with
queries has a test that asks them there.
"""

import pytest

on_both = pytest.mark.parametrize("kind", ["sqlite", "postgresql"], indirect=True)
#: The second time in `make test-all` alone, where another test asks PostgreSQL much the same in `make test`.
on_both_thoroughly = pytest.mark.parametrize(
    "kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.thorough)], indirect=True
)
on_postgresql = pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
