"""Events of the box that tests of diagnosis begin with."""

from grader.sandbox.events import Raised


def raised_event(message="", *, type="ValueError", bases=(), lines=(5,), **fields) -> Raised:
    usual = {"phase": "call", "case": "exercise", "bases": list(bases), "lines": list(lines)}
    return Raised(event="raised", type=type, message=message, **usual | fields)
