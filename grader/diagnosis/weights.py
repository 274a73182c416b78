"""Judges the weights of the student's model: how many there are, their shapes, and gates without any."""

from __future__ import annotations

from grader.assignment import CaseEntry
from grader.execution.answers import Answer
from grader.execution.execution import Execution
from grader.report.finding import Finding, Params
from grader.report.model import Diagnosis
from grader.sandbox.events import CaseOutput, Parts
from reference import GATES

# At most this many weights of a wrong shape are listed.
MOST_WEIGHTS = 4


def three_gates(parts: Parts | None, output: CaseOutput, exercise: CaseEntry) -> Finding | None:
    """Recognise a model whose weights are those of three gates, as in a GRU, where none of them has a known role."""
    if parts is None or parts.roles:
        return None
    joined = (f"({rows}, {3 * exercise.units})" for rows in (exercise.features, exercise.units))
    counted = output.kernels == output.recurrent_kernels == 3
    if counted or all(any(weight.endswith(end) for weight in parts.found) for end in joined):
        return Finding.of("gru", variant="counted")
    return None


def other_number_of_weights(output: CaseOutput, timesteps: int) -> Finding | None:
    """Name the mistake behind more or fewer weights than one cell needs."""
    if output.kernels >= 4 * timesteps:
        return Finding.of("cell_per_step", cells=output.kernels // 4)
    # The second layer's input is as wide as the state, so all its weights look recurrent.
    if output.kernels == 4 and output.recurrent_kernels >= 12 and output.recurrent_kernels % 8 == 4:
        return Finding.of("two_layers", layers=(output.recurrent_kernels + 4) // 8)
    return None


def without_weights(execution: Execution) -> Diagnosis | None:
    """Report gates that have no weights.

    A finding about the answer itself says more: the loop was not entered, or the cell is made anew.
    """
    if execution.parts is None or not execution.parts.without_weights:
        return None
    params: Params = {array: list(gates) for array, gates in execution.parts.without_weights.items()}
    if not execution.parts.found and all(len(gates) == len(GATES) for gates in params.values()):
        params = {"variant": "none"}
    return Diagnosis.likely(Finding.of("gate_weights_missing", params))


def misshapen(execution: Execution, answer: Answer | None = None) -> Diagnosis | None:
    """Report weights that do not fit, unless all are as wide as the answer, whose shape shows it already."""
    if execution.parts is None or not execution.parts.misshapen:
        return None
    widths = {(found.shape[-1], found.expected[-1]) for found in execution.parts.misshapen}
    of_input = all(is_wide == should_be for is_wide, should_be in widths)
    if not of_input and answer is not None and {width for width, _ in widths} == {(answer.output.shape or [0])[-1]}:
        return None
    weights = [
        f"{found.path} ({found.gate}): {tuple(found.shape)} → {tuple(found.expected)}"
        for found in execution.parts.misshapen
    ]
    if len(weights) > MOST_WEIGHTS:
        weights[MOST_WEIGHTS:] = ["…"]
    params: Params = {"weights": weights, **({"variant": "input"} if of_input else {})}
    return Diagnosis.exact(Finding.of("gate_weights_misshapen", params))
