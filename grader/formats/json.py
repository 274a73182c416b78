"""The report itself, with its sentences, as docs/report.md describes it."""

from __future__ import annotations

import json

from grader.formats.view import View


def write(view: View) -> str:
    return json.dumps(view.report, ensure_ascii=False, indent=2) + "\n"
