"""``results.json`` of a Gradescope autograder.

Without a grade there is no ``score``, neither at the top nor in a test: Gradescope then shows the teacher a failed run,
where a 0 would count as the student's.

Source: https://gradescope-autograders.readthedocs.io/en/latest/specs/, "Output format".
"""

from typing import Any

from grader.formats.commands import json_of
from grader.formats.view import View


def write(view: View) -> str:
    report = view.report
    results: dict[str, Any] = {
        "output": view.feedback(),
        # "text" everywhere: names, messages and output come from the student and must never become markup.
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "execution_time": round(report["timing"]["wall_seconds"]),
        "extra_data": {
            "status": report["status"],
            "diagnoses": [diagnosis["code"] for diagnosis in report["diagnoses"]],
            "assignment": report["assignment"],
            "receipt": report["receipt"],
        },
    }
    if view.gives_grade:
        results |= {"score": report["points"], "tests": [_test(view, check) for check in report["checks"]]}
    return json_of(results, 2) + "\n"


def _test(view: View, check: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": check["title"],
        "score": check["points"],
        "max_score": check["max_points"],
        "status": "passed" if check["status"] == "passed" else "failed",
        "output": view.with_hint(check),
        "visibility": "visible",
        "extra_data": {"id": check["id"], "status": check["status"], "code": check["code"]},
    }
