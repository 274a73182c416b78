"""Measures how long a run wanted a core and had none: time that the host owes it; and how long it wanted none.

The kernel counts for each thread how long it waited in the queue for a core. Their sum says little: threads that are
started on purpose queue behind one another, a hundred times a second, while the process as a whole misses nothing. So
the longest wait of one thread counts, and at most the part of the elapsed time that the process did not compute. A run
is idle only where the sum of all waits cannot be the reason, so one that is starved never is.
"""

import contextlib
import os
import time

CPUCLOCK_SCHED = 2


class Starvation:
    """Time that one process has missed so far, and has spent idle. It is sampled now and then; two bound one span."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.idle_seconds = 0.0
        self._elapsed = 0.0
        self._cpu = 0.0
        self._waits: dict[str, float] = {}

    def look(self, elapsed: float, cpu: float, waits: dict[str, float]) -> None:
        """Add the time missed since the last look.

        Args:
            elapsed: seconds since the process began, without those in which it was paused.
            cpu: seconds of CPU time of all its threads.
            waits: by thread, seconds for which it was ready to run and had no core.
        """
        unused = (elapsed - self._elapsed) - (cpu - self._cpu)
        new_waits = [max(0.0, wait - self._waits.get(thread, 0.0)) for thread, wait in waits.items()]
        self.seconds += max(0.0, min(unused, max(new_waits, default=0.0)))
        if new_waits:  # else the kernel does not say
            self.idle_seconds += max(0.0, unused - sum(new_waits))
        self._elapsed, self._cpu, self._waits = elapsed, cpu, waits


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of all threads of a process."""
    return time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED)  # as clock_getcpuclockid(3) computes it from a pid


def waits(pid: int) -> dict[str, float]:
    """Map each thread of a process to the seconds it was ready to run and had no core.

    Empty where the kernel does not say. A thread that has ended takes its count with it.
    """
    seconds = {}
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError, IndexError):
                seconds[thread] = seconds_without_core(f"/proc/{pid}/task/{thread}")
    return seconds


def seconds_without_core(of: str) -> float:
    """Return how long a thread, or the main thread of a process, was ready to run and had no core.

    Args:
        of: its folder in /proc.
    Raises: OSError, IndexError: the kernel does not say. Source: sched-stats in its manual.
    """
    with open(f"{of}/schedstat", encoding="ascii") as schedstat:
        return int(schedstat.read().split()[1]) / 1e9
