"""Tells a warm process that is stuck from one that has no core: neither says anything."""

from __future__ import annotations

import time
from pathlib import Path

# One that runs says so every second.
SILENT_SECONDS = 5.0
# One that waits for a core, for a page from disk or for a fork to end is not stuck.
BUSY_SECONDS = 60.0
LONGEST_STEP = 1.5


class Pulse:
    """How long a process has been silent, as far as this one was there to listen.

    Args:
        pid: of the process; its main thread is the one that speaks.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._silent = 0.0
        self._looked = time.monotonic()

    def beats(self, heard: bool) -> bool:
        """To be called every second: is it well?"""
        now = time.monotonic()
        # Where both are stopped and go on (a container that is paused), this one may be the first to wake up.
        self._silent = 0.0 if heard else self._silent + min(now - self._looked, LONGEST_STEP)
        self._looked = now
        if self._silent < SILENT_SECONDS:
            return True
        return self._silent < BUSY_SECONDS and self._state() in ("R", "D")

    def _state(self) -> str:
        """Source: proc_pid_stat(5); the name of the process, in brackets, may hold anything."""
        try:
            return (
                Path(f"/proc/{self._pid}/stat")
                .read_text(encoding="utf-8", errors="replace")
                .rpartition(")")[2]
                .split()[0]
            )
        except OSError:  # gone, which whoever waits for it will notice
            return ""
