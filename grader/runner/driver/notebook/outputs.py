"""Records everything a notebook shows: printed, displayed, plotted or left as a statement's value, as numbers.

Nothing is judged here. The trusted side runs the notebook again with one answer spoiled, and looks at which of these
numbers move.
"""

from __future__ import annotations

import builtins
import io
import re
import sys
import time
import timeit
import types
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

MAX_OUTPUTS = 400
# From one line of code: a loop that reports every epoch leaves room for the comparison after it.
MAX_OF_A_LINE = 100
MAX_VALUES = 32
MAX_TEXT = 500
ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")
# Packages that notebooks draw or tabulate with.
OPTIONAL = frozenset(
    {
        *("matplotlib", "seaborn", "pandas", "plotly", "sklearn", "scipy", "bokeh", "altair", "tqdm", "IPython"),
        *("prettytable", "tabulate", "termcolor", "rich", "ipywidgets"),
    }
)

Record = Callable[..., None]


def numbers_of(value: Any) -> dict[str, Any]:
    """Describe a value: ``kind`` (number, bool, array, text, other), ``size``, ``values`` (evenly picked), ``text``."""
    if isinstance(value, str):
        text = ADDRESS.sub("", value)
        if len(text) > MAX_TEXT:  # two arrays in one text: of both something
            text = text[: MAX_TEXT // 2] + text[-MAX_TEXT // 2 :]
        return {"kind": "text", "size": 0, "values": [], "text": text}
    array = _array(value)
    if array is None or array.size == 0:
        return {"kind": "other", "size": 0, "values": [], "text": type(value).__name__[:MAX_TEXT]}
    kind = "array" if array.size > 1 else "bool" if array.dtype == np.bool_ else "number"
    flat = array.ravel()
    if flat.size > MAX_VALUES:
        flat = flat[np.linspace(0, flat.size - 1, MAX_VALUES).astype(int)]
    return {"kind": kind, "size": int(array.size), "values": [float(item) for item in flat], "text": ""}


def _array(value: Any) -> np.ndarray | None:
    """Return the numbers in a value, also those in lists and dictionaries of arrays."""
    try:
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, (list, tuple, set, map, zip)):
            if not isinstance(value, (list, tuple, set)) or len(value) > 2000:
                return None
            inner = [array.ravel() for item in value if (array := _array(item)) is not None]
            return np.concatenate(inner) if inner else None
        array = np.asarray(value)
        if array.dtype == np.bool_:
            return array
        return np.array(array, np.float64) if array.dtype.kind in "iuf" else None
    except Exception:  # a symbolic tensor, an object of the student's own
        return None


class OutputRecorder:
    """A listener that passes on everything shown as records.

    Args:
        record: called with ``statement``, ``via`` and the fields of `numbers_of`.
    """

    def __init__(self, record: Record) -> None:
        self._record = record
        self._remaining = MAX_OUTPUTS
        self._of_lines: Counter[tuple[int, str, int]] = Counter()
        self.statement = 0
        self.quiet = False
        self._print = builtins.print
        self._printing_now = False

    def note(self, via: str, value: Any, line: int = 0) -> None:
        here = self.statement, via, line
        if self.quiet or self._remaining <= 0 or self._of_lines[here] >= MAX_OF_A_LINE:
            return
        self._of_lines[here] += 1
        self._remaining -= 1
        self._record(statement=self.statement, via=via, **numbers_of(value))

    def listen(self, names: dict[str, Any]) -> None:
        """Listen to the code of a module: its ``print`` and ``display``, its writing to streams, its drawing.

        The module gets builtins of its own, so that libraries print and import as usual.
        """
        names["__builtins__"] = {**vars(builtins), "print": self._printing, "__import__": self._importing}
        names["display"] = self._printing
        tf.print = self._printing
        sys.stdout, sys.stderr = _Stream(sys.stdout, self), _Stream(sys.stderr, self)
        _stop_clocks()

    def _importing(self, name: str, *where: Any, **more: Any) -> Any:
        """Import; where a package for pictures or tables is missing, a stand-in notes its arguments."""
        top = name.partition(".")[0]
        try:
            if top != "IPython":
                return builtins.__import__(name, *where, **more)
        except ModuleNotFoundError:
            if top not in OPTIONAL:
                raise
        stand_in = StandIn(top, self)
        stand_in.__dict__["display"] = self._printing
        return stand_in

    def _printing(self, *values: Any, **options: Any) -> None:
        for value in values:
            self.note("print", value, sys._getframe(1).f_lineno)
        if not self.quiet:
            self._printing_now = True
            try:
                self._print(*values, **{name: option for name, option in options.items() if name in ("sep", "end")})
            finally:
                self._printing_now = False

    def note_text(self, text: str) -> None:
        """Record text written to a stream, by `print` or by other means: ``unittest``, ``logging``."""
        if not self._printing_now and text.strip():
            self.note("write", text)


def _stop_clocks() -> None:
    """Stop the clocks: a time that is shown must not look like a number that depends on the models."""
    ticks = iter(range(1 << 62))
    for name in ("time", "perf_counter", "process_time", "thread_time"):
        setattr(time, name, lambda: next(ticks) * 1e-3)
        setattr(time, f"{name}_ns", lambda: next(ticks) * 1_000_000)
    time.sleep = lambda seconds: None
    timeit.default_timer = time.perf_counter
    # Once is enough to see what is called.
    timer: Any = timeit.Timer
    run = timer.timeit
    timer.timeit = lambda self, _number=1: run(self, 1)


class _Stream(io.TextIOBase):
    """Standard output or error, which reports text written to it."""

    def __init__(self, stream: Any, outputs: OutputRecorder) -> None:
        self._stream = stream
        self._outputs = outputs

    def write(self, text: str) -> int:
        self._outputs.note_text(text)
        return int(self._stream.write(text))

    def flush(self) -> None:
        self._stream.flush()

    def fileno(self) -> int:
        return int(self._stream.fileno())


class StandIn(types.ModuleType):
    """A stand-in for a missing package, or for anything made with one: calls are noted and return another stand-in."""

    def __init__(self, name: str, outputs: OutputRecorder) -> None:
        super().__init__(name)
        self.__dict__["_outputs"] = outputs
        self.__all__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return StandIn(f"{self.__name__}.{name}", self._outputs)

    def __call__(self, *args: Any, **kwargs: Any) -> StandIn:
        for value in [*args, *kwargs.values()]:
            if not isinstance(value, StandIn) and not callable(value):
                self._outputs.note("call", value)
        return StandIn(self.__name__, self._outputs)

    def __getitem__(self, key: Any) -> StandIn:
        return StandIn(self.__name__, self._outputs)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._outputs.note("call", value)

    def __iter__(self) -> Iterator[StandIn]:
        return iter((StandIn(self.__name__, self._outputs), StandIn(self.__name__, self._outputs)))

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, *exc_info: object) -> None:
        return None

    def __repr__(self) -> str:
        return ""

    def __format__(self, _spec: str) -> str:
        return ""
