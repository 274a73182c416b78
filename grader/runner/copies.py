"""Notices when a copy of recurrent code runs, which has no tripwire: its source executed, its file loaded once more.

A copy has the instructions of what it was made from, under whatever names. Python tells audit hooks of all code that is
executed or becomes a function; only where recurrent code is in it does a profiler watch for the first call, and gives
that function a wire, so that an honest run pays nothing. It watches likewise once somebody has taken a tripwire apart,
for what lies behind it.
"""

from __future__ import annotations

import dis
import gc
import sys
import threading
import types
from collections.abc import Callable, Collection
from typing import Any

from student_module import StudentModule

# So many instructions: two short functions are easily the same by chance.
SHORTEST = 100
# Whether a name is known to be a module when code is compiled makes a difference in these.
INCIDENTAL = frozenset({"EXTENDED_ARG", "PRECALL", "PUSH_NULL", "CACHE", "RESUME", "NOP", "COPY_FREE_VARS"})


class Copies:
    """What is known of recurrent code and of copies of it.

    Args:
        ran: told the name of what is called without a wire.
        wire: gives a function a wire of that name.
        poisoned: not empty when recurrent code has to give wrong numbers.
    """

    def __init__(
        self,
        ran: Callable[[str], None],
        wire: Callable[[str, types.FunctionType], None],
        poisoned: Collection[object],
    ) -> None:
        self._ran = ran
        self._wire = wire
        self._poisoned = poisoned
        # Sizes, which are cheap to compare, and what has these sizes.
        self._names: dict[tuple[int, ...], dict[tuple[str, ...], str]] = {}
        self._originals: list[tuple[types.CodeType, str]] = []
        self._wired: set[int] = set()
        # By identity; the code objects are kept, so that no other gets the same.
        self._watched: dict[int, tuple[types.CodeType, str]] = {}
        self._trip: types.CodeType | None = None
        self._busy = False

    def learn(self, name: str, function: types.FunctionType, trip: types.CodeType) -> None:
        """A recurrent function that is about to get a wire; afterwards `trip` alone may run its code."""
        code = function.__code__
        if len(instructions := _instructions(code)) >= SHORTEST:
            self._names.setdefault(_sizes(code), {}).setdefault(instructions, name)
        self._originals.append((code, name))
        self._wired.add(id(function))
        self._trip = trip

    def watch(self, pasted: Callable[[str, int], None]) -> None:
        """From now on. `pasted` hears of recurrent code that stands in the submission itself: its name and its line."""

        def hook(event: str, args: tuple[Any, ...]) -> None:
            if event in ("exec", "function.__new__"):
                for code, name in self._recurrent_in(args[0]):
                    if sys._getframe(1).f_code is StudentModule.execute.__code__:
                        pasted(name, code.co_firstlineno)
                    else:
                        self._watched[id(code)] = code, name
                        self.resume()
            elif event == "object.__getattr__" and args[1] == "__code__" and id(args[0]) in self._wired:
                self._watched.update({id(code): (code, name) for code, name in self._originals})
                self.resume()
            elif event == "sys.setprofile" and self._watched and not self._busy:
                raise PermissionError("there is a profiler already")

        sys.addaudithook(hook)

    def resume(self) -> None:
        """Watch again: a profiler that raised is taken away."""
        if self._watched:
            self._busy = True
            sys.setprofile(self._profile)
            threading.setprofile(self._profile)
            self._busy = False

    def _recurrent_in(self, code: object) -> list[tuple[types.CodeType, str]]:
        found, waiting = [], [code]
        while waiting:
            part = waiting.pop()
            if isinstance(part, types.CodeType):
                waiting += part.co_consts
                alike = self._names.get(_sizes(part))
                if alike and (name := alike.get(_instructions(part))) is not None:
                    found.append((part, name))
        return found

    def _profile(self, frame: types.FrameType, event: str, _arg: object) -> None:
        if event != "call" or (watched := self._watched.get(id(frame.f_code))) is None:
            return
        caller = frame.f_back
        if caller is not None and caller.f_code is self._trip:
            return
        code, name = watched
        self._ran(name)
        functions = [f for f in gc.get_referrers(code) if isinstance(f, types.FunctionType) and f.__code__ is code]
        for function in functions:
            self._wire(name, function)
        if self._poisoned and not functions:
            raise RuntimeError("what lies behind a tripwire was called")


def _sizes(code: types.CodeType) -> tuple[int, ...]:
    return code.co_argcount, code.co_kwonlyargcount, code.co_nlocals, len(code.co_names)


def _instructions(code: types.CodeType) -> tuple[str, ...]:
    names = (instruction.opname for instruction in dis.get_instructions(code))
    return tuple(name.replace("LOAD_METHOD", "LOAD_ATTR") for name in names if name not in INCIDENTAL)
