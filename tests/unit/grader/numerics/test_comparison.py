"""Laws of the comparison."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from grader.numerics.comparison import compare

TOLERANCE = {"atol": 1e-5, "rtol": 1e-5}
SHAPES = array_shapes(min_dims=3, max_dims=3, max_side=5)
NUMBERS = st.floats(-3, 3, width=32)
ANY = st.floats(width=32)


@given(arrays(np.float32, array_shapes(min_dims=0, max_dims=4, max_side=4), elements=ANY), SHAPES)
def test_another_shape_is_never_close_even_where_it_would_broadcast(actual, shape):
    assume(actual.shape != shape)
    comparison = compare(actual, np.zeros(shape, np.float32), **TOLERANCE)
    assert not comparison.close
    assert not comparison.same_shape
    assert comparison.shape == actual.shape
    assert comparison.max_abs_error is None


@st.composite
def pairs(draw):
    shape = draw(SHAPES)
    expected = draw(arrays(np.float32, shape, elements=NUMBERS))
    changed = draw(arrays(np.bool_, shape))
    return np.where(changed, draw(arrays(np.float32, shape, elements=ANY)), expected), expected


@given(pairs())
def test_the_first_divergence_is_the_earliest_element_that_is_not_close(pair):
    actual, expected = pair
    batch, timesteps, units = expected.shape
    far = [
        (t, b, u)
        for t, b, u in itertools.product(range(timesteps), range(batch), range(units))
        if not abs(float(actual[b, t, u]) - float(expected[b, t, u])) <= 1e-5 + 1e-5 * abs(float(expected[b, t, u]))
    ]
    comparison = compare(actual, expected, **TOLERANCE)
    first = comparison.first_divergence
    assert comparison.close == (not far)
    assert (first is None) == (not far)
    if far:
        assert (first.timestep, first.batch, first.unit) == far[0]
        assert first.expected == float(expected[first.batch, first.timestep, first.unit])


@given(pairs())
def test_errors_are_of_the_finite_differences_alone(pair):
    actual, expected = pair
    comparison = compare(actual, expected, **TOLERANCE)
    errors = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
    finite = errors[np.isfinite(errors)]
    told = (comparison.max_abs_error, comparison.mean_abs_error)
    assert told == ((finite.max(), finite.mean()) if finite.size else (None, None))
    assert (comparison.nan, comparison.inf) == (np.isnan(actual).sum(), np.isinf(actual).sum())
    result = comparison.result(id="a", visibility="public", category="exercise", **TOLERANCE)
    for by, slices in ((result.errors_by_timestep, errors.swapaxes(0, 1)), (result.errors_by_unit, errors.T)):
        assert by == [float(part.max()) if np.isfinite(part).all() else None for part in slices]


@pytest.mark.parametrize(
    ("error", "close"), [(0.9e-5, True), (1.1e-5, False), (-0.9e-5, True), (-1.1e-5, False)], ids=str
)
def test_tolerance_at_zero_is_atol(error, close):
    expected = np.zeros((2, 3, 4))
    actual = expected.copy()
    actual[1, 2, 3] = error
    assert compare(actual, expected, **TOLERANCE).close is close


def test_tolerance_is_relative_to_what_was_expected_and_not_to_what_came():
    expected = np.full((2, 3, 4), 100.0)
    assert compare(expected + 0.9e-3, expected, **TOLERANCE).close
    assert not compare(expected * 2, expected, atol=1e-5, rtol=0.6).close


def test_float64_answers_are_compared_without_rounding_them_first():
    expected = np.zeros((2, 3, 4), np.float32)
    assert not compare(np.full((2, 3, 4), 1e-3), expected, **TOLERANCE).close
    assert compare(np.full((2, 3, 4), 1e-30), expected, **TOLERANCE).close


def test_a_hidden_case_keeps_its_values_to_itself():
    comparison = compare(np.ones((2, 3, 4)), np.zeros((2, 3, 4)), **TOLERANCE)
    public, hidden = (
        comparison.result(id="a", visibility=visibility, category="c", **TOLERANCE)
        for visibility in ("public", "hidden")
    )
    assert public.first_divergence is not None
    assert hidden.first_divergence is None
    assert (hidden.errors_by_timestep, hidden.errors_by_unit) == ([], [])
    assert hidden.max_abs_error == public.max_abs_error == 1
