"""Mistakes in the order of the outputs of a right cell: steps, rows and axes."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from reference.lstm.misconceptions.computation import Array, Inputs
from reference.lstm.misconceptions.mistake import RECURRENCE, Mistake

#: Maps outputs ``(variants, batch, timesteps, units)`` and the case's x ``(batch, timesteps, features)`` to outputs.
After = Callable[[Array, Array], Array]


def order_mistakes() -> Iterator[Mistake]:
    yield from _orders()
    yield from _layouts()


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
        ("returns_last_only", "last step first, then zeros", _last_first),
        ("always_first_step", "first step everywhere", _steps(lambda n: [0] * n)),
        ("step_two", "even steps, each twice", _steps(lambda n: [t - t % 2 for t in range(n)])),
    ):
        yield Mistake(code, name, {"out_time": change}, RECURRENCE)
    backwards = _steps(lambda n: list(range(n - 1, -1, -1)))
    both = {"x_time": _reversed, "out_time": backwards}
    yield Mistake("time_reversed", "x and answer backwards", both, RECURRENCE)
    for name, weight in (("sum", 1.0), ("mean", 0.5)):
        for turned, order in (("", slice(None, None, -1)), (", the second not turned back", slice(None))):
            # Each direction has rows of its own, which no other order of x may mix.
            joined = {"x_time": lambda inputs: inputs, "x_batch": _both_directions, "out_batch": _added(weight, order)}
            yield Mistake(
                "time_reversed", f"{name} of both directions{turned}", joined, RECURRENCE, {"variant": "both"}
            )
    halved = {"x_time": _halved, "out_time": lambda y, x: _doubled(y, x.shape[1])}
    yield Mistake("step_two", "every second step, each twice", halved, RECURRENCE)
    # Steps are written into an array of zeros, which stay where the loop does not come.
    between = {"x_time": _halved, "out_time": _with_zeros_between}
    yield Mistake("step_two", "every second step, zeros between", between, RECURRENCE)
    begun = {"x_time": _without_first, "out_time": _after_zeros}
    yield Mistake("missing_step", "from the second step on, first zeros", begun, RECURRENCE)
    passes = {"x_time": _twice, "out_time": lambda y, x: y[:, :, x.shape[1] :]}
    yield Mistake("cell_called_twice", "the whole sequence twice", passes, RECURRENCE)
    for name, change in (("zeros for the last step", _last_zeros), ("the last step but one twice", _last_again)):
        yield Mistake("missing_step", name, {"out_time": change}, RECURRENCE)


def _reversed(inputs: Inputs) -> Inputs:
    return replace(inputs, x=inputs.x[:, ::-1])


def _both_directions(inputs: Inputs) -> Inputs:
    twice = {name: np.concatenate([each, each]) for name, each in (("h", inputs.h), ("c", inputs.c))}
    return replace(inputs, x=np.concatenate([inputs.x, inputs.x[:, ::-1]]), **twice)


def _added(weight: float, order: slice) -> After:
    def added(y: Array, x: Array) -> Array:
        return np.asarray(weight * (y[:, : len(x)] + y[:, len(x) :, order]))

    return added


def _twice(inputs: Inputs) -> Inputs:
    return replace(inputs, x=np.concatenate([inputs.x, inputs.x], axis=1))


def _halved(inputs: Inputs) -> Inputs:
    return replace(inputs, x=inputs.x[:, ::2])


def _without_first(inputs: Inputs) -> Inputs:
    return replace(inputs, x=inputs.x[:, 1:])


def _after_zeros(y: Array, x: Array) -> Array:
    return np.concatenate([np.zeros_like(y, shape=(*y.shape[:2], x.shape[1] - y.shape[2], y.shape[3])), y], axis=2)


def _last_zeros(y: Array, _x: Array) -> Array:
    return np.concatenate([y[:, :, :-1], np.zeros_like(y[:, :, :1])], axis=2)


def _last_again(y: Array, _x: Array) -> Array:
    return np.concatenate([y[:, :, :-1], y[:, :, -2:-1]], axis=2)


def _last_first(y: Array, _x: Array) -> Array:
    return np.concatenate([y[:, :, -1:], np.zeros_like(y[:, :, 1:])], axis=2)


def _with_zeros_between(y: Array, x: Array) -> Array:
    spread = np.zeros_like(y, shape=(*y.shape[:2], x.shape[1], y.shape[3]))
    spread[:, :, ::2] = y
    return spread


def _doubled(y: Array, timesteps: int) -> Array:
    return np.repeat(y, 2, axis=2)[:, :, :timesteps]


def _layouts() -> Iterator[Mistake]:
    for axes, listed in (
        ((2, 1, 3), "(timesteps, batch, units)"),
        ((1, 3, 2), "(batch, units, timesteps)"),
        ((3, 2, 1), "(units, timesteps, batch)"),
    ):
        for name, change in ((f"{listed} cut anew", _cut_anew(axes)), (f"cut into {listed}", _cut_into(axes))):
            yield Mistake("reshape_not_transpose", name, {"layout": change}, RECURRENCE)
    yield Mistake("wrong_transpose", "units backwards", {"layout": lambda y, x: y[..., ::-1]}, RECURRENCE)

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


def _cut_anew(axes: tuple[int, ...]) -> After:
    """Return a reshape of an answer whose axes stand in another order. Each order is its own inverse."""
    return lambda y, x: np.ascontiguousarray(y.transpose(0, *axes)).reshape(y.shape)


def _cut_into(axes: tuple[int, ...]) -> After:
    """Return a reshape into axes in another order, and the transposition that puts them right."""
    return lambda y, x: np.ascontiguousarray(y).reshape([y.shape[axis] for axis in (0, *axes)]).transpose(0, *axes)
