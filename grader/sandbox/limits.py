"""Limits of one run. There are no zero, negative or absent limits: each is refused when the limits are made."""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict, Field

MIB = 1024 * 1024

# The cost of starting CUDA in a run on a GPU. Generous guesses, not measurements.
CUDA_CPU_SECONDS, CUDA_WALL_SECONDS = 15, 20.0


# A run is not started when less than this share of its wall time is left.
LEAST_LEFT = 0.05


class Limits(BaseModel):
    """Limits of one run in the box."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpu_seconds: int = Field(20, gt=0, le=3600, description="CPU time; decides `time_limit`")
    wall_seconds: float = Field(60.0, gt=0, le=7200, description="wall time, less the time the run had no core")
    memory_bytes: int = Field(
        1024 * MIB, ge=256 * MIB, description="memory on top of the warm process (below 256 MiB TensorFlow cannot work)"
    )
    file_bytes: int = Field(16 * MIB, gt=0, description="size of one file that the run writes")
    disk_bytes: int = Field(64 * MIB, gt=0, description="size of all files that the run writes")
    disk_files: int = Field(1000, ge=10, description="files and folders that the run makes")
    threads: int = Field(64, ge=8, description="threads, on top of two for each core that libraries may start")
    open_files: int = Field(256, ge=64, description="open files")
    result_bytes: int = Field(64 * MIB, gt=0, description="bytes on the result pipe")
    log_bytes: int = Field(64 * 1024, gt=0, description="standard output, and standard error, that the report keeps")
    flood_bytes: int = Field(16 * MIB, gt=0, description="printed bytes after which the run is ended: `output_limit`")

    def within(self, cpu_seconds: float, wall_seconds: float) -> Limits | None:
        """Return the same limits with no more time than this; None: no time is left."""
        if cpu_seconds <= 0 or wall_seconds <= 0:
            return None
        cpu, wall = min(self.cpu_seconds, math.ceil(cpu_seconds)), min(self.wall_seconds, wall_seconds)
        return self.model_copy(update={"cpu_seconds": cpu, "wall_seconds": wall})

    def less_idle(self, seconds: float) -> Limits | None:
        """Return the limits left after so much idle time: all runs together have as much as one run has wall time.

        None: hardly any is left.
        """
        left = self.wall_seconds - seconds
        return self.within(self.cpu_seconds, left) if left > LEAST_LEFT * self.wall_seconds else None

    def with_cuda(self) -> Limits:
        """Return the limits for a run on a GPU, with time for CUDA's own start, which is not the submission's use.

        Each run starts CUDA anew and loads its libraries.
        """
        return self.model_copy(
            update={
                "cpu_seconds": self.cpu_seconds + CUDA_CPU_SECONDS,
                "wall_seconds": self.wall_seconds + CUDA_WALL_SECONDS,
                "memory_bytes": self.memory_bytes + 3 * 1024 * MIB,
                "threads": self.threads + 32,
                "open_files": self.open_files + 128,
            }
        )


#: For the reader, which parses a file and runs none of it.
READER_LIMITS = Limits(cpu_seconds=10, wall_seconds=30.0, memory_bytes=512 * MIB, file_bytes=1)
