"""The JSON that CodeRunner's combinator template graders print.

Without a grade there is no ``fraction``, which CodeRunner requires: it then calls the question broken, shows what it
got, and leaves the attempt ungraded, where a 0 would count.

Source: https://coderunner.org.nz, "Combinator-template grading"; `do_combinator_grading` in classes/jobrunner.php of
https://github.com/trampgeek/moodle-qtype_coderunner, which takes a field that it does not know for an error.
"""

from html import escape
from typing import Any

from grader.formats.commands import json_of
from grader.formats.view import View


def write(view: View) -> str:
    results: dict[str, Any] = {"prologuehtml": _paragraphs([view.verdict(), *view.advice()])}
    if view.gives_grade:
        results["fraction"] = view.report["score"]
        head = ["iscorrect", *(view.name(f"report.{word}") for word in ("check", "points", "result"))]
        results["testresults"] = [head, *(_row(view, check) for check in view.report["checks"])]
    if view.remarks():
        results["epiloguehtml"] = _paragraphs(view.remarks())
    return json_of(results) + "\n"


def _row(view: View, check: dict[str, Any]) -> list[object]:
    """Return a line of the table: CodeRunner draws a tick, a cross, or both for a part, and escapes the rest."""
    earned = check["points"] / check["max_points"] if check["max_points"] else float(check["status"] == "passed")
    return [earned, check["title"], view.score_of(check) if check["max_points"] else "", check["message"]]


def _paragraphs(texts: list[str]) -> str:
    """Return texts as HTML: what the student wrote must never become markup."""
    return "".join(f"<p>{escape(text).replace(chr(10), '<br>')}</p>" for text in texts)
