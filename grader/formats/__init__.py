"""The forms in which a report leaves the grader: one registry for the command line and for the service.

A writer gets a `View` and returns the whole document as text. docs/formats.md describes each form.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from grader.formats import coderunner, coursera, gradescope, html, json, junit, prairielearn, text, vpl
from grader.formats.commands import without_commands
from grader.formats.view import View
from grader.report.model import Report
from grader.report.pictures import drawing


@dataclass(frozen=True)
class Format:
    """One form of a report: its name on the web, and its writer."""

    media_type: str
    suffix: str
    writer: Callable[[View], str]

    def write(self, view: View) -> str:
        """Return the whole document. No program that prints or reads it obeys what a student wrote."""
        return without_commands(self.writer(view), self.media_type)


FORMATS: dict[str, Format] = {
    "text": Format("text/plain", ".txt", text.write),
    "json": Format("application/json", ".json", json.write),
    "html": Format("text/html", ".html", html.write),
    "gradescope": Format("application/json", ".json", gradescope.write),
    "prairielearn": Format("application/json", ".json", prairielearn.write),
    "coursera": Format("application/json", ".json", coursera.write),
    "coderunner": Format("application/json", ".json", coderunner.write),
    "vpl": Format("text/plain", ".txt", vpl.write),
    "junit": Format("application/xml", ".xml", junit.write),
}


def write_report(
    report: Report,
    name: str,
    language: str,
    artefacts: Mapping[str, bytes] | None = None,
    draw: Callable[[dict[str, Any]], str] = drawing.svg,
) -> str:
    """Return the report as a document, in one of `FORMATS`.

    Args:
        artefacts: stored arrays by name, from `grader.grade`; pictures show more detail with them.
        draw: makes an SVG document from a chart's definition.
    Raises:
        KeyError: there is no such format or language.
    """
    return FORMATS[name].write(View.of(report, language, artefacts, draw))
