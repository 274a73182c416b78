"""Seeded weights and cases that need no TensorFlow."""

from collections.abc import Callable
from unittest.mock import Mock

import numpy as np
import pytest

from reference import Case, CaseSpec, LSTMWeights, lstm_forward
from reference.cases import cases_to_arrays
from reference.store import Builder

MakeWeights = Callable[[int, int, int], LSTMWeights]
MakeCase = Callable[[CaseSpec], Case]


@pytest.fixture(scope="session")
def make_weights() -> MakeWeights:
    """Standard normal weights from a seed, features and units."""

    def make(seed: int, features: int, units: int) -> LSTMWeights:
        rng = np.random.default_rng(seed)
        shapes = ((features, 4 * units), (units, 4 * units), (4 * units,))
        return LSTMWeights(*(rng.standard_normal(shape, dtype=np.float32) for shape in shapes))

    return make


@pytest.fixture(scope="session")
def make_case(make_weights: MakeWeights) -> MakeCase:
    """A case whose answer comes from the oracle."""

    def make(spec: CaseSpec) -> Case:
        shape = (spec.batch, spec.timesteps, spec.features)
        x = np.random.default_rng(spec.seed).standard_normal(shape, dtype=np.float32)
        weights = make_weights(spec.seed, spec.features, spec.units)
        return Case(spec, x, weights, lstm_forward(x, weights).h.astype(np.float32))

    return make


@pytest.fixture(scope="session")
def build_with_oracle(make_case: MakeCase) -> Builder:
    """Stands in for Keras in a `ReferenceStore`."""
    return lambda specs: cases_to_arrays(make_case(spec) for spec in specs)


@pytest.fixture
def builder(build_with_oracle: Builder) -> Mock:
    """The same, and remembers its calls."""
    return Mock(side_effect=build_with_oracle)
