"""Comparison of a student's array with the expected one: shape first, then numbers. NaN is never close."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grader.report.model import CaseResult, Divergence, NonFinite

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Comparison:
    """The result of one comparison. Error fields are None when the shapes differ: there is nothing to subtract."""

    close: bool
    same_shape: bool
    shape: tuple[int, ...] | None
    max_abs_error: float | None = None
    mean_abs_error: float | None = None
    nan: int = 0
    inf: int = 0
    first_divergence: Divergence | None = None
    errors_by_timestep: tuple[float, ...] = ()
    errors_by_unit: tuple[float, ...] = ()

    def without_numbers(self) -> Comparison:
        """Return the shape alone, for cases without numbers to compare."""
        return Comparison(close=False, same_shape=False, shape=self.shape)

    def result(self, *, id: str, visibility: str, category: str, atol: float, rtol: float) -> CaseResult:
        """Return the case as the report shows it; a hidden case does not show its values."""
        public = visibility == "public"
        return CaseResult.model_validate(
            {
                "id": id,
                "visibility": visibility,
                "category": category,
                "shape": list(self.shape) if self.shape is not None else None,
                "max_abs_error": self.max_abs_error,
                "mean_abs_error": self.mean_abs_error,
                "atol": atol,
                "rtol": rtol,
                "nonfinite": NonFinite(nan=self.nan, inf=self.inf),
                "first_divergence": self.first_divergence if public else None,
                "errors_by_timestep": self.errors_by_timestep if public else (),
                "errors_by_unit": self.errors_by_unit if public else (),
            }
        )


NO_ANSWER = Comparison(close=False, same_shape=False, shape=None)


def compare(actual: Array, expected: Array, *, atol: float, rtol: float) -> Comparison:
    """Compare element by element: close is ``|actual - expected| <= atol + rtol * |expected|``.

    Args:
        actual: the answer of the student's model, any shape.
        expected: ``(batch, timesteps, units)``, finite.
    """
    nan, inf = int(np.isnan(actual).sum()), int(np.isinf(actual).sum())
    if actual.shape != expected.shape:
        return Comparison(close=False, same_shape=False, shape=actual.shape, nan=nan, inf=inf)
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
    # Written with <= so that NaN is never close.
    close = error <= atol + rtol * np.abs(expected.astype(np.float64))
    finite = np.isfinite(error)
    counted = np.where(finite, error, 0.0)
    return Comparison(
        close=bool(close.all()),
        same_shape=True,
        shape=actual.shape,
        max_abs_error=float(counted.max()) if finite.any() else None,
        mean_abs_error=float(error[finite].mean()) if finite.any() else None,
        nan=nan,
        inf=inf,
        first_divergence=_first_divergence(close, actual, expected),
        # Not those of `counted`: an element that is NaN makes the largest error NaN, and certainly not 0.
        errors_by_timestep=tuple(error.max(axis=(0, 2)).tolist()),
        errors_by_unit=tuple(error.max(axis=(0, 1)).tolist()),
    )


def _first_divergence(close: NDArray[np.bool_], actual: Array, expected: Array) -> Divergence | None:
    """Find the first element that is not close: earliest timestep, then row, then unit."""
    if close.all():
        return None
    timestep, batch, unit = (int(index) for index in np.argwhere(~close.transpose(1, 0, 2))[0])
    return Divergence(
        batch=batch,
        timestep=timestep,
        unit=unit,
        expected=float(expected[batch, timestep, unit]),
        actual=float(actual[batch, timestep, unit]),
    )
