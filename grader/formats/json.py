"""The report itself, with its sentences, as docs/report.md describes it."""

from grader.formats.commands import json_of
from grader.formats.view import View


def write(view: View) -> str:
    return json_of(view.exact, 2) + "\n"
