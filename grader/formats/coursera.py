"""``feedback.json`` of a Coursera autograder.

Without a grade there is no ``fractionalScore``, which Coursera requires: it then reports a failed grader instead of the
student's zero.

Source: https://github.com/coursera/programming-assignments-demo, custom-graders/README.md.
"""

from typing import Any

from grader.formats.commands import json_of
from grader.formats.view import View

# "We'll trim/truncate grader feedback string to 64 KB": we cut it ourselves, between letters.
FEEDBACK_BYTES = 64 * 1024


def write(view: View) -> str:
    feedback = view.feedback().encode()[:FEEDBACK_BYTES].decode("utf-8", "ignore")
    results: dict[str, Any] = {"feedback": feedback}
    if view.gives_grade:
        results["fractionalScore"] = view.report["score"]
    return json_of(results) + "\n"
