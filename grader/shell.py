"""Code that all commands share: the environment, wrong usage, exit codes.

Only this module and `grader.settings` read the environment.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import re
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError
from typer.core import TyperGroup

from grader.assignment import Assignment, load_assignments, pick_assignment
from grader.errors import AssignmentError, SandboxError, sentence_of, without_prefix
from grader.report.messages import translate
from reference import SEED_BYTES, ReferenceStore, ReferenceUnavailable, new_seed

if TYPE_CHECKING:
    from grader.settings import GradingSettings

GRADED, BELOW, USAGE, OUR_FAILURE = 0, 1, 2, 3
# Locales without a language: their messages are English.
NO_LANGUAGE = ("c", "posix")
EMPTY_OPTION = re.compile("--[a-z-]+=")


class Language(StrEnum):
    RU = "ru"
    EN = "en"


#: Options that several commands have.
Lang = Annotated[
    Language | None, typer.Option(help="Language of the texts; default: the locale's.", show_default=False)
]
Output = Annotated[Path | None, typer.Option(help="Write it into this file.", show_default=False)]
ForAssignment = Annotated[str, typer.Option(help="Id of an assignment, or a TOML file.")]
Seed = Annotated[
    str | None,
    typer.Option(
        "--seed",
        metavar="<hex>",
        help="Ask the numbers of an earlier grade again: the seed that it printed; default: new numbers.",
        show_default=False,
    ),
]


class Commands(TyperGroup):
    """The commands of a program. They refuse an empty argument."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse empty arguments: as a path, one would mean the current folder. Raises: typer.Exit: one is empty."""
        if any(arg == "" or EMPTY_OPTION.fullmatch(arg) for arg in args):
            raise usage("an argument is empty; perhaps a variable of your shell is not set")
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as exc:
            exc.message = without_prefix(exc.message)
            raise


def usage(message: str) -> typer.Exit:
    """Print the mistake in a command; the caller raises the result."""
    typer.echo(f"lstm-grader: {message}", err=True)
    return typer.Exit(USAGE)


def failure(error: Exception, place: Path | str | None = None) -> str:
    """Describe an error in words; an error of the system without its number, but with its place."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    # Opening a file names it in the error, reading and writing do not.
    where = error.filename or place
    return f"{where}: {error.strerror}" if where is not None else error.strerror


@contextlib.contextmanager
def wrong_usage(*errors: type[Exception], place: Path | str | None = None) -> Iterator[None]:
    """Turn these errors, which the user of a command can mend, into a sentence and `USAGE`."""
    try:
        yield
    except errors as exc:
        raise usage(failure(exc, place)) from exc


@contextlib.contextmanager
def our_failure_is_exit_3() -> Iterator[None]:
    """Turn an error that keeps us from grading into a sentence and `OUR_FAILURE`."""
    try:
        yield
    except OUR_FAILURES as exc:
        typer.echo(f"lstm-grader: {why_not(exc)}", err=True)
        raise typer.Exit(OUR_FAILURE) from exc


#: Errors that keep us from grading on this host.
OUR_FAILURES = (SandboxError, ReferenceUnavailable)


def why_not(failure: Exception) -> str:
    """Put one of `OUR_FAILURES` into words."""
    return f"the sandbox cannot be used here: {failure}" if isinstance(failure, SandboxError) else str(failure)


def check_threshold(fail_under: float) -> None:
    """Refuse a threshold that no grade can be compared with. Raises: typer.Exit."""
    if not 0 <= fail_under < math.inf:  # NaN fails too: every grade would pass it
        raise usage(f"--fail-under is {fail_under:g}; a number of points is needed")


def seed_from(text: str | None) -> bytes:
    """Return the seed that a text spells, or a new one without a text. Raises: typer.Exit: it is not a seed."""
    if text is None:
        return new_seed()
    if not re.fullmatch(rf"[0-9A-Fa-f]{{{2 * SEED_BYTES}}}", text, re.ASCII):
        raise usage(
            f"--seed is {text[:80]!r}, with {len(text)} characters; {2 * SEED_BYTES} hexadecimal digits are needed, "
            "as an earlier grade has printed them. Without --seed, new numbers are drawn"
        )
    return bytes.fromhex(text)


def print_seed(seed: bytes, language: str) -> None:
    """Print a seed beside the report, which does not hold it."""
    typer.echo(translate("ui.seed", language, seed=seed.hex()), err=True)


def check_output(output: Path | None) -> None:
    """Check that a file can be written there, before the work that fills it.

    Raises: typer.Exit: it cannot.
    """
    if output is None:
        return
    folder = output.parent
    try:
        if output.is_dir():
            raise usage(f"{output} is a folder; the name of a file is needed")
        if not folder.is_dir():
            raise usage(f"{output} cannot be written: there is no folder {folder}")
        exists = output.exists()
    except OSError as exc:  # For example, a name that is too long.
        raise usage(f"{failure(exc)}; it cannot be written") from exc
    if not os.access(output if exists else folder, os.W_OK):
        raise usage(f"{output} cannot be written: permission denied, or the disk is read-only")


def write_everything() -> None:
    """Print question marks for characters that the terminal's encoding lacks, such as Russian in Latin-1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def make_folder(folder: Path, variable: str) -> None:
    """Make one of our folders if it does not exist.

    Args:
        variable: the environment variable that chooses another folder.
    Raises: typer.Exit: the folder cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        why = "" if os.access(folder, os.W_OK | os.X_OK) else "permission denied, or the disk is read-only"
    except OSError as exc:
        why = "it is a file" if folder.is_file() else exc.strerror or str(exc)
    if why:
        raise usage(f"the folder {folder} cannot be used: {why}. Set {variable} to one that can be written")


def grading_settings() -> GradingSettings:
    """Read the settings. Raises: typer.Exit: one of them is wrong."""
    from grader.settings import GradingSettings  # takes longer to import than some commands to run

    try:
        return GradingSettings()
    except ValidationError as exc:
        raise wrong_settings(exc) from exc


def wrong_settings(error: ValidationError) -> typer.Exit:
    """Print the variables that are wrong, and why; the caller raises the result."""
    from grader.settings import variable

    for problem in error.errors():
        # A rule about several variables names them itself. One of ours may be about a secret, which is not shown.
        name = f"{variable(str(problem['loc'][0]))}: " if problem["loc"] else ""
        got = "" if problem["type"] == "value_error" else f" (got {problem['input']!r:.80})"
        usage(f"{name}{sentence_of(problem)}{got}")
    return typer.Exit(USAGE)


def all_assignments() -> dict[str, Assignment]:
    """Return all assignments by id. Raises: typer.Exit: one of the operator's files has a mistake."""
    with wrong_usage(AssignmentError):
        return load_assignments(grading_settings().assignments_dir)


def find_assignment(name: str) -> Assignment:
    """Find an assignment by its id or its TOML file. Raises: typer.Exit: there is none, or it has a mistake."""
    with wrong_usage(AssignmentError):
        return pick_assignment(all_assignments(), name)


def reference_store(settings: GradingSettings) -> ReferenceStore:
    """Open the store of right answers. Raises: typer.Exit: its folder cannot be written."""
    make_folder(settings.cache_dir, "LSTM_GRADER_CACHE_DIR")
    return ReferenceStore(settings.cache_dir)


def reading_language(lang: Language | None, otherwise: str) -> str:
    """Return the language that was asked for, else the locale's.

    Source: the GNU gettext manual, "Locale Environment Variables": the first of LC_ALL, LC_MESSAGES and LANG that is
        set names the locale; where that is not C, LANGUAGE lists languages that are preferred to it.
    Args:
        otherwise: used when no locale is set, or when its language is not one of ours.
    """
    if lang is not None:
        return lang.value
    locale = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    if _language_of(locale) in NO_LANGUAGE:
        return Language.EN.value
    locales = [*os.environ.get("LANGUAGE", "").split(":"), locale] if locale else []
    ours = [language for name in locales if (language := _language_of(name)) in list(Language)]
    return ours[0] if ours else otherwise


def _language_of(locale: str) -> str:
    """Return ``ru`` for ``ru_RU.UTF-8``."""
    return re.split(r"[_.@-]", locale, maxsplit=1)[0].lower()
