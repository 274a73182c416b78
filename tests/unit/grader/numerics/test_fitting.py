"""Mistakes with a number in them: the number is found, and only what holds on all cases is believed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.numerics.changing_answers import explain_changing
from grader.numerics.fitting import find_start, started_anew
from reference import draw, lstm_forward, search_case, split_gates
from reference.cell import sigmoid
from reference.drawing import oracle_case
from reference.lstm.misconceptions import Mistake, bank, replay

SINGLES = {mistake.name: mistake for mistake in bank()}


def _answers(cases, respond):
    return {case.spec.id: respond(case).astype(np.float32) for case in cases}


def _told(explanation):
    return [(mistake.code, dict(mistake.params)) for mistake in explanation.mistakes]


def _started(h, c):
    """The right steps from another start; `h` and `c` are made from a case."""
    return lambda case: replay([_start(h(case), c(case))], case)


def _start(h, c):
    changes = {
        "initial_h": lambda inputs: replace(inputs, h=inputs.h + h),
        "initial_c": lambda inputs: replace(inputs, c=inputs.c + c),
    }
    return Mistake("", "another start", changes, frozenset())


@settings(max_examples=25)
@given(
    factor=st.floats(-5, 5).filter(lambda factor: min(abs(factor), abs(factor - 1)) > 0.02),
    # Beside 0.5 some factors make a hard sigmoid, which has a name of its own.
    constant=st.floats(-3, 3).filter(lambda constant: min(abs(constant), abs(constant - 0.5)) > 1e-3),
)
def test_a_factor_and_a_constant_are_recovered(explained, factor, constant):
    found = explained(lambda case: factor * case.expected + constant)
    assert [code for code, _ in _told(found)] == ["scaled", "epsilon_added"]
    assert _told(found)[0][1]["factor"] == pytest.approx(factor, rel=1e-3)
    assert _told(found)[1][1]["value"] == pytest.approx(constant, rel=1e-3)
    assert found.right_parts == set("ifgo")


@pytest.mark.parametrize("code", ["gates_swapped_if", "c_not_updated", "no_tanh_output"])
def test_a_factor_on_a_known_mistake_is_told_with_it(explained, code):
    known = next(mistake for mistake in bank() if mistake.code == code)
    found = explained(lambda case: 1.7 * replay([known], case))
    assert _told(found)[0][0] == code
    assert _told(found)[-1] == ("scaled", {"factor": 1.7, "of": ["answer"]})


@pytest.mark.parametrize(
    ("h", "c", "params"),
    [
        (0.3, 0.0, {"state": "h", "value": 0.3}),
        (0.0, -0.7, {"state": "c", "value": -0.7}),
        (0.25, 0.25, {"state": "h, c", "value": 0.25}),
        (0.3, -0.7, {"state": "h, c"}),
        (1e-3, 0.0, {"state": "h", "value": 1e-3}),
    ],
)
def test_a_start_at_one_number_is_told_with_the_number(explained, h, c, params):
    found = explained(_started(lambda case: h, lambda case: c))
    assert _told(found) == [("state_init_not_zero", params)]
    assert found.right_parts == set("ifgo")


def _vector(case, seed, rows=1):
    return np.random.default_rng([seed, case.spec.units]).normal(size=(rows, case.spec.units))


@pytest.mark.parametrize("of", ["h", "c", "hc"])
def test_a_random_state_that_was_made_once_is_told(explained, of):
    start = _started(*(lambda case, s=s, n=n: s in of and _vector(case, n) for n, s in enumerate("hc")))
    assert _told(explained(start)) == [("state_init_random", {})]


def test_a_start_that_depends_on_the_input_is_no_random_one(explained):
    """Any first two steps come from some start: what is wrong with them may be anything."""
    found = explained(_started(lambda case: 0.5 * np.tanh(case.x[:, 0, :1]), lambda case: 0.0))
    assert found is None


@pytest.mark.parametrize(
    ("activation", "params"),
    [(lambda z: z, {}), (np.tanh, {"function": "tanh"}), (sigmoid, {"function": "sigmoid"})],
    ids=["linear", "tanh", "sigmoid"],
)
def test_one_more_dense_layer_is_told(explained, activation, params):
    def respond(case):
        random = np.random.default_rng(case.spec.units + (case.spec.id == "other_shape"))
        kernel = random.normal(size=(case.spec.units, case.spec.units)) / case.spec.units**0.5
        return activation(case.expected @ kernel + 0.1)

    found = explained(respond)
    assert _told(found) == [("extra_dense", params)]
    assert found.right_parts == set("ifgo")


def test_a_dense_layer_that_changes_from_case_to_case_is_not_believed(explained):
    def respond(case):
        random = np.random.default_rng(case.spec.seed)
        return case.expected @ random.normal(size=(case.spec.units, case.spec.units))

    assert explained(respond) is None


def test_another_order_of_the_units_is_no_dense_layer(explained):
    found = explained(lambda case: np.roll(case.expected, 3, axis=-1))
    assert found is None or "extra_dense" not in dict(_told(found))


@pytest.mark.parametrize("odd", ["exercise", "other_shape", "larger_values", "other_seed"])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(lambda case: 1.3 * case.expected, lambda case: 1.31 * case.expected, id="factor"),
        pytest.param(
            _started(lambda case: 0.3, lambda case: 0.0), _started(lambda case: 0.31, lambda case: 0.0), id="start"
        ),
    ],
)
def test_numbers_that_differ_from_case_to_case_are_not_believed(explained, one, other, odd):
    found = explained(lambda case: (other if case.spec.id == odd else one)(case))
    assert found is None or {mistake.code for mistake in found.mistakes} == {"state_init_random"}


# --- Answers that differ from call to call


@pytest.fixture
def changing(cases):
    """Explain the answers of a function of case and call; the smallest case is called twice."""

    def explained(respond):
        again = min(cases, key=lambda case: case.expected.size)
        repeats = {again.spec.id: respond(again, 1).astype(np.float32)}
        return explain_changing(_answers(cases, lambda case: respond(case, 0)), repeats, cases)

    return explained


def _mask(case, call, t=0, rate=0.25):
    random = np.random.default_rng([case.spec.seed, call, t])
    shape = case.expected.shape if t == 0 else case.expected[:, 0].shape
    return (random.random(shape) >= rate) / (1 - rate)


def _dropout_on_h(case, call):
    """Every h is dropped before it is collected and goes on."""
    weights, collected = case.weights, []
    h = c = np.zeros((case.spec.batch, case.spec.units))
    for t in range(case.spec.timesteps):
        z = split_gates(case.x[:, t] @ weights.kernel + h @ weights.recurrent_kernel + weights.bias)
        c = sigmoid(z["f"]) * c + sigmoid(z["i"]) * np.tanh(z["g"])
        h = sigmoid(z["o"]) * np.tanh(c) * _mask(case, call, t + 1)
        collected.append(h)
    return np.stack(collected, axis=1)


@pytest.mark.parametrize(
    "respond", [lambda case, call: case.expected * _mask(case, call), _dropout_on_h], ids=["on the answer", "on h"]
)
def test_dropout_is_told_with_its_rate(changing, respond):
    found = changing(respond)
    assert _told(found) == [("dropout_active", {"rate": 0.25})]
    assert found.right_parts == set("ifgo")


def test_a_start_is_found_where_all_cases_have_wide_values(explained, cases):
    searched = search_case(cases)
    asked = [searched, draw(replace(searched.spec, id="another"), np.random.default_rng(1))]
    found = explained(_started(lambda case: 0.3, lambda case: 0.0), asked)
    assert _told(found) == [("state_init_not_zero", {"state": "h", "value": 0.3})]


def test_a_start_is_found_that_gives_the_first_answer_where_rounding_hides_c(cases):
    spec = next(case.spec for case in cases if case.spec.values == "wide")
    for seed in range(300):
        random = np.random.default_rng(seed)
        case = draw(spec, random)
        answer = _started(lambda case: _vector(case, 0), lambda case: _vector(case, 1))(case)
        found = find_start(case, answer * (1 + 1e-6 * random.normal(size=answer.shape)))
        given = replay([_start(found.h, found.c)], case)
        assert given[:, 0] == pytest.approx(answer[:, 0], abs=1e-5), seed


def test_a_random_start_is_found_though_gates_saturate(cases):
    spec, lost = next(case.spec for case in cases if case.spec.values == "wide"), []
    for seed in range(400):
        random = np.random.default_rng(seed)
        case = draw(spec, random)
        h = random.normal(size=(spec.batch, spec.units)).astype(np.float32)
        answer = replay([_start(h, 0 * h)], case, np.float32)
        found = find_start(case, answer)
        if not np.allclose(replay([_start(found.h, found.c)], case), answer, atol=3e-5):
            lost.append(seed)
    assert len(lost) <= 2, lost


def test_a_random_state_is_told_where_wide_values_hide_it_in_one_case(explained, cases):
    def start(case):
        return replay([_start(*(_vector(case, seed).astype(np.float32) for seed in (0, 1)))], case, np.float32)

    def hides_it(case):
        found = find_start(case, start(case))
        return not np.allclose(_started(lambda case: found.h, lambda case: found.c)(case), start(case), atol=1e-3)

    spec = replace(next(case.spec for case in cases if case.spec.values == "wide"), id="drawn")
    drawn = (draw(spec, np.random.default_rng(seed)) for seed in range(2000))
    assert _told(explained(start, [*cases, next(filter(hides_it, drawn))])) == [("state_init_random", {})]


def test_zeros_after_the_first_step_are_no_dropout(changing):
    def respond(case, call):
        return case.expected * _mask(case, call) * (np.arange(case.spec.timesteps) == 0)[:, None]

    assert changing(respond) is None


def test_a_random_start_is_told(changing):
    def respond(case, call):
        return _started(lambda case: _vector(case, call, case.spec.batch), lambda case: 0.0)(case)

    assert _told(changing(respond)) == [("state_init_random", {})]


def test_a_question_whose_start_was_not_found_begins_from_zeros(cases):
    found, other = cases[:2]
    mistake = started_anew([found], {found.spec.id: found.expected}, {}, [])
    assert replay([mistake], other) == pytest.approx(other.expected, abs=1e-6)


def test_a_start_at_the_own_end_is_not_told_as_one_that_was_kept(cases):
    case = cases[0]
    h = c = 0.0
    for _ in range(5):  # A layer that runs through its input several times ends as it began.
        answer = replay([_start(h, c)], case)
        h, c = answer[:, -1], replay([_start(h, c), SINGLES["c collected"]], case)[:, -1]
    assert started_anew([case], {case.spec.id: answer}, {}, [(case, answer)]).code == "state_init_random"


@pytest.mark.parametrize("kept", ["h", "c", "hc"])
def test_a_state_that_goes_on_from_call_to_call_is_told(changing, kept):
    def respond(case, call):
        h = c = 0.0
        for _ in range(call + 1):  # one call went before: the one that builds the model
            last = [replay([_start(h, c), *more], case)[:, -1] for more in ([], [SINGLES["c collected"]])]
            h, c = (state if name in kept else 0.0 for name, state in zip("hc", last, strict=True))
        return _started(lambda case: h, lambda case: c)(case)

    assert _told(changing(respond)) == [("state_kept_between_calls", {})]


def test_a_state_goes_on_through_the_call_for_gradients(cases):
    """The call is on the first eight steps of a question, from the state after the answer to it."""
    first = cases[0]
    second = replace(first, spec=replace(first.spec, id="second"), x=first.x[:, ::-1])
    few_steps = oracle_case(replace(first.spec, id="few steps", timesteps=8), first.x[:, :8], first.weights)
    answers = {}
    h = c = 0.0
    for case in (first, few_steps, second):
        answers[case.spec.id] = replay([_start(h, c)], case)
        h, c = answers[case.spec.id][:, -1], replay([_start(h, c), SINGLES["c collected"]], case)[:, -1]
    asked = [(case, answers[case.spec.id]) for case in (first, second)]
    assert started_anew([first, second], answers, {}, asked).code == "state_kept_between_calls"


@pytest.mark.parametrize(
    "respond",
    [
        pytest.param(
            lambda case, call: np.random.default_rng([case.spec.seed, call]).normal(size=case.expected.shape),
            id="noise",
        ),
        pytest.param(lambda case, call: case.expected * (1 + call + case.spec.units), id="another factor"),
        pytest.param(lambda case, call: lstm_forward(case.x + 0.1 * (1 + call), case.weights).h, id="another input"),
    ],
)
def test_changes_of_another_kind_are_not_guessed_at(changing, respond):
    assert changing(respond) is None
