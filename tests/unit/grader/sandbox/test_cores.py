"""Cores that this process may use, in made-up cgroup trees."""

import os

import pytest

from grader.sandbox.host.cores import available_cores

OLD = {"cpu/docker/id/cpu.cfs_period_us": "100000", "cpu/docker/id/cpu.cfs_quota_us": "200000"}
OF_CONTAINER = "5:memory:/docker/id\n4:{}:/docker/id\n0::/"


@pytest.mark.parametrize(
    ("membership", "files", "cores"),
    [
        # A quota is rounded down to whole cores, and at least one.
        ("0::/", {"cpu.max": "150000 100000"}, 1),
        ("0::/", {"cpu.max": "50000 100000"}, 1),
        ("0::/", {"cpu.max": "1600000 100000"}, 8),
        ("0::/", {"cpu.max": "max 100000"}, 8),
        ("0::/", {"cpu.max": ""}, 8),
        ("0::/", {"cpu.max": "0 0"}, 8),
        # The smallest on the way up decides, and another group's is not ours.
        ("0::/a/b", {"cpu.max": "max 100000", "a/cpu.max": "200000 100000", "a/b/cpu.max": "300000 100000"}, 2),
        ("0::/a/b", {"other/cpu.max": "100000 100000"}, 8),
        # Version 1 has files of its own.
        (OF_CONTAINER.format("cpu"), OLD, 2),
        (OF_CONTAINER.format("cpu,cpuacct"), {name.replace("cpu/", "cpu,cpuacct/"): n for name, n in OLD.items()}, 2),
        (OF_CONTAINER.format("cpu"), OLD | {"cpu/docker/id/cpu.cfs_quota_us": "-1"}, 8),
        # A container that sees its group as the top one is bound by it.
        (OF_CONTAINER.format("cpu"), {name.replace("docker/id/", ""): number for name, number in OLD.items()}, 2),
        ("1:name=systemd:/", {}, 8),
        ("0::/../../elsewhere", {}, 8),
        (None, {}, 8),
    ],
)
def test_the_affinity_or_the_smallest_quota_decides(tmp_path, monkeypatch, membership, files, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    written = {f"sys/fs/cgroup/{name}": content for name, content in files.items()}
    for path, content in (written | ({"proc/self/cgroup": membership} if membership else {})).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content + "\n")
    assert available_cores(tmp_path) == cores
