"""Functions, formulas and single steps of a student's own are read off the answers, whatever the drawn numbers."""

from dataclasses import replace

import numpy as np
import pytest

from grader.diagnosis.mistakes import variant_of
from grader.execution.questions import Examiner
from grader.numerics.case_answers import CaseAnswer
from grader.numerics.function_fitting import _quotient
from grader.numerics.gate_values import fitted_line
from grader.numerics.step_fitting import step_suspects
from grader.numerics.zero_steps import zero_step_mistake
from reference import Case
from reference.edges import edge_cases
from reference.lstm.misconceptions import Mistake, at_zero_steps, bank, rare, replay, sometimes
from reference.lstm.misconceptions.state import parse_formula
from tests.tiers import sampled_pairs
from tests.unit.grader.numerics.conftest import making

NAMED = {mistake.name: mistake for mistake in bank()}


def _tanh_with(a: float, b: float):
    """A tanh written by hand, with wrong constants."""
    return lambda z: (np.exp(z) - a * np.exp(-z)) / (np.exp(z) + a * np.exp(-z) + b)


def _sigmoid_with(base: float, b: float):
    return lambda z: 1 / (b + base**-z)


def _made(places: str, function) -> Mistake:
    changes = {f"act.{gate}": function for gate in places if gate in "ifgo"}
    if "h" in places:
        changes["show"] = lambda m: m.o * function(m.c_new)
    return Mistake("", "by hand", changes, frozenset())


@pytest.fixture(scope="module")
def read_off(explained, cases):
    """Explain a model with these mistakes on the numbers of a seed."""

    def find(*mistakes, seed=0):
        return explained(making(*mistakes), Examiner(cases, bytes([seed]) * 32, "3", long_gradients=False).cases)

    return find


#: Some steps, as a report names them.
STEPS = {
    "first": ({"steps": "first"}, lambda t, count: t == 0),
    "later": ({"steps": "from", "first": 1}, lambda t, count: t > 0),
    "even": ({"steps": "every", "first": 0, "period": 2}, lambda t, count: t % 2 == 0),
    "odd": ({"steps": "every", "first": 1, "period": 2}, lambda t, count: t % 2 == 1),
    "last": ({"steps": "last"}, lambda t, count: t == count - 1),
}

#: Where a function by hand stands, the code and the values that it is told with, and the right parts.
BY_HAND = [
    ("gh", _tanh_with(1, 1), "wrong_candidate_activation", [-0.575, 0, 0.575], "ifr"),
    ("gh", _tanh_with(2, 0), "wrong_candidate_activation", [-0.873, -0.333, 0.574], "ifr"),
    ("g", _tanh_with(1, 1), "wrong_candidate_activation", [-0.575, 0, 0.575], "ifor"),
    ("h", _tanh_with(2, 0), "no_tanh_output", [-0.873, -0.333, 0.574], "ifgr"),
    ("ifo", _sigmoid_with(np.e, 2), "wrong_gate_activation", [0.212, 0.333, 0.422], "gr"),
    ("ifo", lambda z: 1 / (1.001 + np.exp(-z)), "wrong_gate_activation", [0.2689, 0.4998, 0.7305], "gr"),
    ("f", _sigmoid_with(10, 1), "wrong_gate_activation", [0.091, 0.5, 0.909], "igor"),
]


@pytest.mark.parametrize(("by_hand", "seed"), sampled_pairs(BY_HAND, range(20)))
def test_a_function_written_by_hand_earns_the_same_whatever_is_drawn(read_off, by_hand, seed):
    places, function, code, values, right = by_hand
    found = read_off(_made(places, function), seed=seed)
    (mistake,) = found.mistakes
    # A function of one gate is a factor in its sum where that says as much.
    assert (mistake.code, mistake.params.get("values")) in ((code, values), ("gate_arithmetic", None))
    assert found.right_parts == {"recurrence" if part == "r" else part for part in right}


@pytest.mark.parametrize(
    ("slot", "written", "read"),
    [
        ("update", "c = i*g + f*i*g", "c = i*g + i*f*g"),
        ("update", "c = 0.9*f*c + 0.1*i*g", "c = 0.9*f*c + 0.1*i*g"),
        ("update", "c = f*c - h - i*g", "c = f*c - i*g - h"),
        ("show", "h = o*f*t", "h = o*f*tanh(c)"),
        ("show", "h = f*h + o*t", "h = o*tanh(c) + f*h"),
        ("show", "h = o*t - old c", "h = o*tanh(c) - old c"),
    ],
)
def test_a_formula_of_the_students_own_is_written_out(read_off, slot, written, read):
    (mistake,) = read_off(Mistake("", "odd", {slot: parse_formula(written)}, frozenset())).mistakes
    assert (mistake.code, mistake.params["variant"]) == ("other_formula", read[0])
    assert mistake.params["formula"] == read.replace("g", "ch")


@pytest.mark.parametrize(
    ("total", "written"),
    [
        (lambda from_x, from_h, c: from_x + np.tanh(from_h) - 0.5 * c, "fcXI(x) + tanh(fcHI(h)) - 0.5*c"),
        (lambda from_x, from_h, c: np.maximum(from_x, from_h), "maximum(fcXI(x), fcHI(h))"),
        (lambda from_x, from_h, c: np.minimum(from_x, from_h), "minimum(fcXI(x), fcHI(h))"),
    ],
)
def test_the_sum_in_a_gate_is_written_out(read_off, total, written):
    (mistake,) = read_off(Mistake("", "odd", {"sum.i": total}, frozenset())).mistakes
    assert mistake.params["formula"] == f"i = sigmoid({written})"
    assert (mistake.params["gates"], mistake.params["expected"]) == (["I"], "i = sigmoid(fcXI(x) + fcHI(h))")


@pytest.mark.parametrize(
    ("made", "steps"),
    sampled_pairs(
        [("c = f*c + g", "fgor"), ("h = o*c", "ifgr"), ("no tanh in g", "ifor"), ("c collected", "ifgo")], STEPS
    ),
)
def test_a_mistake_in_some_steps_alone_is_told_with_them(read_off, made, steps):
    (name, right), (told, at) = made, STEPS[steps]
    (mistake,) = (found := read_off(replace(NAMED[name], at=at))).mistakes
    assert (mistake.name, {**mistake.params, **told}) == (name, dict(mistake.params))
    assert found.right_parts == {"recurrence" if part == "r" else part for part in right}


@pytest.mark.parametrize("seed", [10, 11])
def test_right_parts_are_the_same_whatever_is_drawn(read_off, seed):
    assert read_off(NAMED["softmax in ifo"], seed=seed).right_parts == {"g", "recurrence"}


def test_a_function_that_was_read_off_has_values_however_large_its_argument_is():
    tanh = _quotient(1.0, (1, -1, 0), (1, 1, 0))
    assert tanh(np.array([-1000.0, 0.0, 1000.0])).tolist() == [-1, 0, 1]


def test_nothing_is_read_off_right_first_steps(cases: tuple[Case, ...]):
    case = cases[0]
    late = case.expected.copy()
    late[:, 3:] = 0
    assert not list(step_suspects([CaseAnswer(case, late, np.ones(late.shape, bool))]))


def test_an_odd_function_of_the_answer_is_none_of_these(read_off):
    assert read_off(Mistake("", "odd", {"values": lambda y, x: y + 0.1 * np.sin(7 * y)}, frozenset())) is None


def _in_one_row(axes):
    """Lay the steps of all rows behind each other, in this order of the axes of x."""

    def change(inputs):
        x = inputs.x.transpose(axes).reshape(1, -1, inputs.x.shape[-1])
        return replace(inputs, x=x, h=inputs.h[:1], c=inputs.c[:1])

    return change


@pytest.mark.parametrize(
    ("changes", "code", "variant"),
    [
        # ``for row in rows: for step in steps`` with h and c set to zeros before both.
        (
            {"x_time": _in_one_row([0, 1, 2]), "layout": lambda y, x: y.reshape(1, *x.shape[:2], -1)},
            *("batch_mixed", "carried"),
        ),
        # The same two loops, the one over the steps outside.
        (
            {
                "x_time": _in_one_row([1, 0, 2]),
                "layout": lambda y, x: np.stack([y[:, 0, row :: len(x)] for row in range(len(x))], axis=1),
            },
            *("batch_mixed", "handed_on"),
        ),
        (
            {
                "x_time": lambda inputs: replace(inputs, x=np.tile(inputs.x, (1, 2, 1))),
                "out_time": lambda y, x: y[:, :, -x.shape[1] :],
            },
            *("cell_called_twice", "passes"),
        ),
        # transpose(reshape(concat(outputs, axis=1), (batch, units, timesteps)), (0, 2, 1))
        (
            {"layout": lambda y, x: y.reshape(1, len(x), y.shape[3], y.shape[2]).swapaxes(2, 3)},
            *("reshape_not_transpose", "other"),
        ),
        ({"out_time": lambda y, x: np.eye(1, y.shape[2]).T * y[:, :, -1:]}, *("returns_last_only", "overwritten")),
    ],
)
def test_mistakes_around_a_right_cell_are_known(read_off, changes, code, variant):
    (mistake,) = (found := read_off(Mistake("", "odd", changes, frozenset()))).mistakes
    assert (mistake.code, variant_of(found.mistakes)) == (code, variant)


RARE = {mistake.name: mistake for mistake in rare()}


@pytest.mark.parametrize(
    "name",
    [
        "h of two steps ago for h in f",
        "h of two steps ago for h in ifgo",
        "c of two steps ago",
        "h[:, ::-1] from step to step",
        "reduce_mean(h, axis=1) for h in o",
        "roll(c, 1, axis=1) from step to step",
        "(h[0] + ... + h[t]) / (t + 1) from step to step",
        "max(h[0], ..., h[t]) from step to step",
        "(h[0] + ... + h[t]) / (t + 1) collected",
        "max(h[0], ..., h[t]) collected",
        "max(0, h[0], ..., h[t]) collected",
        "h - c for h in i",
        "h - c for h in ifgo",
        "tanh(c) for h in g",
        "fcHO(h) for h in o",
        "fcHI(h) for h in f",
        "fcHI(h), fcHF(h), fcHC(h), fcHO(h) for h in ifgo",
        "softmax(stack([i, f, ch, o]), axis=0) in ifgo",
        "softmax(concat([i, f, o], axis=1)) in ifo",
        "softmax(stack([i, f]), axis=0) in if",
        "sigmoid(z) / (i + f + o) in ifo",
        "product + bias in ifgo",
        "gelu in g",
        "reduce_mean(sigmoid(z), axis=1) in f",
        "reduce_mean(sigmoid(z), axis=0) in i",
        "sigmoid(z[:, :1]) in o",
        "elu for both tanh",
        "standardised with 1e-07 of h for the next step",
        "less its mean over the rows of c",
        "layer norm, epsilon 0.001, over the rows of h",
        "(x[:, t] + x[:, t - 1]) / 2, the first alone",
    ],
)
def test_a_rare_mistake_is_named_by_its_first_steps(read_off, name):
    (mistake,) = (found := read_off(RARE[name])).mistakes
    assert (mistake.code, dict(mistake.params)) == (RARE[name].code, dict(RARE[name].params))
    assert found.right_parts <= {"i", "f", "g", "o", "recurrence"} - RARE[name].wrong


@pytest.mark.parametrize(
    ("name", "first", "period"),
    [
        ("hc are zeros again", 3, 4),
        ("h are zeros again", 4, 5),
        ("h and c stay as they are", 3, 3),
        ("h = o*c", 3, 3),
        ("no sigmoid in i", 2, 2),
    ],
)
def test_a_mistake_in_every_few_steps_is_told_with_their_number(read_off, name, first, period):
    made = {**{each.name: each for each in sometimes()}, **NAMED}[name]
    (mistake,) = read_off(replace(made, at=lambda t, count: t >= first and (t - first) % period == 0)).mistakes
    told = {"steps": "every", "first": first, "period": period}
    assert (mistake.name, {key: mistake.params[key] for key in told}) == (name, told)


def test_a_mistake_that_begins_late_is_told_with_its_first_step(read_off):
    (mistake,) = read_off(replace(NAMED["h = o*c"], at=lambda t, count: t >= 3)).mistakes
    assert (mistake.name, mistake.params["steps"], mistake.params["first"]) == ("h = o*c", "from", 3)


@pytest.mark.parametrize(
    ("changed", "variant", "value"),
    [
        (lambda inputs: replace(inputs, bias=-inputs.bias), "bias_factor", -1),
        (lambda inputs: replace(inputs, recurrent=0.3 * inputs.recurrent), "h_scaled", 0.3),
        (lambda inputs: replace(inputs, recurrent=inputs.recurrent / inputs.units**0.5), "h_scaled", "1 / sqrt(units)"),
        (lambda inputs: replace(inputs, recurrent=inputs.recurrent / inputs.units), "h_scaled", "1 / units"),
    ],
)
def test_a_factor_of_a_layer_in_all_gates_is_read_off(read_off, changed, variant, value):
    (mistake,) = read_off(Mistake("", "odd", {"bias.i": changed}, frozenset())).mistakes
    assert (mistake.code, mistake.params) == ("gate_arithmetic", {"variant": variant, "value": value})


@pytest.mark.parametrize("gates", ["io", "if", "fo"])
def test_a_number_in_two_gates_is_read_off(read_off, gates):
    changes = {f"act.{gate}": lambda z: 0.7 / (1 + np.exp(-z)) for gate in gates}
    found = read_off(Mistake("", "odd", changes, frozenset()))
    (mistake,) = found.mistakes
    # A factor of both terms of c is one of c.
    told = ("scaled", ["c"]) if gates == "if" else ("gate_arithmetic", list(gates.upper()))
    assert (mistake.code, mistake.params.get("gates", mistake.params.get("of"))) == told


@pytest.mark.parametrize("by_row", [False, True])
@pytest.mark.parametrize("made", [*at_zero_steps()], ids=lambda made: made.name)
def test_a_treatment_of_steps_of_zeros_is_told(cases, made, by_row):
    def treated(case):
        stops, answer = made.params["variant"] == "stops", case.expected.copy()
        for rows in [slice(row, row + 1) for row in range(len(answer))] if by_row else [slice(None)]:
            at_zeros = ~case.x[rows].any(axis=(0, 2))
            at_zeros = np.logical_or.accumulate(at_zeros) if stops else at_zeros
            spec = replace(case.spec, batch=len(answer[rows]))
            part = Case(spec, case.x[rows], case.weights, case.expected[rows])
            answer[rows] = replay([replace(made, at=lambda t, count, at_zeros=at_zeros: int(at_zeros[t]))], part)
        return answer

    edges = edge_cases(cases[0].spec, np.random.default_rng(1))
    answers = [(case, treated(case)) for case in edges]
    assert zero_step_mistake(answers).params == made.params
    # Something else is wrong, too.
    assert zero_step_mistake([(case, answer + 0.001) for case, answer in answers]) is None


def test_a_line_is_fitted_to_finite_values_alone():
    found = fitted_line([np.array([1.0, np.inf, 2.0, 4.0])], np.array([2.0, 5.0, 4.0, 8.0]))
    assert found == pytest.approx((2, 0), abs=1e-9)
