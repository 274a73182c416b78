"""The command that shows whether this host can grade."""

import contextlib
import platform
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from grader import shell
from grader.assignment import Assignment, load_assignments
from grader.execution.questions import Examiner
from grader.known_answer import correct_submission
from grader.numerics.comparison import compare
from grader.pipeline import grade
from grader.report.model import Status
from grader.sandbox import Device, DeviceChoice, ForkSandbox, Kind, choose_device
from grader.sandbox.host import cgroups
from grader.version import grader_version
from reference import Case, ReferenceStore, lstm_forward, new_seed
from reference.lstm.misconceptions import mutation_score
from reference.store import answer_with_keras

#: Further sections, added where more than the engine is installed. Each shows what it finds, and returns the problem
#: or None.
sections: list[Callable[[Console], str | None]] = []


def doctor(
    gpu: Annotated[
        bool, typer.Option("--gpu", help="Require a GPU, and compare Keras on it with the exact answers.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Say too how well the assignment's cases tell known mistakes apart.")
    ] = False,
) -> None:
    """Say whether this host can grade, or why not.

    A known answer is graded to find out, and Keras answers the same questions. Below the first line are versions, the
    database and the queue, the device, and the wall around submissions. It changes nothing in the database; reference
    answers that are missing go into the cache.

    Exit codes: 0 it can grade, 2 wrong usage or settings, 3 it cannot, or the database cannot be used.
    """
    console = Console(highlight=False)
    settings = shell.grading_settings()
    accepted, device = settings.missing_parts, "gpu" if gpu else settings.device
    references = shell.reference_store(settings)
    with Console(stderr=True).status("grading a known answer"), console.capture() as details:
        console.print(f"lstm-grader {grader_version()}, Python {platform.python_version()}, {platform.system()}")
        for name in ("tensorflow", "tensorflow-cpu", "keras", "tf-keras"):
            with contextlib.suppress(PackageNotFoundError):
                console.print(f"{name} {version(name)}")
        wrong = [problem for section in sections if (problem := section(console))]
        try:
            cannot = _cannot_grade(console, accepted, device, references, verbose=verbose)
        except shell.OUR_FAILURES as exc:
            cannot = shell.why_not(exc)
    verdict = f"this host cannot grade: {cannot}" if cannot else "this host can grade"
    console.print("; but ".join([verdict, *wrong]), markup=False, soft_wrap=True)
    console.out(details.get(), end="")
    raise typer.Exit(shell.OUR_FAILURE if cannot or wrong else shell.GRADED)


def _cannot_grade(
    console: Console,
    accepted: list[str],
    device: DeviceChoice,
    references: ReferenceStore,
    *,
    verbose: bool,
) -> str | None:
    """Show what the host has, have Keras answer the questions of one grade, and grade a known answer by them.

    Returns: the reason why this host cannot grade; None: the answer got all its points.
    Raises: one of `OUR_FAILURES`.
    """
    assignment = load_assignments()["lstm-layer"]
    chosen = choose_device(device)
    console.print(f"device: {chosen}{f' ({chosen.reason})' if chosen.reason else ''}")
    published = references.load([case.spec() for case in assignment.cases], digest=assignment.digest)
    seed = new_seed()
    questions = Examiner(published, seed, "3", long_gradients=False).everything()
    agrees = _keras_agrees(chosen, questions.all_cases, assignment, console)
    with ForkSandbox(accept_missing=accepted, device=device) as sandbox:
        console.print(f"slots: {sandbox.slots} (cores this process may use)")
        sandbox.start(Kind.KERAS3)
        table = Table("mechanism", "state", "what it stops")
        for name, mechanism in sandbox.wall(Kind.KERAS3).items():
            state = "[green]enforced[/]" if mechanism.enforced else "[red]not enforced[/]"
            table.add_row(name, state, mechanism.stops)
        for name, why in sandbox.opens().items():
            table.add_row(name, "[yellow]open for the GPU[/]", why)
        console.print(table)
        console.print(
            f"control groups: {cgroups.describe()}. Runs get none of their own: their supervisor counts memory, "
            "threads and CPU time",
            soft_wrap=True,
        )
        report = grade(correct_submission(), assignment, seed=seed, sandbox=sandbox, references=references)
    console.print(
        f"self-test: {report.status.value}, {report.points} of {report.max_points:g} points "
        f"in {report.timing.wall_seconds:.1f} s (the first one includes starting TensorFlow)"
    )
    if verbose:
        _print_mutation_score(references, assignment, console)
    if report.error is not None:
        return f"a known answer ended in {report.error.type} {report.error.message}"
    if report.status != Status.PASSED:
        return f"a known answer got {report.points} of {report.max_points:g} points"
    return None if agrees else f"Keras on {chosen} differs from the exact answers"


def _print_mutation_score(references: ReferenceStore, assignment: Assignment, console: Console) -> None:
    """Show how well the assignment's cases tell known mistakes apart."""
    specs = [case.spec() for case in assignment.cases]
    references.prepare(specs, digest=assignment.digest)
    console.print(f"known mistakes: {mutation_score(references.load(specs, digest=assignment.digest))}")


def _keras_agrees(device: Device, questions: Sequence[Case], assignment: Assignment, console: Console) -> bool:
    """Show how far Keras' answers on this device, without the box around it, are from the oracle's."""
    cases = answer_with_keras(questions, gpu=device.environment() if device.is_gpu else None)
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
