"""Judges whether the notebook copied the weights: the student's parts against slices of the Keras layer's arrays.

Both directions count, and any moment counts: training the model afterwards does not undo the copying. A kernel counts
if one model took over the other's numbers, and only numbers that show their place count: the same constant in every
gate could have come from anywhere. The box gives each Keras layer numbers of its own
(`grader/runner/driver/notebook/model_weights.py`), so initializers alone never make two models equal. Biases may well
be zeros; they count beside copied kernels.

A wrong part is looked for in the Keras arrays, at the place of every gate and at every other place. The place where it
is found names the mistake.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from grader.report.finding import Finding, Params, Verdict
from grader.report.server_paths import in_brief
from grader.sandbox.events import StatementFailed
from grader.task2.runs import Array, ModelWeights, NotebookRun
from reference import GATES

LETTER = {"i": "I", "f": "F", "g": "C", "o": "O"}
LAYER = {"kernel": "X", "recurrent_kernel": "H", "bias": "X"}
TOLERANCE = 1e-6

NO_SETTER = re.compile(r"has no setter|can't set attribute|cannot assign|does not support item assignment")
NOT_BUILT = re.compile(
    r"has no attribute '_?(?:kernel|bias|recurrent_kernel|cell)'|expecting 0 weights|not (?:yet )?built"
    r"|must build the layer|list index out of range|have not yet been created|expected 0 weights"
    r"|not enough values to unpack"
)
LAYER_IN_LINE = re.compile(r"\b(\w+)(?:\.(?:kernel|bias|weights\[\d\]|assign|set_weights))")
# A function of the module down to the next line that is not indented, brackets apart.
FUNCTION = re.compile(r"^def (\w+).*(?:\n(?:[ \t)].*)?)*", re.MULTILINE)
COPIES = re.compile(r"\b(?:set_weights|assign)\(")
SHAPES = re.compile(r"\(\s*(\d{1,9}),\s*(\d{1,9})\s*\)|\[(\d{1,9}),\s*(\d{1,9})\]")


@dataclass(frozen=True)
class Part:
    """One gate's share of one array in the student's model."""

    array: str
    gate: str

    @property
    def layer(self) -> str:
        return f"fc{LAYER[self.array]}{LETTER[self.gate]}"

    def of(self, weights: ModelWeights) -> Array:
        whole = weights[self.array]
        units = whole.shape[-1] // len(GATES)
        start = GATES.index(self.gate) * units
        return whole[..., start : start + units]


PARTS_OF = {array: [Part(array, gate) for gate in GATES] for array in ("kernel", "recurrent_kernel", "bias")}
KERNELS = [*PARTS_OF["kernel"], *PARTS_OF["recurrent_kernel"]]
BIASES = frozenset(PARTS_OF["bias"])
PARTS = [*KERNELS, *PARTS_OF["bias"]]


@dataclass(frozen=True)
class Pair:
    """A student's model beside a Keras layer, at the moment when they agree best."""

    student: int
    keras: int
    moment: int
    right: frozenset[Part]

    @property
    def complete(self) -> bool:
        return len(self.right) == len(PARTS)


def best_pair(run: NotebookRun) -> Pair | None:
    """Find the two models that agree in most parts, at the last such moment; None where no two have equal sizes."""
    best: Pair | None = None
    placed = {keras: _placed(run, keras) for keras in run.models("keras")}
    for student in run.models("student"):
        for keras in placed:
            for pair in _pairs(run, student, keras, placed[keras]):
                if best is None or (len(pair.right), pair.moment) >= (len(best.right), best.moment):
                    best = pair
    return best


def _placed(run: NotebookRun, keras: int) -> list[frozenset[Part]]:
    """Return the parts of a Keras layer that show their place, at every moment."""
    found: list[frozenset[Part]] = []
    before: ModelWeights | None = None
    for models in run.moments:
        now = models.get(keras)
        if now is None or not _is_layer(now):
            found.append(frozenset())
        elif now is before:
            found.append(found[-1])
        else:
            found.append(frozenset(part for part in KERNELS if _shows_its_place(part, now)))
        before = now
    return found


def _pairs(run: NotebookRun, student: int, keras: int, placed: list[frozenset[Part]]) -> Iterator[Pair]:
    """Yield two models at every moment at which both are known."""
    before: tuple[ModelWeights, ModelWeights] | None = None
    copied = right = frozenset[Part]()
    for moment, models in enumerate(run.moments):
        if student not in models or keras not in models or not _comparable(models[student], models[keras]):
            continue
        now = models[student], models[keras]
        if before is None or now[0] is not before[0] or now[1] is not before[1]:
            equal = _equal_parts(*now)
            copied = equal & placed[moment] & _taken_over(now[1], before, copied)
            # A layer without a bias has none to copy.
            biases = BIASES & equal if "bias" in now[1] else BIASES
            right = copied | biases if copied else copied
            before = now
        yield Pair(student, keras, moment, right)


def _is_layer(weights: ModelWeights) -> bool:
    """Return whether these are weights of one layer: a process that was taken over may send any arrays."""
    if not {"kernel", "recurrent_kernel"} <= weights.keys():
        return False
    units, columns = weights["recurrent_kernel"].shape[:1], weights["kernel"].shape[1:]
    shapes = {
        "kernel": (*weights["kernel"].shape[:1], *columns),
        "recurrent_kernel": (*units, *columns),
        "bias": columns,
    }
    fits = len(units) == len(columns) == 1 and columns[0] == len(GATES) * units[0] > 0
    return fits and all(array.shape == shapes[name] for name, array in weights.items())


def _comparable(student: ModelWeights, keras: ModelWeights) -> bool:
    are_layers = _is_layer(student) and _is_layer(keras) and keras.keys() <= student.keys()
    return are_layers and student["kernel"].shape == keras["kernel"].shape


def _shows_its_place(part: Part, weights: ModelWeights) -> bool:
    """Return whether these numbers are found at no other gate: several that are all the same are not."""
    own, others = part.of(weights), (Part(part.array, gate) for gate in GATES if gate != part.gate)
    is_constant = own.size > 1 and not np.ptp(own)
    return not is_constant and not any(_equal(own, other.of(weights)) for other in others)


def _taken_over(
    weights: ModelWeights, before: tuple[ModelWeights, ModelWeights] | None, copied: frozenset[Part]
) -> frozenset[Part]:
    """Return the parts in which one model took over the other's numbers; if both got new ones together, neither did.

    Args:
        copied: those that were copied before.
    """
    if before is None:
        return frozenset(KERNELS)
    student, keras = (_equal_parts(each, weights) for each in before)
    return (student ^ keras) | (student & keras & copied)


def _equal_parts(first: ModelWeights, second: ModelWeights) -> frozenset[Part]:
    """Return the parts of the second model that are equal in the first."""
    found: list[Part] = []
    for name, array in second.items():
        if name in first and first[name].shape == array.shape:
            # Written with <= so that NaN is never equal.
            close = np.abs(first[name] - array) <= TOLERANCE
            by_gate = np.all(close.reshape(-1, len(GATES), array.shape[-1] // len(GATES)), axis=(0, 2))
            found += itertools.compress(PARTS_OF[name], by_gate)
    return frozenset(found)


def _equal(first: Array, second: Array) -> bool:
    return first.shape == second.shape and bool((np.abs(first - second) <= TOLERANCE).all())


def judge_copying(run: NotebookRun) -> Verdict:
    """Judge the notebook's copying."""
    pair = best_pair(run)
    failure = _failure(run)
    if pair is None:
        return Verdict.failed(failure or _not_copied(run.reading.source))
    details: Params = {"parts_right": len(pair.right), "parts": len(PARTS)}
    if pair.complete:
        return Verdict.passed(**details)
    wrong = [part for part in PARTS if part not in pair.right]
    return Verdict.failed(_mistake(run, pair, wrong, failure), details)


def _mistake(run: NotebookRun, pair: Pair, wrong: list[Part], failure: Finding | None) -> Finding:
    models = run.moments[pair.moment]
    student, keras = models[pair.student], models[pair.keras]
    places = {part: _place_of(part, student, keras) for part in wrong}
    kinds = Counter(kind for kind in places.values() if kind is not None)
    layers = _layers(wrong)
    if failure is not None and not kinds:
        return failure
    for code in ("t2_kernels_mixed", "t2_slices_mixed", "t2_slices_wrong"):
        if kinds[code]:
            return Finding.of(code, layers=_layers(part for part, kind in places.items() if kind == code))
    if failure is not None:
        return failure
    if len(wrong) == len(PARTS):
        if any(use.assigns_attribute for use in run.reading.uses):
            return Finding.of("t2_attr_assign", layers=layers)
        return _not_copied(run.reading.source)
    arrays = {part.array for part in wrong}
    if arrays == {"bias"}:
        return Finding.of("t2_bias_not_copied", layers=layers)
    if "recurrent_kernel" in arrays and "kernel" not in arrays:
        return Finding.of("t2_recurrent_not_copied", layers=_layers(p for p in wrong if p.array == "recurrent_kernel"))
    return Finding.of("weights_wrong", layers=layers)


def _layers(parts: Iterator[Part] | list[Part]) -> list[str]:
    return list(dict.fromkeys(part.layer for part in parts))


def _place_of(part: Part, student: ModelWeights, keras: ModelWeights) -> str | None:
    """Return a code for the place in the Keras arrays that a wrong part came from; None if it came from none."""
    values = part.of(student)
    if not np.isfinite(values).all() or float(np.ptp(values)) == 0.0:
        return None
    if part.array in keras and _equal(values, part.of(keras)):
        return None  # it is in its place, though nobody copied it there
    for name, whole in keras.items():
        units = values.shape[-1]
        if whole.shape != (*values.shape[:-1], len(GATES) * units):
            continue
        gates = [whole[..., k * units : (k + 1) * units] for k in range(len(GATES))]
        if any(_equal(values, gate) for gate in gates):
            return "t2_slices_mixed" if name == part.array else "t2_kernels_mixed"
        rows = [np.reshape(whole, (len(GATES), *values.shape))[k] for k in range(len(GATES))]
        transposed = [gate.T for gate in gates if gate.ndim == 2 and gate.T.shape == values.shape]
        # The border of the columns is off, or they do not stand side by side.
        if any(_equal(values, piece) for piece in [*rows, *transposed]) or _share_columns(values, whole):
            return "t2_slices_wrong"
    return None


def _share_columns(values: Array, whole: Array) -> bool:
    """Return whether at least half of the columns of a part occur somewhere in an array."""
    part, others = (np.ascontiguousarray(np.atleast_2d(each).T, np.float32) for each in (values, whole))
    rows = np.dtype((np.void, part.itemsize * part.shape[1]))
    shared = np.isin(part.view(rows), others.view(rows)).sum()
    return bool(shared >= values.shape[-1] // 2)


def _failure(run: NotebookRun) -> Finding | None:
    """Return a code for the copying statement that failed."""
    for statement, failed in run.failed.items():
        use = run.use(statement)
        if use is None or not use.sides:
            continue
        params = params_of(failed)
        layers = LAYER_IN_LINE.findall(run.reading.line(failed.raised_at))[:1]
        if not layers and _is_in_a_class(run, failed.raised_at):
            return Finding.of("copying_failed", params)
        if NO_SETTER.search(failed.message):
            return Finding.of("t2_attr_assign", params)
        if NOT_BUILT.search(failed.message) and not _were_both_called(run, before=statement):
            return Finding.of("t2_before_build", params)
        if layers and ("shape" in failed.message or "compatible" in failed.message):
            shapes = {tuple(int(n) for n in match if n) for match in SHAPES.findall(failed.message)}
            mixed = _kernel_and_recurrent(shapes)
            return Finding.of("t2_kernels_mixed" if mixed else "t2_slices_wrong", {**params, "layers": layers})
        return Finding.of("copying_failed", params)
    return None


def _is_in_a_class(run: NotebookRun, line: int) -> bool:
    around = (each for each in run.reading.statements if each.first_line <= line <= each.last_line)
    return any(run.reading.line(each.first_line).startswith("class ") for each in around)


def params_of(failed: StatementFailed) -> Params:
    return {"type": failed.type, "message": in_brief(failed.message), "line": failed.raised_at}


def _not_copied(source: str) -> Finding:
    """Report that nothing was copied, and the first function that would copy and is named nowhere else."""
    counts = Counter(re.findall(r"\w+", source))
    functions = (match[1] for match in FUNCTION.finditer(source) if COPIES.search(match[0]))
    uncalled = next((name for name in functions if counts[name] == 1), None)
    return Finding.of("weights_not_copied", {"function": uncalled, "variant": "not_called"} if uncalled else {})


def _were_both_called(run: NotebookRun, before: int) -> bool:
    called = {call.side for call in run.calls if call.statement < before}
    return called == {"student", "keras"}


def _kernel_and_recurrent(shapes: set[tuple[int, ...]]) -> bool:
    """Return whether two shapes are (features, units) and (units, units)."""
    return any(len(a) == len(b) == 2 and a[1] == b[1] == b[0] != a[0] for a, b in itertools.permutations(shapes, 2))
