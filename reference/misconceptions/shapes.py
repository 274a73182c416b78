"""Mistakes in what comes out, the cell being right: order of steps, rows and axes, and further processing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from reference.misconceptions.computation import Array, Inputs, sigmoid
from reference.misconceptions.gates import FUNCTIONS
from reference.misconceptions.mistake import Mistake
from reference.misconceptions.state import RECURRENCE, as_bfloat16, as_float16

#: Outputs ``(variants, batch, timesteps, units)`` and the case's x ``(batch, timesteps, features)`` to outputs.
After = Callable[[Array, Array], Array]


def output_mistakes() -> Iterator[Mistake]:
    yield from _orders()
    yield from _layouts()
    yield from _values()
    yield from _precisions()


def _steps(count: Callable[[int], list[int]]) -> After:
    return lambda y, x: y[:, :, count(y.shape[2])]


def _padded(y: Array, _x: Array) -> Array:
    return np.concatenate([y[:, :, 1:], np.zeros_like(y[:, :, :1])], axis=2)


def _delayed(y: Array, _x: Array) -> Array:
    return np.concatenate([np.zeros_like(y[:, :, :1]), y[:, :, :-1]], axis=2)


def _orders() -> Iterator[Mistake]:
    for code, name, change in (
        ("time_reversed", "answer backwards", _steps(lambda n: list(range(n - 1, -1, -1)))),
        ("off_by_one", "answer a step early, the last twice", _steps(lambda n: [*range(1, n), n - 1])),
        ("off_by_one", "answer a step early, then the first", _steps(lambda n: [*range(1, n), 0])),
        ("off_by_one", "answer a step late, the first twice", _steps(lambda n: [0, *range(n - 1)])),
        ("off_by_one", "answer a step late, the last first", _steps(lambda n: [n - 1, *range(n - 1)])),
        ("off_by_one", "answer a step early, then zeros", _padded),
        ("off_by_one", "answer a step late, first zeros", _delayed),
        ("returns_last_only", "last step everywhere", _steps(lambda n: [n - 1] * n)),
        ("always_first_step", "first step everywhere", _steps(lambda n: [0] * n)),
        ("step_two", "even steps, each twice", _steps(lambda n: [t - t % 2 for t in range(n)])),
    ):
        yield Mistake(code, name, {"out_time": change}, RECURRENCE)
    backwards = _steps(lambda n: list(range(n - 1, -1, -1)))
    both = {"x_time": _reversed, "out_time": backwards}
    yield Mistake("time_reversed", "x and answer backwards", both, RECURRENCE)
    halved = {"x_time": _halved, "out_time": lambda y, x: _doubled(y, x.shape[1])}
    yield Mistake("step_two", "every second step, each twice", halved, RECURRENCE)


def _reversed(inputs: Inputs) -> Inputs:
    return replace(inputs, x=inputs.x[:, ::-1])


def _halved(inputs: Inputs) -> Inputs:
    return replace(inputs, x=inputs.x[:, ::2])


def _doubled(y: Array, timesteps: int) -> Array:
    return np.repeat(y, 2, axis=2)[:, :, :timesteps]


def _layouts() -> Iterator[Mistake]:
    def cut_anew(y: Array, _x: Array) -> Array:
        return np.ascontiguousarray(y.swapaxes(1, 2)).reshape(y.shape)

    def cut_units(y: Array, _x: Array) -> Array:
        return np.ascontiguousarray(y.swapaxes(2, 3)).reshape(y.shape)

    def cut_backwards(y: Array, _x: Array) -> Array:
        return np.ascontiguousarray(y.transpose(0, 3, 2, 1)).reshape(y.shape)

    for code, name, change in (
        ("reshape_not_transpose", "(timesteps, batch, units) cut anew", cut_anew),
        ("reshape_not_transpose", "(batch, units, timesteps) cut anew", cut_units),
        ("reshape_not_transpose", "(units, timesteps, batch) cut anew", cut_backwards),
        ("wrong_transpose", "units backwards", lambda y, x: y[..., ::-1]),
    ):
        yield Mistake(code, name, {"layout": change}, RECURRENCE)

    def first_row_only(y: Array, _x: Array) -> Array:
        rest = np.zeros_like(y)
        rest[:, 0] = y[:, 0]
        return rest

    for code, name, change in (
        ("batch_zero_only", "zeros but in the first row", first_row_only),
        ("batch_mixed", "mean answer for all rows", lambda y, x: np.repeat(y.mean(1, keepdims=True), y.shape[1], 1)),
        ("batch_mixed", "answers in another order", lambda y, x: y[:, ::-1]),
    ):
        yield Mistake(code, name, {"out_batch": change}, RECURRENCE)


def _tiled(y: Array, x: Array) -> Array:
    """x repeated to the number of units, where that is possible."""
    times, rest = divmod(y.shape[-1], x.shape[-1])
    return np.tile(x, times) if rest == 0 else np.full(y.shape[1:], np.nan)


def _norm(y: Array, eps: float) -> Array:
    return np.asarray((y - y.mean(-1, keepdims=True)) / np.sqrt(y.var(-1, keepdims=True) + eps))


def _repeated(y: Array, x: Array) -> Array:
    """Every element of x several times, ``tf.repeat`` in the place of ``tf.tile``."""
    times, rest = divmod(y.shape[-1], x.shape[-1])
    return np.repeat(x, times, axis=-1) if rest == 0 else np.full(y.shape[1:], np.nan)


def _values() -> Iterator[Mistake]:
    functions = {
        **{name: FUNCTIONS[name] for name in FUNCTIONS if name not in ("hard_tanh", "relu6")},
        "sigmoid": sigmoid,
        "abs": np.abs,
        "square": np.square,
    }
    for name, function in functions.items():
        changes = {"values": lambda y, x, function=function: function(y)}
        rare = name not in ("tanh", "sigmoid", "relu", "softmax")
        yield Mistake("extra_activation", f"{name}(h)", changes, RECURRENCE, {"function": name}, rare=rare)
    for code, name, change in (
        ("residual", "h + x, tiled", lambda y, x: y + _tiled(y, x)),
        ("residual", "h + x, repeated", lambda y, x: y + _repeated(y, x)),
        ("residual", "sum of h so far", lambda y, x: np.cumsum(y, axis=2)),
        ("layer_norm", "layer norm", lambda y, x: _norm(y, 1e-3)),
        ("layer_norm", "layer norm, eps 1e-5", lambda y, x: _norm(y, 1e-5)),
        ("layer_norm", "layer norm, eps 1e-6", lambda y, x: _norm(y, 1e-6)),
        ("layer_norm", "unit length", lambda y, x: y / np.linalg.norm(y, axis=-1, keepdims=True)),
        ("layer_norm", "less the mean unit", lambda y, x: y - y.mean(-1, keepdims=True)),
        (
            "layer_norm",
            "standardised",
            lambda y, x: (y - y.mean((1, 2, 3), keepdims=True)) / y.std((1, 2, 3), keepdims=True),
        ),
        ("layer_norm", "batch norm, not trained", lambda y, x: y / np.sqrt(1 + 1e-3)),
        ("scaled", "times -1", lambda y, x: -y),
        ("scaled", "times 2", lambda y, x: 2 * y),
        ("scaled", "times 0.5", lambda y, x: 0.5 * y),
        ("scaled", "times 10", lambda y, x: 10 * y),
        ("scaled", "times 100", lambda y, x: 100 * y),
        ("scaled", "times 0.1", lambda y, x: 0.1 * y),
        ("epsilon_added", "plus 1", lambda y, x: y + 1),
    ):
        params = {"factor": float(name.split()[1])} if code == "scaled" else {"value": 1.0} if code[0] == "e" else {}
        yield Mistake(code, name, {"values": change}, RECURRENCE, params)


def _precisions() -> Iterator[Mistake]:
    for decimals in (0, 1, 2, 3, 4):
        changes = {"precision": lambda y, x, decimals=decimals: np.round(y, decimals)}
        quantum = 10.0**-decimals
        yield Mistake("rounded", f"h to {decimals} decimals", changes, RECURRENCE, {"decimals": decimals}, quantum)
    for decimals in (1, 2, 3):
        changes = {"precision": lambda y, x, decimals=decimals: np.floor(y * 10**decimals) / 10**decimals}
        quantum = 10.0**-decimals
        yield Mistake("rounded", f"h down to {decimals} decimals", changes, RECURRENCE, {"decimals": decimals}, quantum)
    yield Mistake("int_cast", "h as integers", {"precision": lambda y, x: np.trunc(y)}, RECURRENCE, {}, 1.0)
    for name, cast, quantum in (("float16", as_float16, 1e-3), ("bfloat16", as_bfloat16, 8e-3)):
        changes = {"precision": lambda y, x, cast=cast: cast(y)}
        yield Mistake("low_precision", f"h as {name}", changes, RECURRENCE, {"dtype": name}, quantum)
