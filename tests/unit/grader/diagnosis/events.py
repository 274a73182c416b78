"""Events of the box that tests of diagnosis begin with."""

from __future__ import annotations

from grader.sandbox.events import Raised


def raised_event(message="", *, type="ValueError", bases=(), phase="call", lines=(5,), in_init=False) -> Raised:
    return Raised(
        event="raised",
        phase=phase,
        case="exercise",
        type=type,
        bases=list(bases),
        message=message,
        lines=list(lines),
        in_init=in_init,
    )
