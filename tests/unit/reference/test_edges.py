"""Questions at the edge of what a layer may be asked."""

from __future__ import annotations

import numpy as np

from reference import CaseSpec, lstm_forward
from reference.edges import edge_cases

LAYER = CaseSpec("small", "hidden", "small", 5, 3, 4, 8, seed=3)


def test_there_are_zeros_in_the_middle_and_at_the_end_one_row_and_one_step():
    zeros, values, step = edge_cases(LAYER, np.random.default_rng(1))
    assert zeros.x.shape[0] == 1
    assert [not row.any() for row in zeros.x[0]] == [False, True, False, True]
    assert step.x.shape[1] == 1
    padded, empty, saturating, constant = values.x[:4]
    assert padded[0].any()
    assert not padded[1:].any()
    assert not empty.any()
    assert np.abs(saturating).max() > 20
    assert len(np.unique(constant)) == 1


def test_a_class_that_skips_zeros_is_wrong_there():
    zeros = edge_cases(LAYER, np.random.default_rng(1))[0]
    taken = zeros.x[:, zeros.x[0].any(axis=1)]
    skipping = lstm_forward(taken, zeros.weights).h
    assert np.abs(skipping[:, -1] - zeros.expected[:, -1]).max() > 0.01


def test_the_numbers_follow_from_the_seed():
    first, again, other = (edge_cases(LAYER, np.random.default_rng(seed))[0].x for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
