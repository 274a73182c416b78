"""Write the pages that list what the program knows: `.venv/bin/python -m docs.site.reference`.

A test compares them with the program.
"""

from __future__ import annotations

import re
from pathlib import Path

import typer
from typer.cli import get_docs_for_click

from app.cli import cli
from grader.report.messages import codes, title_of, translate

DOCS = Path(__file__).parents[1]


def commands() -> str:
    """Return the help of all commands, as Typer writes it for a page."""
    command = typer.main.get_command(cli)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command), name="lstm-grader", title="Commands")
    return text.replace("&#x27;", "'").replace("&quot;", '"').strip() + "\n"


def _said(code: str) -> str:
    """Return the title of a code, or else its message, with dots for what a report fills in."""
    text = title_of(code, "en") or re.sub(r"\?+", "…", translate(f"{code}.message", "en"))
    return " ".join(text.split()).replace("*", r"\*").replace("_", r"\_").replace("<", "&lt;")


def codes_page() -> str:
    """Return a list of all codes of reports, with what people read."""
    head = [
        "# Codes of reports",
        "",
        "Each with its title, or where it has none with its message; reports have them in Russian, too.",
        "[What a code is](report.md#codes).",
        "",
    ]
    return "\n".join([*head, *(f"* `{code}`: {_said(code)}" for code in codes())]) + "\n"


PAGES = {"commands.md": commands, "codes.md": codes_page}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
