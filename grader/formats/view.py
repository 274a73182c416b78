"""What every writer of a report starts from: the report with its sentences, and the reader's language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from grader.messages import render, translate
from grader.report import Report

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def clean(text: object) -> str:
    """Untrusted text without characters that a terminal obeys and that XML forbids."""
    return CONTROL.sub("�", str(text))


@dataclass(frozen=True)
class View:
    """A rendered report (`grader.messages.render`) in one language, and the artefacts that belong to it, by name."""

    report: dict[str, Any]
    language: str
    artefacts: Mapping[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, report: Report, language: str, artefacts: Mapping[str, bytes] | None = None) -> View:
        return cls(render(report, language), language, artefacts or {})

    def ui(self, name: str, **params: object) -> str:
        """A word or a sentence that is not the report's own."""
        return translate(f"ui.{name}", self.language, **params)

    def name(self, id: str) -> str:
        """The name of a value, for example ``status.passed`` or ``category.exercise``."""
        return translate(id, self.language)

    @property
    def is_graded(self) -> bool:
        return self.report["points"] is not None

    def verdict(self) -> str:
        """The status and the points in one line."""
        status = self.name(f"status.{self.report['status']}")
        if not self.is_graded:
            return f"{status}: {self.ui('no_grade')}"
        of = self.ui("score_of", points=f"{self.report['points']:g}", max_points=f"{self.report['max_points']:g}")
        return f"{status}: {of}"

    def advice(self) -> list[str]:
        """What is wrong and what to do, a paragraph each: the diagnoses, or without any what the failed checks say."""
        failed = [check for check in self.report["checks"] if check["status"] == "failed"]
        return [self._with_hint(part) for part in self.report["diagnoses"] or failed]

    def _with_hint(self, part: dict[str, Any]) -> str:
        message = clean(part["message"])
        return f"{message}\n{self.ui('what_to_do')}: {clean(part['hint'])}" if part["hint"] else message

    def remarks(self) -> list[str]:
        """The advisories."""
        return [clean(advisory["message"]) for advisory in self.report["advisories"]]

    def feedback(self) -> str:
        """The whole answer to the student as plain text, for places that show nothing else."""
        return "\n\n".join([self.verdict(), *self.advice(), *self.remarks()])
