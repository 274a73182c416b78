"""The assignment's cases, and what all known mistakes answer on one of them: made once, for it takes seconds."""

import pytest

from grader.assignment import Assignment, load_assignments
from reference import Case, ReferenceStore, search_case
from reference.lstm.misconceptions import Table
from tests.exercises import answered


@pytest.fixture(scope="session")
def assignment() -> Assignment:
    return load_assignments()["lstm-layer"]


@pytest.fixture(scope="session")
def cases(assignment: Assignment) -> tuple[Case, ...]:
    """The assignment's cases, answered by the oracle instead of Keras."""
    return tuple(answered(entry.spec()) for entry in assignment.cases)


@pytest.fixture(scope="session")
def table(cases: tuple[Case, ...], references: ReferenceStore) -> Table:
    return references.table(search_case(cases))
