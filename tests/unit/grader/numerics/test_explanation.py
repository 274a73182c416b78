"""Whether wrong numbers are explained, by what makes them, and by nothing else."""

import itertools
import random
from dataclasses import replace

import numpy as np
import pytest

from grader.numerics import case_answers
from grader.numerics.changing_answers import explain_after_start
from grader.numerics.explanation import explain, idle_arrays
from grader.numerics.visible_parts import parts_used
from grader.numerics.written_formulas import written_mistake
from reference import draw, lstm_forward
from reference.lstm.misconceptions import Mistake, bank, replay
from reference.lstm.misconceptions.bank import pairs
from reference.lstm.misconceptions.table import places_of
from tests.exercises import answered
from tests.tiers import sampled, sampled_pairs
from tests.unit.grader.numerics.conftest import making

NAMED = {mistake.name: mistake for mistake in bank()}


@pytest.fixture(scope="module")
def short(cases):
    """The cases but for the exercise's own, whose hundred steps cost most."""
    return tuple(case for case in cases if case.spec.timesteps < 20)


def _codes(found):
    return [mistake.code for mistake in found.mistakes] if found else []


@pytest.mark.parametrize("first", sampled(range(3), every=3))
def test_a_mistake_of_the_bank_is_found(explained, short, first):
    """By its own code, or as equal to another one."""
    for mistake in bank()[first * 3 :: 9]:
        found = explained(making(mistake), short)
        assert found is not None, mistake.name
        assert mistake.code in {*_codes(found), *found.also}, (mistake.name, found)
        assert len(found.mistakes) == 1
        assert found.runner_up is None or found.runner_up[0] not in {*_codes(found), *found.also}


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("c = i*g", "igo"),  # f is never used
        ("c stays", "igo"),  # the same numbers
        ("h = o*tanh(g)", "go"),  # nor are i, f and c
        ("h = tanh(c)", "ifgr"),
        ("c = f*c + g", "fgor"),
        ("c = c + i*g", "igor"),
        ("c = c + g", "gor"),
        ("h = c", "ifgr"),
        ("first h", "ifgo"),
        ("layers of i and f exchanged", "gor"),
    ],
)
def test_parts_that_the_numbers_do_not_show_are_not_called_right(explained, name, right):
    mistake = NAMED["h stays" if name == "first h" else name]
    found = explained(making(mistake))
    assert found.right_parts == {"recurrence" if part == "r" else part for part in right}


@pytest.mark.parametrize(("share", "shown"), [(1e-6, False), (0.1, True)])
def test_a_part_that_hardly_changes_the_numbers_is_not_shown(short, share, shown):
    update = {"update": lambda m: share * m.f * m.c + m.i * m.g}
    assert ("f" in parts_used([Mistake("c_grouping", "little of c", update, frozenset("f"))], short[0])) == shown


def test_a_gate_that_stands_in_for_another_one_is_not_called_right(explained):
    """``c = f*g``: f is no forget gate there, though its layers are used."""
    both = [NAMED["i has the layers of f"], NAMED["c = i*g"]]
    assert explained(making(*both)).right_parts == set("go")


def _is_needed(mistake, found, cases, respond):
    """Return whether numbers that no lookup has seen are wrong without one of the mistakes."""
    others = [each for each in found.mistakes if each is not mistake]
    for case in cases:
        unseen = np.ones(case.expected.size, bool)
        unseen[places_of(case.expected.shape)] = False
        expected = np.broadcast_to(replay(others, case), case.expected.shape)
        if (np.abs(expected - respond(case)).ravel()[unseen] > 1e-3 * (mistake.quantum or 1)).any():
            return True
    return False


@pytest.mark.parametrize("first", sampled(range(3), every=3))
def test_two_mistakes_at_once_are_both_found_or_one_hides_the_other(explained, short, first):
    hidden = 0
    for one, other in random.Random(3).sample(list(pairs()), 60)[first::3]:
        both = (bank()[one], bank()[other])
        found = explained(making(*both), short)
        if found is not None and len(found.mistakes) == 2:
            # One that was made may act in few places.
            others = [mistake for mistake in found.mistakes if mistake not in both]
            assert all(_is_needed(mistake, found, short, making(*both)) for mistake in others)
        said = {*_codes(found), *(found.also if found else ())}
        hidden += not {mistake.code for mistake in both} <= said
    assert hidden <= 3


@pytest.mark.parametrize(
    ("name", "right"),
    [("h = o*c", "ifg"), ("layers of i and o exchanged", "fg"), ("no bias in i", "fgo"), ("h starts at 1", "")],
)
def test_a_mistake_is_found_behind_a_first_state_of_another_call(cases, name, right):
    """The start of the last one has no effect there any more: nothing is wrong but what is kept."""
    exercise, random = cases[0], np.random.default_rng(5)
    twin = draw(replace(exercise.spec, id="twin"), random)
    kept = {
        f"initial_{state}": lambda inputs, state=state: replace(inputs, **{state: random.normal(size=inputs.h.shape)})
        for state in "hc"
    }
    mistakes = [NAMED[name], Mistake("kept", "another start", kept, frozenset())]
    answers = {case.spec.id: np.asarray(replay(mistakes, case), np.float32) for case in (exercise, twin)}
    found = explain_after_start(answers, exercise, twin)
    assert _codes(found) == [NAMED[name].code][: len(right)]
    assert found is None or (found.right_parts, found.after_start) == (set(right), True)
    assert found is None or found.cases == {"exercise", "twin"}
    assert explain_after_start(answers | {"twin": twin.expected}, exercise, twin) is None


def test_a_loop_that_begins_with_the_second_step_lacks_a_step_and_nothing_else(explained):
    later = NAMED["next x, the last twice"]
    assert _codes(explained(lambda case: replay([later], case)[:, :-1])) == []
    found = explained(lambda case: replay([later, NAMED["h = o*c"]], case)[:, :-1])
    assert _codes(found) == ["no_tanh_output"]


@pytest.mark.parametrize(
    "names",
    [
        ("no h layer in i", "no h layer in g"),
        # The layers of f and g exchanged, and c = g*c + i*f, give the same numbers.
        ("tanh in f", "sigmoid in g"),
    ],
)
def test_the_simpler_of_two_pairs_with_the_same_numbers_is_told(explained, names):
    found = explained(making(*(NAMED[name] for name in names)))
    assert {mistake.name for mistake in found.mistakes} == {*names}


def test_weights_without_a_gradient_tell_equal_mistakes_apart(explained):
    idle = idle_arrays(
        {f"cell.fcH{gate} (recurrent_kernel {gate})": None for gate in "IFCO"} | {"x (kernel IFCO)": 0.0}
    )
    assert idle == {f"recurrent_kernel {gate}" for gate in "ifgo"}

    unmoved = making(NAMED["h stays"])
    assert (_codes(explained(unmoved)), explained(unmoved).also) == (["h_not_updated"], ("recurrent_missing",))
    assert _codes(explained(unmoved, idle=idle)) == ["recurrent_missing"]


@pytest.mark.parametrize(
    ("written", "codes", "by_numbers"),
    [
        # One single mistake gives these numbers, and is none of the code's.
        ({"c_new": "f*c + o*g"}, ["other_formula"], ["gate_layers_mixed"]),
        # It is the code's own, and has a better name.
        ({"c_new": "f*c - i*g"}, ["c_sign"], ["c_sign"]),
        ({"i": "sigmoid(x_f + h_i)", "h_new": "c_new*tanh(c_new)"}, ["other_formula"], []),
    ],
)
def test_the_code_decides_between_equal_numbers(explained, short, written, codes, by_numbers):
    mistake = written_mistake(written)
    assert _codes(explained(making(mistake.mistake), short)) == by_numbers
    found = explained(making(mistake.mistake), short, written=mistake)
    assert _codes(found) == codes
    # It earns what the numbers earn without it.
    assert found.only_written == (not by_numbers)


WRITTEN = [
    *({"f": "sigmoid(2*(x_f + h_f))"}, {"i": "tanh(x_f + h_i)"}, {"c_new": "f*c + o*g"}, {"c_new": "f*c + f*i*g"}),
    *({"c_new": "f*c - i*g", "h_new": "o*c_new"}, {"o": "sigmoid(x_o)", "c_new": "f*c + i"}),
    *({"g": "cos(x_g + h_g)"}, {"i": "sigmoid(x_i - h_i)", "h_new": "o*c_new"}),
]


@pytest.mark.parametrize(
    ("changed", "shaped"),
    sampled_pairs(WRITTEN, [lambda y: y, lambda y: y.swapaxes(0, 1), lambda y: y[:, -1]]),
)
def test_the_numbers_alone_decide_what_is_right(explained, short, changed, shaped):
    mistake = written_mistake(changed)
    answer = making(mistake.mistake)
    alone, found = (explained(lambda case: shaped(answer(case)), short, written=each) for each in (None, mistake))
    assert found.only_written == (alone is None)
    if alone is not None:
        assert (found.form, len(found.right_parts), found.cases) == (alone.form, len(alone.right_parts), alone.cases)


def test_of_equal_numbers_the_code_says_which_part_is_wrong(explained, short):
    mistake = written_mistake({"h_new": "o*tanh(c_new/2)"})
    alone, found = (explained(making(mistake.mistake), short, written=each) for each in (None, mistake))
    assert alone.right_parts == {"f", "g", "o", "recurrence"}  # i may be half of what it is
    assert found.right_parts == {"i", "f", "g", "recurrence"}


def test_three_mistakes_are_not_explained_by_what_agrees_with_their_first_step(explained):
    """Mistakes without bounds have no numbers to compare with later on; that is no agreement."""
    peephole = NAMED["h + c in ifgo"]
    three = Mistake("", "", {**peephole.changes, "seen.o": lambda h, c, older_h: c}, frozenset())
    assert explained(making(three)) is None


@pytest.mark.parametrize("value", [0.0, 0.5, np.nan, np.inf])
def test_the_same_everywhere_is_no_mistake_by_numbers(explained, value):
    assert explained(lambda case: np.full(case.expected.shape, value)) is None


def test_an_answer_without_the_case_that_is_looked_up_is_still_explained(cases, short, table):
    asked = [case for case in short if case.spec.values != "wide"]
    answers = {case.spec.id: replay([NAMED["h = o*c"]], case) for case in asked}
    assert _codes(explain(answers, cases, lambda case: table)) == ["no_tanh_output"]


def test_whole_numbers_are_seen_where_only_a_case_with_larger_values_shows_them(explained, short):
    weights = [case.weights if case.spec.values == "wide" else case.weights.scaled(0.1) for case in short]
    small = [
        replace(case, weights=w, expected=lstm_forward(case.x, w).h.astype(np.float32))
        for case, w in zip(short, weights, strict=True)
    ]
    assert sum(np.ptp(np.round(case.expected)) == 0 for case in small) == len(small) - 1
    assert _codes(explained(lambda case: np.round(case.expected), small)) == ["rounded"]


def test_numbers_are_not_fitted_to_one_case_alone(explained, cases):
    searched = next(case for case in cases if case.spec.values == "wide")
    assert explained(lambda case: 1.7 * case.expected + 0.3, [searched]) is None


# ``h = o`` looked like two mistakes that outgrow all bounds after a step or two, and can hardly be compared.
@pytest.mark.parametrize("name", ["c = f + i*g", "c = f*i*g", "h = o - tanh(c)", "o collected", "h = o"])
def test_a_plain_mistake_is_not_told_as_two_others_with_its_numbers(explained, name):
    assert [mistake.name for mistake in explained(making(NAMED[name])).mistakes] == [name]


def test_a_mistake_with_hardly_an_effect_does_not_explain_an_answer_that_is_hardly_wrong(explained, short):
    def nearly_right(case):
        return case.expected + 4e-5 * (case.expected > 0)

    assert explained(nearly_right, short) is None


def test_numbers_that_are_not_round_are_not_called_rounded(explained):
    """Such as those of a softmax, nearly all of which are nearly 0 or 1."""

    def nearly_round(case):
        answer = np.round(case.expected)
        answer.flat[:: answer.size // 2] += 0.3
        return answer

    assert explained(lambda case: np.round(case.expected)) is not None
    assert explained(nearly_round) is None


def test_states_that_follow_a_value_rounded_to_the_other_side_are_not_held_against_it(explained, short):
    """In one of 1,400 gradings one value made a tenth of the later numbers of its row differ."""
    both = NAMED["float16 of h"], NAMED["float16 of c for the next step"]

    def with_one_on_the_other_side(case):
        steps = itertools.count()

        def hold(h):
            short = h.astype(np.float16)
            if next(steps) == 0:
                short[..., -1, 0] += 4 * np.spacing(short[..., -1, 0])
            return short.astype(h.dtype)

        return replay([replace(both[0], changes={"hold": hold}), both[1]], case)

    assert _codes(explained(with_one_on_the_other_side, short)) == ["low_precision"] * 2


def test_an_answer_that_nothing_explains_is_not_replayed_by_every_mistake(explained, cases, monkeypatch):
    """All of them are computed together where only the longest case has an answer."""
    replayed = []
    monkeypatch.setattr(case_answers, "replay", lambda *arguments: replayed.append(1) or replay(*arguments))
    exercise = answered(replace(cases[0].spec, timesteps=25))
    odd = np.random.default_rng(1).normal(size=exercise.expected.shape)
    assert explained(lambda case: odd, [exercise]) is None
    assert len(replayed) < 20
