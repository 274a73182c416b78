"""``results.json`` of a PrairieLearn external grader.

Without a grade the result is ``"gradable": false``, which costs the student no attempt: the file contains nothing to
run, the failure is ours, or a teacher has to look first. PrairieLearn then expects no ``score``.

Source: https://prairielearn.readthedocs.io/en/latest/externalGrading/, "Grading results".
"""

from typing import Any

from grader.formats.commands import json_of
from grader.formats.view import View

NOT_GRADABLE = ("invalid_submission", "internal_error")
# The whole file may have 1 MB, and JSON takes up to six characters for one of the output.
OUTPUT_CHARACTERS = 50_000


def write(view: View) -> str:
    report = view.report
    output = "\n".join(report["output"][name] for name in ("stdout", "stderr") if report["output"][name])
    results: dict[str, Any] = {"output": output[:OUTPUT_CHARACTERS]}
    if report["status"] in NOT_GRADABLE or not view.gives_grade:
        # Without points: it costs no attempt, and PrairieLearn itself says that nothing was graded.
        message = "\n\n".join([view.name(f"status.{report['status']}"), *view.remarks()])
        errors = view.advice() or view.remarks() or [view.verdict()]
        results |= {"gradable": False, "message": message, "format_errors": errors}
    else:
        tests = [_test(check) for check in report["checks"]]
        results |= {"gradable": True, "message": view.feedback(), "score": report["score"], "tests": tests}
    return json_of(results, 2) + "\n"


def _test(check: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": check["title"],
        "points": check["points"],
        "max_points": check["max_points"],
        "message": check["message"],
        "output": check["hint"] or "",
    }
