"""Which known mistake explains what came back, if any.

First what the run itself shows (an exception, a wrong shape, built-in code), then the numbers: a mistake that computes
something definite gives definite numbers, so it is replayed through the oracle and compared. `exact` means that it
explains every case to within the tolerance. Never a guess: no diagnosis is an answer too.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from grader.checks.evidence import Evidence
from grader.checks.own_work import conviction
from grader.outcomes import (
    ending_problem,
    exception_problem,
    hard_coded_size,
    is_out_of_memory,
    output_problem,
    structural_problem,
)
from grader.report import Diagnosis, RunnerUp
from reference import GATES, Case, LSTMWeights, lstm_forward

Array = NDArray[np.floating]

# How the exercise calls the gates.
LETTER = {"i": "I", "f": "F", "g": "C", "o": "O"}
SWAPPED = {"IF": "gates_swapped_if", "IO": "gates_swapped_io", "FO": "gates_swapped_fo", "CO": "gates_swapped_co"}

ARRAYS = ("kernel", "recurrent_kernel", "bias")

Replay = Callable[[Case], Array]
# Numbers beyond which an unbounded mistake is chaotic: comparing there says nothing.
MAX_MAGNITUDE = 100.0


def diagnose(evidence: Evidence, cases: Sequence[Case]) -> list[Diagnosis]:
    """Diagnoses, the most telling one first. Empty for a correct answer, and where nothing matches."""
    if evidence.verdicts and all(verdict.status == "passed" for verdict in evidence.verdicts.values()):
        return []
    return list(_unique(itertools.chain(_candidates(evidence, cases), _from_task2(evidence))))


def _from_task2(evidence: Evidence) -> Iterator[Diagnosis]:
    """Mistakes in the notebook's own copying and comparing; a consequence of what is wrong with the class is none."""
    for check in ("weights_copied", "comparison"):
        verdict = evidence.verdicts.get(check)
        if verdict is not None and verdict.code is not None and verdict.code.startswith("t2_"):
            yield Diagnosis(code=verdict.code, params=verdict.params, confidence="exact")


def _unique(diagnoses: Iterator[Diagnosis]) -> Iterator[Diagnosis]:
    seen: set[str] = set()
    for diagnosis in diagnoses:
        if diagnosis.code not in seen:
            seen.add(diagnosis.code)
            yield diagnosis


def _candidates(evidence: Evidence, cases: Sequence[Case]) -> Iterator[Diagnosis]:
    execution, reading = evidence.execution, evidence.reading
    if "own_work" in evidence.verdicts and evidence.verdicts["own_work"].status == "failed":
        params = evidence.verdicts["own_work"].params
        yield Diagnosis(code=conviction(evidence), params=params, confidence="exact")
        return
    problem = structural_problem(execution)
    if problem is not None:
        yield Diagnosis(code=problem[0], params=problem[1], confidence="exact")
    for homoglyph in reading.homoglyphs:
        yield Diagnosis(code="cyrillic_homoglyph", params=homoglyph.model_dump(), confidence="exact")
    if ending := ending_problem(execution):
        yield Diagnosis(code=ending[1][0], params=ending[1][1], confidence="exact")
    exercise = evidence.assignment.cases[0]
    answer = execution.answers.get(exercise.id)
    if answer is None:
        for raised in execution.raised[:1]:
            code, params = ("memory", {}) if is_out_of_memory(raised) else exception_problem(raised)
            yield Diagnosis(code=code, params=params, confidence="exact")
        return
    problem = output_problem(answer.output, (exercise.batch, exercise.timesteps, exercise.units))
    if problem is not None:
        yield Diagnosis(code=problem[0], params=problem[1], confidence="exact")
    comparison = evidence.comparison(exercise.id)
    if comparison.close:
        yield from _beyond_the_exercise(evidence)
    elif comparison.same_shape:
        yield from _from_numbers(evidence, cases)


def _beyond_the_exercise(evidence: Evidence) -> Iterator[Diagnosis]:
    """The exercise's own case is right; what does another check say?"""
    execution, assignment = evidence.execution, evidence.assignment
    wrong = [case for case in assignment.cases[1:] if not evidence.comparison(case.id).close]
    if code := hard_coded_size(execution, assignment.cases[0], wrong):
        yield Diagnosis(code=code, confidence="exact")
    verdict = evidence.verdicts.get("statelessness")
    if verdict is not None and verdict.code in ("state_kept_between_calls", "differs_on_second_call"):
        yield Diagnosis(code="state_kept_between_calls", confidence="likely")


def _from_numbers(evidence: Evidence, cases: Sequence[Case]) -> Iterator[Diagnosis]:
    answers = {
        case.spec.id: answer.array
        for case in cases
        if (answer := evidence.execution.answers.get(case.spec.id)) is not None
        and answer.array is not None
        and answer.array.shape == case.expected.shape
    }
    asked = sorted((case for case in cases if case.spec.id in answers), key=lambda case: case.expected.size)
    if any(np.isnan(array).any() for array in answers.values()):
        yield Diagnosis(code="nan", confidence="exact")
        return
    if all(float(np.ptp(array)) == 0.0 for array in answers.values()):
        values = sorted({float(array.flat[0]) for array in answers.values()})
        yield Diagnosis(code="constant_output", params={"value": values[0]}, confidence="exact")
        return
    if any(not use.shape_only for use in evidence.reading.global_x):
        line = next(use.line for use in evidence.reading.global_x if not use.shape_only)
        yield Diagnosis(code="global_x", params={"line": line}, confidence="likely")
    ranked = sorted(
        ((_residual(replay, asked, answers), code, gates) for code, gates, replay in _mistakes()),
        key=lambda row: row[0],
    )
    limit = 3 * evidence.assignment.tolerance.atol
    matching = [row for row in ranked if row[0] <= limit]
    if matching:
        residual, code, gates = matching[0]
        also = sorted({other for _, other, _ in matching} - {code})
        rest = [row for row in ranked if row[1] not in (code, *also)]
        yield Diagnosis(
            code=code,
            params={"gates": list(gates)} if gates else {},
            confidence="exact",
            residual=residual,
            runner_up=RunnerUp(code=rest[0][1], distance=rest[0][0]) if rest else None,
            also=also,
        )


def _residual(replay: Replay, cases: Sequence[Case], answers: dict[str, Array]) -> float:
    """Largest difference between the mistake's numbers and the student's over all cases; stops where it is hopeless."""
    worst = 0.0
    for case in cases:
        replayed = replay(case)
        comparable = np.abs(replayed) <= MAX_MAGNITUDE
        scale = np.maximum(1.0, np.abs(replayed))
        difference = np.where(comparable, np.abs(replayed - answers[case.spec.id]) / scale, 0.0)
        worst = max(worst, float(difference.max()))
        if worst > 1e-2:
            break
    return worst


def _mistakes() -> Iterator[tuple[str, str, Replay]]:
    """A first handful, each the correct LSTM with other weights, inputs or outputs: code, gates concerned, replay."""
    for first, second in itertools.combinations(GATES, 2):
        letters = LETTER[first] + LETTER[second]
        yield SWAPPED.get(letters, "gate_layers_mixed"), letters, _with_weights(_swapped(first, second))
        # A Dense layer for x brings its bias along; one for h has none.
        for arrays in (("kernel",), ("recurrent_kernel",), ("bias",), ("kernel", "bias")):
            yield "gate_layers_mixed", letters, _with_weights(_swapped(first, second, only=arrays))
    for gates in ("".join(GATES), *GATES):
        letters = "".join(LETTER[gate] for gate in gates)
        yield "bias_missing", letters, _with_weights(_bias_changed(gates, factor=0.0))
        yield "bias_twice", letters, _with_weights(_bias_changed(gates, factor=2.0))
        yield "recurrent_missing", letters, _with_weights(_recurrent_removed(gates))
    yield "forget_bias_extra", "", _with_weights(_bias_changed("f", added=1.0))
    yield "x_not_used", "", lambda case: _output(np.zeros_like(case.x), case)
    yield "time_reversed", "", lambda case: _output(case.x, case)[:, ::-1]
    yield "time_reversed", "", lambda case: _output(case.x[:, ::-1], case)
    yield "time_reversed", "", lambda case: _output(case.x[:, ::-1], case)[:, ::-1]
    yield "returns_c", "", lambda case: lstm_forward(case.x, case.weights).c
    yield "always_first_step", "", lambda case: _output(np.repeat(case.x[:, :1], case.x.shape[1], 1), case)
    yield "batch_zero_only", "", lambda case: _output(np.repeat(case.x[:1], case.x.shape[0], 0), case)


def _output(x: NDArray[np.float32], case: Case) -> Array:
    return lstm_forward(x, case.weights).h


def _with_weights(change: Callable[[LSTMWeights], LSTMWeights]) -> Replay:
    return lambda case: lstm_forward(case.x, change(case.weights)).h


def _swapped(first: str, second: str, only: Sequence[str] = ARRAYS) -> Callable[[LSTMWeights], LSTMWeights]:
    """The weights with two gates' columns exchanged, in all arrays or in some."""

    def change(weights: LSTMWeights) -> LSTMWeights:
        order = list(range(len(GATES)))
        a, b = GATES.index(first), GATES.index(second)
        order[a], order[b] = b, a
        columns = np.arange(4 * weights.units).reshape(4, -1)[order].ravel()
        arrays = {name: getattr(weights, name) for name in ARRAYS}
        return LSTMWeights(**{name: a[..., columns] if name in only else a for name, a in arrays.items()})

    return change


def _columns(gates: str, units: int) -> NDArray[np.int64]:
    starts = [GATES.index(gate) * units for gate in gates]
    return np.concatenate([np.arange(start, start + units) for start in starts])


def _bias_changed(gates: str, *, factor: float = 1.0, added: float = 0.0) -> Callable[[LSTMWeights], LSTMWeights]:
    def change(weights: LSTMWeights) -> LSTMWeights:
        bias = weights.bias.copy()
        columns = _columns(gates, weights.units)
        bias[columns] = bias[columns] * factor + added
        return LSTMWeights(weights.kernel, weights.recurrent_kernel, bias)

    return change


def _recurrent_removed(gates: str) -> Callable[[LSTMWeights], LSTMWeights]:
    def change(weights: LSTMWeights) -> LSTMWeights:
        recurrent_kernel = weights.recurrent_kernel.copy()
        recurrent_kernel[:, _columns(gates, weights.units)] = 0.0
        return LSTMWeights(weights.kernel, recurrent_kernel, weights.bias)

    return change
