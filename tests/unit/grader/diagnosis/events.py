"""Events of the box that tests of diagnosis begin with."""

from grader.sandbox.events import Raised, StatementFailed


def raised_event(message="", *, type="ValueError", bases=(), lines=(5,), **fields) -> Raised:
    usual = {"phase": "call", "case": "exercise", "bases": list(bases), "lines": list(lines)}
    return Raised(event="raised", type=type, message=message, **usual | fields)


def failed_event(line, type, message, *, binds=(), module=None, raised_at=None) -> StatementFailed:
    return StatementFailed(
        event="statement_failed", line=line, code="cell_failed", type=type, message=message, binds=list(binds),
        module=module, raised_at=raised_at or line,
    )  # fmt: skip
