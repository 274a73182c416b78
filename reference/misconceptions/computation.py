"""An LSTM whose every choice can be made otherwise, in NumPy.

A mistake is a set of choices: what goes in (`BEFORE`), what a step does (`STEP`), what comes of the outputs (`AFTER`).
Choices that are not named are the right ones, so two mistakes that touch different slots can be made together.

Several variants of what goes in run at once, along a leading axis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference.cases import Case
from reference.weights import GATES

Array = NDArray[Any]
Changes = Mapping[str, Any]

#: Slots in the order in which their choices act. A slot with a dot belongs to one gate.
BEFORE = (
    "x_values",
    "x_time",
    "x_batch",
    "kernel_order",
    "recurrent_order",
    "bias_order",
    *(f"{array}.{gate}" for array in ("kernel", "recurrent", "bias") for gate in GATES),
    "initial_h",
    "initial_c",
)
STEP = (
    *(f"{part}.{gate}" for part in ("seen", "sum", "act") for gate in GATES),
    "late_output",
    "update",
    "keep",
    "show",
    "pass_on",
    "collect",
    "calls",
)
AFTER = ("out_time", "out_batch", "layout", "values", "precision")

# Beyond this a mistake without bounds is chaotic, and float32 and float64 go separate ways.
MAX_MAGNITUDE = 100.0


@dataclass(frozen=True)
class Inputs:
    """What goes in: x ``(batch, timesteps, features)``, fused weights, initial states ``(1 or batch, units)``."""

    x: Array
    kernel: Array
    recurrent: Array
    bias: Array
    h: Array
    c: Array

    @classmethod
    def of(cls, case: Case, dtype: type[np.floating] = np.float64) -> Inputs:
        weights = case.weights
        zeros = np.zeros((1, weights.units), dtype)
        return cls(
            case.x.astype(dtype),
            weights.kernel.astype(dtype),
            weights.recurrent_kernel.astype(dtype),
            weights.bias.astype(dtype),
            h=zeros,
            c=zeros,
        )

    @property
    def units(self) -> int:
        return int(self.recurrent.shape[-2])

    def changed(self, changes: Changes) -> Inputs:
        """With the choices of `BEFORE` that `changes` holds."""
        inputs = self
        for slot in BEFORE:
            if slot in changes:
                inputs = changes[slot](inputs)
        return inputs

    def columns(self, gate: str) -> slice:
        start = GATES.index(gate) * self.units
        return slice(start, start + self.units)

    def with_columns(self, array: str, gate: str, change: Callable[[Array], Array]) -> Inputs:
        """With one gate's columns of one array changed."""
        values = getattr(self, array).copy()
        columns = self.columns(gate)
        values[..., columns] = change(values[..., columns])
        return replace(self, **{array: values})


def sigmoid(z: Array) -> Array:
    return 0.5 + 0.5 * np.tanh(0.5 * z)


@dataclass(slots=True)
class Moment:
    """One step under way, every array ``(variants, batch, units)``: gates, old and new states.

    Not frozen: tens of thousands are made, and a step fills one in as it goes.
    """

    i: Array
    f: Array
    g: Array
    o: Array
    h: Array
    c: Array
    x: Array
    new_c: Array
    new_h: Array


def forward(changes: Changes, variants: Sequence[Inputs], dtype: type[np.floating] = np.float64) -> Array:
    """Run the step that `changes` describes over inputs of equal shapes.

    Returns:
        ``(variants, batch, timesteps, units)``; NaN from the step on at which a variant outgrows `MAX_MAGNITUDE`.
    """
    stacked = _stacked(variants)
    count, batch, timesteps, features = stacked.x.shape
    units = stacked.units
    flat = stacked.x.reshape(count, batch * timesteps, features)
    projected = (flat @ stacked.kernel + stacked.bias[:, None]).reshape(count, batch, timesteps, 4 * units)
    step = _Step(changes, stacked.recurrent, units)
    first_h, first_c = h, c = stacked.h, stacked.c
    outputs, hs, cs = np.empty((3, count, batch, timesteps, units), dtype)
    pass_on, collect, calls = changes.get("pass_on"), changes.get("collect"), changes.get("calls")
    for t in range(timesteps):
        x, z = stacked.x[:, :, t], projected[:, :, t]
        moment = calls(step, z, x, h, c) if calls else step(z, x, h, c)
        outputs[:, :, t] = collect(moment) if collect else moment.new_h
        h, c = pass_on(moment, first_h, first_c) if pass_on else (moment.new_h, moment.new_c)
        hs[:, :, t], cs[:, :, t] = h, c
    largest = np.abs((outputs, hs, cs)).max(axis=(0, 2, 4))
    within = np.logical_and.accumulate(largest <= MAX_MAGNITUDE, axis=1)
    if not within.all():
        outputs[~np.broadcast_to(within[:, None, :, None], outputs.shape)] = np.nan
    return np.asarray(outputs)


def _stacked(variants: Sequence[Inputs]) -> Inputs:
    def one(name: str) -> Array:
        if name in ("h", "c"):
            return np.stack([np.broadcast_to(getattr(v, name), (v.x.shape[0], v.units)) for v in variants])
        return np.stack([getattr(v, name) for v in variants])

    return Inputs(**{field.name: one(field.name) for field in fields(Inputs)})


class _Step:
    """The right step, but for what `changes` holds."""

    def __init__(self, changes: Changes, recurrent: Array, units: int) -> None:
        self._recurrent, self._units = recurrent, units
        self._seen = [changes.get(f"seen.{gate}") for gate in GATES]
        self._sum = [changes.get(f"sum.{gate}") for gate in GATES]
        self._act = [changes.get(f"act.{gate}") or (np.tanh if gate == "g" else sigmoid) for gate in GATES]
        self._late, self._update = changes.get("late_output"), changes.get("update")
        self._keep, self._show = changes.get("keep"), changes.get("show")

    def _gate(self, index: int, z: Array, projected_h: Array, h: Array, c: Array) -> Array:
        columns = slice(index * self._units, (index + 1) * self._units)
        from_x = z[..., columns]
        seen, combine = self._seen[index], self._sum[index]
        from_h = projected_h[..., columns] if seen is None else seen(h, c) @ self._recurrent[..., columns]
        total = combine(from_x, from_h, c) if combine else from_x + from_h
        return self._act[index](total)

    def __call__(self, z: Array, x: Array, h: Array, c: Array) -> Moment:
        projected = h @ self._recurrent
        i, f, g, o = (self._gate(index, z, projected, h, c) for index in range(4))
        moment = Moment(i, f, g, o, h, c, x, c, h)
        new_c = self._update(moment) if self._update else f * c + i * g
        moment.new_c = self._keep(new_c) if self._keep else new_c
        if self._late:
            late = self._late(moment.new_c)
            moment.o = self._gate(3, z, late @ self._recurrent, late, c)
        moment.new_h = self._show(moment) if self._show else moment.o * np.tanh(moment.new_c)
        return moment


def finished(changes: Changes, outputs: Array, x: Array) -> Array:
    """What `AFTER` makes of outputs ``(variants, batch, timesteps, units)``; `x` is the case's own."""
    for slot in AFTER:
        if slot in changes:
            outputs = changes[slot](outputs, x)
    return outputs
