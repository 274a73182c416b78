"""The module that the student's code runs in: its initial names, and the way its statements are run.

A student may paste only ``class LSTM``. The module therefore starts with the names that the course's notebook supplies,
and the student's own definitions replace them. It is a real file and a real module in `sys.modules`, because AutoGraph
reads the source of functions decorated with ``@tf.function``.
"""

import __future__

import ast
import builtins
import contextlib
import inspect
import linecache
import signal
import sys
import types
from collections.abc import Callable, Coroutine, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
from scopes import name_uses
from starvation import seconds_without_core
from supplied_cell import CELL, SUPPLIED_CELL

from driver.student.parameter_names import is_measure, role_of

MODULE_NAME = "submission"
FILE_NAME = "submission.py"
# Called first in each ``except``.
NOTE = "__note_exception__"
# A statement may ignore a shorter time without a core.
LEAST_SECONDS = 0.1
# Limits on the names that a statement brings, and on the characters of each.
MAX_BROUGHT = 100
# Depth to which settings inside settings are searched.
NESTED = 3


class StatementTimeout(Exception):
    """A top-level statement took longer than its share."""


class InputUnavailable(EOFError):
    """`input()` was called, and nobody can answer."""


class EventLoopUnavailable(RuntimeError):
    """The code waited for something that needs an event loop; there is none, because it would need sockets."""


class NotebookShell:
    """A stand-in for `get_ipython()`: magics and shell lines do nothing here."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **kwargs: None


def _no_input(_prompt: object = "") -> str:
    raise InputUnavailable("input() was called, and nobody is there to answer")


def _noting(caught: list[Exception]) -> Callable[[], None]:
    def note() -> None:
        exc = sys.exc_info()[1]
        # An iterator's end is no error.
        if not caught and isinstance(exc, Exception) and not isinstance(exc, StopIteration):
            caught.append(exc)

    return note


class StudentModule:
    """The namespace, with the sizes and the global ``x`` following the case at hand."""

    def __init__(self, source: str, sizes: dict[str, int]) -> None:
        self.module = types.ModuleType(MODULE_NAME)
        self.module.__file__ = FILE_NAME
        self.names = self.module.__dict__
        sys.modules[MODULE_NAME] = self.module
        builtins.input = _no_input
        self.names.update(np=np, tf=tf, get_ipython=NotebookShell)
        exec(compile(SUPPLIED_CELL, CELL, "exec", dont_inherit=True), self.names)
        self._source = source
        self._canonical = sizes
        self._own_sizes: list[tuple[Callable[[int], None], str]] = []
        self._recurrent_layers: dict[str, Any] = {}
        self._waited = 0.0
        # The first exception that an ``except`` of the student's caught in a call.
        self.caught: list[Exception] = []
        setattr(builtins, NOTE, _noting(self.caught))
        # A source longer than a run may write, or a full disk: linecache has it, too.
        with contextlib.suppress(OSError), open(FILE_NAME, "w", encoding="utf-8") as file:
            file.write(source)
        # A student's chdir() must not take AutoGraph's source away.
        linecache.cache[FILE_NAME] = (len(source), None, [line + "\n" for line in source.split("\n")], FILE_NAME)
        self.follow(sizes)

    def follow(self, sizes: dict[str, int]) -> None:
        """Give the course's names the sizes of a case, and ``x`` other numbers of that case's shape.

        Uploaded classes read the notebook's ``x.shape`` inside ``call``; that must work. A class that reads its
        *numbers* instead of its argument is wrong, and other numbers reveal it.
        """
        shape = (sizes["batch"], sizes["timesteps"], sizes["features"])
        for put, role in self._own_sizes:
            put(sizes[role])
        self.names.update(
            BATCH_SIZE=sizes["batch"],
            SEQ_LEN=sizes["timesteps"],
            EMB_SIZE=sizes["features"],
            H_SIZE=sizes["units"],
            x=np.random.default_rng(20).uniform(-1.5, 1.5, shape).astype(np.float32),
        )
        for name, layer in self._recurrent_layers.items():
            self.names[name] = self._of_size(layer, sizes)

    def _of_size(self, layer: Any, sizes: dict[str, int]) -> Any:
        """Return the notebook's own Keras layer, for the shapes of a case.

        A class may ask it for a shape inside ``call``, which is honest. Once it has been called on the exercise it can
        answer nothing else. Its answer in a call is NaN in any case, see no_recurrence.py.
        """
        same = all(sizes[role] == self._canonical[role] for role in ("features", "units"))
        config = layer.get_config()
        if same or config["units"] not in (sizes["units"], self._canonical["units"]):
            return layer
        resized = type(layer).from_config(config | {"units": sizes["units"]})
        resized.build((sizes["batch"], sizes["timesteps"], sizes["features"]))
        return resized

    def run(
        self, statements: Iterable[int], seconds: float, on_failure: Callable[[ast.stmt, BaseException], None]
    ) -> None:
        """Run some of the top-level statements, each on its own.

        A statement that fails or takes longer than `seconds` is reported and passed over: a missing package, a
        download or a plot must not cost the student the class below it.

        Args:
            statements: the ones to run, counted from 0.
            on_failure: called with a statement and its exception.
        """
        chosen = set(statements)
        signal.signal(signal.SIGALRM, self._on_alarm)
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        tree = ast.parse(self._source, FILE_NAME)
        if "except" in self._source:
            self._listen(tree)
        for index, statement in enumerate(tree.body):
            if index not in chosen:
                continue
            if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
                for feature in statement.names:
                    flags |= getattr(__future__, feature.name).compiler_flag
            self._waited = _seconds_without_core()
            signal.setitimer(signal.ITIMER_REAL, seconds)
            try:
                self.execute(index, statement, flags)
                if isinstance(statement, ast.Assign):
                    self._build_layers()
            except BaseException as exc:  # SystemExit and KeyboardInterrupt too: only this statement ends
                signal.setitimer(signal.ITIMER_REAL, 0)
                on_failure(statement, exc)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        self._own_sizes = list(self._sizes_by_other_names())
        self._recurrent_layers = self._layers()

    @staticmethod
    def _listen(tree: ast.Module) -> None:
        """Let every ``except`` of the student's note what it catches: it may hide why an answer is wrong."""
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler):
                call = ast.Expr(ast.Call(ast.Name(NOTE, ast.Load()), [], []))
                node.body.insert(0, ast.fix_missing_locations(ast.copy_location(call, node)))

    def _layers(self) -> dict[str, Any]:
        return {name: value for name, value in self.names.items() if is_recurrent(value) and hasattr(value, "units")}

    def _build_layers(self) -> None:
        """Build the Keras layer: in the notebook a call, left out here, did that before the class reads its weights."""
        sizes = self._canonical
        for layer in self._layers().values():
            if not layer.built:
                with contextlib.suppress(Exception):
                    layer.build((sizes["batch"], sizes["timesteps"], sizes["features"]))

    def _sizes_by_other_names(self) -> Iterator[tuple[Callable[[int], None], str]]:
        """Find constants such as ``HIDDEN = 32``, alone or in a dictionary, a class or an object of settings.

        They are named like a size of the exercise, and have its value.
        """
        for name, value in list(self.names.items()):
            if name == "__builtins__":
                continue
            found = _settings_in(value)
            for put, key, number in _numbers(*found, NESTED) if found else [(self.names.__setitem__, name, value)]:
                if type(number) is int and (role := self._size_of(str(key), number)):
                    yield partial(put, key), role

    def _size_of(self, name: str, number: int) -> str | None:
        role = role_of(name)
        if role is not None:
            return role if number == self._canonical[role] else None
        sizes = (role for role in ("units", "features") if number == self._canonical[role])
        return next(sizes, None) if is_measure(name) else None

    def _on_alarm(self, _signum: int, _frame: types.FrameType | None) -> None:
        """Extend the timer by the time the statement had no core: that does not count against it."""
        waited = _seconds_without_core()
        missed, self._waited = waited - self._waited, waited
        if missed < LEAST_SECONDS:
            raise StatementTimeout
        signal.setitimer(signal.ITIMER_REAL, missed)

    def execute(self, index: int, statement: ast.stmt, flags: int) -> Any:
        """Run one statement, the `index`-th; return its value when it is an expression."""
        del index  # for subclasses that listen
        if isinstance(statement, ast.Expr):
            code = compile(ast.Expression(statement.value), FILE_NAME, "eval", flags, dont_inherit=True)
        else:
            code = compile(ast.Module([statement], type_ignores=[]), FILE_NAME, "exec", flags, dont_inherit=True)
        value = eval(code, self.names)
        # A top-level await, which notebooks allow.
        return _drive(value) if code.co_flags & inspect.CO_COROUTINE else value


Put = Callable[[Any, Any], None]


def _settings_in(value: Any) -> tuple[Put, dict[Any, Any]] | None:
    """Return the content of a dictionary, a class or an object of settings, and a function that replaces an item."""
    if isinstance(value, dict):
        return value.__setitem__, value
    if isinstance(value, types.SimpleNamespace) or is_plain(value):
        return partial(object.__setattr__, value), dict(getattr(value, "__dict__", {}))
    if isinstance(value, type) and value.__module__ == MODULE_NAME:
        return partial(type.__setattr__, value), dict(vars(value))
    return None


def _numbers(put: Put, held: dict[Any, Any], depth: int) -> Iterator[tuple[Put, Any, Any]]:
    """Yield items and the items inside them: ``CONFIG["lstm"]["units"]``."""
    for key, value in held.items():
        inner = _settings_in(value) if depth else None
        yield from _numbers(*inner, depth - 1) if inner else [(put, key, value)]


def _drive(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that never really waits, for its value; ``asyncio.sleep(0)`` does not wait.

    Raises:
        EventLoopUnavailable: it does.
    """
    try:
        while (awaited := coroutine.send(None)) is None:
            pass
    except StopIteration as done:
        return done.value
    except (RuntimeError, PermissionError) as exc:
        # It asked for the running loop, or made one: that takes sockets. (The error of a refused file has a file name.)
        if "event loop" not in str(exc) and not (isinstance(exc, PermissionError) and exc.filename is None):
            raise
        raise EventLoopUnavailable(f"await works here for what need not wait: {exc}") from exc
    coroutine.close()
    raise EventLoopUnavailable(f"await works here for what need not wait, and not for {type(awaited).__name__}")


def _seconds_without_core() -> float:
    try:
        return seconds_without_core("/proc/self")
    except (OSError, IndexError):  # this kernel does not say
        return 0.0


def student_frames(exc: BaseException) -> list[tuple[str, int]]:
    """List the functions and lines of the submission that the exception passed through, outermost first."""
    frames = []
    traceback = exc.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_filename == FILE_NAME:
            frames.append((code.co_name, traceback.tb_lineno))
        traceback = traceback.tb_next
    return frames


def brought_by(statement: ast.stmt) -> dict[str, Any]:
    """Return ``binds``: names that a statement would bring, ``*`` for all; and ``module``: where it imports from."""
    binds = sorted(name_uses(statement).binds)
    module = None
    if isinstance(statement, ast.ImportFrom):
        module = "." * statement.level + (statement.module or "")
        binds += ["*" for alias in statement.names if alias.name == "*"]
    return {"binds": [name[:MAX_BROUGHT] for name in binds[:MAX_BROUGHT]], "module": module and module[:MAX_BROUGHT]}


def is_recurrent(value: Any) -> bool:
    """Return whether an object is a recurrent layer or cell of Keras' own (not a subclass that the student wrote)."""
    kind = type(value)
    recurrent = ".layers.rnn." in kind.__module__ and not kind.__module__.endswith(".time_distributed")
    return recurrent and isinstance(value, tf.keras.layers.Layer)


def is_plain(value: Any) -> bool:
    """Return whether an object is of a class that the student wrote, and no layer, tensor or object of a library."""
    return type(value).__module__ == MODULE_NAME
