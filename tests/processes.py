"""Asks about other processes, which may end at any moment."""

import psutil


def ended(pid: int) -> bool:
    """Whether a process is gone, or waits only for whoever started it to take note."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def parent(pid: int) -> int:
    """The process that started a living one."""
    return psutil.Process(pid).ppid()


def children(pid: int, *, recursive: bool = False) -> list[int]:
    """The living children of a process; with ``recursive`` all its descendants."""
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=recursive)]
    except psutil.NoSuchProcess:
        return []


def runs(warm: int) -> list[int]:
    """The living runs of a warm process: it has a template, which forks them."""
    return [run for template in children(warm) for run in children(template)]


def command_line(pid: int) -> str:
    """Return the command line of a process; empty when it has ended."""
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.NoSuchProcess:
        return ""
