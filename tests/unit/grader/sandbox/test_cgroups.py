"""The words of doctor on control groups, for folders that look like those of hosts."""

import os
from pathlib import Path

import pytest

from grader.sandbox.host.cgroups import describe

V2 = "31 24 0:27 {} /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate"
HYBRID = "41 30 0:33 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw"
SLICE = "/system.slice/grader.service"
IN_VERSION_1 = "9:name=systemd:/\n8:pids:/\n4:memory:/jobs/1\n2:cpu,cpuacct:/\n0::/\n"
HAS_ALL = "cgroup v2 has memory, pids and cpu here, and is {}delegated to this user"
NOT_THERE = "No such file or directory"


def host(root: Path, groups: str, mount: str, folder: str = "", controllers: str = "") -> Path:
    own = root / "proc/self"
    own.mkdir(parents=True)
    (own / "cgroup").write_text(groups)
    (own / "mountinfo").write_text(f"24 1 8:1 / / rw - ext4 /dev/vda rw\n{mount}\n")
    if folder:
        group = root / folder.lstrip("/")
        group.mkdir(parents=True)
        (group / "cgroup.controllers").write_text(controllers + "\n")
        for name in ("cgroup.procs", "cgroup.subtree_control"):
            (group / name).touch()
    return root


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((f"0::{SLICE}\n", V2.format("/"), f"/sys/fs/cgroup{SLICE}", "cpuset cpu memory pids"), HAS_ALL.format("")),
        ((f"0::{SLICE}\n", V2.format(SLICE), "/sys/fs/cgroup", "cpu memory pids"), HAS_ALL.format("")),
        (
            (IN_VERSION_1, HYBRID, "/sys/fs/cgroup/unified", "hugetlb"),
            "cgroup v2 is here without memory, pids, cpu; version 1 holds cpu, memory, pids",
        ),
        (("4:memory:/\n", ""), "there is no cgroup v2 here; version 1 holds memory"),
        (("0::/../elsewhere\n", V2.format("/")), f"cgroup v2 is here, and its own group cannot be read ({NOT_THERE})"),
    ],
    ids=["whole", "in a container", "held by version 1", "no version 2", "a group that is not there"],
)
def test_groups_of_a_host_are_said(tmp_path, given, words):
    assert describe(host(tmp_path, *given)) == words


def test_a_group_that_cannot_be_written_is_not_delegated(tmp_path, monkeypatch):
    root = host(tmp_path, f"0::{SLICE}\n", V2.format("/"), f"/sys/fs/cgroup{SLICE}", "cpu memory pids")
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("cgroup.procs") and real(path, mode))
    assert describe(root) == HAS_ALL.format("not ")


def test_a_host_without_proc(tmp_path):
    assert describe(tmp_path) == f"not known ({NOT_THERE})"
