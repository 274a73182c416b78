"""Specs and cases: their form in JSON and in arrays, and sizes that are refused."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import Case, CaseSpec
from reference.cases import cases_from_arrays, cases_to_arrays, specs_from_json, specs_to_json

SPEC = CaseSpec("small", "public", "shape", batch=2, timesteps=5, features=4, units=3, seed=7)


@st.composite
def specs(draw):
    batch, timesteps, features, units = draw(st.lists(st.integers(3, 8), min_size=4, max_size=4, unique=True))
    return CaseSpec(
        id=draw(st.text()),
        visibility=draw(st.sampled_from(["public", "hidden"])),
        category=draw(st.text()),
        batch=batch,
        timesteps=timesteps,
        features=features,
        units=units,
        seed=draw(st.integers(0, 2**31)),
        scale=draw(st.floats(0.1, 3)),
    )


@given(st.lists(specs()))
def test_specs_survive_json(some_specs):
    assert specs_from_json(specs_to_json(some_specs)) == tuple(some_specs)


@given(st.lists(specs(), max_size=3, unique_by=lambda spec: spec.id))
def test_cases_survive_being_flattened(make_case, some_specs):
    cases = [make_case(spec) for spec in some_specs]
    for before, after in zip(cases, cases_from_arrays(some_specs, cases_to_arrays(cases)), strict=True):
        assert after.spec == before.spec
        for name, array in cases_to_arrays([before]).items():
            np.testing.assert_array_equal(cases_to_arrays([after])[name], array)


def test_loaded_arrays_are_read_only(make_case):
    (case,) = cases_from_arrays([SPEC], cases_to_arrays([make_case(SPEC)]))
    for array in cases_to_arrays([case]).values():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


@pytest.mark.parametrize("sizes", [{"units": 6}, {"features": 6}, {"batch": 6}, {"timesteps": 6}], ids=str)
def test_arrays_of_another_spec_are_refused(make_case, sizes):
    arrays = cases_to_arrays([make_case(SPEC)])
    with pytest.raises(ValueError, match="instead of"):
        cases_from_arrays([dataclasses.replace(SPEC, **sizes)], arrays)


def test_answer_in_float64_is_refused(make_case):
    case = make_case(SPEC)
    with pytest.raises(ValueError, match="float32"):
        Case(SPEC, case.x, case.weights, case.expected.astype(np.float64))


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"batch": 1}, id="one row"),
        pytest.param({"timesteps": 2, "batch": 7}, id="two steps"),
        pytest.param({"features": 3}, id="as many features as units"),
        pytest.param({"units": 5}, id="as many units as timesteps"),
        pytest.param({"units": 0}, id="no units"),
        *({"scale": scale} for scale in (0, 3.01, float("nan"))),
    ],
)
def test_sizes_and_scales_that_hide_mistakes_are_refused(changed):
    reason = "above 0 and at most 3" if "scale" in changed else "'small' would hide mistakes"
    with pytest.raises(ValueError, match=reason):
        dataclasses.replace(SPEC, **changed)
