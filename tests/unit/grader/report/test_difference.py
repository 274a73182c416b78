"""Two reports of one submission: what changed and why."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from grader.cli import cli
from grader.report.difference import Change, diff_reports, diff_text
from grader.report.messages import render
from grader.report.model import AssignmentRef, Diagnosis, Environment, Report
from tests.unit.grader.make_reports import HOSTILE, make_report, passed


def with_receipt(report: Report, **changes: str) -> Report:
    return report.model_copy(update={"receipt": report.receipt.model_copy(update=changes)}).sealed()


def test_times_output_and_wording_are_no_difference() -> None:
    other = make_report(timing={"wall_seconds": 9.0}, output={"stdout": "other"})
    diff = diff_reports(make_report(), other)
    assert diff.same_submission
    assert (diff.causes, diff.changes, diff.unexplained) == ((), (), False)


def test_a_new_version_of_the_grader_explains_other_points() -> None:
    diff = diff_reports(make_report(), with_receipt(passed(), grader_version="2.0.0"))
    assert diff.causes == (Change("receipt.grader_version", "1.0.0", "2.0.0"),)
    assert Change("points", 10.0, 100.0) in diff.changes
    assert Change("checks.equivalence.status", "failed", "passed") in diff.changes
    assert Change("diagnoses", ["gates_swapped_if"], []) in diff.changes
    assert not diff.unexplained


def test_other_rules_and_another_environment_are_reasons_too() -> None:
    other = make_report(
        assignment=AssignmentRef(id="lstm-layer", digest="cd" * 32),
        environment=Environment(tensorflow="2.22.0", keras="3.15.1", keras_generation="3", device="gpu (NVIDIA L4)"),
    )
    assert [cause.key for cause in diff_reports(make_report(), other).causes] == [
        "assignment.digest",
        "environment.tensorflow",
        "environment.device",
    ]


def test_other_points_without_any_reason_are_called_unexplained() -> None:
    assert diff_reports(make_report(), passed()).unexplained
    assert "depends on chance or time" in diff_text(make_report(), passed(), "en")


def test_other_numbers_that_were_asked_are_told_from_every_other_reason() -> None:
    first, second = "1" * 64, "2" * 64
    asked = with_receipt(make_report(), questions=first)
    for other, is_alone, is_changed in (
        (with_receipt(make_report(), questions=second), True, False),
        (with_receipt(passed(), questions=second), True, True),
        (with_receipt(passed(), questions=second, grader_version="2.0.0"), False, True),
        (with_receipt(passed(), questions=second, submission_sha256="cd" * 32), False, True),
        (with_receipt(passed(), questions=first), False, True),
    ):
        diff, text = diff_reports(asked, other), diff_text(asked, other, "en")
        assert (diff.as_json()["only_questions"], bool(diff.changes)) == (is_alone, is_changed)
        assert ("Nothing but the numbers that were asked has changed." in text) == is_alone
        assert ("whatever numbers are asked" in text) == (is_alone and is_changed)
        assert ("numbers that were asked: 111111111111 → 222222222222" in text) == (
            Change("receipt.questions", first, second) in diff.causes
        )
    # A version that asked everybody the same numbers has no name for them.
    assert diff_reports(make_report(), asked).causes == ()


def test_a_submission_that_never_ran_has_no_environment_to_be_the_reason() -> None:
    assert diff_reports(make_report(environment=Environment()), make_report()).causes == ()


def test_reports_on_different_files_are_compared_with_a_warning() -> None:
    other = with_receipt(make_report(), submission_sha256="cd" * 32)
    assert not diff_reports(make_report(), other).same_submission
    assert "different files" in diff_text(make_report(), other, "en")
    assert "разных файлах" in diff_text(make_report(), other, "ru")


def test_text_names_checks_by_their_titles() -> None:
    text = diff_text(make_report(), with_receipt(passed(), grader_version="2.0.0"), "en")
    assert "  version of the grader: 1.0.0 → 2.0.0\n" in text
    assert "  Equal to Keras, points: 0 → 50\n" in text
    assert "  diagnoses: “Input and forget gates swapped” → none\n" in text
    assert "  status: failed → passed\n" not in text  # in words
    assert not any(line.startswith("  the exercise's own input") for line in text.splitlines())  # only one has cases


def test_text_names_each_mistake_in_the_variant_of_its_report() -> None:
    plain = Diagnosis(code="forget_term_missing", confidence="exact")
    full = plain.model_copy(update={"params": {"variant": "full"}})
    mixed = Diagnosis(code="batch_mixed", params={"variant": "order"}, confidence="exact")
    text = diff_text(make_report(diagnoses=[full]), make_report(diagnoses=[plain, mixed]), "en")
    assert "  diagnoses: “Nothing is forgotten” → “Forget gate is not used”, “Order of the batch changed”" in text


def test_a_forged_report_cannot_repaint_the_terminal() -> None:
    forged = with_receipt(make_report(), grader_version=HOSTILE)
    assert "\x1b" not in diff_text(make_report(), forged, "en")


def test_the_command_compares_two_files(tmp_path: Path) -> None:
    before, after = tmp_path / "a.json", tmp_path / "b.json"
    before.write_text(json.dumps(render(make_report(), "ru")), encoding="utf-8")
    after.write_text(passed().model_dump_json(), encoding="utf-8")

    same = CliRunner().invoke(cli, ["diff", str(before), str(before), "--lang", "en"])
    assert (same.exit_code, "The result is the same." in same.stdout) == (0, True)
    other = CliRunner().invoke(cli, ["diff", str(before), str(after), "--format", "json"])
    assert other.exit_code == 1
    assert json.loads(other.stdout)["unexplained"] is True


@pytest.mark.parametrize("content", ["", "[]", "{}", None])
def test_the_command_refuses_what_is_no_report(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "a.json"
    if content is not None:
        file.write_text(content)
    result = CliRunner().invoke(cli, ["diff", str(file), str(file)])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"lstm-grader: {file}")
