"""Assignment files: what they may say, and how a wrong one is refused."""

import tomllib

import pytest
from pydantic import ValidationError

from grader.assignment import (
    BUILT_IN,
    Assignment,
    Budget,
    UploadLimits,
    load_assignments,
    pick_assignment,
    read_assignment,
)
from grader.errors import AssignmentError
from grader.sandbox import Limits, Use

DEFAULT = (BUILT_IN / "lstm-layer.toml").read_text(encoding="utf-8")


def _write(folder, *changes, name="mine.toml", id="mine"):
    text = DEFAULT.replace('id = "lstm-layer"', f'id = "{id}"')
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_folder_adds_assignments_and_replaces_built_in_ones(tmp_path):
    _write(tmp_path)
    _write(tmp_path, ("contract = 10", "contract = 20"), name="layer.toml", id="lstm-layer")
    assignments = load_assignments(tmp_path)
    assert assignments["mine"].max_points == 100
    assert assignments["lstm-layer"].max_points == 110


@pytest.mark.parametrize(
    ("change", "named"),
    [
        pytest.param(("contract = 10", "contract = -1"), "points.contract", id="negative points"),
        pytest.param(("contract = 10", "contract = nan"), "points.contract", id="points that are no number"),
        pytest.param(("contract = 10", "contarct = 10"), "points", id="a check that does not exist"),
        pytest.param(("atol = 1e-5", "atol = 0"), "tolerance.atol", id="no tolerance"),
        pytest.param(("atol = 1e-5", "atol = 1.0"), "tolerance.atol", id="a tolerance that accepts anything"),
        pytest.param(("cpu_seconds = 20", "cpu_seconds = 0"), "limits.cpu_seconds", id="no time"),
        pytest.param(("cpu_seconds = 20", "cpu_secs = 20"), "limits.cpu_secs", id="a key that does not exist"),
        pytest.param(("[limits]", "[deadline]\ndue = 2026-03-01T23:59:00\n[limits]"), "due", id="a moment of no zone"),
        pytest.param(
            ("[limits]", "[deadline]\ndue = 2026-03-02T00:00:00Z\ncloses = 2026-03-01T00:00:00Z\n[limits]"),
            "closes",
            id="closed before it is due",
        ),
        pytest.param(("[limits]", "[attempts]\nlimit = 0\n[limits]"), "attempts.limit", id="no attempt"),
        pytest.param(("seed = 7411", "seed = -1"), "seed", id="a negative seed"),
        pytest.param(("seed = 31337", "seed = 31337\nscale = 10.0"), "scale", id="values so large that rounding shows"),
        pytest.param(("units = 8\nseed = 7411", "units = 5\nseed = 7411"), "other_shape", id="equal sizes"),
        pytest.param(('id = "other_shape"', 'id = "exercise"'), "exercise", id="two cases of one name"),
        pytest.param(('visibility = "public"', 'visibility = "hidden"'), "exercise", id="a hidden first case"),
        pytest.param(('id = "mine"', 'id = "../mine"'), "id", id="an id that is a path"),
        pytest.param(('language = "ru"', 'language = "de"'), "language", id="a language that does not exist"),
    ],
)
def test_a_wrong_file_is_refused_by_name_and_key(tmp_path, change, named):
    path = _write(tmp_path, change)
    with pytest.raises(AssignmentError) as caught:
        read_assignment(path)
    assert str(path) in str(caught.value)
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('keras = "auto"', "keras = 3"), "keras: expected '3', '2' or 'auto' (got 3)"),
        (("contract = 10", 'contract = "ten"'), "points.contract: expected a number (got 'ten')"),
        (("contract = 10", "contract = 1001"), "points.contract: expected at most 1000 (got 1001)"),
        (("cpu_seconds = 20", "cpu_seconds = 0.5"), "limits.cpu_seconds: expected a whole number (got 0.5)"),
        (
            ("memory_bytes = 1_073_741_824", "memory_bytes = 1"),
            "limits.memory_bytes: expected at least 268435456 (got 1)",
        ),
        (
            ("[limits]", '[deadline]\ndue = "x"\n[limits]'),
            "deadline.due: expected a moment with its offset from UTC, such as 2026-03-01T23:59:00+03:00 (got 'x')",
        ),
        (
            ("[limits]", "[deadline]\nlate_percent_per_day = 10\n[limits]"),
            "deadline: `late_percent_per_day` needs `due`: late for what?",
        ),
        (('id = "other_shape"', 'id = "exercise"'), "two cases have the same id: exercise"),
    ],
)
def test_a_wrong_value_is_shown_with_what_was_expected(tmp_path, change, message):
    with pytest.raises(AssignmentError) as caught:
        read_assignment(_write(tmp_path, change))
    assert str(caught.value).endswith(f"mine.toml: {message}")


@pytest.mark.parametrize("value", [0, -1, None, float("nan"), float("inf"), "much"])
@pytest.mark.parametrize("limits", [UploadLimits, Limits])
def test_a_limit_of_nothing_or_without_an_end_is_refused(limits, value):
    for name in limits.model_fields:
        with pytest.raises(ValidationError, match=name):
            limits.model_validate({name: value})


def test_points_that_are_all_zero_are_refused(tmp_path):
    changes = [(f"{name} =", f"{name} = 0 #") for name in tomllib.loads(DEFAULT)["points"]]
    with pytest.raises(AssignmentError, match="worth nothing"):
        read_assignment(_write(tmp_path, *changes))


def test_a_folder_with_one_id_twice_or_that_does_not_exist_is_refused(tmp_path):
    _write(tmp_path)
    _write(tmp_path, name="other.toml")
    for folder, message in ((tmp_path, "already used"), (tmp_path / "nowhere", "no such folder")):
        with pytest.raises(AssignmentError, match=message):
            load_assignments(folder)


@pytest.mark.parametrize(("titles", "shown"), [({"ru": "Слой", "en": "Layer"}, "Layer"), ({"ru": "Слой"}, "Слой")])
def test_a_title_is_in_the_language_that_is_asked_for_or_else_in_the_other(assignment, titles, shown):
    titled = assignment.model_copy(update={"title": titles})
    assert titled.title_in("en") == shown
    assert titled.model_copy(update={"title": {}}).title_in("en") == titled.id


def test_the_digest_is_of_what_decides_a_grade(assignment):
    # A copy would keep a digest that was asked for before.
    values = assignment.model_dump()
    reworded = Assignment.model_validate(
        {**values, "language": "en", "title": {"en": "Other"}, "text": {"en": "# Do it"}}
    )
    harder = Assignment.model_validate({**values, "points": {**assignment.points, "contract": 11}})
    assert reworded.digest == assignment.digest
    assert harder.digest != assignment.digest


def test_a_key_that_came_later_keeps_the_digest_until_it_is_used():
    # Grades that are stored name the digest of their day.
    assignment = load_assignments()["lstm-layer"]
    budgeted = assignment.model_copy(update={"budget": Budget(cpu_seconds=30)})
    assert assignment.digest == "dc37b8a896d84f0b43094e02c1a9a4b0473606796a185f5c9bf7d3e005298117"
    assert budgeted.digest != assignment.digest


def test_the_runs_of_a_submission_may_use_three_times_the_limits_of_one(assignment):
    assert assignment.allowance == Use(3 * assignment.limits.cpu_seconds, 3 * assignment.limits.wall_seconds)
    asked = assignment.model_copy(update={"budget": Budget(cpu_seconds=30.0)})
    assert asked.allowance == Use(30.0, assignment.allowance.wall_seconds)


def test_an_assignment_is_picked_by_id_or_by_file(tmp_path):
    path = _write(tmp_path)
    assert pick_assignment(load_assignments(), "lstm-layer").id == "lstm-layer"
    assert pick_assignment(load_assignments(), str(path)).id == "mine"
    for name, message in (("lstm", "lstm-layer"), (str(tmp_path), "is a folder")):
        with pytest.raises(AssignmentError, match=message):
            pick_assignment(load_assignments(), name)
