"""This host's control groups: the kernel's own limits on memory, processes and CPU that a run could have.

Runs get no group of their own. The supervisor counts their use, which needs no rights.
`lstm-grader doctor` uses this module to show what the host offers.
"""

import os
from pathlib import Path

WANTED = ("memory", "pids", "cpu")
ROOT = Path("/")


def describe(root: Path = ROOT) -> str:
    """Say in one sentence which group this process is in, and whether it could make others in it.

    Args: root: the root of the file system, for tests.
    """
    try:
        mounts = (root / "proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        groups = (root / "proc/self/cgroup").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as exc:
        return f"not known ({exc.strerror})"
    own = next((line.removeprefix("0::") for line in groups if line.startswith("0::")), None)
    # ID, parent, device, root of the mount, mount point, options, ..., "-", type, source, options.
    mount_fields = [fields for line in mounts if " - cgroup2 " in line and len(fields := line.split()) > 4]
    older = sorted({name for line in groups for name in line.split(":")[1].split(",") if name in WANTED})
    in_version_1 = f"; version 1 holds {', '.join(older)}" if older else ""
    if own is None or not mount_fields:
        return f"there is no cgroup v2 here{in_version_1}"
    top, mount_point = mount_fields[0][3], mount_fields[0][4]
    folder = root / mount_point.lstrip("/") / os.path.relpath(own, top)
    try:
        there = (folder / "cgroup.controllers").read_text(encoding="ascii").split()
    except OSError as exc:
        return f"cgroup v2 is here, and its own group cannot be read ({exc.strerror}){in_version_1}"
    missing = [name for name in WANTED if name not in there]
    if missing:
        return f"cgroup v2 is here without {', '.join(missing)}{in_version_1}"
    files = (folder, folder / "cgroup.procs", folder / "cgroup.subtree_control")
    if not all(os.access(file, os.W_OK) for file in files):
        return "cgroup v2 has memory, pids and cpu here, and is not delegated to this user"
    return "cgroup v2 has memory, pids and cpu here, and is delegated to this user"
