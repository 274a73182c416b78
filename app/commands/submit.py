"""The command `submit`, by the file that notebooks hand themselves in with."""

import os
import sys
from http.client import UNAUTHORIZED
from pathlib import Path
from typing import Annotated

import typer

from app.client import notebook
from app.client.notebook import Screen, Service, Stop, Work, report_parts
from app.texts import client_texts, text
from grader.shell import BELOW, GRADED, OUR_FAILURE, USAGE, check_threshold, failure, reading_language, usage

TOKEN = "LSTM_GRADER_TOKEN"  # noqa: S105 the name of the variable


def submit(
    file: Annotated[Path, typer.Argument(help="A .py file or a notebook.", show_default=False)],
    to: Annotated[str, typer.Option("--to", metavar="<url>", help="Address of the service.", show_default=False)],
    assignment: Annotated[str, typer.Option(help="Id of the assignment.")] = "lstm-layer",
    check_only: Annotated[
        bool, typer.Option("--check-only", help="Only try it, without using an attempt, if the course allows that.")
    ] = False,
    fail_under: Annotated[
        float, typer.Option(help="Exit with 1 when the submission gets fewer points than this.")
    ] = 0.0,
) -> None:
    """Hand in a file at a service, wait, and print the report.

    It asks for the code that the page of the assignment shows, unless LSTM_GRADER_TOKEN holds a token of yours.

    Exit codes: 0 graded, 1 below --fail-under, 2 wrong usage, or the service refuses it, 3 there is no grade.
    """
    check_threshold(fail_under)
    notebook.TEXTS.update(client_texts())
    screen = Screen(reading_language(None, "en"))
    try:
        work = _work(file, screen.language)
        token = os.environ.get(TOKEN, "")
        service = Service(to, screen, token)
        if not token:
            rules = service.sign_in(assignment, "lstm-grader submit")
            if work.code and file.suffix == ".ipynb":
                work = notebook.fit(work, rules["upload_bytes"], screen)
        body = service.deliver(work, assignment, check_only)
    except OSError as exc:
        raise usage(failure(exc)) from exc
    except Stop as stop:
        screen.end_progress()
        is_unknown = token and stop.status == UNAUTHORIZED
        typer.echo(text("submit.token", screen.language, variable=TOKEN) if is_unknown else stop, err=True)
        raise typer.Exit(OUR_FAILURE if stop.in_doubt else USAGE) from stop
    screen.finish(*work.notes, *report_parts(body, work, screen, to))
    report = body["report"]
    if report is None or report["status"] == "internal_error":
        raise typer.Exit(OUR_FAILURE)
    # A check has no points.
    raise typer.Exit(BELOW if (report["points"] or 0.0) < fail_under else GRADED)


def _work(file: Path, language: str) -> Work:
    """Return the file; one that is not a notebook inside is for the service to judge.

    Raises:
        OSError
        typer.Exit: the service would refuse it, which uses up the code.
    """
    # They load much that no other command needs.
    from app.answers import answer_for, words_for
    from app.errors import UploadRefused
    from app.submissions.uploads import check_file

    content = file.read_bytes()
    try:
        check_file(file.name, len(content), sys.maxsize)
    except UploadRefused as exc:
        raise usage(". ".join(words_for(answer_for(exc), language, exc.params))) from exc
    try:
        return notebook.as_work(file.name, content)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Work(file.name, content, {})
