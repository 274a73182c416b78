"""The phases of a run: when each begins, how long it takes, and which exceptions the student's code raises in it."""

import re
import time
from collections.abc import Callable

from channel import Channel

from driver.student.observations import MAX_NAME, text_of
from driver.student.student_module import FILE_NAME, student_frames

# AutoGraph runs a copy of a function, and writes the function's own lines into the message, above the error's own text.
GRAPH_TRACEBACK = re.compile(r"in user code:(.*?)\n\n {4}\w+: ", re.DOTALL)
GRAPH_FRAME = re.compile(rf'/?\b{re.escape(FILE_NAME)}", line (\d{{1,6}}), in')


class PhaseFailed(Exception):
    """A phase ended in an exception of the student's code, which has been reported."""


class Phases:
    """Reports one phase after the other.

    Args:
        seconds: the time of each earlier phase; that of later ones is added.
    """

    def __init__(self, channel: Channel, seconds: dict[str, float]) -> None:
        self._channel = channel
        self.seconds = seconds
        self._name: str | None = None
        self._started = 0.0

    def begin(self, name: str) -> None:
        """End the phase before, unless it is the same, and begin this one."""
        if name != self._name:
            self.end()
            self._name, self._started = name, time.monotonic()
            self._channel.send("phase", name=name)

    def end(self) -> None:
        if self._name is not None:
            spent = time.monotonic() - self._started
            self.seconds[self._name] = self.seconds.get(self._name, 0.0) + spent
            self._name = None

    def guard(self, case: str, what: Callable[[], None]) -> None:
        """Run the student's code; report its exceptions (SystemExit too) and raise `PhaseFailed` instead."""
        try:
            what()
        except BaseException as exc:
            self.report(exc, case)
            raise PhaseFailed from exc

    def report(self, exc: BaseException, case: str, *, constructing: bool = False, caught: bool = False) -> None:
        """Report an exception of the student's code, with the lines in it that led there."""
        names = [cls.__name__[:MAX_NAME] for cls in type(exc).__mro__[:-1]][:20]
        message = text_of(exc)
        lines = [line for _, line in student_frames(exc)]
        if not lines and (graph := GRAPH_TRACEBACK.match(message)):
            lines = [int(line) for line in GRAPH_FRAME.findall(graph[1])]
        self._channel.send(
            "raised",
            phase=self._name,
            case=case,
            type=names[0],
            bases=names[1:],
            message=message,
            lines=lines[:10] + lines[10:][-10:],
            in_init=constructing,
            caught=caught,
        )
