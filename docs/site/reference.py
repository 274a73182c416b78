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


#: Said once of all commands; the help of each says it, too.
EXIT_CODES = (
    "Exit codes are 0 done, 1 not confirmed, 2 wrong usage or settings, and 3 we failed, unless a command names others."
)
USUAL_CODES = r"[,;] (1 not confirmed|2 wrong (usage or settings|usage|settings)|3 we failed)(?=\.|[,;] \d)"
DONE = r"0 (done|made|written|applied|dropped)\."
#: An option or argument on Typer's page, such as "* `--jobs <int range>`: So many at a time.  [x>=1]".
PARAMETER = re.compile(r"^\* `(?!--help)([^`]+)`: .*?(\brequired\])?$", re.MULTILINE)


def _line(section: str) -> str:
    """Return a command with its options, its first sentence, and its exit codes where they are not the usual ones.

    section: the part of Typer's page about the command, which begins with its name in backticks.
    """
    name, _, text = section.removeprefix("`").partition("`")
    text, _, details = text.partition("**Usage**")
    words = [name]
    for parameter, required in PARAMETER.findall(details):
        if parameter.startswith("--"):
            parameter = parameter.replace(" range>", ">")
            words.append(parameter if required else f"[{parameter}]")
        else:
            words.append(parameter.partition(" <")[0].upper())
    text, _, exit_codes = " ".join(text.split()).partition("Exit codes: ")
    exit_codes = re.sub(USUAL_CODES, "", exit_codes)
    ending = "" if not exit_codes or re.fullmatch(DONE, exit_codes) else f" Exit codes: {exit_codes}"
    return f"* `{' '.join(words)}`: {text.partition('. ')[0].strip().removesuffix('.')}.{ending}"


def commands() -> str:
    """Return all commands by who needs them, each with its options and what it does."""
    command = typer.main.get_command(cli)
    assert isinstance(command, TyperGroup)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command), name="lstm-grader")
    text = text.replace("&#x27;", "'").replace("&quot;", '"')
    sections = re.split(r"^##+ (?=`)", text, flags=re.MULTILINE)[1:]
    # A group only names its commands.
    lines = {section.split("`")[1]: _line(section) for section in sections if "**Commands**" not in section}
    panels: dict[str, list[str]] = {}
    for name, each in command.commands.items():
        panel = panels.setdefault(str(getattr(each, "rich_help_panel", None)), [])
        panel += [line for full, line in lines.items() if full.split()[1] == name]
    parts = [f"## {panel}\n\n" + "\n".join(rows) for panel, rows in panels.items()]
    return "\n\n".join(["# Commands", f"`--help` behind a command explains its options. {EXIT_CODES}", *parts]) + "\n"


def _said(code: str) -> str:
    """Return the title of a code, or else the first clause of its message, with dots for what a report fills in."""
    title = title_of(code, "en")
    clause = title or re.split(r"[.,:;](?:\s|$)", re.sub(r"\?+", "…", translate(f"{code}.message", "en")))[0]
    return " ".join(clause.split()).replace("*", r"\*").replace("_", r"\_").replace("<", "&lt;")


def codes_page() -> str:
    """Return a list of all codes of reports, with what people read."""
    head = [
        "# Codes of reports",
        "",
        "Each with its title, or else the first words of its message. [What a code is](report.md#codes).",
        "",
    ]
    return "\n".join([*head, *(f"* `{code}`: {_said(code)}" for code in codes())]) + "\n"


PAGES = {"commands.md": commands, "codes.md": codes_page}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
