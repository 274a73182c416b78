"""Cores that this process may use, in made-up cgroup trees."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from grader.sandbox.host.cores import available_cores


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))


def _root(folder: Path, membership: str, **files: str) -> Path:
    """A root folder; names of files are paths below /sys/fs/cgroup with ``__`` for a slash."""
    for path, content in {
        "proc/self/cgroup": membership,
        **{f"sys/fs/cgroup/{n}": c for n, c in files.items()},
    }.items():
        file = folder / path.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content + "\n")
    return folder


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("150000 100000", 1),
        ("50000 100000", 1),
        ("1600000 100000", 8),
        ("max 100000", 8),
        ("", 8),
        ("0 0", 8),
    ],
)
def test_a_quota_is_rounded_down_to_whole_cores_and_at_least_one(tmp_path, quota, cores):
    assert available_cores(_root(tmp_path, "0::/", **{"cpu.max": quota})) == cores


def test_the_smallest_quota_on_the_way_up_decides(tmp_path):
    quotas = {"cpu.max": "max 100000", "a__cpu.max": "200000 100000", "a__b__cpu.max": "300000 100000"}
    assert available_cores(_root(tmp_path, "0::/a/b", **quotas)) == 2


def test_the_quota_of_another_group_is_not_ours(tmp_path):
    assert available_cores(_root(tmp_path, "0::/a/b", **{"other__cpu.max": "100000 100000"})) == 8


@pytest.mark.parametrize(
    ("mount", "quota", "cores"),
    [("cpu", "200000", 2), ("cpu,cpuacct", "200000", 2), ("cpu", "-1", 8)],
)
def test_version_1_has_files_of_its_own(tmp_path, mount, quota, cores):
    files = {f"{mount}__docker__id__cpu.cfs_quota_us": quota, f"{mount}__docker__id__cpu.cfs_period_us": "100000"}
    membership = f"5:memory:/docker/id\n4:{mount}:/docker/id\n0::/"
    assert available_cores(_root(tmp_path, membership, **files)) == cores


def test_a_container_that_sees_its_group_as_the_top_one_is_bound_by_it(tmp_path):
    files = {"cpu__cpu.cfs_quota_us": "100000", "cpu__cpu.cfs_period_us": "100000"}
    assert available_cores(_root(tmp_path, "4:cpu:/docker/id\n0::/", **files)) == 1


@pytest.mark.parametrize("membership", ["", "1:name=systemd:/", "0::/../../elsewhere"])
def test_without_a_cpu_group_the_affinity_decides(tmp_path, membership):
    assert available_cores(_root(tmp_path, membership or "0::/")) == 8


def test_without_any_cgroups_the_affinity_decides(tmp_path):
    assert available_cores(tmp_path) == 8
