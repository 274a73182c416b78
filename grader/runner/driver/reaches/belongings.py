"""Notices a submission that touches what belongs to the grader in this process: the result pipe and our modules.

Nothing is guarded here, and ctypes gets past it. Honest code has no reason to touch either, so a teacher is told when a
submission does. Libraries are left alone, and so is code that lists the names of all modules.
"""

import builtins
import functools
import os
import pathlib
import posix
import sys
import types
from collections.abc import Callable
from typing import Any

import lockdown
from lockdown import RESULT

Tell = Callable[[str, str], None]

#: Functions that act on descriptors -> how many of their first arguments are descriptors.
ON_DESCRIPTORS = {
    **dict.fromkeys(("write", "writev", "pwrite", "close", "dup", "fdopen", "set_blocking", "sendfile"), 1),
    "dup2": 2,
}
RUNNER = pathlib.Path(lockdown.__file__).parent
#: The names of our modules. Asking all modules for their files would copy, in every run, the memory that holds them.
OURS = frozenset(
    ".".join(path.relative_to(RUNNER).with_suffix("").parts).removesuffix(".__init__") for path in RUNNER.rglob("*.py")
)


def watch(tell: Tell) -> None:
    """Report both from now on. Modules that the grader has already imported work as before, at no cost."""
    for owner in (os, posix):
        for name, count in ON_DESCRIPTORS.items():
            if hasattr(owner, name):
                setattr(owner, name, _noticing(getattr(owner, name), count, name, tell))
        setattr(owner, "closerange", _noticing_range(os.closerange, tell))  # noqa: B010  # mypy knows it in one only
    builtins.open = _noticing(builtins.open, 1, "open", tell)
    for name in OURS & sys.modules.keys():
        sys.modules[name] = _StandIn(sys.modules[name], tell)


def _noticing(function: Any, count: int, name: str, tell: Tell) -> Any:
    @functools.wraps(function)
    def noticing(*args: Any, **kwargs: Any) -> Any:
        if any(type(value) is int and value == RESULT for value in (*args[:count], *kwargs.values())):
            tell("result_pipe", name)
        return function(*args, **kwargs)

    return noticing


def _noticing_range(function: Any, tell: Tell) -> Any:
    @functools.wraps(function)
    def noticing(low: int, high: int, /) -> None:
        if low <= RESULT < high:
            tell("result_pipe", "closerange")
        function(low, high)

    return noticing


class _StandIn(types.ModuleType):
    """A stand-in in `sys.modules` for one of our modules. The grader imported them earlier and never asks here."""

    def __init__(self, module: types.ModuleType, tell: Tell) -> None:
        super().__init__(module.__name__)
        object.__setattr__(self, "_grader_held", (module, tell))

    def __getattribute__(self, name: str) -> Any:
        module, tell = object.__getattribute__(self, "_grader_held")
        value = getattr(module, name)
        # Code that lists modules asks each for names such as __file__ and __spec__.
        if name == "__dict__" or not (name.startswith("__") and name.endswith("__")):
            tell("grader_module", module.__name__)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        module, tell = object.__getattribute__(self, "_grader_held")
        tell("grader_module", module.__name__)
        setattr(module, name, value)
