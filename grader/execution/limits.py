"""The limit that ended a run."""

from __future__ import annotations

from grader.report.model import Params, Status
from grader.sandbox import Outcome


def limit_status(outcome: Outcome) -> tuple[Status, tuple[str, Params]] | None:
    """Return the status of a run that was ended from outside."""
    match outcome.killed_for:
        case "cpu" | "wall":
            return Status.TIME_LIMIT, ("timeout", {"cpu_seconds": round(outcome.cpu_seconds, 1)})
        case "budget":
            used = outcome.earlier.plus(outcome.use)
            params: Params = {name: round(seconds, 1) for name, seconds in used._asdict().items()}
            return Status.TIME_LIMIT, ("timeout", {"variant": "budget", **params})
        case "memory":
            return Status.MEMORY_LIMIT, ("memory", {})
        case "output":
            return Status.OUTPUT_LIMIT, ("output_flood", {})
        case "disk":
            return Status.OUTPUT_LIMIT, ("disk_full", {})
        case "threads":
            return Status.RUNTIME_ERROR, ("too_many_threads", {})
    return None
