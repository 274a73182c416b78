"""The limit that ended a run."""

from grader.report.finding import Finding, Params
from grader.report.model import Status
from grader.sandbox import Outcome


def limit_status(outcome: Outcome) -> tuple[Status, Finding] | None:
    """Return the status of a run that was ended from outside."""
    match outcome.killed_for:
        case "cpu" | "wall":
            return Status.TIME_LIMIT, Finding.of("timeout", cpu_seconds=round(outcome.cpu_seconds, 1))
        case "budget":
            used = outcome.earlier.plus(outcome.use)
            params: Params = {name: round(seconds, 1) for name, seconds in used._asdict().items()}
            return Status.TIME_LIMIT, Finding.of("timeout", {"variant": "budget", **params})
        case "memory":
            return Status.MEMORY_LIMIT, Finding.of("memory")
        case "output":
            return Status.OUTPUT_LIMIT, Finding.of("output_flood")
        case "disk":
            return Status.OUTPUT_LIMIT, Finding.of("disk_full")
        case "threads":
            return Status.RUNTIME_ERROR, Finding.of("too_many_threads")
    return None
