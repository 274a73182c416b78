"""Judges the weights of the student's model: how many there are, their shapes, and gates without any."""

import re
from collections.abc import Sequence

from grader.assignment import CaseEntry
from grader.diagnosis.evidence import NO_SHAPE
from grader.execution.answers import Answer
from grader.execution.execution import Execution
from grader.execution.reading import Reading
from grader.report.finding import Finding, Params
from grader.report.model import Diagnosis
from grader.sandbox.events import CaseOutput, Parts
from reference import GATES

LAMBDA_IN_LOOP = re.compile(r"\bfor\b[^\n]{0,200}:\s*\n[^\n]{0,200}\blambda\b|\blambda\b[^\n]{0,200}\bfor\b")
STACKED = re.compile(r"\(\d+, \d+, \d+")
MATRIX = re.compile(r"(\S+) \((\d+), (\d+)\)")
VECTOR = re.compile(r"(\S+) \((\d+),\)")
# A name that a bias has.
BIAS = re.compile(r"(?:^|[._])b(?:ias)?(?![a-z])|bias", re.IGNORECASE)
# At most this many weights of a wrong shape are listed.
MOST_WEIGHTS = 4


#: Number of gates that a model has weights for -> the cell that has as many.
OTHER_CELLS = {1: ("simple_rnn", "counted"), 2: ("gru", "two"), 3: ("gru", "counted")}


def other_cell(parts: Parts | None, reading: Reading, exercise: CaseEntry) -> Finding | None:
    """Recognise a model that has the weights of another cell: with some for c, or for one, two or three gates."""
    sees_c = any("sees_c" in part.what for part in reading.parts)
    if sees_c and parts is not None and _weights_of(parts, exercise)[-1]:
        return Finding.of("peephole")
    if len({part.gate for part in reading.parts if part.part == "sum" and part.gate}) == len(GATES):
        return None  # the source has four sums: one of them has no weights
    # Layers that are never called, and weights of several gates, only look like another cell.
    if parts is None or parts.misshapen or any(NO_SHAPE in each or STACKED.search(each) for each in parts.found):
        return None
    of_x, of_h, of_both, _ = _weights_of(parts, exercise)
    gates = _width([*of_x, *of_both])
    # One matrix for x and h joined may also be one layer that serves all gates.
    if _width(of_x) != _width(of_h) or gates not in OTHER_CELLS or _width(of_both) == 1:
        return None
    if any(part.part == "update_h" and "usual" in part.what for part in reading.parts):
        # No other cell has the tanh of its memory, by a gate, as its output.
        is_coupled = any(part.part == "update_c" and "sub" in part.what for part in reading.parts)
        return Finding.of("coupled_gate") if is_coupled else None
    code, variant = OTHER_CELLS[gates]
    return Finding.of(code, variant=variant)


def _weights_of(parts: Parts, exercise: CaseEntry) -> tuple[list[tuple[str, int]], ...]:
    """List the matrices that take x, those that take h, those that take both joined, and those that take c too.

    Returns: for each of the four, layer or path, and how many gates wide each is.
    """
    joined = exercise.features + exercise.units
    heights = exercise.features, exercise.units, joined, joined + exercise.units
    found: dict[int, list[tuple[str, int]]] = {height: [] for height in heights}
    for path, rows, columns in (match.groups() for weight in parts.found if (match := MATRIX.fullmatch(weight))):
        if int(rows) in found and int(columns) % exercise.units == 0:
            found[int(rows)].append((path.removesuffix(".kernel"), int(columns) // exercise.units))
    return tuple(found[height] for height in heights)


def _width(weights: Sequence[tuple[str, int]]) -> int:
    return sum(gates for _, gates in weights)


def other_number_of_weights(output: CaseOutput, timesteps: int) -> Finding | None:
    """Name the mistake behind more or fewer weights than one cell needs."""
    if output.kernels >= 4 * timesteps:
        return Finding.of("cell_per_step", cells=output.kernels // 4)
    # The second layer's input is as wide as the state, so all its weights look recurrent.
    if output.kernels == 4 and output.recurrent_kernels >= 12 and output.recurrent_kernels % 8 == 4:
        return Finding.of("two_layers", layers=(output.recurrent_kernels + 4) // 8)
    return None


def without_weights(execution: Execution, reading: Reading, exercise: CaseEntry) -> Diagnosis | None:
    """Report gates that have no weights, and weights of a second cell.

    A finding about the answer itself says more: the loop was not entered, or the cell is made anew.
    """
    if execution.parts is None:
        return None
    if late := late_lambda(execution, reading):
        return Diagnosis.likely(late)
    unused, of_gates = unused_layers(execution), execution.parts.without_weights
    of_x, of_h, of_both, _ = _weights_of(execution.parts, exercise)
    if unused and (of_gates or 0 < _width(of_both) < len(GATES)):
        return Diagnosis.likely(Finding.of("gate_weights_missing", unused=unused, variant="unused"))
    widths = _width(of_x), _width(of_h), _width(of_both)
    shared = {(4, 1, 0): ("one_h", of_h), (1, 4, 0): ("one_x", of_x), (0, 0, 1): ("one", of_both)}
    if widths in shared:
        variant, [(layer, _)] = shared[widths]
        return Diagnosis.likely(Finding.of("gate_weights_missing", layer=layer, variant=variant))
    # The widths are those of a call with one step: other steps may use more weights, or need others.
    answer = execution.answers.get(exercise.id)
    used = (answer.output.kernels, answer.output.recurrent_kernels) if answer is not None else None
    if widths == (8, 8, 0) or used == (8, 8):
        return Diagnosis.likely(Finding.of("two_layers", layers=2, variant="beside"))
    if widths == (4, 4, 0) and used == (0, 4):
        return Diagnosis.likely(Finding.of("input_transformed"))
    if vectors := vectors_for_h(execution.parts, exercise):
        return Diagnosis.likely(vectors)
    if not of_gates:
        return None
    params: Params = {array: list(gates) for array, gates in of_gates.items()}
    if not execution.parts.found and all(len(gates) == len(GATES) for gates in params.values()):
        params = {"variant": "none"}
    return Diagnosis.likely(Finding.of("gate_weights_missing", params))


def vectors_for_h(parts: Parts, exercise: CaseEntry) -> Finding | None:
    """Recognise a model that multiplies h unit by unit: beside the matrices for x it has vectors alone."""
    of_x = _weights_of(parts, exercise)[0]
    vectors = [match[1] for each in parts.found if (match := VECTOR.fullmatch(each))]
    others = [path for path in vectors if not BIAS.search(path)]
    if not others or not of_x or len(vectors) + len(of_x) < len(parts.found):
        return None
    return Finding.of("gate_weights_missing", vectors=others[:MOST_WEIGHTS], variant="vectors")


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


def misfed(execution: Execution, reading: Reading) -> Finding | None:
    """Report a layer for h that is called on x, or the other way round, with the line if only one calls it."""
    for path, given in execution.parts.misfed.items() if execution.parts else ():
        calls = re.compile(rf"\b{re.escape(path.rpartition('.')[2])}\s*\(")
        lines = [number for number, line in enumerate(reading.source.split("\n"), 1) if calls.search(line)]
        return Finding.of("layer_misfed", layer=path, line=lines[0] if len(lines) == 1 else None, variant=given)
    return None


def late_lambda(execution: Execution, reading: Reading) -> Finding | None:
    """Recognise functions made in a loop that all use the layers of its last turn."""
    unused = unused_layers(execution)
    if len(unused) >= len(GATES) - 1 and LAMBDA_IN_LOOP.search(reading.source):
        return Finding.of("gate_weights_missing", unused=unused, variant="lambda")
    return None


def unused_layers(execution: Execution) -> list[str]:
    """List the layers that `call` never calls, without those that hold layers which it does call."""
    found = execution.parts.found if execution.parts else []
    idle = {weight: weight.removesuffix(NO_SHAPE).removesuffix(".kernel") for weight in found if NO_SHAPE in weight}
    return [
        layer
        for own, layer in idle.items()
        if not any(weight.startswith(f"{layer}.") for weight in found if weight != own)
    ]
