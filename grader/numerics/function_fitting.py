"""Functions that a student wrote by hand instead of sigmoid or tanh, read off the answers.

Both are quotients of exponentials, and so are their misspellings: a sign, a factor, a constant too many. All have the
form ``(a*exp(s*z) + b*exp(-s*z) + d) / (p*exp(s*z) + q*exp(-s*z) + k)`` with one of a few `s`. The first step, where h
and c are 0, gives a hundred equations for the few other numbers; a forget gate shows in the second one. The caller
replays the function on all cases before believing it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grader.numerics.gate_mistakes import outside
from grader.numerics.gate_values import Steps, function_of, short
from reference import GATES, Case
from reference.lstm.misconceptions import Mistake
from reference.lstm.weights import DENSE_LETTERS

Array = NDArray[Any]
Function = Callable[[Array], Array]

# Sums beyond this saturate.
MOST = 8.0
# The largest difference of a fit that is worth a replay.
CLOSE = 5e-6
FEWEST = 20
# exp(z), exp(2*z) and powers of 2 and 10 in a quotient.
SCALES = (0.5, 1.0, 2.0, float(np.log(2) / 2), float(np.log(10) / 2))
ROUNDS, LEAST_PROGRESS, MOST_IDLE = 20, 0.1, 2
# Arguments at which a report shows a function.
SHOWN = (-1.0, 0.0, 1.0)


def function_suspects(cases: Sequence[Case], answers: Sequence[Array]) -> Iterator[Mistake]:
    """Yield other functions in the place of one activation, of both tanh, and of all sigmoid."""
    with np.errstate(all="ignore"):
        sums = np.concatenate([_sums(Steps.of(*each)) for each in zip(cases, answers, strict=True)], axis=2)
        sums = sums[..., np.abs(sums[:, :4]).max(axis=(0, 1)) < MOST]
        if sums.shape[2] < FEWEST:
            return
        (i, _, g, o, y), (later_i, f, later_g, later_o, later_y) = sums
        sigmoid, tanh = function_of("i"), function_of("g")
        i_value, o_value, g_value, c = sigmoid(i), sigmoid(o), tanh(g), sigmoid(i) * tanh(g)
        # One helper is called in several places more often than one line of several is odd.
        for places, answer in (
            ("gh", lambda act: o_value * act(i_value * act(g))),
            ("ifo", lambda act: act(o) * tanh(act(i) * g_value)),
        ):
            yield from (_mistake(places, function) for function in _nested_fits(_usual(places), answer, y))
        shown, later_shown = y / o_value, later_y / sigmoid(later_o)
        made, kept = np.arctanh(shown), np.arctanh(later_shown) - sigmoid(later_i) * tanh(later_g)
        slope, later_slope = o_value * (1 - shown**2), sigmoid(later_o) * (1 - later_shown**2)
        for place, z, value, weight in (
            ("g", g, made / i_value, slope * i_value),
            ("h", c, shown, o_value),
            ("i", i, made / g_value, slope * g_value),
            ("o", o, y / tanh(c), tanh(c)),
            ("f", f, kept / c, later_slope * c),
        ):
            known = np.isfinite(value)
            if known.sum() >= FEWEST and (np.abs(weight * (value - _usual(place)(z)))[known] > CLOSE).any():
                found = _fits(z[known], value[known], weight[known])
                yield from (_mistake(place, function) for function in found)


def _usual(places: str) -> Function:
    return function_of("g" if places[0] in "gh" else "i")


def _sums(steps: Steps) -> Array:
    """Return the sums of the gates and the answer in the first two steps: ``(2, 5, numbers)``."""
    rows = [*(steps.from_x[gate] + steps.from_h[gate] for gate in GATES), steps.answer]
    return np.stack([row[:, :2].swapaxes(0, 1).reshape(2, -1) for row in rows], axis=1)


def _quotient(scale: float, above: Sequence[float], below: Sequence[float]) -> Function:
    def function(z: Array) -> Array:
        terms = _terms(scale, z)
        return np.asarray(np.tensordot(above, terms, 1) / np.tensordot(below, terms, 1))

    return function


def _terms(scale: float, z: Array) -> Array:
    """Return ``exp(s*z)``, ``exp(-s*z)`` and 1, divided by the largest of them."""
    powers = np.stack([scale * z, -scale * z, np.zeros_like(z)])
    return np.asarray(np.exp(powers - powers.max(axis=0)))


def _fits(z: Array, value: Array, weight: Array) -> Iterator[Function]:
    """Find the quotient with these values: where it is right, above = value * below, which is linear.

    Args:
        weight: how much of a value the answer shows.
    """
    for scale in SCALES:
        terms = _terms(scale, z)
        equations = weight * np.concatenate([terms, -value * terms])
        numbers = np.linalg.svd(equations.T, full_matrices=False)[2][-1]
        largest = numbers[3:][np.abs(numbers[3:]).argmax()]
        # Whole numbers are meant, so that large values are right, too.
        for meant in ([short(float(number)) for number in numbers / largest], numbers):
            function = _quotient(scale, meant[:3], meant[3:])
            if np.abs(weight * (function(z) - value)).max() <= CLOSE:
                yield function
                return


def _nested_fits(usual: Function, answer: Callable[[Function], Array], target: Array) -> Iterator[Function]:
    """Find a quotient that an answer needs twice, by least squares."""
    b = -0.5 if usual(np.zeros(1))[0] == 0 else 0.0
    start = np.array([0.5, b, 0.0, 0.5, 0.0])

    def quotient(scale: float, numbers: Array) -> Function:
        a, b, d, q, k = numbers
        return _quotient(scale, (a, b, d), (1 - q - k, q, k))

    for scale in SCALES:

        def off(numbers: Array, scale: float = scale) -> Array:
            return answer(quotient(scale, numbers)) - target

        numbers = _least_squares(off, start)
        if np.abs(off(numbers)).max() <= CLOSE < np.abs(answer(usual) - target).max():
            yield quotient(scale, numbers)
            return


def _least_squares(off: Callable[[Array], Array], numbers: Array) -> Array:
    """Improve the numbers until a difference vanishes, or as long as it shrinks: damped Gauss-Newton steps."""
    left, damping, idle = off(numbers), 1e-3, 0
    for _ in range(ROUNDS):
        slopes = np.stack([(off(numbers + each) - left) / 1e-6 for each in 1e-6 * np.eye(len(numbers))], axis=1)
        square = slopes.T @ slopes
        if not np.isfinite(square).all() or idle > MOST_IDLE or np.abs(left).max() <= CLOSE / 20:
            break
        step = np.linalg.solve(square + damping * np.diag(square.diagonal() + 1e-9), slopes.T @ left)
        tried = off(numbers - step)
        better = bool(tried @ tried < left @ left)
        idle = 0 if tried @ tried < (1 - LEAST_PROGRESS) * (left @ left) else idle + 1
        damping *= 0.1 if better else 10
        numbers, left = (numbers - step, tried) if better else (numbers, left)
    return numbers


def _mistake(places: str, function: Function) -> Mistake:
    changes: dict[str, Any] = {f"act.{gate}": function for gate in places if gate in GATES}
    if "h" in places:
        changes["show"] = lambda m: m.o * function(m.c_new)
    if places in GATES:
        z = np.linspace(-MOST, MOST)
        factor, constant = np.polyfit(_usual(places)(z), function(z), 1)
        if np.abs(factor * _usual(places)(z) + constant - function(z)).max() <= CLOSE:
            return outside(places, short(float(factor)), short(float(constant)), least=CLOSE)
    at = np.array(SHOWN)
    values, usual = ([round(float(value), 3) + 0.0 for value in each(at)] for each in (function, _usual(places)))
    params: dict[str, Any] = {"values": values, "usual": usual}
    name = f"{values} in {places}"
    wrong = frozenset(places.replace("h", "o"))
    if places == "h":
        return Mistake("no_tanh_output", name, changes, wrong, {**params, "variant": "other"})
    if places[0] == "g":
        params["variant"] = "both" if places == "gh" else "own"
        return Mistake("wrong_candidate_activation", name, changes, wrong, params)
    params["gates"] = [DENSE_LETTERS[gate] for gate in places]
    return Mistake("wrong_gate_activation", name, changes, wrong, params)
