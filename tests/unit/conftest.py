"""The assignment's cases, and what all known mistakes answer on one of them: made once, for it takes seconds."""

from __future__ import annotations

import numpy as np
import pytest

from grader.assignment import Assignment, load_assignments
from reference import Case, LSTMWeights, ReferenceStore, lstm_forward, search_case
from reference.misconceptions import Table


@pytest.fixture(scope="session")
def assignment() -> Assignment:
    return load_assignments()["lstm-layer"]


@pytest.fixture(scope="session")
def cases(assignment: Assignment) -> tuple[Case, ...]:
    """The assignment's cases, answered by the oracle instead of Keras."""
    made = []
    for spec in (entry.spec() for entry in assignment.cases):
        rng = np.random.default_rng(spec.seed)
        shapes = ((spec.features, 4 * spec.units), (spec.units, 4 * spec.units), (4 * spec.units,))
        wide = (2 / spec.features**0.5, 2.5 / spec.units**0.5, 1.0)
        usual = (spec.scale / spec.features**0.5, spec.scale / spec.units**0.5, spec.scale * 0.5)
        factors = np.float32(wide if spec.values == "wide" else usual)
        weights = LSTMWeights(
            *(rng.standard_normal(s, dtype=np.float32) * f for s, f in zip(shapes, factors, strict=True))
        )
        x = rng.standard_normal((spec.batch, spec.timesteps, spec.features), dtype=np.float32) * np.float32(spec.scale)
        made.append(Case(spec, x, weights, lstm_forward(x, weights).h.astype(np.float32)))
    return tuple(made)


@pytest.fixture(scope="session")
def table(cases: tuple[Case, ...], references: ReferenceStore) -> Table:
    return references.table(search_case(cases))
