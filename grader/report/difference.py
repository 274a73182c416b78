"""Two reports of one submission: the changes, and the possible reasons.

A grade depends on the submission, the assignment, the grader, its platform and the numbers that are asked, and on
nothing else. So where two reports differ, one of these must differ too. Where none does, we want to know. A right
answer does not depend on the numbers either.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from grader.report.messages import render, title_of, translate
from grader.report.model import CaseResult, Report
from grader.report.numbers import number
from grader.report.server_paths import clean

# The cause that a right answer does not depend on.
QUESTIONS = "receipt.questions"


@dataclass(frozen=True)
class Change:
    """One value that differs; `key` is its path in the report, with the ids of checks and cases in it."""

    key: str
    before: Any
    after: Any


@dataclass(frozen=True)
class ReportDiff:
    """The differences between an earlier report and a later one.

    Attributes:
        same_submission: whether both are about the same bytes.
        causes: differences in what the grade depends on.
        changes: differences in the result.
    """

    same_submission: bool
    causes: tuple[Change, ...]
    changes: tuple[Change, ...]

    @property
    def unexplained(self) -> bool:
        """Return whether something changed although nothing that decides a grade did."""
        return self.same_submission and bool(self.changes) and not self.causes

    @property
    def only_questions(self) -> bool:
        """Return whether the numbers that were asked are all that differs of what decides a grade."""
        return self.same_submission and [cause.key for cause in self.causes] == [QUESTIONS]

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "only_questions": self.only_questions, "unexplained": self.unexplained}


def diff_reports(before: Report, after: Report) -> ReportDiff:
    """Compare the grades and everything that decides them. Times, output and wording are left out."""
    return ReportDiff(
        same_submission=before.receipt.submission_sha256 == after.receipt.submission_sha256,
        # A submission that never ran has no environment: that is neither a reason nor a difference.
        causes=tuple(change for change in _changes(_causes(before), _causes(after)) if None not in _values(change)),
        changes=tuple(change for change in _changes(_results(before), _results(after)) if not _is_missing_case(change)),
    )


def _changes(before: dict[str, Any], after: dict[str, Any]) -> Iterator[Change]:
    for key in {**before, **after}:
        if before.get(key) != after.get(key):
            yield Change(key, before.get(key), after.get(key))


def _values(change: Change) -> tuple[Any, Any]:
    return change.before, change.after


def _is_missing_case(change: Change) -> bool:
    """Return whether one of the two never reached this case."""
    return change.key.startswith("cases.") and None in _values(change)


def _causes(report: Report) -> dict[str, Any]:
    environment = report.environment.model_dump(include={"tensorflow", "keras", "keras_generation", "device"})
    return {
        "receipt.submission_sha256": report.receipt.submission_sha256,
        "receipt.grader_version": report.receipt.grader_version,
        "assignment.id": report.assignment.id,
        "assignment.digest": report.assignment.digest,
        QUESTIONS: report.receipt.questions,
        **{f"environment.{name}": value for name, value in environment.items()},
    }


def _results(report: Report) -> dict[str, Any]:
    results: dict[str, Any] = {"status": report.status.value, "points": report.points, "max_points": report.max_points}
    for check in report.checks:
        for key in ("status", "points", "max_points", "code"):
            value = getattr(check, key)
            results[f"checks.{check.id}.{key}"] = getattr(value, "value", value)
    for case in report.cases:
        results[f"cases.{case.id}.shape"] = case.shape
        results[f"cases.{case.id}.close"] = _is_close(case)
    results["diagnoses"] = [diagnosis.code for diagnosis in report.diagnoses]
    results["advisories"] = sorted({advisory.code for advisory in report.advisories})
    results["error.type"] = report.error.type if report.error else None
    return results


def _is_close(case: CaseResult) -> bool:
    """Return whether an answer is within the tolerance. The exact error varies with rounding. Outputs stay below 1."""
    return case.max_abs_error is not None and case.max_abs_error <= case.atol + case.rtol


def diff_text(before: Report, after: Report, language: str) -> str:
    """Write the difference for people: a warning, the reasons, the changes."""
    diff = diff_reports(before, after)
    name = _Names(before, after, language)
    lines = []
    if not diff.same_submission:
        lines += [name.word("other_submission"), ""]
    lines += [f"{name.word('causes')}:", *map(name.line, diff.causes)]
    if not diff.causes:
        lines[-1] = name.word("no_causes")
    if diff.only_questions:
        lines.append(name.word("only_questions"))
    lines += ["", f"{name.word('changes')}:", *map(name.line, diff.changes)]
    if not diff.changes:
        lines[-1] = name.word("nothing")
    if diff.unexplained:
        lines += ["", name.word("unexplained")]
    elif diff.changes and diff.only_questions:
        lines += ["", name.word("by_questions")]
    return "\n".join(lines) + "\n"


class _Names:
    """Words for the keys and values of a diff."""

    def __init__(self, before: Report, after: Report, language: str) -> None:
        self._language = language
        rendered = [render(report, language) for report in (before, after)]
        self._variants = [
            {each["code"]: each["params"].get("variant") for each in (*report["checks"], *report["diagnoses"])}
            for report in rendered
        ]
        self._titles = {f"checks.{check['id']}": check["title"] for report in rendered for check in report["checks"]}
        cases = [*before.cases, *after.cases]
        self._titles |= {f"cases.{case.id}": translate(f"category.{case.category}", language) for case in cases}

    def word(self, id: str) -> str:
        return translate(f"diff.{id}", self._language)

    def line(self, change: Change) -> str:
        owner, _, what = change.key.rpartition(".")
        title = f"{self._titles[owner]}, " if owner in self._titles else ""
        name = self.word(change.key if owner == "assignment" else what)
        values = zip((change.before, change.after), self._variants, strict=True)
        before, after = (self._value(value, change.key, variants) for value, variants in values)
        return clean(f"  {title}{name}: {before} → {after}")

    def _title(self, code: str, variants: Mapping[str, object]) -> str:
        """Give the title of a code in the variant of its report; remarks have none."""
        title = title_of(code, self._language, variants.get(code))
        return translate("check.quoted", self._language, title=title) if title else code

    def _value(self, value: Any, key: str, variants: Mapping[str, object]) -> str:
        if key.endswith("status") and isinstance(value, str):
            return translate(f"{'check_' if key.startswith('checks.') else ''}status.{value}", self._language)
        if value is None or value == []:
            return self.word("none")
        if isinstance(value, bool):
            return translate(f"diff.{'yes' if value else 'no'}", self._language)
        if isinstance(value, float):
            return number(value, self._language)
        if isinstance(value, list):
            are_codes = key in ("diagnoses", "advisories")
            return ", ".join(self._title(code, variants) if are_codes else str(code) for code in value)
        if key.endswith(".code"):
            return self._title(value, variants)
        # The first characters are enough to tell digests apart.
        return value[:12] if isinstance(value, str) and len(value) == 64 else str(value)
