"""Mistakes that change a whole array which should be left alone: the input, a state, or the answer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from reference.cell import sigmoid
from reference.lstm.misconceptions.computation import Array, Moment
from reference.lstm.misconceptions.gates import FUNCTIONS
from reference.lstm.misconceptions.inputs import letters
from reference.lstm.misconceptions.mistake import PARTS, RECURRENCE, Mistake
from reference.lstm.weights import GATES

Change = Callable[[Array], Array]

#: Places for a change, as a student sees them, and their slots in `computation`.
PLACES: dict[str, Callable[[Change], dict[str, Any]]] = {
    "x": lambda change: {"x_values": lambda inputs: replace(inputs, x=change(inputs.x))},
    "c": lambda change: {"keep": change},
    "h": lambda change: {"hold": change},
    "h and c": lambda change: {"keep": change, "hold": change},
    "c for the next step": lambda change: {"pass_c": lambda m, h, c: change(m.c_new)},
    "h for the next step": lambda change: {"pass_h": lambda m, h, c: change(m.h_new)},
    "the answer": lambda change: {"values": lambda y, x: change(y)},
    # Last of all, so that it can be made together with another change of the answer.
    "the answer in the end": lambda change: {"coarse": lambda y, x: change(y)},
}
# Names in a report.
NAMES = {
    "x": "x",
    "c": "c",
    "h": "h",
    "h and c": "h_and_c",
    "c for the next step": "next_c",
    "h for the next step": "next_h",
    "the answer": "answer",
    "the answer in the end": "answer",
}
STATES = ("c", "h", "c for the next step", "h for the next step")
ENDS = ("x", "the answer")
COARSE = ("x", *STATES, "h and c", "the answer in the end")


def treatment_mistakes() -> Iterator[Mistake]:
    yield from _functions()
    yield from _limits()
    yield from _factors()
    yield from _normalised()
    yield from _coarse()
    yield from _of_x()
    yield from _with_x()


def in_places(
    code: str,
    what: str,
    change: Change,
    places: Sequence[str],
    params: Mapping[str, Any] | None = None,
    quantum: float = 0.0,
) -> Iterator[Mistake]:
    """Make the same change in several places. Changes of the input have their own code, except coarse ones."""
    for place in places:
        own = code if place != "x" or quantum else "input_transformed"
        wrong = RECURRENCE if place != "x" else frozenset("ifgo")
        named = {**(params or {}), "of": [NAMES[place]]}
        yield Mistake(own, f"{what} {place}", PLACES[place](change), wrong, named, quantum)


def _functions() -> Iterator[Mistake]:
    functions: dict[str, Change] = {**FUNCTIONS, "sigmoid": sigmoid, "abs": np.abs, "square": np.square, "exp": np.exp}
    common = ("tanh", "sigmoid", "relu", "softmax")
    for name, function in functions.items():
        for place in (*ENDS, *STATES) if name in common else ENDS:
            code = "tanh_on_state" if name == "tanh" and place.startswith("c") else "extra_activation"
            yield from in_places(code, f"{name} of", function, (place,), {"function": name})
    for name, undefined in (("log", np.log), ("sqrt", np.sqrt)):
        # NaN is right in no part.
        yield Mistake("nan", f"{name} of the answer", PLACES["the answer"](undefined), frozenset(PARTS))


def _limits() -> Iterator[Mistake]:
    for low, high, places in (
        (-1.0, 1.0, ("x", "c", "c for the next step")),
        (-0.5, 0.5, (*ENDS, *STATES)),
        (-2.0, 2.0, ("c", "c for the next step")),
        (0.0, 1.0, ("x", "c")),
    ):
        params = {"low": low, "high": high}
        yield from in_places(
            "state_clipped", f"{low:g}..{high:g} are the limits of", _clipped(low, high), places, params
        )


def _clipped(low: float, high: float) -> Change:
    return lambda array: np.clip(array, low, high)


def _factors() -> Iterator[Mistake]:
    for factor, places in (
        (-1.0, ENDS),
        (0.5, (*ENDS, *STATES)),
        (2.0, (*ENDS, *STATES)),
        (0.1, ENDS),
        (10.0, ENDS),
        (1 / 255, ("x",)),
        (100.0, ("the answer",)),
    ):
        yield from in_places("scaled", f"{factor:.3g} times", _times(factor), places, {"factor": factor})
    yield from in_places("epsilon_added", "1 more than", lambda array: array + 1.0, ENDS, {"value": 1.0})


def _times(factor: float) -> Change:
    return lambda array: factor * array


def _normalised() -> Iterator[Mistake]:
    yield from in_places("layer_norm", "layer norm of", lambda array: norm(array, 1e-3), (*ENDS, *STATES))
    yield from in_places("layer_norm", "layer norm, epsilon 1e-6, of", lambda array: norm(array, 1e-6), ENDS[1:])
    yield from in_places("layer_norm", "unit length of", _unit_length, (*ENDS, *STATES))
    yield from in_places("layer_norm", "less its mean over units:", lambda y: y - y.mean(-1, keepdims=True), ENDS)
    standardised = {"values": lambda y, x: (y - y.mean((1, 2, 3), keepdims=True)) / y.std((1, 2, 3), keepdims=True)}
    yield Mistake("layer_norm", "the answer standardised", standardised, RECURRENCE)
    yield from in_places("layer_norm", "BatchNormalization, in training, of", _batch_norm, ENDS[1:])
    yield from in_places("batch_mixed", "mean over the rows of", _batch_mean, (*STATES, "h and c"))
    shown = {"show": lambda moment: moment.o * np.tanh(norm(moment.c_new, 1e-3))}
    yield Mistake("layer_norm", "layer norm of c in the formula of h", shown, frozenset("o"), {"of": ["c"]})
    for name, blocks in (("all sums together", 1), ("each sum", len(GATES))):
        params = {"gates": letters(GATES), "variant": "gates"}
        for part, apart in (("", False), ("x and h apart in ", True)):
            calls = {"calls": _with_norms(blocks, apart=apart)}
            yield Mistake("layer_norm", f"layer norm of {part}{name}", calls, frozenset(GATES), params)


def _with_norms(blocks: int, *, apart: bool) -> Callable[..., Moment]:
    """Return a choice of the slot ``calls``: the sums of the gates are normalised, in so many blocks.

    Args:
        apart: their parts of x and of h are, before they are added.
    """

    def call(step: Any, z: Array, h: Array, c: Array) -> Moment:
        heard = h @ step.recurrent
        sums = _norm_blocks(z, blocks) + _norm_blocks(heard, blocks) if apart else _norm_blocks(z + heard, blocks)
        moment: Moment = step(sums - heard, h, c)
        return moment

    return call


def _norm_blocks(array: Array, blocks: int) -> Array:
    return norm(array.reshape(*array.shape[:-1], blocks, -1), 1e-3).reshape(array.shape)


def norm(array: Array, eps: float) -> Array:
    """Normalise the last axis."""
    return np.asarray((array - array.mean(-1, keepdims=True)) / np.sqrt(array.var(-1, keepdims=True) + eps))


def _batch_norm(array: Array) -> Array:
    rows_and_steps = (-3, -2)
    mean, variance = (each(rows_and_steps, keepdims=True) for each in (array.mean, array.var))
    return np.asarray((array - mean) / np.sqrt(variance + 1e-3))


def _unit_length(array: Array) -> Array:
    # As tf.math.l2_normalize does, which divides 0 by 1e-6.
    squares = np.square(array).sum(-1, keepdims=True)
    return np.asarray(array / np.sqrt(np.maximum(squares, 1e-12)))


def _batch_mean(array: Array) -> Array:
    return np.broadcast_to(array.mean(-2, keepdims=True), array.shape)


def _coarse() -> Iterator[Mistake]:
    for decimals in (0, 1, 2, 3):
        params, quantum = {"decimals": decimals}, 10.0**-decimals
        places = COARSE if decimals else ("x", "the answer in the end")
        rounded, floored = _rounded(np.round, 1 / quantum), _rounded(np.floor, 1 / quantum)
        yield from in_places("rounded", f"{decimals} decimals of", rounded, places, params, quantum)
        if decimals:
            yield from in_places("rounded", f"{decimals} decimals, not more, of", floored, COARSE[-1:], params, quantum)
    yield from in_places("int_cast", "whole part of", np.trunc, ("x",), {}, 1.0)
    for name, cast, quantum in (("float16", as_float16, 1e-3), ("bfloat16", as_bfloat16, 8e-3)):
        yield from in_places("low_precision", f"{name} of", cast, COARSE, {"dtype": name}, quantum)


def _rounded(to_integer: Change, factor: float) -> Change:
    return lambda array: np.asarray(to_integer(array * factor) / factor)


def as_float16(array: Array) -> Array:
    return array.astype(np.float16).astype(array.dtype)


def as_bfloat16(array: Array) -> Array:
    """Round to 8 bits of mantissa, ties to even, as a cast to bfloat16 and back does."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return np.where(np.isfinite(array), rounded.astype(np.uint32).view(np.float32), array).astype(array.dtype)


def _of_x() -> Iterator[Mistake]:
    for name, change in (
        ("standardised", lambda x: (x - x.mean()) / x.std()),
        ("standardised over rows and steps", lambda x: (x - x.mean((0, 1))) / x.std((0, 1))),
        ("less the mean of all", lambda x: x - x.mean()),
        ("less the mean over steps", lambda x: x - x.mean(1, keepdims=True)),
        ("between 0 and 1:", lambda x: (x - x.min()) / (x.max() - x.min())),
        ("of the largest:", lambda x: x / np.abs(x).max()),
        ("features reversed of", lambda x: x[..., ::-1]),
    ):
        yield from in_places("input_transformed", name, change, ("x",))
    for name, change in (("0", np.zeros_like), ("1", np.ones_like)):
        yield Mistake("x_not_used", f"x is {name}", PLACES["x"](change), frozenset("ifgo"))


def _with_x() -> Iterator[Mistake]:
    """Yield x added to the answer, which is possible where the units are a multiple of the features."""
    for name, spread in (("tiled", _tiled), ("repeated", _repeated)):
        yield Mistake("residual", f"h + x, {name}", {"values": _adding(spread)}, RECURRENCE)
    yield Mistake("residual", "sum of h so far", {"values": lambda y, x: np.cumsum(y, axis=2)}, RECURRENCE)


def _tiled(x: Array, times: int) -> Array:
    return np.tile(x, times)


def _repeated(x: Array, times: int) -> Array:
    return np.repeat(x, times, axis=-1)


def _adding(spread: Callable[[Array, int], Array]) -> Callable[[Array, Array], Array]:
    def added(y: Array, x: Array) -> Array:
        times, rest = divmod(y.shape[-1], x.shape[-1])
        return np.asarray(y + spread(x, times)) if rest == 0 else np.full_like(y, np.nan)

    return added
