"""The words of doctor on control groups, for folders that look like those of hosts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from grader.sandbox.host.cgroups import describe

V2 = "31 24 0:27 {top} /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate"
HYBRID = "41 30 0:33 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw"
SLICE = "/system.slice/grader.service"


@pytest.fixture
def host(tmp_path: Path):
    def make(groups: str, mount: str, folder: str = "", controllers: str | None = None) -> Path:
        own = tmp_path / "proc/self"
        own.mkdir(parents=True)
        (own / "cgroup").write_text(groups)
        (own / "mountinfo").write_text(f"24 1 8:1 / / rw - ext4 /dev/vda rw\n{mount}\n")
        if controllers is not None:
            group = tmp_path / folder.lstrip("/")
            group.mkdir(parents=True)
            (group / "cgroup.controllers").write_text(controllers + "\n")
            for name in ("cgroup.procs", "cgroup.subtree_control"):
                (group / name).touch()
        return tmp_path

    return make


@pytest.mark.parametrize("top", ["/", SLICE], ids=["whole", "in a container"])
def test_a_delegated_group_is_said(host, top):
    folder = "/sys/fs/cgroup" + ("" if top == SLICE else SLICE)
    root = host(f"0::{SLICE}\n", V2.format(top=top), folder, "cpuset cpu io memory pids")
    assert describe(root) == "cgroup v2 has memory, pids and cpu here, and is delegated to this user"


def test_a_group_that_cannot_be_written_is_not_delegated(host, monkeypatch):
    root = host(f"0::{SLICE}\n", V2.format(top="/"), f"/sys/fs/cgroup{SLICE}", "cpu memory pids")
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("cgroup.procs") and real(path, mode))
    assert describe(root) == "cgroup v2 has memory, pids and cpu here, and is not delegated to this user"


def test_controllers_that_version_1_holds_are_named(host):
    groups = "9:name=systemd:/\n8:pids:/\n4:memory:/jobs/1\n2:cpu,cpuacct:/\n0::/\n"
    root = host(groups, HYBRID, "/sys/fs/cgroup/unified", "hugetlb")
    assert describe(root) == "cgroup v2 is here without memory, pids, cpu; version 1 holds cpu, memory, pids"


def test_a_host_without_version_2(host):
    assert describe(host("4:memory:/\n", "")) == "there is no cgroup v2 here; version 1 holds memory"


def test_a_group_that_is_not_there(host):
    words = describe(host("0::/../elsewhere\n", V2.format(top="/")))
    assert words == "cgroup v2 is here, and its own group cannot be read (No such file or directory)"


def test_a_host_without_proc(tmp_path):
    assert describe(tmp_path) == "not known (No such file or directory)"
