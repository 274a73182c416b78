"""The part of a report's proof that only grading knows: the numbers of the named mistake.

They are computed here, from our own weights and inputs; the box returns the student's h and nothing else. Only public
cases come here.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from grader.assignment import Tolerance
from grader.numerics.explanation import Explanation
from grader.numerics.forms import PLAIN
from grader.report.proof.calculation import RIGHT
from grader.report.proof.step import QUANTITIES, Position, WorkedStep, position_to_show
from reference import GATES, Case, lstm_forward
from reference.lstm.definition import CELL
from reference.lstm.misconceptions import QUANTITIES_OF_STEP, Mistake, merge_changes, replay, trace_steps
from reference.lstm.misconceptions.computation import Moment

Array = NDArray[np.floating]
Begins = Literal["before", "gates", "c", "h", "answer"]

# The named mistake gives the student's numbers up to this: float32 rounding, which grows with the values.
SAME = 1e-4
# Two float64 numbers of a step that are closer than this differ by rounding alone, or by that of a fitted number.
ROUNDING = 1e-5
# A formula of one unit as the bank names it: ``c = f*(c + i*g)``, ``h = o*tanh(old c)``; sums go over all units.
FORMULA = re.compile(r"([ch]) = ((?:(?!sum)[a-z0-9 *+()-])+)")
#: The slots of `reference.lstm.misconceptions.computation` that hold the formulas of c and of h.
SLOTS = {"c": "update", "h": "show"}


def proof_of(
    actual: Array, case: Case, explanation: Explanation | None, tolerance: Tolerance
) -> tuple[Array | None, WorkedStep | None]:
    """Return the answer of the named mistake, if it is the student's, and the first wrong step worked out.

    Args:
        actual: the student's answer to the case, in the shape of the right one.
    """
    position = position_to_show(actual, case.expected, atol=tolerance.atol, rtol=tolerance.rtol)
    if position is None:
        return None, None
    keras = _of_keras(case, position)
    named = _mistaken_answer(actual, case, explanation)
    if named is None or explanation is None:
        return None, WorkedStep(**position._asdict(), keras=keras, actual=float(actual[position]))
    return named, _compared(keras, named, actual, case, position, explanation.mistakes)


def _mistaken_answer(actual: Array, case: Case, explanation: Explanation | None) -> Array | None:
    if explanation is None or not explanation.mistakes or explanation.form != PLAIN:
        return None
    named = replay(explanation.mistakes, case)
    with np.errstate(invalid="ignore", over="ignore"):
        scale = np.maximum(1.0, np.abs(named))
        # NaN marks what cannot be compared; see `replay`.
        off = ~np.isnan(named) & ~(np.abs(named - actual) <= SAME * scale)
    return None if np.isnan(named).all() or off.any() else named


def _of_keras(case: Case, position: Position) -> dict[str, float]:
    trace = lstm_forward(case.x, case.weights)
    before = Position(position.batch, position.timestep - 1, position.unit)
    states = {"h": trace.h, "c": trace.c}
    numbers = {f"{name}_before": float(state[before]) if position.timestep else 0.0 for name, state in states.items()}
    numbers |= {name: float(array[position]) for name, array in (*trace.gates.items(), *states.items())}
    return {name: (numbers | {"answer": numbers["h"]})[name] for name in QUANTITIES}


def _compared(
    keras: dict[str, float], named: Array, actual: Array, case: Case, position: Position, mistakes: Sequence[Mistake]
) -> WorkedStep:
    inside = trace_steps(mistakes, case)
    if not inside:
        return WorkedStep(**position._asdict(), keras=keras, actual=float(actual[position]))
    numbers = {name: float(array[position]) for name, array in inside.items()} | {"answer": float(named[position])}
    begins, wrong = _first_difference(keras, numbers, inside, case, position)
    return WorkedStep(
        **position._asdict(),
        keras=keras,
        named={name: numbers[name] for name in QUANTITIES},
        actual=float(actual[position]),
        begins=begins,
        wrong=wrong,
        formulas=_formulas(mistakes, numbers),
    )


def _formulas(mistakes: Sequence[Mistake], numbers: Mapping[str, float]) -> dict[str, str]:
    """Return the formulas of c and h that give the numbers: the right ones, or those that the mistakes are named by."""
    names = [FORMULA.fullmatch(part) for mistake in mistakes for part in mistake.name.split(", ")]
    named = {found[1]: found[2] for found in names if found}
    changes = merge_changes(mistakes)
    moment = Moment(**{place: np.asarray(numbers[name]) for name, place in QUANTITIES_OF_STEP.items()})
    right = {state: float(CELL.formulas[f"{state}_new"](moment)) for state in SLOTS}
    formulas = {}
    for state, slot in SLOTS.items():
        choice = changes.get(slot)
        if choice is None and not _differ(right[state], numbers[state]):
            formulas[state] = RIGHT[state]
        elif choice is not None and state in named and not _differ(choice(moment), numbers[state]):
            formulas[state] = named[state]
    return formulas


def _first_difference(
    keras: Mapping[str, float], named: Mapping[str, float], inside: Mapping[str, Array], case: Case, position: Position
) -> tuple[Begins | None, list[str]]:
    """Find where a step parts from the right one, in the order in which it is computed."""
    trace = lstm_forward(case.x, case.weights)
    row, step = position.batch, position.timestep
    # The gates hear the h of all units.
    heard = trace.h[row, step - 1] if step else np.zeros_like(trace.h[row, 0])
    before = [name for name in ("h_before", "c_before") if _differ(keras[name], named[name])]
    if "h_before" not in before and np.any(np.abs(heard - inside["h_before"][row, step]) > ROUNDING):
        before = ["h_before", *before]
    if before:
        return "before", before
    if gates := [gate for gate in GATES if _differ(keras[gate], named[gate])]:
        return "gates", gates
    for name in ("c", "h", "answer"):
        if _differ(keras[name], named[name]):
            return name, [name]
    return None, []


def _differ(one: float, other: float) -> bool:
    return not abs(one - other) <= ROUNDING * max(1.0, abs(one))
