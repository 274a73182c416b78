"""The bank of wrong forward passes, the table of their answers, and how well cases tell them apart."""

import dataclasses
import random
from collections import defaultdict

import numpy as np
import pytest

from reference import CaseSpec, LSTMWeights, lstm_forward, search_case
from reference.lstm.misconceptions import PARTS, bank, mutation_score, replay
from reference.lstm.misconceptions.table import NOBODY, PLACES, places_of, read_table, write_table
from tests.exercises import answered
from tests.integration.grader.mutants import numpy_keras
from tests.integration.grader.mutants.slips import ALL
from tests.integration.grader.mutants.styles import FUSED, MATRICES

NAMED = {mistake.name: mistake for mistake in bank()}


def everywhere(answer):
    return np.ones(answer.shape, bool)


@pytest.fixture(scope="session")
def searched(cases):
    return search_case(cases)


def test_without_a_mistake_the_answer_is_the_oracle_s(cases):
    for case in cases:
        np.testing.assert_allclose(replay([], case), lstm_forward(case.x, case.weights).h, atol=1e-13)


def test_a_mistake_is_known_by_its_name_and_spoils_what_it_says():
    assert len(NAMED) == len(bank())
    for mistake in bank():
        assert mistake.wrong, mistake.name
        assert mistake.wrong <= set(PARTS), mistake.name


def _fits(answer, expected):
    """Return whether two answers are equal wherever the mistake has a number."""
    known = ~np.isnan(expected)
    return known[:, 0].any() and np.allclose(answer[known], expected[known], rtol=1e-4, atol=2e-5)


def test_a_class_with_a_mistake_answers_as_one_of_the_bank_s_mistakes_with_its_code():
    case = answered(CaseSpec("case", "public", "shape", batch=3, timesteps=6, features=4, units=8, seed=7))
    expected = defaultdict(list)
    for mistake in bank():
        expected[mistake.code].append(np.broadcast_to(replay([mistake], case), case.expected.shape))
    compared, unknown = set(), []
    for slip in (slip for slip in ALL if slip.code in expected):
        source = MATRICES.write(slip.changes) or FUSED.write(slip.changes)
        answer = numpy_keras.answer(source, case)
        if answer.shape == case.expected.shape:  # for other shapes see the tests of `grader.numerics.forms`
            compared.add(slip.code)
            if not any(_fits(answer, other) for other in expected[slip.code]):
                unknown.append(slip.changes)
    # Their numbers are fitted, and not looked up.
    assert unknown == [
        {"show": "h_new = o * i * {tanh}(c_new)"},
        {"last_line": "return y * 1.1"},
        {"last_line": "return y + 1e-3"},
    ]
    assert expected.keys() - compared == {"loops_over_batch", "missing_step", "wrong_transpose"}


@pytest.mark.parametrize(
    ("one", "other"),
    [("answer a step early, then zeros", "previous x, first zeros"), ("c for h in o", "o sees new c")],
)
def test_of_two_mistakes_that_would_be_one_only_one_is_said_to_be_made(one, other):
    assert not NAMED[one].compatible(NAMED[other])


def test_two_mistakes_together_are_both_made(cases):
    both = [NAMED["no tanh in g"], NAMED["x backwards"]]
    backwards = [dataclasses.replace(case, x=case.x[:, ::-1]) for case in cases]
    for case, turned in zip(cases, backwards, strict=True):
        np.testing.assert_array_equal(replay(both, case), replay(both[:1], turned))


def test_an_answer_that_grows_without_bounds_is_left_out_from_there_on(searched):
    answer = replay([NAMED["no sigmoid in ifo"]], searched)
    known = ~np.isnan(answer).any(axis=(0, 2))
    assert known[0]
    assert not known[-1]
    assert (np.diff(known.astype(int)) <= 0).all()


def test_rows_of_the_table_are_what_their_mistakes_answer(searched, table):
    """The table computes thousands at once, a replay one at a time."""
    places = places_of(searched.expected.shape)
    for row in random.Random(7).sample(range(len(table.entries)), 300):
        answer = replay([bank()[index] for index in table.entries[row] if index != NOBODY], searched)
        expected = np.broadcast_to(answer, searched.expected.shape).ravel()[places]
        np.testing.assert_allclose(table.keys[:, row], expected, rtol=1e-5, atol=1e-6)


def test_the_table_has_every_mistake_alone_and_every_two_that_go_together(table):
    alone = table.entries[table.entries[:, 1] == NOBODY, 0]
    assert alone.tolist() == list(range(len(bank())))
    assert len(table.entries) > 100_000


def test_places_are_all_over_an_answer_with_several_in_its_first_and_last_step():
    for shape in ((3, 7, 8), (2, 100, 32), (5, 3, 8)):
        rows, steps, units = np.unravel_index(places_of(shape), shape)
        assert set(rows) == set(range(shape[0]))
        assert len(set(units)) >= min(shape[2], PLACES // 3)
        for step in (0, shape[1] - 1):
            assert len(set(zip(rows[steps == step], units[steps == step], strict=True))) >= 4


def test_lookup_gives_single_mistakes_first(searched, table):
    answer = replay([NAMED["c = f*c + g"]], searched)
    names = [[bank()[index].name for index in entry] for entry in table.lookup(answer, everywhere(answer), 1e-4)]
    assert names[0] == ["c = f*c + g"]
    assert [len(entry) for entry in names] == sorted(map(len, names))


def test_lookup_needs_no_more_than_the_last_step(searched, table):
    answer = replay([NAMED["h = o*c"]], searched)
    known = np.zeros(answer.shape, bool)
    known[:, -1] = True
    assert "h = o*c" in [bank()[entry[0]].name for entry in table.lookup(answer, known, 1e-4) if len(entry) == 1]


def test_lookup_of_a_few_numbers_finds_nothing(searched, table):
    answer = replay([NAMED["h = o*c"]], searched)
    known = np.zeros(answer.shape, bool)
    known.flat[places_of(answer.shape)[:3]] = True
    assert table.lookup(answer, known, 1e-4) == []


def test_a_nan_of_the_student_s_fits_only_where_a_mistake_has_no_number(searched, table):
    answer = replay([NAMED["h = o*c"]], searched)
    answer[:, 1:] = np.nan
    names = [bank()[entry[0]].name for entry in table.lookup(answer, everywhere(answer), 1e-4) if len(entry) == 1]
    assert "h = o*c" not in names


def test_a_table_is_read_as_it_was_written(table, tmp_path):
    path = tmp_path / "table.safetensors"
    write_table(table, path)
    read = read_table(path)
    for name in ("entries", "keys", "quanta"):
        np.testing.assert_array_equal(getattr(read, name), getattr(table, name))


@pytest.mark.parametrize("damage", ["missing", "no safetensors", "other shapes", "of a larger bank"])
def test_a_file_that_is_no_table_is_none(table, tmp_path, damage):
    path = tmp_path / "table.safetensors"
    if damage == "no safetensors":
        path.write_bytes(b"nothing of the kind")
    elif damage == "other shapes":
        write_table(dataclasses.replace(table, keys=table.keys[:3]), path)
    elif damage == "of a larger bank":
        write_table(dataclasses.replace(table, entries=table.entries + np.int16(len(bank()))), path)
    assert read_table(path) is None


def test_equal_weights_hide_mistakes_and_the_score_says_which(make_case):
    spec = CaseSpec("alike", "public", "shape", batch=2, timesteps=5, features=4, units=3, seed=7)
    case = make_case(spec)
    alike = LSTMWeights(*(np.full_like(array, 0.1) for array in vars(case.weights).values()))
    expected = lstm_forward(case.x, alike).h.astype(np.float32)
    score = mutation_score([dataclasses.replace(case, weights=alike, expected=expected)])
    hidden = next(names for names in score.equal if "the right answer" in names)
    assert {"layers of i and f exchanged", "layers of ifo from foi", "units backwards"} <= set(hidden)
    assert "layers of i and f exchanged" in str(score)


def test_a_case_that_is_next_to_nothing_leaves_mistakes_too_near(make_case):
    spec = CaseSpec("small", "public", "shape", batch=2, timesteps=5, features=4, units=3, seed=7)
    case = make_case(spec)
    weights = case.weights.scaled(0.05)
    score = mutation_score(
        [dataclasses.replace(case, weights=weights, expected=lstm_forward(case.x, weights).h.astype(np.float32))]
    )
    assert score.distinct < score.entries == len(bank())
    assert "the right answer" in {name for *names, _ in score.near for name in names}
    assert score.nearest < 1e-2
