"""A real box, submissions that attack it, and the promise that the next submission notices nothing."""

import contextlib
import json
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pyseccomp
import pytest

from grader.assignment import Assignment, load_assignments
from grader.pipeline import grade
from grader.report.model import Report, Status
from grader.sandbox import ForkSandbox
from grader.submission import Submission
from reference import ReferenceStore
from tests.exercises import right_class
from tests.waiting import wait_until

# Tries one thing after another and prints a line of JSON: what became of each.
PROBE = """
import errno
libc = ctypes.CDLL(None, use_errno=True)
numbers = {}

def syscall(name, *arguments):
    wide = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    result = libc.syscall(ctypes.c_long(numbers[name]), *wide)
    if result == -1:
        raise OSError(ctypes.get_errno(), name)
    return result

def outcome(code):
    try:
        exec(code, globals())
    except BaseException as exc:
        return errno.errorcode.get(getattr(exc, 'errno', None)) or type(exc).__name__
    return 'done'

def probe(codes, call_numbers):
    libc.syscall.restype = ctypes.c_long
    numbers.update(call_numbers)
    print(json.dumps({name: outcome(code) for name, code in codes.items()}))
"""


IMPORTS = """\
import ctypes, json, mmap, os, signal, struct, sys, threading, time
import numpy as np
import tensorflow as tf
"""


def submission(*, top: str = "", class_body: str = "", call: str = "") -> Submission:
    """A correct answer, with an attack before the class, where it is made, and where it is called."""
    source = right_class(top=IMPORTS + textwrap.dedent(top), body=class_body, call=call)
    return Submission("submission.py", source.encode())


Attack = Callable[..., Report]
Probe = Callable[[Mapping[str, str]], dict[str, str]]


@pytest.fixture(scope="session")
def assignment() -> Assignment:
    """The default one with a limit on CPU time that is soon reached.

    A run that has had no core for three times its wall time is run again. So where nothing sleeps that is long.
    """
    default = load_assignments()["lstm-layer"]
    limits = default.limits.model_copy(update={"cpu_seconds": 5, "wall_seconds": 120.0})
    return default.model_copy(update={"limits": limits})


#: Limits for code that does more than an answer.
ROOMY = {"cpu_seconds": 20, "wall_seconds": 60.0}


@pytest.fixture(scope="session")
def graded(
    sandbox: ForkSandbox, assignment: Assignment, references: ReferenceStore, questions_seed: bytes
) -> Callable[..., Report]:
    def grade_it(
        given: Submission,
        keras: str = "3",
        *,
        under: Assignment = assignment,
        statement_seconds: float = 2.0,
        **limits: object,
    ) -> Report:
        changes = {
            "keras": keras,
            "limits": under.limits.model_copy(update=limits),
            "upload": under.upload.model_copy(update={"statement_seconds": statement_seconds}),
        }
        chosen = under.model_copy(update=changes)
        return grade(given, chosen, seed=questions_seed, sandbox=sandbox, references=references)

    return grade_it


@pytest.fixture(scope="module")
def attack(graded: Callable[..., Report]) -> Iterator[Attack]:
    """Grade a submission with an attack in it, under limits in place of the assignment's; `statement_seconds` too.

    Of `top`, what the class needs is run; all of `class_body` and `call` is. After the attacks of a module comes an
    honest one: it must get full marks.
    """

    def attack_with(*, top: str = "", class_body: str = "", call: str = "", **limits: object) -> Report:
        return graded(submission(top=top, class_body=class_body, call=call), **limits)

    yield attack_with
    after = graded(submission())
    assert (after.status, after.points, after.output.stdout) == (Status.PASSED, 100, "")


def verdict(report: Report) -> tuple[object, ...]:
    """The status, the points and what the diagnoses are called."""
    return (str(report.status), report.points, *(diagnosis.code for diagnosis in report.diagnoses))


def probing(codes: Mapping[str, str]) -> dict[str, str]:
    """The parts of a submission that tries these pieces of code. Calls are named in them: ``syscall('read', ...)``."""
    dedented = {name: textwrap.dedent(code) for name, code in codes.items()}
    called = set(re.findall(r"(?:syscall|pages)\('(\w+)'", " ".join(codes.values())))
    numbers = {name: pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name) for name in called}
    return {"top": PROBE, "class_body": f"probe({dedented!r}, {numbers})"}


@pytest.fixture(scope="session")
def probe(graded: Callable[..., Report]) -> Probe:
    """Run pieces of code in one submission, which ends after them.

    Returns: what became of each: the name of an error number, the class of another exception, or ``done``.
    """

    def probe_with(codes: Mapping[str, str]) -> dict[str, str]:
        parts = probing(codes)
        parts["class_body"] += "\nsys.stdout.flush()\nos._exit(0)"
        # Whatever the pieces find, they shall end on a slow machine too.
        report = graded(submission(**parts), statement_seconds=60.0, cpu_seconds=60)
        assert verdict(report) == ("runtime_error", 0, "exits"), report.error
        return json.loads(report.output.stdout.splitlines()[-1])

    return probe_with


@pytest.fixture(scope="session")
def probes() -> Callable[[Mapping[str, str]], Submission]:
    """Writes the submission of `probe`, but as a correct answer, to be graded."""
    return lambda codes: submission(**probing(codes))


@pytest.fixture(scope="session")
def written() -> Callable[..., Submission]:
    """Writes a correct answer with something in it."""
    return submission


class Asleep(NamedTuple):
    pid: int
    folder: Path


@pytest.fixture(scope="session")
def asleep(sandbox: ForkSandbox) -> Callable[[], Asleep]:
    """Waits until a run has put its number into a file `asleep`; says which process it is and where it may write."""

    def found() -> Asleep | None:
        for path in Path(sandbox._directory).glob("*/asleep"):
            with contextlib.suppress(FileNotFoundError, ValueError):
                return Asleep(int(path.read_text()), path.parent)
        return None

    return lambda: wait_until(found)


#: For runs that wait until they are told to go on: only a hang meets it.
WAITING_SECONDS = 400.0
RESTING = """
    if not os.path.exists('asleep'):
        open('asleep', 'w').write(str(os.getpid()))
        while not os.path.exists('woken'): time.sleep(0.02)
"""


@pytest.fixture(scope="session")
def neighbour(
    graded: Callable[..., Report], asleep: Callable[[], Asleep]
) -> Callable[[], contextlib.AbstractContextManager[Asleep]]:
    """A correct answer, with a word in its memory, that rests as long as the block lasts and gets full marks then."""

    @contextlib.contextmanager
    def resting() -> Iterator[Asleep]:
        given = submission(class_body="word = 'a word of this submission'", call=RESTING)
        with ThreadPoolExecutor(1) as pool:
            run = pool.submit(graded, given, wall_seconds=WAITING_SECONDS)
            found = asleep()
            try:
                yield found
            finally:
                (found.folder / "woken").touch()
            assert (run.result().status, run.result().points) == (Status.PASSED, 100)

    return resting
