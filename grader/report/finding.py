"""Findings: a code, and the parameters that fill in its sentence.

They hold no sentences: `messages.render` adds them in the reader's language when a report is read.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

# Limits for a student's names and lists: people read a report, and it is kept for ever.
MAX_TEXT, MAX_KEY, MAX_ITEMS = 4000, 200, 200
# RFC 8785 has no larger integers: a reader of JSON may hold them as floating point.
EXACT = 2**53 - 1


def _bounded(value: Any) -> Any:
    """Cut texts and lists to a readable size. Replace NaN and infinity, which JSON lacks, by null.

    Integers too large for JSON become floating point.
    """
    match value:
        case dict():
            return {key[:MAX_KEY]: _bounded(item) for key, item in itertools.islice(value.items(), MAX_ITEMS)}
        case list() | tuple():
            return [_bounded(item) for item in value[:MAX_ITEMS]]
        case str():
            return value[:MAX_TEXT]
        case float() if not math.isfinite(value):
            return None
        case int() if abs(value) > EXACT:
            try:
                return float(value)
            except OverflowError:
                return None
    return value


Number = Annotated[float | None, BeforeValidator(_bounded)]
#: JSON values by name; they fill in a code's sentence.
Params = Annotated[dict[str, Any], BeforeValidator(_bounded)]


class Finding(BaseModel):
    """A code and its parameters. Codes are those of docs/report.md.

    ``variant`` in `params` names the matching sentence of a code (see `grader.report.messages`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    params: Params = {}

    @staticmethod
    def of(code: str, params: Mapping[str, Any] | None = None, /, **more: Any) -> Finding:
        """Make a finding; parameters are given as to `dict`, and those of `more` that are None are left out."""
        return Finding(code=code, params={**(params or {}), **{name: v for name, v in more.items() if v is not None}})


class Remark(Finding):
    """A finding on a line."""

    line: int | None = None


class CheckStatus(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Verdict:
    """One check's result: the share of its points that is earned, and why.

    `finding` is None for a plain pass; the reader of the report then sees the check's own sentence.
    """

    status: CheckStatus
    earned: float = 0.0
    finding: Finding | None = None
    details: Params = field(default_factory=dict)

    @classmethod
    def passed(cls, **details: object) -> Verdict:
        return cls(CheckStatus.PASSED, 1.0, details=details)

    @classmethod
    def failed(cls, finding: Finding, details: Params | None = None, *, earned: float = 0.0) -> Verdict:
        return cls(CheckStatus.FAILED, earned, finding, details or {})

    @classmethod
    def skipped(cls, code: str) -> Verdict:
        return cls(CheckStatus.SKIPPED, finding=Finding.of(code))

    @property
    def code(self) -> str | None:
        return self.finding.code if self.finding else None
