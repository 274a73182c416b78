"""Probes on forward passes that are wrong in one part, and on answers that are none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import GATES, lstm_forward
from reference.cell import sigmoid
from reference.lstm import probes
from reference.lstm.misconceptions import PARTS, Mistake, bank, replay

FEATURES, UNITS = 16, 32
QUESTIONS = probes.questions(FEATURES, UNITS, np.random.default_rng(1))


def judge(respond, asked=QUESTIONS):
    return probes.judge_parts(asked, {case.spec.id: respond(case) for case in asked})


def right_parts(respond, asked=QUESTIONS):
    return judge(respond, asked).right


def with_mistakes(*names):
    mistakes = [mistake for mistake in bank() if mistake.name in names]
    assert len(mistakes) == len(names)
    return right_parts(lambda case: replay(mistakes, case))


@pytest.mark.parametrize(("features", "units"), [(16, 32), (6, 4), (7, 8), (8, 6), (64, 48)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_right_answer_has_every_part_at_any_size(features, units, dtype):
    asked = probes.questions(features, units, np.random.default_rng(2))
    assert right_parts(lambda case: replay((), case, dtype), asked) == set(PARTS)


@pytest.mark.parametrize(("features", "units"), [(5, 8), (16, 3)])
def test_a_layer_without_room_for_switches_is_not_asked(features, units):
    assert probes.questions(features, units, np.random.default_rng(3)) == ()
    assert probes.judge_parts((), {}).right == set()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tanh in i", "f g o recurrence"),
        ("sigmoid in g", "i f o"),
        ("no bias in i", "f g o recurrence"),
        ("no h layer in g", "i f o recurrence"),
        ("h = o*c", "i f g recurrence"),
        ("tanh of x", ""),
        ("h stays", "i f g o"),
        ("2 times the answer", "i f g o"),
        ("h starts at 1", "i f g o"),
        ("c starts at 0.1", "i f g o"),
    ],
)
def test_one_mistake_leaves_the_other_parts_right(name, expected):
    assert with_mistakes(name) == set(expected.split())


def test_two_mistakes_leave_what_both_leave():
    assert with_mistakes("no bias in i", "no h layer in g") == {"f", "o", "recurrence"}


@pytest.mark.parametrize("gate", GATES)
@given(slope=st.floats(0.2, 5).filter(lambda slope: abs(slope - 1) > 0.01), shift=st.floats(-0.5, 0.5))
def test_a_gate_of_another_shape_is_never_right(gate, slope, shift):
    own = np.tanh if gate == "g" else sigmoid
    odd = Mistake("", "odd", {f"act.{gate}": lambda z: own(slope * z + shift)}, frozenset(gate))
    assert gate not in right_parts(lambda case: replay((odd,), case))


@given(
    gates=st.sets(st.sampled_from(GATES), min_size=1),
    scale=st.floats(0.05, 3) | st.floats(-3, -0.05),
    function=st.sampled_from([lambda c: c, np.tanh, sigmoid]),
    late=st.booleans(),
)
def test_a_gate_that_sees_c_is_never_right(gates, scale, function, late):
    changes = {f"sum.{gate}": lambda from_x, from_h, c: from_x + from_h + scale * function(c) for gate in gates}
    if late:
        changes |= {"late_output": lambda m: (m.h, m.c_new), "seen.o": None}
    peephole = Mistake("", "peephole", changes, frozenset(gates))
    assert not right_parts(lambda case: replay((peephole,), case)) & gates


def test_gates_beside_one_that_sees_c_are_right_all_the_same():
    peephole = Mistake("", "", {f"sum.{gate}": lambda x, h, c: x + h + 0.3 * c for gate in "if"}, frozenset("if"))
    assert right_parts(lambda case: replay((peephole,), case)) == {"g", "o"}


@pytest.mark.parametrize(
    "heard",
    [
        pytest.param(lambda h, c, older_h: np.tanh(h), id="tanh(h)"),
        pytest.param(lambda h, c, older_h: 1.2 * h, id="a multiple of h"),
        pytest.param(lambda h, c, older_h: np.tanh(c), id="tanh(c)"),
    ],
)
@pytest.mark.parametrize("gate", GATES)
def test_a_gate_that_hears_a_function_of_h_is_not_right(gate, heard):
    odd = Mistake("", "odd", {f"seen.{gate}": heard}, frozenset(gate))
    found = judge(lambda case: replay((odd,), case))
    assert gate not in found.right
    assert gate in found.blamed


def test_nothing_is_certain_or_blamed_where_no_gate_hears_h_as_it_should():
    odd = Mistake("", "odd", {f"seen.{gate}": lambda h, c, older_h: np.tanh(h) for gate in GATES}, frozenset(GATES))
    found = judge(lambda case: replay((odd,), case))
    assert not found.is_certain
    assert found.blamed == set()
    assert found.without_h


@pytest.mark.parametrize("names", [(), ("tanh in i",), ("h = o*c",), ("h starts at 1",)])
def test_h_is_not_suspected_where_a_gate_hears_it_or_is_wrong_without_it(names):
    mistakes = [mistake for mistake in bank() if mistake.name in names]
    assert not judge(lambda case: replay(mistakes, case)).without_h


@pytest.mark.parametrize("passed", [lambda m, h, c: np.tanh(m.c_new), lambda m, h, c: 0.5 * m.c_new])
def test_a_c_that_is_passed_on_wrongly_is_not_blamed_on_the_forget_gate_alone(passed):
    odd = Mistake("", "odd", {"pass_c": passed}, frozenset({"recurrence"}))
    assert "recurrence" in judge(lambda case: replay((odd,), case)).blamed


def tiled(case):
    return np.tile(case.x, 1 + case.spec.units // case.spec.features)[..., : case.spec.units]


def passed_on(case):
    """Equal numbers where an LSTM has equal ones, and no gate."""
    answer = np.zeros_like(case.expected)
    for row, step, number in [("f", 2, 1), ("f with h", 2, 2), ("i open", 1, 1), ("i open", 2, 1)]:
        free, at = probes.ROWS[row]
        if case.spec.id == f"probe_{free}":
            answer[at, step] = number
    return answer


@pytest.mark.parametrize(
    "respond",
    [
        pytest.param(passed_on, id="numbers by their places"),
        pytest.param(lambda case: 0 * case.expected, id="zeros"),
        pytest.param(lambda case: 0 * case.expected + np.linspace(-1, 1, case.spec.units), id="one constant per unit"),
        pytest.param(lambda case: np.nan * case.expected, id="NaN"),
        pytest.param(tiled, id="the input"),
        pytest.param(lambda case: case.expected[::-1], id="answers of other rows"),
        pytest.param(lambda case: case.expected[:, :2], id="another shape"),
    ],
)
def test_an_output_that_is_no_answer_has_no_right_part(respond):
    assert right_parts(respond) == set()


@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(1e-6, 10))
def test_random_answers_have_no_right_part(seed, scale):
    random = np.random.default_rng(seed)
    assert right_parts(lambda case: scale * random.normal(size=case.expected.shape)) == set()


def test_a_missing_answer_leaves_nothing_right():
    first = QUESTIONS[0]
    assert probes.judge_parts(QUESTIONS, {first.spec.id: first.expected}) == probes.PartsJudgement()


def test_nothing_that_a_gate_sums_up_overflows_a_hand_written_tanh():
    for case in QUESTIONS:
        w = case.weights
        h = lstm_forward(case.x, w).h
        before = np.concatenate([np.zeros_like(h[:, :1]), h[:, :-1]], axis=1)
        z = case.x @ w.kernel + before @ w.recurrent_kernel + w.bias
        looked_at = np.ones(z.shape[:2], bool)
        if case.spec.id == "probe_go":
            looked_at[list(probes.QUESTIONS["go"]).index("large"), 2] = False  # a step that nobody looks at
        assert np.abs(z[looked_at]).max() < 44


def test_probes_mostly_agree_with_the_bank_about_its_mistakes():
    """The bank knows what a mistake spoils, probes see what can be shown to be right: seldom more than that."""
    more = [m.name for m in bank() if right_parts(lambda case, m=m: replay((m,), case)) - {"recurrence"} & m.wrong]
    assert len(more) < 0.1 * len(bank())
