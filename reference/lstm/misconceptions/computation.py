"""An LSTM in NumPy, in which every choice can be made differently.

A mistake is a set of choices: about the inputs (`BEFORE`), the steps (`STEP`) and the outputs (`AFTER`). Choices that
are not named are the right ones, so two mistakes that touch different slots can be made together.

Several variants of the inputs run at once, along a leading axis.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference.cases import Case
from reference.lstm.definition import CELL
from reference.lstm.weights import GATES

Array = NDArray[Any]
Changes = Mapping[str, Any]
#: Whether a mistake is made in a step: its number, and the number of all steps.
At = Callable[[int, int], bool]

#: Slots in the order in which their choices act. A slot with a dot belongs to one gate.
ARRAYS = ("kernel", "recurrent", "bias")
BEFORE = (
    "x_values",
    "x_time",
    "x_step",
    "x_batch",
    # First faults in a gate's layers, then the exchange of layers between gates; exchanges happen all at once, so that
    # they can be combined.
    *(f"{array}.{gate}" for array in ARRAYS for gate in GATES),
    *(f"{array}_of.{gate}" for array in ARRAYS for gate in GATES),
    "forget_bias",
    "initial_h",
    "initial_c",
)
STEP = (
    *(f"{part}.{gate}" for part in ("seen", "sum", "act", "apart") for gate in GATES),
    "late_output",
    "update",
    "keep",
    "show",
    "hold",
    "pass_h",
    "pass_c",
    "collect",
    "calls",
)
AFTER = ("out_time", "out_batch", "layout", "values", "coarse")

# Beyond this a mistake without bounds is chaotic, and float32 and float64 diverge.
MAX_MAGNITUDE = 100.0


@dataclass(frozen=True)
class Inputs:
    """Inputs of a run: x ``(batch, timesteps, features)``, fused weights, initial states ``(batch, units)``."""

    x: Array
    kernel: Array
    recurrent: Array
    bias: Array
    h: Array
    c: Array

    @classmethod
    def of(cls, case: Case, dtype: type[np.floating] = np.float64) -> Inputs:
        weights = case.weights
        zeros = np.zeros((len(case.x), weights.units), dtype)
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

    def with_changes(self, changes: Changes) -> Inputs:
        """Return the inputs with the choices of `BEFORE` that `changes` holds."""
        inputs = self
        for slot in BEFORE:
            if slot in changes and "_of." not in slot and slot != "forget_bias":
                inputs = changes[slot](inputs)
        inputs = inputs._reordered(changes)
        return changes["forget_bias"](inputs) if "forget_bias" in changes else inputs

    def _reordered(self, changes: Changes) -> Inputs:
        arrays = {}
        for array in ARRAYS:
            sources = [changes.get(f"{array}_of.{gate}", gate) for gate in GATES]
            if sources != list(GATES):
                values = getattr(self, array)
                arrays[array] = np.concatenate([values[..., self.columns(source)] for source in sources], axis=-1)
        return replace(self, **arrays) if arrays else self

    def columns(self, gate: str) -> slice:
        start = GATES.index(gate) * self.units
        return slice(start, start + self.units)

    def with_columns(self, array: str, gate: str, change: Callable[[Array], Array]) -> Inputs:
        """Return the inputs with one gate's columns of one array changed."""
        values = getattr(self, array).copy()
        columns = self.columns(gate)
        values[..., columns] = change(values[..., columns])
        return replace(self, **{array: values})


Index = slice | NDArray[np.intp]


@dataclass(slots=True)
class Moment:
    """A step in progress, every array ``(variants, batch, units)``: gates, old and new states.

    Not frozen: tens of thousands are made, and a step fills one in as it goes.
    """

    i: Array
    f: Array
    g: Array
    o: Array
    h: Array
    c: Array
    c_new: Array
    h_new: Array

    def __getitem__(self, name: str) -> Array:
        """Return the value of a name in a formula."""
        value: Array = getattr(self, name)
        return value

    def of(self, index: Index) -> Moment:
        """Return the same moment of some variants."""
        return Moment(
            self.i[index],
            self.f[index],
            self.g[index],
            self.o[index],
            self.h[index],
            self.c[index],
            self.c_new[index],
            self.h_new[index],
        )


class _Choices:
    """The choices of variants that run together."""

    def __init__(self, changes: Sequence[Changes]) -> None:
        self._count = len(changes)
        members: dict[str, dict[int, tuple[Any, list[int]]]] = defaultdict(dict)
        for number, chosen in enumerate(changes):
            for slot, choice in chosen.items():
                if choice is not None:
                    members[slot].setdefault(id(choice), (choice, []))[1].append(number)
        self._groups: dict[str, list[tuple[Index, Any]]] = {
            slot: [(_as_slice(numbers), choice) for choice, numbers in groups.values()]
            for slot, groups in members.items()
        }

    def apply(self, slot: str, usual: Callable[[], Array], chosen: Callable[[Any, Index], Array]) -> Array:
        """Return the usual value, replaced by ``chosen(choice, variants)`` for the variants that make a choice."""
        groups = self._groups.get(slot)
        if groups is None:
            return usual()
        everybody, choice = groups[0]
        if isinstance(everybody, slice) and everybody == slice(0, self._count):
            return chosen(choice, everybody)
        result = np.array(usual())
        for index, choice in groups:
            result[index] = chosen(choice, index)
        return result

    def any_makes(self, slot: str) -> bool:
        return slot in self._groups

    def common(self, slot: str) -> Any:
        """Return the choice that all make, or None."""
        return next((choice for _, choice in self._groups.get(slot, ())), None)


def _as_slice(numbers: list[int]) -> Index:
    if numbers[-1] - numbers[0] + 1 == len(numbers):
        return slice(numbers[0], numbers[-1] + 1)
    return np.array(numbers)


def forward(
    variants: Sequence[Inputs],
    changes: Sequence[Changes],
    dtype: type[np.floating] = np.float64,
    watch: Callable[[Moment], None] | None = None,
    only: tuple[At, Sequence[Changes]] | None = None,
) -> Array:
    """Run steps over inputs of equal shapes, each as its own changes describe.

    Args:
        changes: one for each of the variants; all of them make the same choice of `calls`, or none.
        watch: is given every step when it is finished.
        only: the steps in which these changes are made, and the changes in all others.
    Returns:
        ``(variants, batch, timesteps, units)``; NaN from the step on at which a variant outgrows `MAX_MAGNITUDE`.
    """
    stacked = _stacked(variants)
    at, others = only or (lambda t, count: True, ())
    count, batch, timesteps, features = stacked.x.shape
    units = stacked.units
    flat = stacked.x.reshape(count, batch * timesteps, features)
    projected = (flat @ stacked.kernel + stacked.bias[:, None]).reshape(count, batch, timesteps, -1)
    kinds = [
        (choices, _Step(choices, stacked.recurrent, stacked.bias[:, None], units), choices.common("calls"))
        for choices in map(_Choices, (others, changes))
    ]
    first_h, first_c = h, c = stacked.h, stacked.c
    older_h, older_c = h, c
    outputs, hs, cs = np.empty((3, count, batch, timesteps, units), dtype)

    def passed(slot: str, value: Array, moment: Moment) -> Array:
        return choices.apply(
            slot,
            lambda: value,
            lambda choice, index: choice(moment.of(index), first_h[index], first_c[index]),
        )

    for t in range(timesteps):
        z = projected[:, :, t]
        choices, step, calls = kinds[at(t, timesteps)]
        step.older_h, step.older_c, step.shown = older_h, older_c, outputs[:, :, :t]
        moment = calls(step, z, h, c) if calls else step(z, h, c)
        if watch is not None:
            watch(moment)
        outputs[:, :, t] = passed("collect", moment.h_new, moment)
        older_h, older_c = h, c
        h, c = passed("pass_h", moment.h_new, moment), passed("pass_c", moment.c_new, moment)
        hs[:, :, t], cs[:, :, t] = h, c
    largest = np.abs((outputs, hs, cs)).max(axis=(0, 2, 4))
    within = np.logical_and.accumulate(largest <= MAX_MAGNITUDE, axis=1)
    if not within.all():
        outputs[~np.broadcast_to(within[:, None, :, None], outputs.shape)] = np.nan
    return np.asarray(outputs)


def _stacked(variants: Sequence[Inputs]) -> Inputs:
    return Inputs(**{field.name: np.stack([getattr(v, field.name) for v in variants]) for field in fields(Inputs)})


class _Step:
    """The right step, except for the choices of the variants."""

    def __init__(self, choices: _Choices, recurrent: Array, bias: Array, units: int) -> None:
        self._choices, self._units = choices, units
        self.recurrent, self.bias = recurrent, bias
        # The states that the step before began with.
        self.older_h = self.older_c = np.zeros(1)
        # The outputs so far.
        self.shown = np.zeros((1, 1, 0, 1))

    def columns(self, gate: str) -> slice:
        start = GATES.index(gate) * self._units
        return slice(start, start + self._units)

    def _gate(self, gate: str, z: Array, projected_h: Array, h: Array, c: Array) -> Array:
        columns, apply = self.columns(gate), self._choices.apply
        from_x, kernel = z[..., columns], self.recurrent[..., columns]
        from_h = apply(
            f"seen.{gate}",
            lambda: projected_h[..., columns],
            lambda choice, index: choice(h[index], c[index], self.older_h[index]) @ kernel[index],
        )
        total = apply(
            f"sum.{gate}",
            lambda: from_x + from_h,
            lambda choice, index: choice(from_x[index], from_h[index], c[index]),
        )
        usual = CELL.formulas[gate].activation
        value = apply(f"act.{gate}", lambda: usual(total), lambda choice, index: choice(total[index]))
        bias = self.bias[..., columns]
        return apply(f"apart.{gate}", lambda: value, lambda choice, index: choice(total[index], bias[index]))

    def __call__(self, z: Array, h: Array, c: Array) -> Moment:
        apply = self._choices.apply
        projected = h @ self.recurrent
        i, f, g, o = (self._gate(gate, z, projected, h, c) for gate in GATES)
        moment = Moment(i, f, g, o, h, c, c_new=c, h_new=h)

        def chosen(choice: Any, index: Index) -> Array:
            return np.asarray(choice(moment.of(index)))

        c_new = apply("update", lambda: CELL.formulas["c_new"](moment), chosen)
        moment.c_new = apply("keep", lambda: c_new, lambda choice, index: choice(c_new[index]))
        if self._choices.any_makes("late_output"):
            late_h = apply("late_output", lambda: h, lambda late, index: late(moment.of(index))[0])
            late_c = apply("late_output", lambda: c, lambda late, index: late(moment.of(index))[1])
            moment.o = self._gate("o", z, late_h @ self.recurrent, late_h, late_c)
        h_new = apply("show", lambda: CELL.formulas["h_new"](moment), chosen)
        moment.h_new = apply("hold", lambda: h_new, lambda choice, index: choice(h_new[index]))
        return moment


def apply_after(changes: Changes, outputs: Array, x: Array) -> Array:
    """Apply `AFTER` to outputs ``(variants, batch, timesteps, units)``; `x` is the case's own."""
    for slot in AFTER:
        if slot in changes:
            outputs = changes[slot](outputs, x)
    return outputs
