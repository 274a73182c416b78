"""The report for a terminal or a pipe.

Names, messages and output come from the student: they are shown as text, never as markup, and without the control
characters that could repaint a terminal.
"""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from grader.charts import pictures
from grader.formats.view import View, clean

STATUS_STYLE = {"passed": "bold green", "failed": "bold red", "internal_error": "bold magenta"}
CHECK_MARK = {"passed": ("✓", "green"), "failed": ("✗", "red"), "skipped": ("-", "yellow")}
SHOWN_LINES = 20
WIDTH = 120


def write(view: View) -> str:
    """As for a pipe: no colours, lines of `WIDTH` characters."""
    console = Console(file=io.StringIO(), highlight=False, width=WIDTH)
    print_report(view, console)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    # A table fills its last column with spaces.
    return "\n".join(line.rstrip() for line in lines) + "\n"


def print_report(view: View, console: Console) -> None:
    for part in _parts(view):
        console.print(part, soft_wrap=False)


def _parts(view: View) -> list[RenderableType]:
    report, ui = view.report, view.ui
    status = report["status"]
    points = f"{report['points']:g} / {report['max_points']:g}" if view.is_graded else "-"
    head = Text.assemble(
        (clean(report["submission"]["filename"]), "bold"),
        "  ",
        (view.name(f"status.{status}"), STATUS_STYLE.get(status, "bold red")),
        "  ",
        (f"{points} {ui('points')}", "bold"),
    )
    parts: list[RenderableType] = [head, ""]
    for diagnosis in report["diagnoses"]:
        parts += _advice(diagnosis["message"], diagnosis["hint"], ui("what_to_do"))
    if not report["diagnoses"] and any(case["first_divergence"] for case in report["cases"]):
        parts += [Padding(Text(ui("no_diagnosis")), (0, 0, 1, 2))]
    parts.append(_checks(report["checks"]))
    parts += _divergence(view)
    parts += _error(report["error"], ui)
    if report["extraction"]["cells_skipped"]:
        parts += ["", Text(view.name("report.skipped"), style="bold"), *_skipped(view)]
    for advisory in report["advisories"]:
        where = f" ({ui('line')} {advisory['line']})" if advisory["line"] else ""
        parts += ["", Text(f"{clean(advisory['message'])}{where}", style="yellow")]
    for name in ("stdout", "stderr"):
        parts += _output(name, report["output"][name])
    seconds = report["timing"]["wall_seconds"]
    generation = report["environment"]["keras_generation"]
    tail = [f"{seconds:.2f} s", f"Keras {report['environment']['keras']}" if generation else ""]
    return [*parts, "", Text("  ".join(filter(None, tail)), style="dim")]


def _skipped(view: View) -> list[RenderableType]:
    """One line per reason: a notebook may have thirty cells that the class does not need."""
    is_notebook = view.report["submission"]["format"] == "ipynb"
    places: dict[str, list[str]] = {}
    for cell in view.report["extraction"]["cells_skipped"]:
        place = cell["index"] + 1 if is_notebook else cell["params"].get("line")
        places.setdefault(clean(cell["message"]), []).extend([] if place is None else [clean(place)])
    word = view.ui("cell" if is_notebook else "from_line")
    return [
        Text(f"  {word} {', '.join(found)}: {message}" if found else f"  {message}")
        for message, found in places.items()
    ]


def _advice(message: str, hint: str | None, label: str) -> list[RenderableType]:
    lines = [Text(clean(message))]
    if hint:
        lines.append(Text.assemble((f"{label}: ", "bold"), clean(hint)))
    return [Padding(Group(*lines), (0, 0, 1, 2))]


def _checks(checks: list[dict[str, Any]]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 1))
    for check in checks:
        mark, style = CHECK_MARK[check["status"]]
        points = f"{check['points']:g}/{check['max_points']:g}"
        table.add_row(
            Text(mark, style=style),
            Text(clean(check["title"])),
            Text(points, justify="right"),
            Text(clean(check["message"])),
        )
    return table


def _divergence(view: View) -> list[RenderableType]:
    """Where the first wrong case goes wrong, and what its pictures show."""
    case = next((case for case in view.report["cases"] if case["first_divergence"]), None)
    if case is None:
        return []
    found, ui = case["first_divergence"], view.ui
    where = ", ".join(f"{ui(axis)} {found[axis]}" for axis in ("batch", "timestep", "unit"))

    def number(value: float | None) -> str:
        return "nan" if value is None else f"{value:.6g}"

    numbers = f"{ui('expected')} {number(found['expected'])}, {ui('got')} {number(found['actual'])}"
    seen = [Text(picture.text) for picture in pictures(case, view.language, {})]
    return ["", Text(f"{ui('first_divergence')}: {where}: {numbers}"), *seen]


def _error(error: dict[str, Any] | None, ui: Any) -> list[RenderableType]:
    if error is None:
        return []
    lines: list[RenderableType] = ["", Text(f"{clean(error['type'])}: {clean(error['message'])}", style="red")]
    for frame in error["traceback"]:
        lines.append(Text(f"  {clean(frame['file'])}, {ui('line')} {frame['line']}: {clean(frame['code'])}"))
    return lines


def _output(name: str, text: str) -> list[RenderableType]:
    lines = [line for line in clean(text).splitlines() if line.strip()]
    if not lines:
        return []
    shown = lines[:SHOWN_LINES] + (["..."] if len(lines) > SHOWN_LINES else [])
    return ["", Text(name, style="bold"), *(Text(f"  {line}", style="dim") for line in shown)]
