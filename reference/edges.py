"""Questions at the edge of what a layer may be asked, which no assignment has to name: padding, one row, one step.

A class that skips steps of zeros, or counts on more than one row or step, is right on random numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from reference.cases import Case
from reference.oracle import lstm_forward
from reference.probes import other_numbers

# Drives every gate as far as it goes.
SATURATING = 30.0


def edge_cases(case: Case, seed: Sequence[int]) -> tuple[Case, ...]:
    """Return questions for the layer of a case, with numbers drawn from `seed` and the oracle's answers.

    Their categories are ``edge-zeros`` (one row, with steps of zeros in the middle and at the end), ``edge-values`` (a
    row of zeros alone, and a saturating one) and ``edge-step`` (one timestep).
    """
    drawn = other_numbers(case, seed)
    random = np.random.default_rng([*seed, 1])

    def edge(category: str, x: np.ndarray) -> Case:
        spec = replace(drawn.spec, id=category, category=category, batch=len(x), timesteps=x.shape[1])
        x = x.astype(np.float32)
        return Case(spec, x, drawn.weights, lstm_forward(x, drawn.weights).h.astype(np.float32))

    def numbers(batch: int, timesteps: int) -> np.ndarray:
        return random.standard_normal((batch, timesteps, case.spec.features))

    padded = numbers(1, 4)
    padded[:, [1, 3]] = 0
    # As many rows as the case has: TensorFlow prepares every product of new sizes anew, which costs milliseconds.
    rows = numbers(case.spec.batch, 3)
    rows[0], rows[1] = 0, SATURATING * rows[1]
    return edge("edge-zeros", padded), edge("edge-values", rows), edge("edge-step", numbers(case.spec.batch, 1))
