"""Write the pages that list what the program knows: `.venv/bin/python -m docs.site.reference`.

A test compares them with the program.
"""

from __future__ import annotations

import re
from pathlib import Path

import typer
from typer.cli import get_docs_for_click
from typer.core import TyperGroup

from app.cli import cli
from grader.report.messages import codes, title_of, translate

DOCS = Path(__file__).parents[1]


#: Said once of all commands, instead of in the help of each.
EXIT_CODES = (
    "Exit codes are 0 done, 1 not confirmed, 2 wrong usage or settings, and 3 we failed, unless a command names others."
)
USUAL_CODES = (
    r"\s*Exit codes: 0 (done|made|written|applied|dropped), (1 not confirmed, )?2 wrong (usage|settings|usage or "
    r"settings), 3 we failed\."
).replace(" ", r"\s+")
#: Parts of Typer's page that say nothing new: the usual exit codes, options and arguments in one line and their
#: headings, `--help` everywhere, and the names of the commands that follow.
NOTHING_NEW = (
    USUAL_CODES,
    r"\*\*Usage\*\*:\n\n```console\n[^`]*```\n\n",
    r"\* `--help`: .*?\n",
    r"\*\*(Arguments|Options)\*\*:\n\n",
    r"\*\*Commands\*\*:\n\n(?:\* .*?\n)*\n",
)


def commands() -> str:
    """Return the names of all commands by who needs them, and of each what Typer writes about it."""
    command = typer.main.get_command(cli)
    assert isinstance(command, TyperGroup)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command), name="lstm-grader")
    text = text[text.index("## ") :].replace("&#x27;", "'").replace("&quot;", '"')
    for part in NOTHING_NEW:
        text = re.sub(part, "", text)
    rows: dict[str, list[str]] = {}
    for name, each in command.commands.items():
        panel = getattr(each, "rich_help_panel", None)
        rows.setdefault(str(panel), []).append(f"`{name}`")
    head = "\n".join(f"* **{panel}**: {', '.join(names)}" for panel, names in rows.items())
    return re.sub(r"\n{3,}", "\n\n", f"# Commands\n\n{head}\n\n{EXIT_CODES}\n\n{text.strip()}\n")


def _said(code: str) -> str:
    """Return the title of a code, or else the first sentence of its message, with dots for what a report fills in."""
    text = title_of(code, "en") or re.sub(r"\?+", "…", translate(f"{code}.message", "en"))
    sentence = " ".join(text.split()).split(". ")[0].removesuffix(".")
    return sentence.replace("*", r"\*").replace("_", r"\_").replace("<", "&lt;")


def codes_page() -> str:
    """Return a list of all codes of reports, with what people read."""
    head = [
        "# Codes of reports",
        "",
        "Each with its title, or else its message's first sentence; reports have them in Russian, too.",
        "[What a code is](report.md#codes).",
        "",
    ]
    return "\n".join([*head, *(f"* `{code}`: {_said(code)}" for code in codes())]) + "\n"


PAGES = {"commands.md": commands, "codes.md": codes_page}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
