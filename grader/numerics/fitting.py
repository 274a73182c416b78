"""Mistakes that contain a number only the student knows: it is computed from the answers.

A fit to one case is a suspicion, like a match in the table. So is a fit to each case by itself, where the student's
model has its own numbers for every size. The caller replays it on all cases before believing it. There are many more
answers than numbers, so nothing else fits.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grader.numerics.gate_values import Steps
from reference import Case, split_gates
from reference.cell import FUNCTIONS
from reference.lstm.definition import CELL
from reference.lstm.misconceptions import RECURRENCE, Mistake, Table, bank, replay
from reference.lstm.misconceptions.computation import AFTER, Inputs
from reference.lstm.misconceptions.table import NOBODY, places_of

Array = NDArray[Any]
Function = Callable[[Any], Any]
Suspect = tuple[Mistake, ...]
C_NEW, H_NEW = CELL.formulas["c_new"], CELL.formulas["h_new"]

# Largest difference after a fit that is worth a replay.
CLOSE = 1e-4
# Factors nearer to 1, and constants nearer to 0, are rounding.
LEAST_CHANGE = 1e-5
LEAST_FACTOR = 0.01
# Starting states are recovered from float32 answers to 1e-3.
ALIKE = 1e-2
# Steps whose answers tell the start, and what rounding may change in one.
STEPS_OF_START = 4
ROUNDED = 1e-6
# Where rounding can move an output gate by more of what it is open or shut, it does not tell h.
MOST_HIDDEN = 0.5
# See STEPS_OF_ALL_PATHS in grader/runner/driver/recorded.py.
STEPS_OF_GRADIENTS = 8
# Where gates saturate, some units tell nothing of their start.
MOST_ALIKE = 0.75
# A layer of BatchNormalization that was never trained divides by the root of 1 + 1e-3.
BATCH_NORM = 1.001**-0.5
# With fewer rows, any map would fit.
ROWS_PER_UNKNOWN = 1.5


def fit_mistakes(
    cases: Sequence[Case], answers: Mapping[str, Array], searched: Case, table: Table
) -> Iterator[Suspect]:
    """Yield suspects for answers that are the same at every call, the more likely kinds first.

    Args:
        cases: the cases with answers of their own shape, `searched` among them.
        table: the table of `searched`.
    """
    yield from _scaled_and_moved(searched, answers[searched.spec.id], table)
    yield from _started_elsewhere(cases, answers)
    yield from _through_a_dense_layer(cases, answers)


# --- A factor and a constant on the answer -------------------------------------------------------------------------


def _scaled_and_moved(case: Case, answer: Array, table: Table) -> Iterator[Suspect]:
    """Fit the right answer, or the answer of one mistake, times a factor and plus a constant."""
    places = places_of(answer.shape)
    singles = table.entries[:, 1] == NOBODY
    keys = np.vstack([case.expected.ravel()[places], table.keys[:, singles].T]).astype(np.float64)
    entries: list[Suspect] = [(), *((bank()[int(index)],) for index in table.entries[singles, 0])]
    with np.errstate(all="ignore"):
        factors, constants = _straight_line(keys, answer.ravel()[places].astype(np.float64))
        left = np.abs(factors[:, None] * keys + constants[:, None] - answer.ravel()[places]).max(axis=1)
        worth = (left <= CLOSE * np.maximum(1.0, np.abs(factors))) & (np.abs(factors) >= LEAST_FACTOR)
    for index in np.flatnonzero(worth):
        after = _after(float(factors[index]), float(constants[index]))
        if after and all(mistake.compatible(each) for mistake in entries[index] for each in after):
            yield (*entries[index], *after)


def _straight_line(x: Array, y: Array) -> tuple[Array, Array]:
    """Return factors and constants that map each row of `x` to `y`, by least squares."""
    centred = x - x.mean(axis=1, keepdims=True)
    factors = centred @ (y - y.mean()) / (centred**2).sum(axis=1)
    return factors, y.mean() - factors * x.mean(axis=1)


def _after(factor: float, constant: float) -> Suspect:
    code, params = named_factor(_rounded(factor), "answer")
    scaled = Mistake(code, f"times {factor:.6g}", {"values": lambda y, x: factor * y}, RECURRENCE, params)
    moved = Mistake(
        "epsilon_added",
        f"plus {constant:.6g}",
        {AFTER[-1]: lambda y, x: y + constant},
        RECURRENCE,
        {"value": _rounded(constant), "of": ["answer"]},
    )
    changed = abs(factor - 1.0) > LEAST_CHANGE, abs(constant) > LEAST_CHANGE
    return tuple(mistake for mistake, is_so in zip((scaled, moved), changed, strict=True) if is_so)


def named_factor(factor: float, place: str) -> tuple[str, dict[str, Any]]:
    """Return the code and the parameters of a factor: so BatchNormalization does without training."""
    if abs(factor - BATCH_NORM) <= CLOSE:
        return "layer_norm", {"of": [place]}
    return "scaled", {"factor": factor, "of": [place]}


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


# --- A starting state that is not zero -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Start:
    """Initial h and c, each ``(batch, units)``, or ``(units,)`` if it is that of all rows."""

    h: Array
    c: Array

    def row(self) -> "Start":
        """Return the start of all rows that is nearest to most of them."""
        with np.errstate(all="ignore"):
            return Start(np.median(self.h, axis=0), np.median(self.c, axis=0))

    def unlike_rows(self) -> float:
        """Return the largest difference between two rows."""
        with np.errstate(invalid="ignore"):
            return float(np.nan_to_num([np.ptp(state, axis=0) for state in (self.h, self.c)], nan=np.inf).max())


ZEROS = Start(np.zeros(()), np.zeros(()))


def _started_elsewhere(cases: Sequence[Case], answers: Mapping[str, Array]) -> Iterator[Suspect]:
    """Fit the right steps from another start: one number for h and one for c, or the same state in all rows.

    Any first two steps come from some start. Only a start that does not depend on the input is suspect.
    """
    found = [(case, find_start(case, answers[case.spec.id])) for case in cases]
    # Where gates saturate, some rows tell little of their start. Another case of the same model tells more.
    found.sort(key=lambda each: (each[0].spec.batch == 1, each[1].unlike_rows()))
    plain = found[0][1]
    h, c = (float(np.median(state)) for state in (plain.h, plain.c))
    yield (_started_at_numbers(h, c),)
    if plain.unlike_rows() <= ALIKE:
        of_models = {(case.spec.features, case.spec.units): start.row() for case, start in reversed(found)}
        starts = {}
        for case, own in found:
            of_model = of_models[case.spec.features, case.spec.units]
            starts[_first(case.x)] = min((own, of_model), key=partial(_distance, case, answers[case.spec.id]))
        yield (_started_at("state_init_random", starts),)


def _distance(case: Case, answer: Array, start: Start) -> float:
    """Return how far the right steps from a start lead from an answer."""
    with np.errstate(all="ignore"):
        differences = np.abs(replay([_started_at("", {_first(case.x): start})], case) - answer)
    return float(np.nan_to_num(differences, nan=np.inf).max())


def started_anew(
    cases: Sequence[Case],
    answers: Mapping[str, Array],
    repeats: Mapping[str, Array],
    before: Sequence[tuple[Case, Array]],
) -> Mistake:
    """Explain answers that change at every call: the start is random, or continues an earlier call.

    Args:
        repeats: the answer to the second call of one of the cases.
        before: questions that may have come before that, and their answers.
    """
    starts = {_first(case.x): find_start(case, answers[case.spec.id]) for case in cases}
    later = [(case, repeats[case.spec.id]) for case in cases if case.spec.id in repeats]
    kept = any(
        _goes_on(earlier, answer, find_start(case, following))
        for case, following in (*later, *((case, answers[case.spec.id]) for case in cases))
        for earlier, answer in before
        if answer is not following and (earlier.spec.batch, earlier.spec.units) == (case.spec.batch, case.spec.units)
    )
    return _started_at("state_kept_between_calls" if kept else "state_init_random", starts)


def _first(x: Array) -> float:
    """Tell questions apart by their first number: some have equal sizes."""
    return float(x.flat[0])


def _started_at(code: str, starts: Mapping[float, Start]) -> Mistake:
    """Begin each question from its start, and from zeros where none was found."""

    def begin(state: str, inputs: Inputs) -> Inputs:
        start = getattr(starts.get(_first(inputs.x), ZEROS), state)
        return replace(inputs, **{state: np.broadcast_to(start, inputs.h.shape)})

    changes = {f"initial_{state}": partial(begin, state) for state in "hc"}
    return Mistake(code, f"{code}, found for each row", changes, RECURRENCE)


def _started_at_numbers(h: float, c: float) -> Mistake:
    named = {state: value for state, value in {"h": h, "c": c}.items() if abs(value) > CLOSE}
    params: dict[str, Any] = {"state": ", ".join(named)}
    shown = {round(value, 4) for value in named.values()}  # precise to 1e-5
    if len(shown) == 1:
        params["value"] = shown.pop()
    changes: dict[str, Callable[[Inputs], Inputs]] = {
        "initial_h": lambda inputs: replace(inputs, h=np.full_like(inputs.h, named.get("h", 0.0))),
        "initial_c": lambda inputs: replace(inputs, c=np.full_like(inputs.c, named.get("c", 0.0))),
    }
    return Mistake("state_init_not_zero", f"h starts at {h:g}, c at {c:g}", changes, RECURRENCE, params)


def find_start(case: Case, answer: Array) -> Start:
    """Work out, backwards, the h and c before the first step from which the right steps give this answer.

    Later answers give c after the first step; c and the first answer give the output gate, and that one gives h.
    The result is nonsense when no start gives the answer; a replay shows it.
    """
    answer = np.nan_to_num(answer[:, :STEPS_OF_START].astype(np.float64))
    first = answer[:, 0]
    with np.errstate(all="ignore"):
        c, moved = _after_first_step(case, answer)
        opened, also = (H_NEW.solved("o", first, {"c_new": each}) for each in (c, moved))
        # Where later steps forget c, rounding hides it. Any c that the first answer allows will do then: the one of the
        # h that the other units tell, if that is one of them.
        is_told = (opened > 0) & (opened < 1) & (np.abs(also - opened) < MOST_HIDDEN * np.minimum(opened, 1 - opened))
        of_others = _gates(case, 0, _before(case, opened, is_told))["o"]
        allowed = np.where(of_others > np.abs(first), of_others, (1 + np.abs(first)) / 2)
        opened = np.where(is_told, opened, allowed)
        c = np.where(is_told, c, H_NEW.solved("c_new", first, {"o": opened}))
        h = _before(case, opened, np.ones_like(is_told))
        return Start(h, C_NEW.solved("c", c, _gates(case, 0, h)))


def _after_first_step(case: Case, answer: Array) -> tuple[Array, Array]:
    """Return c after the first step, told by the later answer in which rounding hides least, and c if that rounds."""
    gates = [_gates(case, step, answer[:, step - 1]) for step in range(1, answer.shape[1])]

    def told_by(answers: Array, step: int) -> Array:
        c = H_NEW.solved("c_new", answers[:, step], gates[step - 1])
        for values in reversed(gates[:step]):
            c = C_NEW.solved("c", c, values)
        return c

    steps = range(1, answer.shape[1])
    told, moved = (np.stack([told_by(answers, step) for step in steps]) for answers in (answer, answer * (1 + ROUNDED)))
    hidden = np.nan_to_num(np.abs(moved - told), nan=np.inf)
    best = hidden.argmin(axis=0)[None]
    return np.take_along_axis(told, best, axis=0)[0], np.take_along_axis(moved, best, axis=0)[0]


def _before(case: Case, opened: Array, is_told: Array) -> Array:
    """Return the least h before the first step that gives these output gates, of the units that tell it."""
    heard = np.nan_to_num(CELL.formulas["o"].solved("h_o", opened, _gates(case, 0, np.zeros_like(opened))))
    columns = split_gates(case.weights.recurrent_kernel)["o"].astype(np.float64).T
    rows = [
        np.linalg.lstsq(columns[told], sums[told], rcond=CLOSE)[0] for told, sums in zip(is_told, heard, strict=True)
    ]
    return np.stack(rows)


def _gates(case: Case, step: int, h: Array) -> dict[str, Array]:
    """Return the gates of a step, and their sums, with `h` from the step before, and any c: it is solved for."""
    layers = case.weights.layers()
    return CELL.step(layers.of_x(case.x[:, step]), layers.of_h(h), {"h": h, "c": h})


def _goes_on(case: Case, answer: Array, following: Start) -> bool:
    """Return whether a call starts with the h or the c that an earlier one, with this answer, ended with."""
    *_, before, h = answer.astype(np.float64).swapaxes(0, 1)
    layers = case.weights.layers()
    with np.errstate(all="ignore"):
        end = later = Start(h, H_NEW.solved("c_new", h, _gates(case, -1, before)))
        # Where gradients are missing, the run calls the model once more, on the question's first steps.
        for t in range(STEPS_OF_GRADIENTS):
            from_x = layers.of_x(case.x[:, t % case.spec.timesteps])
            step = CELL.step(from_x, layers.of_h(later.h), {"h": later.h, "c": later.c})
            later = Start(step["h_new"], step["c_new"])
    return any(
        (np.abs(begun - ended) <= ALIKE).mean() >= MOST_ALIKE and np.abs(ended).max() > ALIKE
        for each in (end, later)
        for begun, ended in ((following.h, each.h), (following.c, each.c))
    )


# --- One more Dense layer ------------------------------------------------------------------------------------------

#: Activations of the layer -> the function and its inverse.
ACTIVATIONS: dict[str, tuple[Function, Function]] = {
    "linear": (np.asarray, np.asarray),
    **{name: (function, inverse) for name, (function, _, inverse) in FUNCTIONS.items()},
}


def _through_a_dense_layer(cases: Sequence[Case], answers: Mapping[str, Array]) -> Iterator[Suspect]:
    """Fit the right answer through a linear map and perhaps an activation; every model has its own map."""
    for activation, is_passed_on in itertools.product(ACTIVATIONS, (False, True)):
        function, inverse = ACTIVATIONS[activation]
        maps: dict[float, Array] = {}
        of_models: dict[tuple[int, int], Array] = {}
        is_of_model = True
        for case in sorted(cases, key=lambda case: -case.expected.size):
            with np.errstate(all="ignore"):
                answer = answers[case.spec.id]
                h = _step_by_step(case, answer) if is_passed_on else case.expected
                found = _linear_map(h, inverse(answer.astype(np.float64)))
            sizes = (case.spec.features, case.spec.units)
            if found is None:
                # Too short to tell: use the map of a longer case of the same model.
                found = of_models.get(sizes)
            if found is None:
                break
            maps[_first(case.x)] = found
            usual = of_models.setdefault(sizes, found)
            is_of_model = is_of_model and np.abs(found - usual).max() <= CLOSE
        if len(maps) < len(cases):
            continue
        if any(map(_mixes_units, maps.values())):
            yield (_dense(activation, function, maps, is_passed_on),)
        elif activation == "linear" and is_of_model and all(map(_is_factor, maps.values())):
            # A weight of the model: a number, or one for each unit.
            of = {"of": ["h" if is_passed_on else "answer"]}
            yield (replace(_dense(activation, function, maps, is_passed_on), code="scaled", params=of),)


def _linear_map(h: Array, z: Array) -> Array | None:
    """Return the ``(units + 1, units)`` map from `h` to `z`, the last row a bias; None if none can be proved."""
    units = h.shape[-1]
    inputs, outputs = h.reshape(-1, units).astype(np.float64), z.reshape(-1, units)
    if len(inputs) < ROWS_PER_UNKNOWN * (units + 1) or not (np.isfinite(inputs).all() and np.isfinite(z).all()):
        return None
    inputs = np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1)
    found: Array = np.linalg.lstsq(inputs, outputs, rcond=None)[0]
    return found if np.abs(inputs @ found - outputs).max() <= CLOSE * max(1.0, np.abs(outputs).max()) else None


def _mixes_units(map: Array) -> bool:
    """Return whether an output depends on more than one unit: other maps are an order or a scale."""
    return bool(((np.abs(map[:-1]) > ALIKE).sum(axis=0) > 1).any())


def _is_factor(map: Array) -> bool:
    """Return whether each output is the same unit's input times a factor."""
    factors = np.diag(map[:-1])
    return bool(np.abs(map - np.vstack([np.diag(factors), np.zeros_like(factors)])).max() <= ALIKE)


def _dense(activation: str, function: Function, maps: Mapping[float, Array], is_passed_on: bool) -> Mistake:
    def layer(y: Array, x: Array) -> Array:
        map = maps[_first(x)]
        return np.asarray(function(y @ map[:-1] + map[-1]))

    by_units = {map.shape[1]: map for map in maps.values()}

    def layer_in_step(h: Array) -> Array:
        map = by_units[h.shape[-1]]
        return np.asarray(function(h @ map[:-1] + map[-1]))

    params = {"function": activation} if activation != "linear" else {}
    if is_passed_on:
        name = f"h through a Dense layer, {activation}"
        return Mistake("extra_dense", name, {"hold": layer_in_step}, RECURRENCE, {**params, "variant": "passed_on"})
    return Mistake("extra_dense", f"through a Dense layer, {activation}", {"values": layer}, RECURRENCE, params)


# --- Answers that differ from call to call -------------------------------------------------------------------------


def dropout(cases: Sequence[Case], answers: Mapping[str, Array]) -> tuple[Mistake, float] | None:
    """Find right answers with zeros in them, the rest scaled by one factor; and the largest remaining difference."""
    found = [_find_dropout(case, answers[case.spec.id]) for case in cases]
    factors = [each[1] for each in found if each is not None]
    if len(factors) < len(cases) or np.ptp(factors) > CLOSE or not any(each[0] for each in found if each is not None):
        return None
    rate = {"rate": _rounded(1.0 - 1.0 / factors[0])} if factors[0] > 1.0 + CLOSE else {}
    return Mistake("dropout_active", "dropout", {}, RECURRENCE, rate), max(
        each[2] for each in found if each is not None
    )


def _find_dropout(case: Case, answer: Array) -> tuple[bool, float, float] | None:
    """Return whether there are zeros, the factor of the other values, and the largest remaining difference.

    Dropout may act on the answer alone, or on the carried h as well: then each step follows from the answer to the
    one before.
    """
    for right in (case.expected, _step_by_step(case, answer)):
        seen = np.abs(right) > ALIKE
        others = seen & (answer != 0.0)
        # The first step shows neither f nor what is carried on.
        if not others[:, 1:].any():
            continue
        with np.errstate(all="ignore"):
            factor = float(np.median(answer[others] / right[others]))
            left = float(np.abs(answer - factor * right)[others].max())
        if left <= CLOSE and factor > 1.0 - CLOSE:
            return bool((seen & ~others).any()), factor, left
    return None


def _step_by_step(case: Case, answer: Array) -> Array:
    """Compute each step from the answer to the one before, used as its h."""
    return Steps.of(case, answer).h_from_gates()
