"""The command that grades a whole course."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from grader import shell
from grader.batch.collect import collect
from grader.batch.gradebook import gradebook
from grader.batch.overview import overview
from grader.batch.run import grade_all, status_name, summary, with_equal_code
from grader.formats.commands import json_of
from grader.pipeline import grade
from grader.report.messages import translate
from grader.sandbox import ForkSandbox, Kind


class BatchFormat(StrEnum):
    JSONL = "jsonl"
    CSV = "csv"
    HTML = "html"


def batch_command(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Folders, files, or the archives that Moodle and Canvas make of a whole course."),
    ],
    assignment: shell.ForAssignment = "lstm-layer",
    format: Annotated[BatchFormat, typer.Option(help="How the results are written.")] = BatchFormat.JSONL,
    lang: shell.Lang = None,
    output: shell.Output = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="So many at a time; default: one per core.", show_default=False)
    ] = None,
    fail_under: Annotated[float, typer.Option(help="Exit with 1 when one gets fewer points than this.")] = 0.0,
    seed: shell.Seed = None,
) -> None:
    """Grade a whole course: a folder, files, or an archive.

    The archive is the "download all" of Moodle or Canvas. One bad file never stops the rest. Each is asked other
    numbers, drawn anew each time; --seed with the seed printed on standard error repeats them.

    Exit codes: 0 graded, 1 one is below --fail-under, 2 wrong usage, 3 one has no grade (unreadable, or we failed).
    """
    shell.check_threshold(fail_under)
    shell.check_output(output)
    seed_bytes = shell.seed_from(seed)
    chosen = shell.find_assignment(assignment)
    language = shell.reading_language(lang, chosen.language)
    settings = shell.grading_settings()
    references = shell.reference_store(settings)
    for path in paths:
        if not (path.is_dir() or path.is_file()):
            raise shell.usage(f"{path}: there is no such file or folder")
    with contextlib.ExitStack() as stack:
        files = stack.enter_context(collect(paths))
        if not files:
            raise shell.usage(f"{translate('batch.nothing_found', language)} {', '.join(map(str, paths))}")
        stack.enter_context(shell.our_failure_is_exit_3())
        # Opened before the first file is graded: an hour later is too late to learn that it cannot be.
        stream = _open_output(output, stack, bom=format is BatchFormat.CSV)
        sandbox = stack.enter_context(
            ForkSandbox(slots=jobs, accept_missing=settings.missing_parts, device=settings.device)
        )
        sandbox.start(Kind.READER, Kind.of_class(chosen.keras))
        references.prepare([case.spec() for case in chosen.cases], digest=chosen.digest)
        grade_one = partial(grade, assignment=chosen, seed=seed_bytes, sandbox=sandbox, references=references)
        shell.print_seed(seed_bytes, language)
        done = stack.enter_context(_progress_bar(len(files), language))
        rows = []
        for row in with_equal_code(grade_all(files, chosen, grade_one, slots=sandbox.slots, done=done)):
            if format is BatchFormat.JSONL:
                stream.write(json_of(row.as_json(language)) + "\n")
                stream.flush()
            rows.append(row.without_texts())
        if format is BatchFormat.CSV:
            book = gradebook(rows, chosen, language)
            stream.write(book.text)
            if book.changed:
                typer.echo(f"{translate('batch.formulas', language)}: {book.changed}", err=True)
        elif format is BatchFormat.HTML:
            stream.write(overview(rows, chosen, language))
    counts = ", ".join(f"{status_name(status, language)}: {count}" for status, count in summary(rows).items())
    typer.echo(f"{translate('batch.files', language)}: {len(rows)}; {counts}", err=True)
    if not all(row.has_grade for row in rows):
        raise typer.Exit(shell.OUR_FAILURE)
    raise typer.Exit(shell.BELOW if any((row.points or 0.0) < fail_under for row in rows) else shell.GRADED)


def _open_output(output: Path | None, stack: contextlib.ExitStack, *, bom: bool) -> TextIO:
    """Open standard output, or a new file; a spreadsheet needs the mark at its start to recognise UTF-8."""
    if output is None:
        return sys.stdout
    with shell.wrong_usage(OSError):
        return stack.enter_context(output.open("w", encoding="utf-8-sig" if bom else "utf-8", newline=""))


@contextlib.contextmanager
def _progress_bar(total: int, language: str) -> Iterator[Callable[[], None]]:
    """Show a bar on a terminal, nothing in a pipe; call the result after each file."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(translate("batch.grading", language), total=total)
        yield lambda: bar.advance(task)
