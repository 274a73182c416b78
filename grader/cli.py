"""The command line: arguments in, report out, exit code.

Exit codes: 0 graded, 1 graded below ``--fail-under``, 2 wrong usage, 3 we failed (no grade). This is the only module of
`grader` that reads the environment. The service adds its own commands to `cli` (`app.cli`).
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import platform
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, TextIO, cast

import numpy as np
import typer
from platformdirs import user_cache_path
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from grader.assignment import Assignment, assignment_schema, load_assignments, pick_assignment
from grader.batch.collect import collect
from grader.batch.gradebook import gradebook
from grader.batch.overview import overview
from grader.batch.run import grade_all, status_name, summary, with_equal_code
from grader.comparison import compare
from grader.errors import AssignmentError, SandboxError
from grader.formats import FORMATS, View
from grader.formats.text import print_report
from grader.messages import translate
from grader.pipeline import Progress as StageProgress
from grader.pipeline import grade
from grader.report import Report, Status
from grader.report_diff import diff_reports, diff_text
from grader.report_schema import NotAReport, read_report, report_schema
from grader.sandbox import CAN_BE_MISSING, DEVICE_CHOICES, Device, DeviceChoice, ForkSandbox, Kind, choose_device
from grader.selftest import correct_submission
from grader.submission import Submission
from reference import ReferenceStore, ReferenceUnavailable, lstm_forward
from reference.cases import cases_from_arrays
from reference.misconceptions import mutation_score
from reference.store import build_with_keras

GRADED, BELOW, USAGE, OUR_FAILURE = 0, 1, 2, 3
# Of `diff`, as of other tools of that name.
DIFFERENT = 1

cli = typer.Typer(
    help="Grade submissions of the LSTM exercise.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
assignments_cli = typer.Typer(help="The assignments this grader knows.", no_args_is_help=True)
cli.add_typer(assignments_cli, name="assignments")
report_cli = typer.Typer(help="The report as a document.", no_args_is_help=True)
cli.add_typer(report_cli, name="report")


FormatName = StrEnum("FormatName", list(FORMATS))  # type: ignore[misc]
TEXT = FormatName("text")


class BatchFormat(StrEnum):
    JSONL = "jsonl"
    CSV = "csv"
    HTML = "html"


class DiffFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


class Language(StrEnum):
    RU = "ru"
    EN = "en"


def main() -> None:
    """Entry point of ``python -m grader``."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s", stream=sys.stderr)
    cli()


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lstm-grader {version('lstm-grader')}")
        raise typer.Exit


@cli.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@cli.command("grade")
def grade_command(
    file: Annotated[Path, typer.Argument(help="A .py file or a notebook; - reads standard input.", show_default=False)],
    assignment: Annotated[str, typer.Option(help="Id of an assignment, or a TOML file.")] = "lstm-layer",
    format: Annotated[FormatName, typer.Option(help="How the report is written.")] = TEXT,
    lang: Annotated[
        Language | None, typer.Option(help="Language of the report; default: the locale's.", show_default=False)
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write the report here.", show_default=False)] = None,
    fail_under: Annotated[
        float, typer.Option(help="Exit with 1 when the submission gets fewer points than this.")
    ] = 0.0,
) -> None:
    """Grade one file and print the report.

    Exit codes: 0 graded, 1 below --fail-under, 2 wrong usage, 3 we failed (there is no grade).
    """
    _check_threshold(fail_under)
    chosen = _assignment(assignment)
    submission = _submission(file, chosen)
    language = lang.value if lang else _locale_language() or chosen.language
    accepted, device = _accept_missing(), _device()
    artefacts: dict[str, bytes] = {}
    with _our_failure_is_exit_3(), ForkSandbox(slots=1, accept_missing=accepted, device=device) as sandbox:
        # TensorFlow takes seconds to import: begin while the file is read.
        sandbox.start(Kind.READER, Kind.KERAS2 if chosen.keras == "2" else Kind.KERAS3)
        with _progress(language) as progress:
            report = grade(
                submission,
                chosen,
                sandbox=sandbox,
                references=_references(),
                progress=progress,
                # Elsewhere a report would name what nobody has kept.
                artefacts=artefacts.__setitem__ if format == "html" else None,
            )
    _write(View.of(report, language, artefacts), format, output)
    if report.status == Status.INTERNAL_ERROR:
        raise typer.Exit(OUR_FAILURE)
    raise typer.Exit(BELOW if (report.points or 0.0) < fail_under else GRADED)


@cli.command()
def doctor(
    gpu: Annotated[
        bool, typer.Option("--gpu", help="Require a GPU, and compare Keras on it with the exact answers first.")
    ] = False,
) -> None:
    """Say what this host can do: versions, the device, the wall around submissions, and a known answer graded there.

    Exit codes: 0 it can grade, 2 wrong usage, 3 it cannot.
    """
    console = Console(highlight=False)
    accepted, device = _accept_missing(), "gpu" if gpu else _device()
    assignment = load_assignments()["lstm-layer"]
    console.print(f"lstm-grader {version('lstm-grader')}, Python {platform.python_version()}, {platform.system()}")
    for name in ("tensorflow", "tensorflow-cpu", "keras", "tf-keras"):
        with contextlib.suppress(PackageNotFoundError):
            console.print(f"{name} {version(name)}")
    with _our_failure_is_exit_3():
        chosen = choose_device(device)
        console.print(f"device: {chosen}{f' ({chosen.reason})' if chosen.reason else ''}")
        agrees = not gpu or _keras_agrees(chosen, assignment, console)
    with _our_failure_is_exit_3(), ForkSandbox(accept_missing=accepted, device=device) as sandbox:
        console.print(f"slots: {sandbox.slots} (cores this process may use)")
        sandbox.start(Kind.KERAS3)
        table = Table("mechanism", "state", "what it stops")
        for name, mechanism in sandbox.wall().items():
            state = "[green]enforced[/]" if mechanism.enforced else "[red]not enforced[/]"
            table.add_row(name, state, mechanism.stops)
        for name, why in sandbox.opens().items():
            table.add_row(name, "[yellow]open for the GPU[/]", why)
        console.print(table)
        references = _references()
        report = grade(correct_submission(), assignment, sandbox=sandbox, references=references)
        _print_mutation_score(references, assignment, console)
    good = report.status == Status.PASSED
    console.print(
        f"self-test: {report.status.value}, {report.points} of {report.max_points:g} points "
        f"in {report.timing.wall_seconds:.1f} s (the first one includes starting TensorFlow)"
    )
    if report.error is not None:
        console.print(f"{report.error.type} {report.error.message}")
    raise typer.Exit(GRADED if good and agrees else OUR_FAILURE)


def _print_mutation_score(references: ReferenceStore, assignment: Assignment, console: Console) -> None:
    """Show how well the assignment's cases tell known mistakes apart, and make ready what wrong answers need."""
    specs = [case.spec() for case in assignment.cases]
    references.prepare(specs, digest=assignment.digest)
    console.print(f"known mistakes: {mutation_score(references.load(specs, digest=assignment.digest))}")


def _keras_agrees(device: Device, assignment: Assignment, console: Console) -> bool:
    """Show how far Keras' answers on this device, without the box around it, are from the oracle's."""
    specs = [case.spec() for case in assignment.cases]
    cases = cases_from_arrays(specs, build_with_keras(specs, gpu=device.environment()))
    tolerance = assignment.tolerance
    table = Table("case", "shape", "largest error", f"within {tolerance.atol:g} + {tolerance.rtol:g} of the value")
    close = []
    for case in cases:
        exact = lstm_forward(case.x, case.weights).h
        compared = compare(case.expected, exact, atol=tolerance.atol, rtol=tolerance.rtol)
        close.append(compared.close)
        error = np.nan if compared.max_abs_error is None else compared.max_abs_error
        table.add_row(case.spec.id, str(case.expected.shape), f"{error:.2g}", "yes" if compared.close else "[red]no[/]")
    console.print(f"Keras on {device}, compared with the float64 oracle:")
    console.print(table)
    return all(close)


@cli.command("batch")
def batch_command(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Folders, files, or the archives that Moodle and Canvas make of a whole course."),
    ],
    assignment: Annotated[str, typer.Option(help="Id of an assignment, or a TOML file.")] = "lstm-layer",
    format: Annotated[BatchFormat, typer.Option(help="How the results are written.")] = BatchFormat.JSONL,
    lang: Annotated[
        Language | None, typer.Option(help="Language of the texts; default: the locale's.", show_default=False)
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write the results here.", show_default=False)] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="So many at a time; default: one per core.", show_default=False)
    ] = None,
    fail_under: Annotated[float, typer.Option(help="Exit with 1 when one gets fewer points than this.")] = 0.0,
) -> None:
    """Grade a whole course: a folder, files, or a "download all" archive. One bad file never stops the rest.

    Exit codes: 0 graded, 1 one is below --fail-under, 2 wrong usage, 3 one has no grade (unreadable, or we failed).
    """
    _check_threshold(fail_under)
    chosen = _assignment(assignment)
    language = lang.value if lang else _locale_language() or chosen.language
    accepted, device = _accept_missing(), _device()
    for path in paths:
        if not (path.is_dir() or path.is_file()):
            raise _usage(f"{path}: there is no such file or folder")
    with contextlib.ExitStack() as stack:
        found = stack.enter_context(collect(paths))
        if not found:
            raise _usage(f"{translate('batch.nothing_found', language)} {', '.join(map(str, paths))}")
        stack.enter_context(_our_failure_is_exit_3())
        # Opened before the first is graded: an hour later would be late to learn that it cannot be.
        stream = _open_output(output, stack, bom=format is BatchFormat.CSV)
        sandbox = stack.enter_context(ForkSandbox(slots=jobs, accept_missing=accepted, device=device))
        sandbox.start(Kind.READER, Kind.KERAS2 if chosen.keras == "2" else Kind.KERAS3)
        references = _references()
        references.prepare([case.spec() for case in chosen.cases], digest=chosen.digest)
        grade_one = partial(grade, assignment=chosen, sandbox=sandbox, references=references)
        done = stack.enter_context(_progress_bar(len(found), language))
        rows = []
        for row in with_equal_code(grade_all(found, chosen, grade_one, slots=sandbox.slots, done=done)):
            if format is BatchFormat.JSONL:
                stream.write(json.dumps(row.as_json(language), ensure_ascii=False) + "\n")
                stream.flush()
            rows.append(row.without_texts())
        if format is BatchFormat.CSV:
            stream.write(gradebook(rows, chosen, language))
        elif format is BatchFormat.HTML:
            stream.write(overview(rows, chosen, language))
    counts = ", ".join(f"{status_name(status, language)}: {count}" for status, count in summary(rows).items())
    typer.echo(f"{translate('batch.files', language)}: {len(rows)}; {counts}", err=True)
    if not all(row.has_grade for row in rows):
        raise typer.Exit(OUR_FAILURE)
    raise typer.Exit(BELOW if any((row.points or 0.0) < fail_under for row in rows) else GRADED)


@cli.command("diff")
def diff_command(
    before: Annotated[Path, typer.Argument(help="A JSON report.", show_default=False)],
    after: Annotated[Path, typer.Argument(help="Another one, of the same submission.", show_default=False)],
    format: Annotated[DiffFormat, typer.Option(help="How the difference is written.")] = DiffFormat.TEXT,
    lang: Annotated[
        Language | None, typer.Option(help="Language of the text; default: the locale's.", show_default=False)
    ] = None,
) -> None:
    """Say what differs between two reports of one submission, and what can be the reason.

    Exit codes: 0 the same result, 1 another result, 2 wrong usage.
    """
    first, second = _report(before), _report(after)
    diff = diff_reports(first, second)
    if format is DiffFormat.JSON:
        typer.echo(json.dumps(diff.as_json(), indent=2, ensure_ascii=False))
    else:
        typer.echo(diff_text(first, second, lang.value if lang else _locale_language() or "en"), nl=False)
    raise typer.Exit(DIFFERENT if diff.changes else GRADED)


@report_cli.command("schema")
def report_schema_command() -> None:
    """Print the JSON Schema of a report."""
    typer.echo(json.dumps(report_schema(), indent=2, ensure_ascii=False))


@assignments_cli.command("list")
def assignments_list() -> None:
    """List the assignments."""
    for assignment in _assignments().values():
        typer.echo(f"{assignment.id}\t{assignment.max_points:g}\t{assignment.title.get('en', '')}")


@assignments_cli.command("check")
def assignments_check(file: Annotated[Path, typer.Argument(help="A TOML file.")]) -> None:
    """Check an assignment file; exit code 2 and a sentence when something is wrong with it."""
    assignment = _assignment(str(file.resolve()))
    typer.echo(f"{assignment.id}: {assignment.max_points:g} points, {len(assignment.cases)} cases, {assignment.digest}")


@assignments_cli.command("schema")
def assignments_schema() -> None:
    """Print the JSON Schema of an assignment file."""
    typer.echo(json.dumps(assignment_schema(), indent=2, ensure_ascii=False))


def _assignments() -> dict[str, Assignment]:
    folder = os.environ.get("LSTM_GRADER_ASSIGNMENTS_DIR")
    try:
        return load_assignments(Path(folder) if folder else None)
    except AssignmentError as exc:
        raise _usage(str(exc)) from exc


def _assignment(wanted: str) -> Assignment:
    try:
        return pick_assignment(_assignments(), wanted)
    except AssignmentError as exc:
        raise _usage(str(exc)) from exc


def _submission(file: Path, assignment: Assignment) -> Submission:
    # One byte more than allowed: enough to know that it is too large, whatever is behind it.
    limit = assignment.upload.upload_bytes + 1
    try:
        if str(file) == "-":
            return Submission("stdin.py", sys.stdin.buffer.read(limit))
        with file.open("rb") as stream:
            return Submission(file.name, stream.read(limit))
    except OSError as exc:
        raise _usage(f"{file}: {exc.strerror or exc}") from exc


def _report(file: Path) -> Report:
    try:
        return read_report(file.read_bytes())
    except OSError as exc:
        raise _usage(f"{file}: {exc.strerror or exc}") from exc
    except NotAReport as exc:
        raise _usage(f"{file} is no report that `grade --format json` wrote: {exc}") from exc


def _references() -> ReferenceStore:
    folder = os.environ.get("LSTM_GRADER_CACHE_DIR")
    return ReferenceStore(Path(folder) if folder else user_cache_path("lstm-grader", appauthor=False))


def _accept_missing() -> list[str]:
    """Parts of the wall that the operator agrees to run without."""
    accepted = [name.strip() for name in os.environ.get("LSTM_GRADER_ACCEPT_MISSING", "").split(",") if name.strip()]
    if unknown := set(accepted) - set(CAN_BE_MISSING):
        possible = ", ".join(CAN_BE_MISSING)
        raise _usage(f"LSTM_GRADER_ACCEPT_MISSING is {', '.join(sorted(unknown))}; possible are {possible}")
    return accepted


def _device() -> DeviceChoice:
    """What submissions run on."""
    device = os.environ.get("LSTM_GRADER_DEVICE") or "cpu"
    if device not in DEVICE_CHOICES:
        raise _usage(f"LSTM_GRADER_DEVICE is {device}; possible are cpu, gpu and auto")
    return cast("DeviceChoice", device)


def _locale_language() -> str | None:
    """The language of the locale, where it names one of ours."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name, "")
        if value:
            return value[:2] if value[:2] in ("ru", "en") else None
    return None


@contextlib.contextmanager
def _progress(language: str) -> Iterator[StageProgress | None]:
    """A spinner with the stage on a terminal, nothing in a pipe."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    with console.status(translate("ui.stage_reading", language)) as status:
        yield lambda stage: status.update(translate(f"ui.stage_{stage}", language))


@contextlib.contextmanager
def _our_failure_is_exit_3() -> Iterator[None]:
    try:
        yield
    except SandboxError as exc:
        typer.echo(f"lstm-grader: the sandbox cannot be used here: {exc}", err=True)
        raise typer.Exit(OUR_FAILURE) from exc
    except ReferenceUnavailable as exc:
        typer.echo(f"lstm-grader: {exc}", err=True)
        raise typer.Exit(OUR_FAILURE) from exc


@contextlib.contextmanager
def _progress_bar(total: int, language: str) -> Iterator[Callable[[], None]]:
    """A bar on a terminal, nothing in a pipe; what it gives is called when one more is done."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(translate("batch.grading", language), total=total)
        yield lambda: bar.advance(task)


def _check_threshold(fail_under: float) -> None:
    if not fail_under >= 0:  # NaN is less than nothing, too: every grade would pass it
        raise _usage(f"--fail-under is {fail_under:g}; a number of points is needed")


def _open_output(output: Path | None, stack: contextlib.ExitStack, *, bom: bool) -> TextIO:
    """Standard output, or a new file; a spreadsheet needs the mark at its beginning to see that it is UTF-8."""
    if output is None:
        return sys.stdout
    try:
        encoding = "utf-8-sig" if bom else "utf-8"
        return stack.enter_context(output.open("w", encoding=encoding, newline=""))
    except OSError as exc:
        raise _usage(f"{output}: {exc.strerror or exc}") from exc


def _usage(message: str) -> typer.Exit:
    typer.echo(f"lstm-grader: {message}", err=True)
    return typer.Exit(USAGE)


def _write(view: View, format: str, output: Path | None) -> None:
    try:
        if output is None and format == "text" and sys.stdout.isatty():
            print_report(view, Console(highlight=False))
            return
        text = FORMATS[format].write(view)
        if output is None:
            sys.stdout.write(text)
        else:
            output.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise _usage(f"{output}: {exc.strerror or exc}") from exc
