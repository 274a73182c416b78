"""Tells a warm process that is stuck from one that has no core: both are silent."""

import time
from pathlib import Path

# A running process speaks every second.
SILENT_SECONDS = 5.0
# A process that waits for a core, a page from disk or a fork is not stuck.
BUSY_SECONDS = 60.0
LONGEST_STEP = 1.5


class Pulse:
    """The time that a process has been silent while this process could listen.

    Args:
        pid: the process; its main thread is the one that speaks.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._silent = 0.0
        self._looked = time.monotonic()

    def beats(self, heard: bool) -> bool:
        """Return whether the process is alive. Call this every second."""
        now = time.monotonic()
        # If both are stopped and continued (a paused container), this one may wake up first.
        self._silent = 0.0 if heard else self._silent + min(now - self._looked, LONGEST_STEP)
        self._looked = now
        if self._silent < SILENT_SECONDS:
            return True
        return self._silent < BUSY_SECONDS and self._state() in ("R", "D")

    def _state(self) -> str:
        """Read the process's state. Source: proc_pid_stat(5); the name, in brackets, may hold anything."""
        try:
            stat = Path(f"/proc/{self._pid}/stat").read_text(encoding="utf-8", errors="replace")
            return stat.rpartition(")")[2].split()[0]
        except OSError:  # gone; the caller that waits for it will notice
            return ""
