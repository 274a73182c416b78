"""The report for a terminal or a pipe.

Names, messages and output come from the student. They are shown as text, never as markup, and without control
characters that could repaint a terminal.
"""

import io
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from grader.formats import view as views
from grader.formats.source import Sources
from grader.report.messages import place_of
from grader.report.numbers import number
from grader.report.pictures.charts import pictures

STATUS_STYLE = {"passed": "bold green", "failed": "bold red", "internal_error": "bold magenta"}
CHECK_MARK = {"passed": ("✓", "green"), "failed": ("✗", "red"), "skipped": ("-", "yellow")}
SHOWN_LINES, SHOWN_CHARACTERS = 20, 200
WIDTH = 120


def write(view: views.View) -> str:
    """Write the report for a pipe: no colours, lines of `WIDTH` characters."""
    console = Console(file=io.StringIO(), highlight=False, width=WIDTH)
    print_report(view, console)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    # A table fills its last column with spaces.
    return "\n".join(line.rstrip() for line in lines) + "\n"


def print_report(view: views.View, console: Console) -> None:
    for part in _parts(view):
        console.print(part, soft_wrap=False)


def _parts(view: views.View) -> list[RenderableType]:
    report, ui = view.report, view.ui
    status = report["status"]
    points = f"{view.points(report['points'])} / {view.points(report['max_points'])}" if view.is_graded else "-"
    head = Text.assemble(
        (report["submission"]["filename"], "bold"),
        "  ",
        (view.name(f"status.{status}"), STATUS_STYLE.get(status, "bold red")),
        "  ",
        (f"{points} {ui('points')}", "bold"),
    )
    parts: list[RenderableType] = [head, ""]
    sources = Sources(view)
    for cause in views.causes(report, view.language):
        parts += _advice(cause["message"], cause["hint"], ui("what_to_do"), sources.lines_of(cause["code"]))
    parts.append(_checks(view))
    parts += _divergence(view)
    parts += _error(report, view)
    for kind, entries in views.parts_not_run(report, view.language).items():
        if entries:
            parts += ["", Text(view.name(f"report.{kind}"), style="bold")]
            lines = (f"{where}: {message}" if where else message for message, where in entries)
            parts += [Text(f"  {line}") for line in lines]
    for advisory in report["advisories"]:
        where = views.remark_place(advisory, view.language)
        parts += ["", Text(f"{advisory['message']}{where}", style="yellow")]
    for name, heading in (("stdout", view.name("report.output")), ("stderr", "stderr")):
        parts += _output(heading, report["output"][name])
    seconds = round(report["timing"]["wall_seconds"], 2)
    generation = report["environment"]["keras_generation"]
    tail = [view.name("report.seconds", seconds=seconds)]
    if generation:
        tail.append(f"Keras {report['environment']['keras']}")
    return [*parts, "", Text("  ".join(tail), style="dim")]


def _advice(message: str, hint: str | None, label: str, places: list[str]) -> list[RenderableType]:
    lines = [Text(message), *(Text(f"  {place}") for place in places)]
    if hint:
        lines.append(Text.assemble((f"{label}: ", "bold"), hint))
    return [Padding(Group(*lines), (0, 0, 1, 2))]


def _checks(view: views.View) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 1))
    for check in views.rows(view.report, view.language):
        mark, style = CHECK_MARK[check["status"]]
        earned = view.points(check["points"]) if view.is_graded else "–"
        points = f"{earned}/{view.points(check['max_points'])}" if check["max_points"] else ""
        title, message = Text(check["title"]), Text(view.with_hint(check))
        table.add_row(Text(mark, style=style), title, Text(points, justify="right"), message)
    return table


def _divergence(view: views.View) -> list[RenderableType]:
    """Show the first difference of the first wrong case, and the texts of its pictures."""
    case = next((case for case in view.report["cases"] if case["first_divergence"]), None)
    if case is None:
        return []
    first, ui = case["first_divergence"], view.ui
    where = ", ".join(f"{ui(axis)} {first[axis]}" for axis in ("batch", "timestep", "unit"))

    def shown(value: float | None) -> str:
        return view.name("report.not_finite") if value is None else number(value, view.language)

    numbers = f"{ui('expected')} {shown(first['expected'])}, {ui('got')} {shown(first['actual'])}"
    picture_texts = [Text(picture.text) for picture in pictures(case, view.language, {})]
    return ["", Text(f"{ui('first_divergence')}: {where}: {numbers}"), *picture_texts]


def _error(report: dict[str, Any], view: views.View) -> list[RenderableType]:
    """Show the exception. Without one of the student's lines in its traceback, a diagnosis quotes it."""
    error = report["error"]
    if not views.shows_error(report):
        return []
    said = views.quotes_error(report) and error["message"]
    words = f"{error['type']}: {error['message']}" if error["message"] else error["type"]
    first = view.name("report.error_lead") if said else words
    lines: list[RenderableType] = [""]
    if views.stopped_elsewhere(report):
        lines.append(Text(view.name("report.error_elsewhere"), style="bold"))
    lines.append(Text(first, style="bold" if said else "red"))
    for frame in error["traceback"]:
        lines.append(Text(f"  {place_of(frame, view.language)}: {frame['code']}"))
    return lines


def _output(heading: str, text: str) -> list[RenderableType]:
    kept = (line for line in text.splitlines() if line.strip())
    lines = [line if len(line) <= SHOWN_CHARACTERS else f"{line[:SHOWN_CHARACTERS]}…" for line in kept]
    if not lines:
        return []
    shown = lines[:SHOWN_LINES] + (["..."] if len(lines) > SHOWN_LINES else [])
    return ["", Text(heading, style="bold"), *(Text(f"  {line}", style="dim") for line in shown)]
