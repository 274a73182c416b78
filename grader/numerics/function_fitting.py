"""Functions that a student wrote by hand instead of sigmoid or tanh, read off the answers.

Both are quotients of exponentials, and so are their misspellings: a sign, a factor, a constant too many. All have the
form ``(a*exp(s*z) + b*exp(-s*z) + d) / (p*exp(s*z) + q*exp(-s*z) + k)`` with one of a few `s`. The first step, where h
and c are 0, gives a hundred equations for the few other numbers; a forget gate shows in the second one. The caller
replays the function on all cases before believing it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grader.numerics.gate_mistakes import outside
from grader.numerics.gate_values import Steps, first_answer, function_of, short
from reference import GATES, Case
from reference.lstm.definition import CELL
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
MOST_DIGITS = 6


def function_suspects(cases: Sequence[Case], answers: Sequence[Array]) -> Iterator[Mistake]:
    """Yield other functions in the place of one activation, of both tanh, and of all sigmoid."""
    with np.errstate(all="ignore"):
        sums = np.concatenate([_sums(Steps.of(*each)) for each in zip(cases, answers, strict=True)], axis=2)
        sums = sums[..., np.abs(sums[:, :4]).max(axis=(0, 1)) < MOST]
        if sums.shape[2] < FEWEST:
            return
        z, later_z = (dict(zip(GATES, step, strict=False)) for step in sums)
        y, later_y = sums[:, -1]
        first = _step(z, np.zeros_like(y))
        later = _step(later_z, first["c_new"])
        # One helper is called in several places more often than one line of several is odd.
        for places, answer in (
            ("gh", lambda act: first["o"] * act(first["i"] * act(z["g"]))),
            ("ifo", lambda act: first_answer({**first, "i": act(z["i"]), "o": act(z["o"])})),
        ):
            yield from (_mistake(places, function) for function in _nested_fits(_usual(places), answer, y))
        for place, at, (value, weight) in (
            ("h", first["c_new"], (y / first["o"], first["o"])),
            *((gate, z[gate], _in_gate(gate, first, y)) for gate in "gio"),
            ("f", later_z["f"], _in_gate("f", later, later_y)),
        ):
            known = np.isfinite(value)
            if known.sum() >= FEWEST and (np.abs(weight * (value - _usual(place)(at)))[known] > CLOSE).any():
                found = _fits(at[known], value[known], weight[known])
                yield from (_mistake(place, function) for function in found)


def _usual(places: str) -> Function:
    return function_of("g" if places[0] in "gh" else "i")


def _sums(steps: Steps) -> Array:
    """Return the sums of the gates and the answer in the first two steps: ``(2, 5, numbers)``."""
    rows = [*(steps.from_x[gate] + steps.from_h[gate] for gate in GATES), steps.answer]
    return np.stack([row[:, :2].swapaxes(0, 1).reshape(2, -1) for row in rows], axis=1)


def _step(z: Mapping[str, Array], c: Array) -> dict[str, Array]:
    """Return the values of a right step, from the sums of its gates and the state before it."""
    values = {"c": c, **{gate: function_of(gate)(each) for gate, each in z.items()}}
    return {**values, "c_new": CELL.formulas["c_new"](values)}


def _in_gate(gate: str, step: Mapping[str, Array], answer: Array) -> tuple[Array, Array]:
    """Return the values of a gate with which a step has this answer, and how much of them the answer shows."""
    c_new, h_new = CELL.formulas["c_new"], CELL.formulas["h_new"]
    if gate in h_new.names:
        return h_new.solved(gate, answer, step), h_new.slopes(step)[gate]
    state = h_new.solved("c_new", answer, step)
    shown = h_new.slopes({**step, "c_new": state})["c_new"]
    return c_new.solved(gate, state, step), shown * c_new.slopes(step)[gate]


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
    shown = np.stack([function(np.array(SHOWN)), _usual(places)(np.array(SHOWN))])
    # As many digits as it takes to tell them apart.
    digits = next((n for n in range(3, MOST_DIGITS) if np.ptp(shown.round(n), axis=0).any()), MOST_DIGITS)
    values, usual = (shown.round(digits) + 0.0).tolist()
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
