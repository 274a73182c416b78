"""Notices what a submission reaches for that the exercise has no use for.

The network, other programs, files elsewhere, the stack, the memory of the process, functions that are not its own. The
wall stops what must be stopped. This module only reports each reach with its line: the student reads why it failed,
and the teacher sees what was tried. Python reports most of it to audit hooks, which nothing can remove.
"""

import contextlib
import glob
import inspect
import os
import pathlib
import pkgutil
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import lockdown
from frames import frame

from driver.reaches import belongings
from driver.student.observations import MAX_NAME
from driver.student.student_module import FILE_NAME

CODES = {
    "network": (
        *("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"),
        *("urllib.Request", "http.client.connect", "ftplib.connect", "smtplib.connect"),
    ),
    "subprocess": (
        *("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn"),
        "pty.spawn",
    ),
    "gc_reference": ("gc.get_objects", "gc.get_referrers", "gc.get_referents"),
    "frame_walk": ("sys._getframe", "sys._current_frames", "object.__getattr__"),
    "write_outside": ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.link", "os.symlink"),
    "reads_files": ("os.listdir", "os.scandir", "glob.glob", "sqlite3.connect"),
}
CODE_OF = {event: code for code, events in CODES.items() for event in events}
# Reported only where the student's own code does them: libraries look at frames and objects all the time.
ONLY_BY_HAND = frozenset({"gc_reference", "frame_walk", "env_read", "result_pipe", "grader_module"})
# Reported once each, past the limit on other reaches too, so that noise hides none of them.
NEVER_HIDDEN = frozenset({"gc_reference", "frame_walk", "result_pipe", "grader_module"})
# A search for a place to write, or for a module, does not count as reading a file.
OTHER_ERRANDS = ("/tempfile.py", "<frozen importlib")
# Files that libraries need.
SYSTEM = ("/usr/", "/lib", "/etc/", "/dev/", "/proc/", "/sys/", "/nonexistent")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
INTERNET = (2, 10)  # AF_INET and AF_INET6, without importing socket
MOST_REPORTED = 20

# Where functions live that a submission may replace to make every difference zero.
PATCHABLE_MODULES = (
    *("builtins", "numpy", "numpy.linalg", "numpy.testing", "numpy.random", "tensorflow"),
    *("tensorflow.math", "tensorflow.nn", "tensorflow.linalg", "tensorflow.debugging", "tensorflow.keras.layers"),
)
PATCHABLE_CLASSES = (
    *("Tensor", "Variable", "Module", "GradientTape"),
    *("keras.Model", "keras.layers.Layer", "keras.layers.Dense"),
)


def watch() -> Callable[[str, str, int], None]:
    """Report every reach from now on, once for each code and line. Nothing can undo this.

    Returns: a function that reports other reaches: code, what it was, and the line.
    """
    folder = os.getcwd() + os.sep
    # AutoGraph reads the source of whatever an exception has passed through, ours too.
    ours = os.path.dirname(lockdown.__file__)
    libraries = tuple({*(each + os.sep for each in (sys.prefix, sys.base_prefix, ours)), *SYSTEM})
    reported: set[tuple[str, int]] = set()
    busy = False
    write, getframe = os.write, sys._getframe

    def send(code: str, what: str, line: int) -> None:
        first = code in NEVER_HIDDEN and code not in {each for each, _ in reported}
        if (code, line) not in reported and (first or len(reported) < MOST_REPORTED):
            reported.add((code, line))
            with contextlib.suppress(OSError):  # the student's code closed the pipe
                write(lockdown.RESULT, frame({"event": "reach", "code": code, "what": what[:MAX_NAME], "line": line}))

    def tell(code: str, what: str, *, elsewhere: str | None = None) -> None:
        nonlocal busy
        if busy:
            return
        busy = True  # looking at frames is an event itself
        try:
            by_hand, line = _student_caller(getframe(1))
            if line is None or (not by_hand and (code in ONLY_BY_HAND or (elsewhere or "").startswith(libraries))):
                return
            send(code, what, line)
        finally:
            busy = False

    def tell_of_file(code: str, path: object) -> None:
        if isinstance(path, str | bytes):  # else it is a file that is open already, or the folder that one is in
            try:
                full = os.path.abspath(os.fsdecode(path))
            except OSError:  # the working directory is too deep to have a path, so it is in the run's own folder
                return
            if full + os.sep != folder and not full.startswith(folder):
                tell(code, os.fsdecode(path), elsewhere=full)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = args
            tell_of_file("write_outside" if flags & WRITING else "reads_files", path)
        elif (code := CODE_OF.get(event)) is not None:
            if code in ("write_outside", "reads_files"):
                tell_of_file(code, args[0])
            elif event != "object.__getattr__" or args[1] == "tb_frame":
                tell(code, event)
        elif event == "socket.__new__" and args[1] in INTERNET:
            tell("network", event)

    _watch_environment(tell)
    belongings.watch(tell)
    sys.addaudithook(hook)
    return send


# Files that stand between the student's code and what it asked for: this one, and some of the standard library.
BETWEEN = {
    function.__code__.co_filename
    for function in (
        *(watch, belongings.watch),
        *(os.getenv, Mapping.get, inspect.currentframe, glob.glob, pathlib.Path.open),
    )
}


def _student_caller(frame: types.FrameType | None) -> tuple[bool, int | None]:
    """Return whether the student's own code asks, and its line that led here; None where that does not matter."""
    by_hand, near = False, True
    while frame is not None:
        name = frame.f_code.co_filename
        if name.endswith(OTHER_ERRANDS[:1]) or name.startswith(OTHER_ERRANDS[1:]):
            return False, None
        if near and name not in BETWEEN:
            # Code run by a student's exec() has a file name of its own, such as <string>.
            by_hand, near = name == FILE_NAME or (name[:1] == "<" and not name.startswith("<frozen")), False
        if name == FILE_NAME:
            return by_hand, frame.f_lineno
        frame = frame.f_back
    return False, None


def _watch_environment(tell: Callable[[str, str], None]) -> None:
    """Report changes of the environment. Python tells hooks of changes, not of reads."""
    kind: Any = type(os.environ)
    original = kind.__getitem__

    def getitem(self: Any, key: str) -> str:
        tell("env_read", str(key))
        return str(original(self, key))

    kind.__getitem__ = getitem


class Originals:
    """Functions of libraries as they are now, to find later the ones that the student's code replaced."""

    def __init__(self) -> None:
        self._before = {name: (owner, dict(vars(owner))) for name, owner in _owners()}

    def find_replaced(self) -> list[str]:
        """List names that now stand for another function. ``np.bool = bool``, for old code, replaces a type."""
        return [
            f"{owner_name}.{name}"
            for owner_name, (owner, before) in self._before.items()
            for name, old in before.items()
            if callable(old) and (new := vars(owner).get(name, old)) is not old and not isinstance(new, type)
        ]


def _owners() -> Iterator[tuple[str, Any]]:
    for name in PATCHABLE_MODULES:
        with contextlib.suppress(ImportError, AttributeError):
            yield name, pkgutil.resolve_name(name.replace(".", ":", 1))
    for name in PATCHABLE_CLASSES:
        yield name, pkgutil.resolve_name(f"tensorflow:{name}")
