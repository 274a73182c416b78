"""The findings about Task 2."""

from __future__ import annotations

from dataclasses import dataclass, field

from grader.report.model import Params


@dataclass(frozen=True)
class Finding:
    """The result of one half of Task 2; `code` names the mistake, and `not_run` means there was nothing to judge."""

    passed: bool
    code: str | None = None
    params: Params = field(default_factory=dict)
    details: Params = field(default_factory=dict)


@dataclass(frozen=True)
class Notebook:
    """Both halves of Task 2.

    `raised`: something is wrong, and a statement that uses the models failed or ran out of time. The Keras generation
    may be the reason.
    """

    copying: Finding
    comparison: Finding
    raised: bool = False
