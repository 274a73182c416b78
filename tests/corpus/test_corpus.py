"""Whole submissions, each graded in the real box and held to the verdict it should get.

A folder ``<assignment>/<name>/`` holds the file as a student would upload it, ``submission.*``, and ``expect.toml``,
whose keys `Expectation` describes. A new folder is a new case: nothing else has to be changed. What is expected is what
is *right*, whatever the grader says today. `make test` grades the first submission of which something new is expected,
and some more; `make test-all` grades all of them.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import re
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.http.notebook import notebook_cell
from grader import handout
from grader.assignment import Assignment, load_assignments
from grader.pipeline import grade
from grader.report.finding import CheckStatus
from grader.report.messages import render
from grader.report.model import HELD, Report, Status
from grader.sandbox import ForkSandbox
from grader.submission import Submission
from reference import Case, ReferenceStore
from reference.lstm.misconceptions import bank

CORPUS = Path(__file__).parent
FOLDERS = sorted(CORPUS.glob("*/*/"))
FACTS = ("diagnosis", "error", "keras_generation")
#: `make test` grades one in so many of the submissions that expect nothing new.
EVERY = 48
#: Causes that units prove: `tests/unit/reference` finds mistakes of the bank in the numbers of classes, and
#: `tests/unit/grader` and `tests/unit/runner` others in an exception's words, an answer's shape, or the text of a file.
#: `tests/containment` tries those of the first line in the same box.
PROVEN_ELSEWHERE = {
    *("crash", "exits", "forged_result", "frame_walk", "memory", "output_flood", "timeout", "uses_builtin_lstm"),
    *(mistake.code for mistake in bank()),
    *("attribute_error", "init_signature", "missing_argument", "missing_self", "name_error", "other_file"),
    *("past_the_end", "raises_in_call", "raises_in_init", "recursion", "reserved_name", "super_init_missing"),
    *("tensor_item_assignment", "tf1_api", "concat_not_stack", "dtype_float64", "return_inside_loop", "returns_dict"),
    *("returns_list", "returns_none", "returns_numpy", "returns_tuple"),
    *("cell_per_step", "hardcoded_batch", "hardcoded_features", "hardcoded_length", "two_layers"),
    *("constant_output", "dropout_active", "state_kept_between_calls"),
    *("time_major", "wrong_shape", "wrong_stack_axis", "wrong_kind"),
    *("call_signature", "gate_weights_misshapen", "gate_weights_missing", "hardcoded_units", "imports_solution"),
    *("missing_package", "not_implemented", "wrong_extension", "write_outside"),
    *("empty_file", "invalid_notebook", "invalid_notebook_json", "link_only", "not_python", "not_text", "syntax_error"),
}
TASK2 = ("weights_copied", "comparison")
#: They take many times as long as others, so what they expect is sampled from others where those expect it too.
SLOW = {
    *("course_published", "notebook_wrong_c_never", "states_as_arguments", "style_opaque_hardbatch"),
    *("wrong_cell_made_in_call", "wrong_state_in_init_batch", "wrong_state_never_reset"),
}
#: Only for these does an experiment in the box tell what weights are for, so they come first.
FIRST = {"wrong_peephole_dense"}


def _as_range(points: object) -> object:
    return points if isinstance(points, list) else [points, points]


class Expectation(BaseModel):
    """The expected report on one submission."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    why: str = Field("", description="what is peculiar about the submission; for people")
    status: Status
    points: Annotated[tuple[float, float], BeforeValidator(_as_range)] = Field(
        description="exactly, or the least and the most: partial credit may come to be given more finely"
    )
    checks: dict[str, CheckStatus] = Field({}, description="verdicts of single checks; those not named are free")
    codes: dict[str, str] = Field({}, description="codes of single checks")
    diagnosis: str | None = Field(None, description="code of the first diagnosis")
    diagnoses: int | None = Field(None, description="how many there are: one cause, one message")
    must_mention: list[str] = Field(
        [], description="words that the message or hint of the diagnosis holds, in either language; a|b means either"
    )
    first_divergence_timestep: int | None = Field(None, description="where the exercise's own case goes wrong first")
    error: str | None = Field(None, description="type of the exception that is shown; empty for none")
    advisories: list[str] = Field([], description="codes that must be among the advisories")
    remarks_mention: list[str] = Field([], description="words that the advisories hold, in either language")
    keras_generation: str | None = Field(None, description="which Keras graded it")
    marked: list[int] | None = Field(
        None,
        description="lines of the cell or file that are marked as the place, besides one that a cause names itself",
    )
    task2: str | None = Field(None, description="the mistake in its own copying or comparing, for `lstm-notebook`")
    limits: dict[str, int | float] = Field({}, description="limits that are tighter than the assignment's own")

    @classmethod
    @functools.cache
    def of(cls, folder: Path) -> Expectation:
        return cls.model_validate(tomllib.loads((folder / "expect.toml").read_text(encoding="utf-8")))

    def facts(self) -> set[tuple[str, str]]:
        """All that is expected by name and needs a run: the status, verdicts and codes of checks, causes, remarks."""
        facts = {
            ("status", self.status),
            *(("verdict of a check", f"{check} {verdict}") for check, verdict in self.checks.items()),
            # Those of Task 2 are in tests/unit/grader/task2.
            *(("code of a check", f"{check} {code}") for check, code in self.codes.items() if check not in TASK2),
            *(("remark", code) for code in self.advisories),
            *(("limit", name) for name in self.limits),
            *((key, value) for key in FACTS if (value := getattr(self, key)) is not None),
        }
        return {(kind, value) for kind, value in facts if value not in PROVEN_ELSEWHERE and not value.startswith("t2_")}


def _sample(folders: Sequence[Path]) -> set[Path]:
    """Choose submissions that expect every fact, those with many first, and every so many of the others."""
    expected: set[tuple[str, str]] = set()
    chosen, others = set(), []
    for folder in sorted(
        folders, key=lambda each: (each.name not in FIRST, each.name in SLOW, -len(Expectation.of(each).facts()))
    ):
        exercise, way = folder.parent.name, folder.name.partition("_")[0]
        status = Expectation.of(folder).status
        facts = {*Expectation.of(folder).facts(), (exercise, "passed" if status is Status.PASSED else "not passed")}
        facts |= {("way of writing", way)} if exercise == "lstm_layer" else set()
        if facts <= expected:
            others += [folder] if exercise == "lstm_layer" else []  # A notebook costs three runs more.
        else:
            chosen.add(folder)
        expected |= facts
    return chosen | {folder for folder in sorted(others)[::EVERY] if folder.name not in SLOW}


SAMPLE = _sample(FOLDERS)
CASES = [
    pytest.param(
        folder,
        id=f"{folder.parent.name}-{folder.name}",
        marks=() if folder in SAMPLE else pytest.mark.thorough,
    )
    for folder in FOLDERS
]
#: On a machine that does ten other things, too, a core does half of its work in the same time.
PATIENT = {"cpu_seconds": 100, "wall_seconds": 400.0}


def _submission(folder: Path) -> Submission:
    (path,) = folder.glob("submission.*")
    return Submission(path.name, path.read_bytes())


def _assignment(folder: Path) -> Assignment:
    assignment = load_assignments()[folder.parent.name.replace("_", "-")]
    limits = assignment.limits.model_copy(update=PATIENT | Expectation.of(folder).limits)
    return assignment.model_copy(update={"limits": limits})


@pytest.mark.parametrize("folder", CASES)
def test_submission_gets_the_verdict_it_should(
    folder: Path, sandbox: ForkSandbox, references: ReferenceStore, questions_seed: bytes
) -> None:
    expected, assignment = Expectation.of(folder), _assignment(folder)
    report = grade(_submission(folder), assignment, seed=questions_seed, sandbox=sandbox, references=references)
    differences = _differences(expected, report)
    assert not differences, "\n".join([f"{folder.parent.name}/{folder.name}", *differences, *_summary(report)])
    remarks = " ".join(shown["message"] for lang in ("ru", "en") for shown in render(report, lang)["advisories"])
    assert [words for words in expected.remarks_mention if not _mentions(remarks, words)] == []
    assert report.is_held == (HELD in expected.advisories)
    _assert_mentioned(expected, report)
    _assert_divergence(expected, report, references.load([c.spec() for c in assignment.cases], digest=""))
    _assert_form(report)


# A notebook is asked the same of its class, and costs three runs more.
RIGHT = [
    folder
    for folder in FOLDERS
    if folder.parent.name == "lstm_layer" and Expectation.of(folder).status is Status.PASSED and folder.name not in SLOW
]


@pytest.mark.thorough
@pytest.mark.parametrize("folder", RIGHT, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_a_right_answer_is_right_whatever_is_asked(
    folder: Path, sandbox: ForkSandbox, references: ReferenceStore, questions_seed: bytes
) -> None:
    for more in (b"second", b"third"):
        seed = hashlib.sha256(questions_seed + more).digest()
        report = grade(_submission(folder), _assignment(folder), seed=seed, sandbox=sandbox, references=references)
        assert report.status is Status.PASSED, (seed.hex(), *_summary(report))


@pytest.mark.thorough
def test_a_kept_state_is_not_called_random_whatever_is_asked(sandbox: ForkSandbox, references: ReferenceStore) -> None:
    """With these seeds a call that no answer shows, between two questions, hides where the second one began."""
    folder = CORPUS / "lstm_layer" / "wrong_state_in_init_batch"
    for number in (4, 6):
        seed = hashlib.sha256(str(number).encode()).digest()
        report = grade(_submission(folder), _assignment(folder), seed=seed, sandbox=sandbox, references=references)
        assert [each.code for each in report.diagnoses] == ["state_kept_between_calls"], _summary(report)


def test_the_sample_has_every_status_and_every_way_of_writing() -> None:
    assert {Expectation.of(folder).status for folder in SAMPLE} == set(Status) - {Status.INTERNAL_ERROR}
    everywhere, sampled = (
        {each.name.partition("_")[0] for each in folders if each.parent.name == "lstm_layer"}
        for folders in (FOLDERS, SAMPLE)
    )
    assert everywhere == sampled


@pytest.mark.parametrize(
    ("id", "name"),
    [
        ("lstm-layer", "notebook"),
        pytest.param("lstm-notebook", "module", marks=pytest.mark.thorough),
    ],
)
def test_handout_that_nobody_filled_in_gets_a_report_that_says_so(
    id: str, name: str, sandbox: ForkSandbox, references: ReferenceStore, questions_seed: bytes
) -> None:
    assignment = load_assignments()[id]
    content = handout.notebook(assignment, "ru") if name == "notebook" else handout.module(assignment, "en")
    submission = Submission("handout.ipynb" if name == "notebook" else "handout.py", content)
    report = grade(submission, assignment, seed=questions_seed, sandbox=sandbox, references=references)
    assert (report.status, report.points) == (Status.RUNTIME_ERROR, 0)
    assert [diagnosis.code for diagnosis in report.diagnoses] == ["not_implemented"]


@pytest.mark.thorough
def test_notebook_that_hands_itself_in_gets_the_same_grade(
    sandbox: ForkSandbox, references: ReferenceStore, questions_seed: bytes
) -> None:
    assignment = load_assignments()["lstm-notebook"]
    work = (CORPUS / "lstm_notebook" / "main_function" / "submission.py").read_text()
    sources = [work, notebook_cell("https://grader.example", assignment.id, "ru")]
    cells = [{"cell_type": "code", "metadata": {}, "outputs": [], "source": source} for source in sources]
    submission = Submission("LSTM.ipynb", json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}).encode())
    report = grade(submission, assignment, seed=questions_seed, sandbox=sandbox, references=references)
    assert (report.status, report.points) == (Status.PASSED, 100)
    assert [advisory.code for advisory in report.advisories] == []


def _differences(expected: Expectation, report: Report) -> list[str]:
    """List what the report says otherwise than it should, expected and got side by side."""
    checks = {check.id: check for check in report.checks}
    exact = [diagnosis.code for diagnosis in report.diagnoses if diagnosis.confidence == "exact"]
    first = [diagnosis.code for diagnosis in report.diagnoses[:1]]
    compared: list[tuple[str, object, object]] = [
        ("status", expected.status, report.status),
        *((f"status of {name}", status, checks[name].status) for name, status in expected.checks.items()),
        *((f"code of {name}", code, checks[name].code) for name, code in expected.codes.items()),
        ("diagnosis", [expected.diagnosis], first) if expected.diagnosis else ("exact diagnoses", [], exact),
    ]
    if expected.diagnoses is not None:
        compared.append(("number of diagnoses", expected.diagnoses, len(report.diagnoses)))
    if expected.keras_generation is not None:
        compared.append(("generation of Keras", expected.keras_generation, report.environment.keras_generation))
    if expected.error is not None:
        compared.append(("error", expected.error, report.error.type if report.error else ""))
    differences = [f"{name}: expected {wanted}, got {got}" for name, wanted, got in compared if wanted != got]
    if expected.marked is not None and (marked := _marked(report)) != expected.marked:
        differences.append(f"marked lines: expected {expected.marked}, got {marked}")
    least, most = expected.points
    if report.points is None or not least <= report.points <= most:
        differences.append(f"points: expected {least} to {most}, got {report.points}")
    if missing := set(expected.advisories) - {advisory.code for advisory in report.advisories}:
        differences.append(f"remarks: expected {sorted(missing)}, too")
    return differences


def _marked(report: Report) -> list[int]:
    places = [place for place in report.source.places if place.part != "line" or place.confidence == "probable"]
    return sorted({line for place in places for line in range(place.line, place.last_line + 1)})


def _summary(report: Report) -> list[str]:
    """Say in a few lines what the report holds, for the message of a test that fails."""
    return [
        f"it says {report.status}, {report.points} points; error: {report.error}",
        *(f"{check.id}: {check.status}, {check.points} points, {check.code}" for check in report.checks),
        *(f"diagnosis {diagnosis.code} ({diagnosis.confidence})" for diagnosis in report.diagnoses),
    ]


def _assert_mentioned(expected: Expectation, report: Report) -> None:
    texts = " ".join(
        f"{shown['message']} {shown['hint'] or ''}"
        for language in ("ru", "en")
        for shown in render(report, language)["diagnoses"][:1]
    )
    missing = [words for words in expected.must_mention if not _mentions(texts, words)]
    assert not missing, texts


def _mentions(text: str, words: str) -> bool:
    return any(word.replace("\\", "").casefold() in text.casefold() for word in words.split("|"))


def _assert_divergence(expected: Expectation, report: Report, cases: tuple[Case, ...]) -> None:
    """The first divergence of the exercise's own case is a fact: what was expected there is what Keras says."""
    for result, case in zip(report.cases, cases, strict=bool(report.cases)):
        first = result.first_divergence
        if case.spec.visibility == "hidden":
            assert first is None
            assert not result.errors_by_timestep
            assert not result.errors_by_unit
        elif first is not None:
            place = (first.batch, first.timestep, first.unit)
            assert first.expected == pytest.approx(float(case.expected[place]), abs=1e-9)
            if first.actual is not None:
                assert abs(first.actual - first.expected) > result.atol
    if expected.first_divergence_timestep is not None:
        first = report.cases[0].first_divergence
        assert first is not None
        assert first.timestep == expected.first_divergence_timestep


def _assert_form(report: Report) -> None:
    """Assert the rules that hold for every report."""
    assert report.points == pytest.approx(math.fsum(check.points for check in report.checks))
    assert [check.id for check in report.checks] == list(load_assignments()[report.assignment.id].points)
    assert (report.points == report.max_points) == (report.status == Status.PASSED)
    assert report.digest() == report.receipt.report_sha256
    stored = report.model_dump_json()
    assert "site-packages" not in stored
    assert str(Path(tempfile.gettempdir()) / "lstm-grader") not in stored
    for language in ("ru", "en"):
        for text in _texts(render(report, language)):
            assert text.strip()
            assert not re.search(r"(?<!\{)\{[a-z_]+\}(?!\})", text), text


def _texts(rendered: dict) -> list[str]:
    parts = [*rendered["checks"], *rendered["diagnoses"], *rendered["advisories"]]
    parts += rendered["extraction"]["cells_skipped"]
    return [part[key] for part in parts for key in ("title", "message", "hint") if part.get(key) is not None]
