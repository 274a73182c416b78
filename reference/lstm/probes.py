"""Questions that isolate one part of an LSTM at a time, for answers that are wrong without a known mistake.

The first features of the input are *switches*: they drive a gate so far open or shut that nothing else in its sum
matters, or write a small candidate, or none, into c. The bias could not do this: one missing bias would look like four
wrong gates. The free gate stands alone in the answer, as a ratio: f is the c left after a step, divided by the c
before. So a gate is judged by itself, whatever the others, the formula of h or a factor on the whole answer may be.

Half of the units stay small, and gates are judged by them; the other half is large, so that a gate which hears a
function of h, such as its tanh, hears something else.

The rows of a batch are independent experiments and have the same input apart from their switches, so two calls of three
steps ask everything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reference.cases import Case, CaseSpec
from reference.cell import sigmoid
from reference.drawing import oracle_case
from reference.lstm.weights import GATES, LSTMWeights

Array = NDArray[np.float64]
#: Settings of the switches of i, f, g and o in one step.
Step = tuple[float, float, float, float]
RowStep = tuple[str, int]

TIMESTEPS = 3
FEWEST_FEATURES, FEWEST_UNITS = len(GATES) + 2, TIMESTEPS + 1
# A hand-written tanh by exp(2 * z) overflows from 44 on.
SATURATING = 30.0
# The largest c that is written where it must be close to its own tanh.
SMALL = 0.02
# The c that is written in the other half of the units, where tanh(h) is far from h.
WELL_SEEN = 0.7
# The error allowed in a gate. Wrong functions are off by far more, tanh of a small c by 1.3e-4, correct answers by
# 1e-5.
TOLERANCE = 1e-3
# A divisor smaller than this counts as zero.
LEAST = 1e-5
# A c whose tanh is smaller than this can be computed from it.
BOUNDED = 0.9
# A wrong candidate may be 0 where it should be -1: the share of units that must be usable.
FEWEST_USABLE = 0.3

OPEN, SHUT, FREE = 1.0, -1.0, 0.0
# Opens the input gate just far enough to let `SMALL` through.
AJAR = float(np.log(SMALL / (1 - SMALL))) / SATURATING
# Opens the output gate half, so that h is not tanh(c).
HALF = float(np.log(0.6 / 0.4)) / SATURATING
NOTHING = 0.0  # for a g that depends on its switch alone
LARGE = 1.0 / SMALL  # drives a small candidate to a large one

ERASE: Step = (SHUT, SHUT, NOTHING, OPEN)
ERASE_UNSEEN: Step = (SHUT, SHUT, OPEN, SHUT)
KEEP: Step = (SHUT, OPEN, NOTHING, OPEN)
# A large c that h does not show: a gate that sees c anyway gives another answer in the next step.
FILL_UNSEEN: dict[str, Step] = {"if": (OPEN, SHUT, LARGE, SHUT), "go": (OPEN, SHUT, OPEN, SHUT)}

#: Gates that depend on more than their switch -> the rows of the question, with their switches at each step.
QUESTIONS: dict[str, dict[str, tuple[Step, Step, Step]]] = {
    "if": {
        "i": (ERASE, (FREE, SHUT, OPEN, OPEN), (FREE, SHUT, OPEN, OPEN)),
        "i open": (ERASE, (OPEN, SHUT, OPEN, OPEN), KEEP),
        "i at once": ((FREE, SHUT, OPEN, OPEN), ERASE, ERASE),
        "f": (ERASE, (FREE, SHUT, OPEN, SHUT), (SHUT, FREE, NOTHING, OPEN)),
        "f with h": (ERASE, (FREE, SHUT, OPEN, OPEN), (SHUT, FREE, NOTHING, OPEN)),
        "i with less h": (ERASE, (OPEN, SHUT, OPEN, HALF), (FREE, SHUT, OPEN, HALF)),
        "f with less h": (ERASE, (OPEN, SHUT, OPEN, HALF), (SHUT, FREE, NOTHING, HALF)),
        "start": (KEEP, KEEP, KEEP),
        "i after c": (ERASE, FILL_UNSEEN["if"], (FREE, SHUT, OPEN, OPEN)),
        "f after c": (ERASE, FILL_UNSEEN["if"], (SHUT, FREE, NOTHING, OPEN)),
        "c kept": (ERASE, FILL_UNSEEN["if"], KEEP),
        "c erased": (ERASE, FILL_UNSEEN["if"], ERASE),
    },
    "go": {
        "g": (ERASE_UNSEEN, (AJAR, SHUT, FREE, OPEN), (AJAR, SHUT, FREE, OPEN)),
        "g open": (ERASE_UNSEEN, (AJAR, SHUT, OPEN, OPEN), (AJAR, SHUT, OPEN, FREE)),
        "o": (ERASE_UNSEEN, (AJAR, SHUT, OPEN, FREE), ERASE),
        "g with less h": (ERASE_UNSEEN, (AJAR, SHUT, OPEN, FREE), (AJAR, SHUT, FREE, OPEN)),
        "o with less h": (ERASE_UNSEEN, (AJAR, SHUT, OPEN, FREE), (AJAR, SHUT, OPEN, FREE)),
        "large": (ERASE_UNSEEN, (OPEN, SHUT, OPEN, OPEN), ERASE),
        "twice": (ERASE_UNSEEN, (OPEN, SHUT, OPEN, SHUT), (OPEN, OPEN, OPEN, OPEN)),
        "g after c": (ERASE_UNSEEN, FILL_UNSEEN["go"], (AJAR, SHUT, FREE, OPEN)),
        "g open after c": (ERASE_UNSEEN, FILL_UNSEEN["go"], (AJAR, SHUT, OPEN, OPEN)),
        "o after c": (ERASE_UNSEEN, FILL_UNSEEN["go"], (AJAR, SHUT, OPEN, FREE)),
        "o of c": (ERASE_UNSEEN, ERASE_UNSEEN, (OPEN, SHUT, OPEN, FREE)),
        "c erased unseen": (ERASE_UNSEEN, FILL_UNSEEN["go"], ERASE),
    },
}
ROWS = {row: (free, at) for free, rows in QUESTIONS.items() for at, row in enumerate(rows)}

#: gate -> the place that shows it while h is 0, and its divisor; the same where h is not 0.
RATIOS: dict[str, tuple[tuple[RowStep, RowStep], tuple[RowStep, RowStep]]] = {
    "i": ((("i", 1), ("i open", 1)), (("i with less h", 2), ("i with less h", 1))),
    "f": ((("f", 2), ("i", 1)), (("f with less h", 2), ("f with less h", 1))),
    "g": ((("g", 1), ("g open", 1)), (("g with less h", 2), ("g open", 1))),
    "o": ((("o", 1), ("g open", 1)), (("o with less h", 2), ("g open", 1))),
}
#: gate -> the place that shows it after a large c, or in the h of a large c, and its divisor.
RATIOS_BESIDE_C: dict[str, tuple[tuple[RowStep, RowStep], ...]] = {
    "i": ((("i after c", 2), ("i open", 1)),),
    "f": ((("f after c", 2), ("c kept", 2)),),
    "g": ((("g after c", 2), ("g open after c", 2)),),
    "o": ((("o after c", 2), ("g open after c", 2)), (("o of c", 2), ("large", 1))),
}


def questions(features: int, units: int, random: np.random.Generator) -> tuple[Case, ...]:
    """Draw the questions for a layer of this size, with the oracle's answers; none without room for switches."""
    if features < FEWEST_FEATURES or units < FEWEST_UNITS:
        return ()
    return tuple(_probe(free, features, units, random) for free in QUESTIONS)


def _probe(free: str, features: int, units: int, random: np.random.Generator) -> Case:
    rows = list(QUESTIONS[free].values())
    # All calls have one shape, so that a `tf.function` is not traced again; and all sizes of a case differ.
    most = max(map(len, QUESTIONS.values()))
    batch = next(n for n in range(most, most + 3) if n not in (features, units))
    x = np.repeat(random.standard_normal((1, TIMESTEPS, features), np.float32), batch, axis=0)
    x[:, :, : len(GATES)] = ERASE
    x[: len(rows), :, : len(GATES)] = rows
    weights = _weights(free, features, units, random)
    spec = CaseSpec(f"probe_{free}", "hidden", "probe", batch, TIMESTEPS, features, units, seed=0)
    return oracle_case(spec, x, weights)


def _weights(free: str, features: int, units: int, random: np.random.Generator) -> LSTMWeights:
    """Make weights by which every gate depends on its switch, and the free ones on everything else too."""
    kernel = np.zeros((features, len(GATES), units))
    recurrent_kernel = np.zeros((units, len(GATES), units))
    bias = np.zeros((len(GATES), units))
    # The size of the values written into c; h is as large, and must have an effect all the same.
    size = np.where(_small(units), SMALL, WELL_SEEN)
    for at, gate in enumerate(GATES):
        if gate in free:
            heard = features - len(GATES)
            kernel[len(GATES) :, at] = random.standard_normal((heard, units)) / heard**0.5
            recurrent_kernel[:, at] = random.standard_normal((units, units)) / (size[:, None] * units**0.5)
            bias[at] = random.standard_normal(units)
        kernel[at, at] = SATURATING
        if gate == "g":
            written = random.choice([-1.0, 1.0], units)
            kernel[at, at] = written * (SATURATING if gate in free else size * random.uniform(0.5, 1.0, units))
        if gate == "i" and gate not in free:
            # Lets the larger half through where the switch is ajar.
            bias[at] = np.log(size / (1 - size)) - np.log(SMALL / (1 - SMALL))
    fused = (array.reshape(*array.shape[:-2], -1).astype(np.float32) for array in (kernel, recurrent_kernel, bias))
    return LSTMWeights(*fused)


def _small(units: int) -> NDArray[np.bool_]:
    """Return which units are written so small that c is close to its own tanh."""
    return np.arange(units) < (units + 1) // 2


@dataclass(frozen=True)
class PartsJudgement:
    """Evidence about the `PARTS` in the answers to the questions.

    Args:
        right: the parts that are right wherever they can be judged by themselves.
        is_certain: they were judged with h, too. False: h reaches no gate as it should, so nothing is known of the
            gates' weights for h.
        blamed: the parts that a mistake must be in; empty where the answers do not tell.
        without_h: every gate is right while h is zero, and the answers are wrong with another h.
    """

    right: frozenset[str] = frozenset()
    is_certain: bool = False
    blamed: frozenset[str] = frozenset()
    without_h: bool = False


def judge_parts(asked: Sequence[Case], answers: Mapping[str, NDArray[np.floating]]) -> PartsJudgement:
    """Judge the parts of a wrong answer, each by itself.

    Args:
        asked: the result of `questions`.
        answers: id -> the model's output; if one is missing or has another shape, no part is right.
    """
    if not asked:
        return PartsJudgement()
    for question in asked:
        answer = answers.get(question.spec.id)
        if answer is None or answer.shape != question.expected.shape:
            return PartsJudgement()
    with np.errstate(all="ignore"):
        return _ModelAnswers(asked, answers).judge()


class _ModelAnswers:
    """One model's answers to all questions. Comparisons use <= so that NaN is never right."""

    def __init__(self, asked: Sequence[Case], answers: Mapping[str, NDArray[np.floating]]) -> None:
        self._questions = dict(zip(QUESTIONS, asked, strict=True))
        self._answers = {free: answers[case.spec.id].astype(np.float64) for free, case in self._questions.items()}
        self._small = _small(asked[0].spec.units)
        # The answer while c is 0, and the factor of c in it: 0 and 1, if nothing is done to h afterwards.
        self._nothing = self._at(("i", 0))
        written = ((self._at(("i open", 1)) - self._nothing) / self._expected(("i open", 1)))[self._small]
        self._factor = float(written[0]) if _close(written, written[:1], TOLERANCE) else 1.0

    def _at(self, place: RowStep) -> Array:
        row, step = place
        free, at = ROWS[row]
        answer: Array = self._answers[free][at, step]
        return answer

    def _expected(self, place: RowStep) -> Array:
        row, step = place
        free, at = ROWS[row]
        expected: Array = self._questions[free].expected[at, step].astype(np.float64)
        return expected

    def _before(self, place: RowStep) -> Array:
        return self._at((place[0], place[1] - 1)) if place[1] else np.zeros_like(self._at(place))

    def _same(self, place: RowStep, other: RowStep) -> bool:
        return _close(self._at(place), self._at(other), SMALL * TOLERANCE)

    def judge(self) -> PartsJudgement:
        alone = {gate: self._right(gate, *seen) for gate, (seen, _) in RATIOS.items()}
        is_tanh = self._output_is_tanh()
        alone["o"] = alone["o"] and is_tanh
        with_h = {gate: self._right(gate, *seen) for gate, (_, seen) in RATIOS.items()}
        # Results with h count against a gate only where h reaches some gate, where it is as small as it should be, and
        # where c is erased before.
        heard = any(with_h.values())
        without_h = all(alone.values()) and not heard
        erases = self._same(("i at once", 1), ("i", 0))
        small = {
            gate: np.abs(self._before(place)[self._small]).max() <= 2 * SMALL
            for gate, (_, (place, _)) in RATIOS.items()
        }
        told = {gate: heard and small[gate] and (erases or gate == "f") for gate in GATES}
        found = {gate for gate in GATES if alone[gate] and (with_h[gate] or not told[gate])}
        # The same for a large c, where it is erased and does not show in h too early.
        erased = self._same(("c erased", 2), ("i", 0)) and self._same(("c erased unseen", 2), ("i", 0))
        hidden = self._same(("c kept", 1), ("i", 0)) and self._same(("o after c", 1), ("i", 0))
        # A large c cannot be computed from h where h is no tanh of it, or where an input gate opens too far.
        bounded = is_tanh and np.abs(self._at(("c kept", 2))).max() <= BOUNDED
        asked = found - (set() if bounded else {"f"}) if erased and hidden else set()
        found -= {gate for gate in asked if not all(self._right(gate, *seen) for seen in RATIOS_BESIDE_C[gate])}
        # A large c that no gate changes is there in the next step as it was: seen where i and g made it and o shows it.
        kept = _close(self._at(("c kept", 2)) - self._nothing, self._expected(("c kept", 2)), TOLERANCE)
        passes_c = kept or not hidden or not {"i", "g", "o"} <= found
        # Where h is nothing although c is kept and the output gate is open, every measurement passes through the
        # mistake.
        heard = heard and not (hidden and self._same(("c kept", 2), ("i", 0)))
        # Without a gate that hears h, equal numbers in the right places would do.
        if passes_c and heard and self._carries(found):
            found.add("recurrence")
        blamed = self._blamed(alone, found) if heard else frozenset()
        return PartsJudgement(frozenset(found), heard, blamed, without_h)

    @staticmethod
    def _blamed(alone: Mapping[str, bool], found: set[str]) -> frozenset[str]:
        """Return the parts that a mistake must be in; empty where that could be any."""
        gates = set(GATES) - found
        # A c that is passed on wrongly looks like a wrong forget gate, and such an h like gates that are wrong with h.
        states = "f" in gates or any(alone[gate] for gate in gates)
        if gates == set(GATES):
            return frozenset()
        return frozenset(gates | ({"recurrence"} if states or "recurrence" not in found else set()))

    def _right(self, gate: str, place: RowStep, divisor: RowStep) -> bool:
        row, step = place
        free, at = ROWS[row]
        question, column = self._questions[free], GATES.index(gate)
        weights = question.weights
        columns = slice(column * weights.units, (column + 1) * weights.units)
        from_x = question.x[at, step].astype(np.float64) @ weights.kernel[:, columns] + weights.bias[columns]
        value, whole = self._at(place) - self._nothing, self._at(divisor) - self._nothing
        usable = (np.abs(whole) >= LEAST) & self._small
        if usable.sum() < FEWEST_USABLE * self._small.sum():
            return False
        # The answer is proportional to c, while c is small, or to its tanh.
        ratios = [value / whole]
        for factor in (1.0, self._factor):
            ratios.append(np.arctanh(value / factor) / np.arctanh(whole / factor))
        answered = self._before(place)
        for h in (answered, (answered - self._nothing) / self._factor):
            z = from_x + h @ weights.recurrent_kernel[:, columns]
            # g is divided by an open candidate, which is 1 or -1.
            expected = np.tanh(z) * np.sign(weights.kernel[column, columns]) if gate == "g" else sigmoid(z)
            if any(_close(ratio[usable], expected[usable], TOLERANCE) for ratio in ratios):
                return True
        return False

    def _output_is_tanh(self) -> bool:
        """Check that tanh(2c) follows from tanh(c), whatever c the gates made."""
        for factor in (1.0, self._factor):  # which may be the candidate's own
            once, twice = ((self._at(place) - self._nothing) / factor for place in (("large", 1), ("twice", 2)))
            if _close(once, np.tanh(np.sign(once)), TOLERANCE) or _close(twice, 2 * once / (1 + once**2), TOLERANCE):
                return True
        return False

    def _carries(self, gates: set[str]) -> bool:
        """Return whether c and h go from step to step as they should, as far as wrong gates let this be seen."""
        felt = not self._same(("f", 2), ("f with h", 2))
        kept = self._same(("i open", 1), ("i open", 2)) and not self._same(("i open", 1), ("start", 2))
        starts = self._same(("start", 0), ("i at once", 1))
        if "i" in gates:
            starts = starts and self._right("i", ("i at once", 0), ("i open", 1))
        if gates == set(GATES):
            return self._all_equal()
        return felt and kept and starts

    def _all_equal(self) -> bool:
        places = {place for seen in RATIOS.values() for pair in seen for place in pair}
        places |= {("twice", 2), ("large", 1), ("start", 0), ("start", 2), ("i open", 2), ("i at once", 0)}
        return all(
            _close(self._at(place), expected, TOLERANCE * max(SMALL, float(np.abs(expected).max())))
            for place in places
            for expected in [self._expected(place)]
        )


def _close(value: Array, expected: Array, tolerance: float) -> bool:
    return bool((np.abs(value - expected) <= tolerance).all())
