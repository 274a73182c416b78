"""The number of cores for this process: a container's or a service's quota is often less than what the host has."""

import math
import os
from collections.abc import Iterator
from pathlib import Path


def available_cores(root: Path = Path("/")) -> int:
    """Count the whole cores, at least 1: the affinity mask, or the smallest CPU quota of a cgroup above this process.

    Args:
        root: the folder that holds ``proc`` and ``sys``.
    Source: the kernel's admin-guide/cgroup-v2 ("cpu.max") and scheduler/sched-bwc (version 1).
    """
    return max(1, int(min(len(os.sched_getaffinity(0)), *map(_quota, _groups(root)), math.inf)))


def _groups(root: Path) -> Iterator[Path]:
    """List this process's CPU group in both cgroup versions, and its parents as far as they are visible.

    A container often sees its own group as the top one. Its path on the host then leads nowhere.
    """
    try:
        memberships = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for number, controllers, path in (line.split(":", 2) for line in memberships):
        if number == "0":
            mounts = ["", "unified"]
        elif "cpu" in controllers.split(","):
            mounts = ["cpu", controllers]
        else:
            continue
        for top in (root / "sys/fs/cgroup" / mount for mount in mounts):
            group = top / path.lstrip("/")
            yield from (group, *group.parents[: len(group.parts) - len(top.parts)])


def _quota(group: Path) -> float:
    """Return the quota in cores; infinite where the group has none."""
    try:
        try:
            quota, period = (group / "cpu.max").read_text(encoding="ascii").split()
        except FileNotFoundError:
            quota = (group / "cpu.cfs_quota_us").read_text(encoding="ascii")
            period = (group / "cpu.cfs_period_us").read_text(encoding="ascii")
        cores = float(quota) / float(period)
    except (OSError, ValueError, ZeroDivisionError):  # no such file, "max", or something that no kernel writes
        return math.inf
    return cores if cores > 0 else math.inf
