"""The stages of one grade, announced as they start."""

import time
from collections.abc import Callable, Mapping
from enum import StrEnum

from grader.report.model import Timing


class Stage(StrEnum):
    """The stages, in the order of a grade that has them all."""

    READING = "reading"
    REFERENCE = "reference"
    RUNNING = "running"
    RUNNING_KERAS2 = "running_keras2"
    NOTEBOOK = "notebook"
    CHECKING = "checking"


Progress = Callable[[Stage], None]

#: The stages in which the class runs; the phases of that run say more.
RUNS = (Stage.RUNNING, Stage.RUNNING_KERAS2)


class Stages:
    """Announces the stages of one grade as they start, and measures how long each takes."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress or (lambda stage: None)
        self._began: list[tuple[Stage, float]] = []

    def begin(self, stage: Stage) -> None:
        self._began.append((stage, time.monotonic()))
        self._progress(stage)

    def timing(self, cpu_seconds: float = 0.0, run: Mapping[str, float] | None = None) -> Timing:
        """Return the time passed until now, with the phases of a run in place of the stage that held the run."""
        now = time.monotonic()
        ends = [*(began for _, began in self._began[1:]), now]
        phases: dict[str, float] = {}
        for (stage, began), end in zip(self._began, ends, strict=True):
            phases |= (run or {}) if stage in RUNS else {stage.value: end - began}
        return Timing(
            wall_seconds=round(now - self._began[0][1], 4),
            cpu_seconds=round(cpu_seconds, 4),
            phases={name: round(seconds, 4) for name, seconds in phases.items()},
        )
