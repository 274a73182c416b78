"""Right and wrong numbers in every form in which a student may return them."""

import time
from dataclasses import replace

import numpy as np
import pytest

from grader.checks.registry import run_checks
from grader.diagnosis.diagnosis import diagnose
from grader.numerics.forms import Items, forms_of
from grader.report.messages import LANGUAGES, render, translate
from reference.cell import sigmoid
from reference.lstm.misconceptions import Mistake, bank, replay
from tests.growth import assert_in_proportion
from tests.tiers import sampled
from tests.unit.grader.make_reports import make_report

NAMED = {mistake.name: mistake for mistake in bank()}


def held(*groups):
    """Items by shape, as the box sends them: each a list of pairs of place and array."""
    return tuple(
        Items(np.stack([array for _, array in group]).astype(np.float32), tuple(place for place, _ in group))
        for group in groups
    )


def steps(y, place="[{}]"):
    return [(place.format(t), array) for t, array in enumerate(y.swapaxes(0, 1))]


def with_states(y):
    """(outputs, h, c)"""
    return held([("[0]", y)], [("[1]", y[:, -1]), ("[2]", 3 * y[:, -1])])


def pairs(y):
    """[(h, c), (h, c), ...]"""
    both = zip(steps(y, "[{}][0]"), steps(7 * y, "[{}][1]"), strict=True)
    return held([each for pair in both for each in pair])


def _longer(y, at):
    """With zeros as one more step."""
    return np.insert(y, at, 0.0, axis=1)


def _beside(y):
    """h and 7 h along the axis of units."""
    return np.concatenate([y, 7 * y], axis=-1)


# fmt: off
CONTAINERS = {
    "outputs and states": (with_states, "tuple", ["element"]),
    "two sequences": (lambda y: held([("[0]", 5 * y), ("[1]", y)]), "tuple", ["element"]),
    "a dict": (lambda y: held([("['last']", y[:, -1])], [("['all']", y)]), "dict", ["element"]),
    "steps": (lambda y: held(steps(y)), "list", ["steps_apart"]),
    "steps with an axis": (lambda y: held(steps(y[:, :, None])), "list", ["steps_apart", "extra_axis"]),
    "steps and states": (lambda y: held([*steps(y, "[0][{}]"), ("[1]", y[:, 0]), ("[2]", y[:, 0])]),
                         "tuple", ["steps_apart"]),
    "states and steps": (lambda y: held([("[0]", y[:, 0]), ("[1]", y[:, 0]), *steps(y, "[2][{}]")]),
                         "tuple", ["steps_apart"]),
    "h and c of each step": (pairs, "list", ["steps_apart"]),
    "all h and all c": (lambda y: held([*steps(y, "[0][{}]"), *steps(4 * y, "[1][{}]")]), "tuple", ["steps_apart"]),
    "all c and all h": (lambda y: held([*steps(4 * y, "[0][{}]"), *steps(y, "[1][{}]")]), "tuple", ["steps_apart"]),
    "rows": (lambda y: held([(f"[{n}]", row) for n, row in enumerate(y)]), "list", ["rows_apart"]),
    "time first in a tuple": (lambda y: held([("[0]", y.swapaxes(0, 1))]), "tuple", ["element", "time_major"]),
    "last states": (lambda y: held([("[0]", y[:, -1]), ("[1]", 2 * y[:, -1])]), "tuple", ["element", "last_step"]),
    "nested numbers": (lambda y: held([("", y)]), "list", ["kind"]),
    "steps but the last": (lambda y: held(steps(y[:, :-1])), "list", ["steps_apart", "all_but_last"]),
    "steps but the first": (lambda y: held(steps(y[:, 1:])), "list", ["steps_apart", "all_but_first"]),
    "two steps": (lambda y: held(steps(y[:, :2])), "list", ["steps_apart", "first_steps"]),
    "a step too many": (lambda y: held(steps(_longer(y, 0))), "list", ["steps_apart"]),
    "steps of h and c": (lambda y: held(steps(_beside(y))), "list", ["steps_apart", "beside"]),
    "rows of steps": (lambda y: held([(f"[{n}]", row[None]) for n, row in enumerate(y.reshape(-1, y.shape[2]))]),
                      "list", ["steps_apart", "cut"]),
    "a ragged tensor": (lambda y: held([("", y)]), "RaggedTensor", ["kind"]),
}
ARRAYS = {
    "time first": (lambda y: y.swapaxes(0, 1), ["time_major"]),
    "units before steps": (lambda y: y.swapaxes(1, 2), ["axes"]),
    "axes turned": (lambda y: y.transpose(2, 0, 1), ["axes"]),
    "the last step": (lambda y: y[:, -1], ["last_step"]),
    "the last step with its axis": (lambda y: y[:, -1:], ["last_step"]),
    "one axis more": (lambda y: y[..., None], ["extra_axis"]),
    "one axis more in front": (lambda y: y[None], ["extra_axis"]),
    "time first and one axis more": (lambda y: y.swapaxes(0, 1)[:, :, None], ["extra_axis", "time_major"]),
    "steps below each other": (lambda y: np.concatenate(list(y.swapaxes(0, 1)), 0), ["joined_batch"]),
    "steps side by side": (lambda y: np.concatenate(list(y.swapaxes(0, 1)), 1), ["joined_time"]),
    "steps below each other, turned": (lambda y: np.concatenate(list(y.swapaxes(0, 1)), 0).T, ["joined_batch"]),
    "rows side by side in each step": (lambda y: y.swapaxes(0, 1).reshape(y.shape[1], -1), ["cut"]),
    "flat": (lambda y: y.ravel(), ["joined_all"]),
    "all steps but the last": (lambda y: y[:, :-1], ["all_but_last"]),
    "all steps but the first": (lambda y: y[:, 1:], ["all_but_first"]),
    "the first two steps": (lambda y: y[:, :2], ["first_steps"]),
    "every second step": (lambda y: y[:, ::2], ["every_second_step"]),
    "a step too many, first": (lambda y: _longer(y, 0), ["extra_first_step"]),
    "a step too many, last": (lambda y: _longer(y, y.shape[1]), ["extra_last_step"]),
    "time first, a step too many": (lambda y: _longer(y, 0).swapaxes(0, 1), ["time_major", "extra_first_step"]),
    "time first, a step too few": (lambda y: y.swapaxes(0, 1)[1:], ["time_major", "all_but_first"]),
    "side by side, a step too many": (lambda y: np.concatenate(list(_longer(y, 0).swapaxes(0, 1)), 1),
                                      ["joined_time", "extra_first_step"]),
    "h twice in each step": (lambda y: np.repeat(y, 2, axis=1), ["among_others"]),
    "h and c in turn": (lambda y: np.stack([y, 7 * y], 2).reshape(len(y), -1, y.shape[2]), ["among_others"]),
    "three steps too many": (lambda y: np.concatenate([7 * y[:, :3], y], 1), ["extra_first_steps"]),
    "steps too many at both ends": (lambda y: np.concatenate([0 * y[:, :1], y, 0 * y[:, :1]], 1), ["extra_steps"]),
    "h and c stacked, time first": (lambda y: np.stack([y, 7 * y]).transpose(2, 0, 1, 3), ["stacked", "time_major"]),
    "c and h stacked in the end": (lambda y: np.stack([7 * y, y], -1), ["stacked"]),
    "h beside c": (lambda y: _beside(y), ["beside"]),
    "x beside h": (lambda y: np.concatenate([y[..., :3], y], -1), ["beside"]),
    "c under h": (lambda y: np.concatenate([y, 7 * y]), ["beside"]),
    "the last h and c": (lambda y: np.stack([y[:, -1], 7 * y[:, -1]]), ["stacked", "last_step"]),
    "the last h beside c": (lambda y: np.concatenate([y[:, -1], 7 * y[:, -1]], 1), ["beside", "last_step"]),
}
# fmt: on
FORMS = [
    *(pytest.param(shaped, kind, codes, id=name) for name, (shaped, kind, codes) in CONTAINERS.items()),
    *(pytest.param(shaped, "tensor", codes, id=name) for name, (shaped, codes) in ARRAYS.items()),
]


def _judged(evidence):
    """Return the checks by their ids, and the codes of the diagnoses, each with its confidence."""
    judgement = run_checks(evidence)
    found = [(each.code, each.confidence) for each in diagnose(judgement)]
    return {check.id: check for check in judgement.checks}, found


def _checked(evidence):
    return {check.id: check for check in run_checks(evidence).checks}


def _texts(checks, language):
    [*shown] = render(make_report(checks=list(checks.values())), language)["checks"]
    return {check["id"]: check["message"] for check in shown}


@pytest.mark.parametrize(("shaped", "kind", "codes"), FORMS)
def test_right_numbers_in_any_form_earn_half_and_nothing_else_is_said_of_them(cases, evidence_of, shaped, kind, codes):
    evidence = evidence_of(lambda case: shaped(case.expected), kind=kind)
    checks, found = _judged(evidence)
    assert checks["contract"].status == "failed"
    assert (checks["equivalence"].code, checks["equivalence"].points) == ("only_form_differs", 25)
    assert checks["equivalence"].params["form"] == codes
    assert "repair" not in checks["equivalence"].params
    assert (checks["generalisation"].code, checks["generalisation"].points) == ("same_form_on_hidden_cases", 0)
    assert evidence.understanding.explanation is None
    assert found[0] == (checks["contract"].code, "exact")
    assert set(found[1:]) <= {("missing_step", "exact")}


# That each of them is recognised, the test above shows.
@pytest.mark.parametrize("name", sampled([*CONTAINERS, *ARRAYS], every=6))
def test_a_mistake_is_found_behind_any_form_and_earns_what_it_leaves_right(cases, evidence_of, name):
    shaped, kind = CONTAINERS[name][:2] if name in CONTAINERS else (ARRAYS[name][0], "tensor")
    mistake = NAMED["layers of i and f exchanged"]
    checks, found = _judged(evidence_of(lambda case: shaped(replay([mistake], case)), kind=kind))
    equivalence = checks["equivalence"]
    assert [code for code, _ in found[1:] if code != "missing_step"] == ["gates_swapped_if"]
    assert (equivalence.code, equivalence.points) == ("wrong_values_and_form", 15)
    assert equivalence.params["right"] == ["g", "o", "recurrence"]


APART = [
    pytest.param(lambda y: y, id="a tensor"),
    pytest.param(lambda y: held(steps(y)), id="a list", marks=pytest.mark.thorough),
]


@pytest.mark.parametrize("name", ["steps", "outputs and states", "h and c of each step"])
def test_an_unknown_mistake_behind_a_form_is_seen_by_the_probes(evidence_of, name):
    odd = Mistake("", "odd", {"act.i": lambda z: sigmoid(z + 0.3 * np.sin(3 * z))}, frozenset("i"))
    shaped, kind, _ = CONTAINERS[name]
    equivalence = _checked(evidence_of(lambda case: shaped(replay([odd], case)), kind=kind))["equivalence"]
    assert equivalence.params["right"] == ["f", "g", "o", "recurrence"]


@pytest.mark.parametrize("shaped", APART)
def test_a_loop_over_every_second_step_earns_the_same_in_a_list(evidence_of, shaped):
    late = NAMED["every second step, each twice"]
    evidence = evidence_of(lambda case: shaped(replay([late], case)[:, ::2]), kind="tensor")
    check = _checked(evidence)["equivalence"]
    assert (check.code, check.points) == ("wrong_values_and_form", 20)


def _looped(case, mistakes, start, stride):
    """The answer of a loop over some steps of x alone; None where there is none."""
    taken = case.x[:, start::stride]
    x = np.concatenate([taken, np.zeros_like(case.x[:, taken.shape[1] :])], axis=1)
    return replay(mistakes, replace(case, x=x))[:, : taken.shape[1]] if taken.size else None


@pytest.mark.parametrize(
    ("start", "stride", "code"),
    [
        (2, 1, "missing_step"),
        (0, 3, "step_two"),
        pytest.param(5, 1, "missing_step", marks=pytest.mark.thorough),
        pytest.param(1, 2, "step_two", marks=pytest.mark.thorough),
    ],
)
@pytest.mark.parametrize("shaped", APART)
def test_a_loop_that_skips_steps_earns_what_its_cell_is_worth(cases, evidence_of, start, stride, code, shaped):
    for mistakes, points in (((), 20), ((NAMED["layers of i and f exchanged"],), 10)):
        evidence = evidence_of(
            lambda case, m=mistakes: None if (y := _looped(case, m, start, stride)) is None else shaped(y)
        )
        checks, found = _judged(evidence)
        assert (checks["equivalence"].code, checks["equivalence"].points) == ("wrong_values_and_form", points)
        told = [code for code, _ in found]
        assert [code, *(mistake.code for mistake in mistakes)] == told[-1 - len(mistakes) :]


@pytest.mark.parametrize(("mistakes", "points"), [((), 15), ((NAMED["no bias in o"],), 10)])
def test_a_first_step_alone_shows_the_gates_that_act_there(evidence_of, mistakes, points):
    checks = _checked(evidence_of(lambda case: replay(mistakes, case)[:, :1]))
    assert checks["equivalence"].points == points
    assert checks["generalisation"].code == "wrong_on_hidden_cases"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_type_of_few_digits_is_a_matter_of_form(evidence_of, dtype):
    rounded = NAMED[f"{dtype} of the answer in the end"]
    check = _checked(evidence_of(lambda case: replay([rounded], case), dtype=dtype))["equivalence"]
    assert (check.code, check.points) == ("only_form_differs", 25)
    assert check.params == {"form": ["few_digits"], "dtype": dtype}


def test_the_same_numbers_as_float32_were_rounded_somewhere(evidence_of):
    evidence = evidence_of(lambda case: replay([NAMED["float16 of the answer in the end"]], case))
    assert _checked(evidence)["equivalence"].code == "wrong_values"


@pytest.mark.parametrize(
    ("shaped", "code", "confidence"),
    [
        (lambda y: y[:, -1:], "returns_last_only", "exact"),
        (lambda y: y[:, 0], "return_inside_loop", "exact"),
        (lambda y: y[:, :1], "return_inside_loop", "exact"),
        # A shape alone makes it likely.
        (lambda y: y.mean(axis=1), "returns_last_only", "likely"),
        (lambda y: np.cos(9 * y[:, :1]), "return_inside_loop", "likely"),
    ],
)
def test_the_numbers_tell_which_step_was_returned(evidence_of, shaped, code, confidence):
    _, found = _judged(evidence_of(lambda case: shaped(case.expected)))
    assert found == [(code, confidence)]


def test_wrong_numbers_on_other_inputs_are_told_behind_a_form(evidence_of):
    def respond(case):
        return with_states(case.expected * (1 + (case.spec.id == "larger_values")))

    checks = _checked(evidence_of(respond, kind="tuple"))
    assert checks["equivalence"].code == "only_form_differs"
    assert checks["generalisation"].code == "wrong_on_hidden_cases"
    assert checks["generalisation"].params["categories"] == ["larger_values"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_form_is_said_in_words(evidence_of, language):
    checks = _checked(evidence_of(lambda case: pairs(case.expected), kind="list"))
    message = _texts(checks, language)["equivalence"]
    assert translate("form.steps_apart", language, where="[0][0]") in message


def test_a_right_last_step_beside_a_wrong_sequence_is_not_the_answer(cases, evidence_of):
    def respond(case):
        return held([("[0]", 2 * case.expected)], [("[1]", case.expected[:, -1])])

    checks, found = _judged(evidence_of(respond, kind="tuple"))
    assert checks["equivalence"].code == "wrong_values_and_form"
    assert [code for code, _ in found] == ["returns_tuple", "scaled"]


@pytest.mark.parametrize("name", sampled(CONTAINERS, every=6))
def test_random_numbers_are_right_in_no_form(evidence_of, name):
    random = np.random.default_rng(1)
    shaped, kind, _ = CONTAINERS[name]
    evidence = evidence_of(lambda case: shaped(random.normal(size=case.expected.shape)), kind=kind)
    assert _checked(evidence)["equivalence"].points == 0


@pytest.mark.parametrize("shape", [(2, 32), (1, 2, 1, 32, 1), (0, 32), ()], ids=["steps", "axes", "nothing", "numbers"])
def test_containers_of_as_many_items_as_a_run_may_send_are_read_fast(shape):
    def seconds(size):
        lists = [tuple(f"[{number}][{k}]" for k in range(size)) for number in range(8)]
        content = tuple(Items(np.zeros((size, *shape), np.float32), places) for places in lists)
        before = time.process_time()
        list(forms_of(content, (2, 100, 32)))
        return time.process_time() - before

    assert assert_in_proportion(seconds, 1024)[-1] < 1
