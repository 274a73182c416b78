"""Questions at the edge of what a layer may be asked."""

from dataclasses import replace

import numpy as np
import pytest

from reference import CaseSpec, draw, lstm_forward
from reference.edges import edge_cases

LAYER = CaseSpec("small", "hidden", "small", 5, 3, 4, 8, seed=3)


def test_there_are_steps_and_rows_of_zeros_and_of_one_sign_one_row_and_one_step():
    zeros, values, step = edge_cases(LAYER, np.random.default_rng(1))
    assert zeros.x.shape[0] == 1
    assert [not row.any() for row in zeros.x[0]] == [False, True, False, True]
    assert step.x.shape[1] == 1
    assert (zeros.x[0, 0] < 0).all()
    assert (zeros.x[0, 2] > 0).all()
    assert not values.x[0].any()
    assert np.abs(values.x[1]).max() > 20
    assert len(np.unique(values.x[2])) == 1
    assert (values.x[3] < 0).all()


def _sums(case):
    """Compute what goes into the gates at each step."""
    before = np.pad(case.expected, ((0, 0), (1, 0), (0, 0)))[:, :-1]
    return case.x @ case.weights.kernel + before @ case.weights.recurrent_kernel + case.weights.bias


def test_no_drawn_numbers_fail_a_tanh_by_exp_of_2z():
    for seed in range(300):
        edges = edge_cases(LAYER, np.random.default_rng(seed))
        largest = max(np.abs(_sums(case)).max() for case in edges)
        assert largest > 26
        assert largest < 44


@pytest.mark.parametrize(("features", "units"), [(4, 8), (16, 32)])
def test_a_cell_state_grows_past_the_limits_that_a_class_may_clip_it_to(features, units):
    spec = replace(LAYER, features=features, units=units)
    for seed in range(100):
        values = edge_cases(spec, np.random.default_rng(seed))[1]
        assert np.abs(lstm_forward(values.x, values.weights).c).max() > 5.9


def _skipping(case):
    """Skip the steps that are zero in all rows: h stays."""
    taken = case.x.any(axis=(0, 2))
    at = np.maximum.accumulate(np.where(taken, np.cumsum(taken) - 1, 0))
    return lstm_forward(case.x[:, taken], case.weights).h[:, at]


def _only_steps_without(case):
    return case.expected * case.x.any(axis=2, keepdims=True)


def _except(case, values, axis):
    """Answer 0 where all numbers along these axes are such values."""
    return case.expected * ~values(case.x).all(axis=axis, keepdims=True)


def _without_one(case, axis):
    """Drop an axis of length 1."""
    return case.expected.squeeze(axis) if case.expected.shape[axis] == 1 else case.expected


def _limited(case):
    return lstm_forward(np.clip(case.x, -10, 10), case.weights).h


def _only_changing(case):
    return case.expected * (np.ptp(case.x, axis=(1, 2)) > 0)[:, None, None]


#: Answers that are right on random numbers -> the edges that show them wrong.
SURVIVORS = {
    "steps of zeros are skipped": (_skipping, {"edge-zeros"}),
    "0 for a step of zeros": (_only_steps_without, {"edge-zeros", "edge-values"}),
    "0 for a row of negative numbers": (lambda case: _except(case, lambda x: x < 0, (1, 2)), {"edge-values"}),
    "0 for a step of negative numbers": (lambda case: _except(case, lambda x: x < 0, (0, 2)), {"edge-zeros"}),
    "0 for a step of positive numbers": (lambda case: _except(case, lambda x: x > 0, (0, 2)), {"edge-zeros"}),
    "one row loses its axis": (lambda case: _without_one(case, 0), {"edge-zeros"}),
    "0 for a row of zeros": (lambda case: case.expected * case.x.any(axis=(1, 2))[:, None, None], {"edge-values"}),
    "x is limited": (_limited, {"edge-values"}),
    "0 for a row that never changes": (_only_changing, {"edge-values"}),
    "one step loses its axis": (lambda case: _without_one(case, 1), {"edge-step"}),
    "the last step is another": (lambda case: case.expected * (case.x.shape[1] > 1), {"edge-step"}),
    "all axes of length 1 are lost": (lambda case: case.expected.squeeze(), {"edge-zeros", "edge-step"}),
}


def _is_right(answer, case):
    return answer.shape == case.expected.shape and np.allclose(answer, case.expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("survivor", SURVIVORS)
def test_each_edge_shows_mistakes_that_random_numbers_and_the_other_edges_let_live(survivor):
    respond, edges = SURVIVORS[survivor]
    random = np.random.default_rng(2)
    drawn = draw(LAYER, random)
    assert _is_right(respond(drawn), drawn)
    assert {case.spec.id for case in edge_cases(LAYER, random) if not _is_right(respond(case), case)} == edges


def test_the_numbers_follow_from_the_seed():
    first, again, other = (edge_cases(LAYER, np.random.default_rng(seed))[0].x for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
