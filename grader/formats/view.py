"""The starting point of every writer of a report: the report with its sentences, and the reader's language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from grader.report.messages import CELL, message_of, place_of, render, title_of, translate
from grader.report.model import HELD, Report, Status
from grader.report.numbers import points
from grader.report.pictures import drawing
from grader.report.server_paths import all_clean, in_one_line
from grader.reporting.extraction import FAILURES
from reference.lstm.misconceptions import PARTS

#: The parameter whose sentence gives the place of the first difference.
FIRST_DIFFERENCE = frozenset({"timestep"})
#: The same, and the one whose sentence names the right parts: a page that shows the proof lists them there.
IN_PROOF = FIRST_DIFFERENCE | {"right"}
#: The checks that diagnoses explain.
EXPLAINED = frozenset({"contract", "equivalence"})
# The first characters of an exception, by which a message is known to quote it. Messages show at most twice as many.
WORDS = 80
# Between two segments of the strip of points, in percent of its width.
STRIP_GAP = 0.6


def root_failures(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the failed checks of a rendered report that do not follow from another one."""
    return [check for check in report["checks"] if check["status"] == "failed" and not _follows(check)]


def causes(
    report: Mapping[str, Any], language: str, elsewhere: frozenset[str] = FIRST_DIFFERENCE
) -> list[dict[str, Any]]:
    """Return the causes for a page: the diagnoses, or without any the root failures.

    Args:
        elsewhere: parameters that the page shows in another place, where there is a first difference.
    """
    failed = root_failures(report)
    return report["diagnoses"] or [
        {**check, "message": _beside_numbers(check, report, language, elsewhere)} for check in failed
    ]


def cause_title(cause: Mapping[str, Any], language: str) -> str:
    """Return the title of a diagnosis, rendered or as it is stored: that of its variant."""
    return title_of(cause["code"], language, cause["params"].get("variant")) or str(cause["code"])


def consequences(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the checks that lose points for the causes that the page names, and for nothing else."""
    if not report["max_points"]:
        return []
    if not report["diagnoses"]:
        return [check for check in report["checks"] if check["status"] == "failed" and _follows(check)]
    return [
        check
        for check in report["checks"]
        if check["code"] == "equivalence_not_earned"
        or (check["status"] == "failed" and (_follows(check) or check["id"] == "equivalence"))
    ]


@dataclass(frozen=True)
class Segment:
    """A check in the strip of points; `start`, `width`, `earned` and `middle` in percent of the strip."""

    id: str
    status: str
    start: float
    width: float
    earned: float
    middle: float


def strip(report: Mapping[str, Any]) -> list[Segment]:
    """Return the segments of the strip of points: each as wide as its points. Checks without points have none."""
    whole = sum(check["max_points"] for check in report["checks"])
    segments, start = [], 0.0
    for check in report["checks"]:
        if not check["max_points"]:
            continue
        width = 100 * check["max_points"] / whole
        visible_width = max(width - STRIP_GAP, width / 2)
        earned = visible_width * check["points"] / check["max_points"]
        middle = start + visible_width / 2
        numbers = (round(number, 2) for number in (start, visible_width, earned, middle))
        segments.append(Segment(check["id"], check["status"], *numbers))
        start += width
    return segments


def parts(report: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """Return which parts of a wrong answer are right; nothing where none is known to be."""
    equivalence = next((check for check in report["checks"] if check["id"] == "equivalence"), None)
    right = (equivalence or {}).get("params", {}).get("right")
    if equivalence is None or equivalence["status"] != "failed" or not isinstance(right, list):
        return []
    return [(part, part in right) for part in PARTS]


def rows(
    report: Mapping[str, Any], language: str, elsewhere: frozenset[str] = FIRST_DIFFERENCE, *, has_summary: bool = False
) -> list[dict[str, Any]]:
    """Return the checks for a table below the causes. Repeat nothing: a message shown above is only named.

    Args:
        elsewhere: as in `causes`.
        has_summary: `summary` is shown above, and already says what the checks say about a failure of ours.
    """
    said = {part["message"] for part in causes(report, language, elsewhere)}
    if has_summary and report["status"] == Status.INTERNAL_ERROR:
        said.add(translate("internal_error.message", language))
    shown = []
    for check in report["checks"]:
        message = _beside_numbers(check, report, language, elsewhere)
        # The diagnoses give the advice on the class and its numbers.
        advises = check["status"] == "failed" and report["diagnoses"] and check["id"] not in EXPLAINED
        hint = check["hint"] if advises else None
        if message in said:
            message, hint = _without_repetition(check, language), None
        said.add(message)
        shown.append({**check, "message": message, "hint": hint})
    return shown


def summary(report: Mapping[str, Any], language: str) -> str:
    """Return the sentence under the verdict."""
    if not report["max_points"] and report["status"] in ("passed", "failed"):
        return translate(f"summary.check_{report['status']}", language)
    nothing = report["status"] == "failed" and not report["points"]
    return translate("summary.nothing" if nothing else f"summary.{report['status']}", language)


def _without_repetition(check: Mapping[str, Any], language: str) -> str:
    """Replace a message that was already shown: by its title for a failed check, by nothing for others."""
    if check["status"] != "failed":
        return ""
    if _follows(check):
        return str(check["message"])
    title = title_of(check["code"], language, check["params"].get("variant"))
    return f"{title}." if title else ""


def _follows(check: Mapping[str, Any]) -> bool:
    return "follows_from" in check["params"]


def _beside_numbers(
    check: Mapping[str, Any], report: Mapping[str, Any], language: str, elsewhere: frozenset[str]
) -> str:
    """Return a check's message for a page that also shows the first difference."""
    has_difference = any(case["first_divergence"] for case in report["cases"])
    return message_of(check, language, elsewhere if has_difference else frozenset())


def parts_not_run(report: Mapping[str, Any], language: str) -> dict[str, list[tuple[str, str]]]:
    """Group the ``skipped`` and the ``failed`` parts: message and places, once per message."""
    groups: dict[str, dict[str, list[str]]] = {"failed": {}, "skipped": {}}
    is_notebook = report["submission"]["format"] == "ipynb"
    for cell in report["extraction"]["cells_skipped"]:
        kind = "failed" if cell["code"] in FAILURES else "skipped"
        where = groups[kind].setdefault(cell["message"], [])
        lines = _lines(cell["params"])
        if not is_notebook:
            where += lines
        elif lines and cell["index"] in report["extraction"]["cells_used"]:
            # Part of this cell ran, so name the lines that did not.
            id = "report.line_in_cell" if len(lines) == 1 and "–" not in lines[0] else "report.lines_in_cell"
            where.append(translate(id, language, cell=cell["index"] + 1, lines=lines))
        else:
            where.append(str(cell["index"] + 1))
    return {
        kind: [(message, _places(where, is_notebook, language)) for message, where in messages.items()]
        for kind, messages in groups.items()
    }


def _lines(params: Mapping[str, Any]) -> list[str]:
    """Format ranges of lines: ``3``, ``12–20``."""
    ranges = params.get("lines")
    if isinstance(ranges, list) and ranges:
        return [f"{first}" if first == last else f"{first}–{last}" for first, last in ranges]
    return [str(params["line"])] if params.get("line") is not None else []


def _places(where: list[str], is_notebook: bool, language: str) -> str:
    where = list(dict.fromkeys(where))
    if not where:
        return ""
    many = len(where) > 1 or (not is_notebook and "–" in where[0])
    if is_notebook:
        return translate("report.cells_at" if many else "report.cell_at", language, cells=where)
    return translate("report.lines_at" if many else "report.line_at", language, lines=where)


def remark_place(advisory: Mapping[str, Any], language: str) -> str:
    """Format the place of a remark: `` (cell 3, line 8)``; empty where it has none, or names it itself."""
    if not advisory["line"]:
        return ""
    file = advisory["params"].get("file")
    if isinstance(file, str) and CELL.fullmatch(file):
        place = place_of({"file": file, "line": advisory["line"]}, language)
    else:
        place = translate("report.line", language, line=advisory["line"])
    return "" if place in advisory["message"] else f" ({place})"


def stopped_elsewhere(report: Mapping[str, Any]) -> bool:
    """Return whether the exception came from another input than the exercise's own."""
    return bool(report["cases"]) and report["cases"][0]["shape"] is not None


def shows_error(report: Mapping[str, Any]) -> bool:
    """Return whether to show the exception: it says more than the diagnoses, or there are none.

    A wrong answer to the exercise's own input comes first.
    """
    error = report["error"]
    if error is None or not (error["traceback"] or (not report["diagnoses"] and error["message"])):
        return False
    equivalence = next((check for check in report["checks"] if check["id"] == "equivalence"), None)
    is_right = equivalence is None or equivalence["status"] == "passed" or equivalence["code"] == "only_form_differs"
    return is_right or not stopped_elsewhere(report)


def quotes_error(report: Mapping[str, Any]) -> bool:
    """Return whether a diagnosis already quotes the exception."""
    words = " ".join(report["error"]["message"].split())[:WORDS].rstrip(".")
    return any(words in " ".join(diagnosis["message"].split()) for diagnosis in report["diagnoses"])


@dataclass(frozen=True)
class View:
    """A rendered report (`messages.render`) in one language, and the artefacts that belong to it, by name.

    Attributes:
        report: its texts are clean: whatever a student wrote can be shown.
        exact: the same, with every character.
        draw: makes an SVG document from a chart's definition.
    """

    report: dict[str, Any]
    exact: dict[str, Any]
    language: str
    artefacts: Mapping[str, bytes] = field(default_factory=dict)
    draw: Callable[[dict[str, Any]], str] = drawing.svg

    @classmethod
    def of(
        cls,
        report: Report,
        language: str,
        artefacts: Mapping[str, bytes] | None = None,
        draw: Callable[[dict[str, Any]], str] = drawing.svg,
    ) -> View:
        exact = render(report, language)
        shown = all_clean(exact)
        shown["submission"]["filename"] = in_one_line(exact["submission"]["filename"])
        return cls(shown, exact, language, artefacts or {}, draw)

    def ui(self, name: str, **params: object) -> str:
        """Return a word or a sentence that does not belong to the report."""
        return translate(f"ui.{name}", self.language, **params)

    def name(self, id: str, **params: object) -> str:
        """Return the name of a value, for example ``status.passed`` or ``category.exercise``."""
        return translate(id, self.language, **params)

    @property
    def is_graded(self) -> bool:
        return self.report["points"] is not None

    @property
    def gives_grade(self) -> bool:
        """Return whether the points go to a grade book: a teacher first looks at code that attacked the grader."""
        return self.is_graded and not any(advisory["code"] == HELD for advisory in self.report["advisories"])

    def points(self, value: float) -> str:
        return points(value, self.language)

    def verdict(self) -> str:
        """Return the status and the points in one line."""
        status = self.name(f"status.{self.report['status']}")
        if not self.is_graded:
            return f"{status}: {self.ui('no_grade')}"
        return f"{status}: {self.score_of(self.report)}"

    def score_of(self, part: Mapping[str, Any]) -> str:
        """Return the points of the report or of a check, and how many there are."""
        return self.ui("score_of", points=self.points(part["points"]), max_points=self.points(part["max_points"]))

    def advice(self) -> list[str]:
        """Return the mistakes and the advice, a paragraph each: the diagnoses, or without any the failed checks."""
        return [self.with_hint(part) for part in self.report["diagnoses"] or root_failures(self.report)]

    def with_hint(self, part: Mapping[str, Any]) -> str:
        """Return the message of a diagnosis or a check, and the advice below it."""
        message: str = part["message"]
        return f"{message}\n{self.ui('what_to_do')}: {part['hint']}" if part["hint"] else message

    def remarks(self) -> list[str]:
        """Return the advisories."""
        return [advisory["message"] for advisory in self.report["advisories"]]

    def feedback(self) -> str:
        """Return the whole answer to the student as plain text, for places that show nothing else."""
        return "\n\n".join([self.verdict(), *self.advice(), *self.remarks()])
