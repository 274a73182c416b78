"""The command line: arguments in, report out, exit code.

Exit codes: 0 graded, 1 graded below ``--fail-under``, 2 wrong usage, 3 we failed (no grade). The service adds its own
commands to `cli` (`app.cli`).
"""

import contextlib
import json
import logging
import sys
from collections.abc import Iterator
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from grader import shell
from grader.assignment import Assignment, assignment_schema, read_assignment
from grader.batch.command import batch_command
from grader.doctor import doctor
from grader.errors import AssignmentError
from grader.execution.stages import Progress
from grader.formats import FORMATS, View
from grader.formats.commands import json_of
from grader.formats.text import print_report
from grader.pipeline import grade
from grader.report.difference import diff_reports, diff_text
from grader.report.messages import translate
from grader.report.model import Report, Status
from grader.report.schema import NotAReport, read_report, report_schema
from grader.sandbox import ForkSandbox, Kind
from grader.submission import Submission, in_folder

# The exit code of `diff`, as in other tools of that name.
DIFFERENT = 1
# Headings of the help: it groups the commands by who needs them.
FILES = "Teachers: grade files"
SERVICE = "Operators: run a service, and look after its machine"
DOCUMENTS = "Authors and integrators: what is in a file"

cli = typer.Typer(
    cls=shell.Commands,
    help="Grade submissions of the LSTM exercise.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
assignments_cli = typer.Typer(help="List and check assignments, and print their JSON Schema.", no_args_is_help=True)
cli.add_typer(assignments_cli, name="assignments", rich_help_panel=DOCUMENTS)
report_cli = typer.Typer(help="Print the JSON Schema of a report.", no_args_is_help=True)
cli.add_typer(report_cli, name="report", rich_help_panel=DOCUMENTS)


FormatName = StrEnum("FormatName", list(FORMATS))  # type: ignore[misc]
TEXT = FormatName("text")
# Other formats would name files that are not kept.
SHOWS_SOURCE = frozenset({"html", "junit", "text"})


class DiffFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


class Sentences(logging.Formatter):
    """Log lines, with a traceback only for unexpected errors."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 the name is logging's
        failure = ei[1]
        return shell.why_not(failure) if isinstance(failure, shell.OUR_FAILURES) else super().formatException(ei)


def main() -> None:
    """Entry point of ``python -m grader``."""
    shell.write_everything()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Sentences("%(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    cli()


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"lstm-grader {version('lstm-grader')}")
        raise typer.Exit


@cli.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@cli.command("grade", rich_help_panel=FILES)
def grade_command(
    file: Annotated[
        Path,
        typer.Argument(
            help="A .py file, a notebook, or the folder of one student's files; - reads standard input.",
            show_default=False,
        ),
    ],
    assignment: shell.ForAssignment = "lstm-layer",
    format: Annotated[FormatName, typer.Option(help="How the report is written.")] = TEXT,
    lang: shell.Lang = None,
    output: shell.Output = None,
    fail_under: Annotated[
        float, typer.Option(help="Exit with 1 when the submission gets fewer points than this.")
    ] = 0.0,
    seed: shell.Seed = None,
) -> None:
    """Grade one file and print the report.

    The numbers that it is asked are drawn anew each time; --seed with the seed printed on standard error repeats them.

    Exit codes: 0 graded, 1 below --fail-under, 2 wrong usage, 3 we failed (there is no grade).
    """
    shell.check_threshold(fail_under)
    shell.check_output(output)
    seed_bytes = shell.seed_from(seed)
    chosen = shell.find_assignment(assignment)
    submission = _submission(file, chosen)
    language = shell.reading_language(lang, chosen.language)
    settings = shell.grading_settings()
    references = shell.reference_store(settings)
    artefacts: dict[str, bytes] = {}
    with (
        shell.our_failure_is_exit_3(),
        ForkSandbox(slots=1, accept_missing=settings.missing_parts, device=settings.device) as sandbox,
    ):
        # TensorFlow takes seconds to import: begin while the file is read.
        sandbox.start(Kind.READER, Kind.of_class(chosen.keras))
        shell.print_seed(seed_bytes, language)
        with _progress(language) as progress:
            report = grade(
                submission,
                chosen,
                seed=seed_bytes,
                sandbox=sandbox,
                references=references,
                progress=progress,
                artefacts=artefacts.__setitem__ if format in SHOWS_SOURCE else None,
            )
    _write(View.of(report, language, artefacts), format, output)
    if report.status == Status.INTERNAL_ERROR:
        raise typer.Exit(shell.OUR_FAILURE)
    raise typer.Exit(shell.BELOW if (report.points or 0.0) < fail_under else shell.GRADED)


cli.command("batch", rich_help_panel=FILES)(batch_command)
cli.command("doctor", rich_help_panel=SERVICE)(doctor)


@cli.command("diff", rich_help_panel=FILES)
def diff_command(
    before: Annotated[Path, typer.Argument(help="A JSON report.", show_default=False)],
    after: Annotated[Path, typer.Argument(help="Another one, of the same submission.", show_default=False)],
    format: Annotated[DiffFormat, typer.Option(help="How the difference is written.")] = DiffFormat.TEXT,
    lang: shell.Lang = None,
) -> None:
    """Say what differs between two reports of one submission.

    It also says what can be the reason.

    Exit codes: 0 the same result, 1 another result, 2 wrong usage.
    """
    first, second = _report(before), _report(after)
    diff = diff_reports(first, second)
    if format is DiffFormat.JSON:
        typer.echo(json_of(diff.as_json(), 2))
    else:
        typer.echo(diff_text(first, second, shell.reading_language(lang, "en")), nl=False)
    raise typer.Exit(DIFFERENT if diff.changes else shell.GRADED)


@report_cli.command("schema")
def report_schema_command() -> None:
    """Print the JSON Schema of a report."""
    typer.echo(json.dumps(report_schema(), indent=2, ensure_ascii=False))


@assignments_cli.command("list")
def assignments_list() -> None:
    """List the assignments."""
    for assignment in shell.all_assignments().values():
        typer.echo(f"{assignment.id}\t{assignment.max_points:g}\t{assignment.title.get('en', '')}")


@assignments_cli.command("check")
def assignments_check(file: Annotated[Path, typer.Argument(help="A TOML file.")]) -> None:
    """Check an assignment file.

    When something is wrong with it, the exit code is 2, and a sentence says what.
    """
    with shell.wrong_usage(AssignmentError):
        assignment = read_assignment(file)
    typer.echo(f"{assignment.id}: {assignment.max_points:g} points, {len(assignment.cases)} cases, {assignment.digest}")


@assignments_cli.command("schema")
def assignments_schema() -> None:
    """Print the JSON Schema of an assignment file."""
    typer.echo(json.dumps(assignment_schema(), indent=2, ensure_ascii=False))


def _submission(file: Path, assignment: Assignment) -> Submission:
    # One byte more than allowed is enough to know that the file is too large.
    limit = assignment.upload.upload_bytes + 1
    with shell.wrong_usage(OSError, place=file):
        if str(file) == "-":
            return Submission("stdin.py", sys.stdin.buffer.read(limit))
        if file.is_dir():
            return in_folder(file, limit)
        with file.open("rb") as stream:
            return Submission(file.name, stream.read(limit))


def _report(file: Path) -> Report:
    try:
        with shell.wrong_usage(OSError, place=file):
            return read_report(file.read_bytes())
    except NotAReport as exc:
        raise shell.usage(f"{file} is no report that `grade --format json` wrote: {exc}") from exc


@contextlib.contextmanager
def _progress(language: str) -> Iterator[Progress | None]:
    """Show a spinner with the stage on a terminal, nothing in a pipe."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    with console.status(translate("ui.stage_reading", language)) as status:
        yield lambda stage: status.update(translate(f"ui.stage_{stage}", language))


def _write(view: View, format: str, output: Path | None) -> None:
    with shell.wrong_usage(OSError, place=output or "standard output"):
        if output is not None:
            output.write_text(FORMATS[format].write(view), encoding="utf-8")
        elif format == "text" and sys.stdout.isatty():
            print_report(view, Console(highlight=False))
        else:
            sys.stdout.write(FORMATS[format].write(view))
