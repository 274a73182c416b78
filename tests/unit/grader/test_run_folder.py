"""Folders of runs: whatever a run left in one, it is removed, and nothing else is."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from grader.sandbox.run_folder import remove_folder, run_folder


def test_a_run_folder_is_private_and_gone_afterwards(tmp_path):
    with run_folder(tmp_path, None) as name:
        folder = Path(name)
        assert folder.parent == tmp_path
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "file").write_text("x")
    assert list(tmp_path.iterdir()) == []


def test_a_run_folder_is_gone_after_an_exception_too(tmp_path):
    with pytest.raises(ZeroDivisionError), run_folder(tmp_path, None) as name:
        raise ZeroDivisionError(name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["d", "d" * 200], ids=["short names", "long names"])
def test_three_thousand_levels_are_removed(tmp_path, name):
    """More than Python recurses, than files may be open, and than a path may be long."""
    top = tmp_path / "top"
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir(name, dir_fd=here)
        os.close(os.open("file", os.O_CREAT, dir_fd=here))
        deeper = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    remove_folder(top)
    assert list(tmp_path.iterdir()) == []


def test_links_are_removed_and_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    top = tmp_path / "top"
    (top / "inner").mkdir(parents=True)
    for folder in (top, top / "inner"):
        (folder / "to a folder").symlink_to(outside)
        (folder / "to a file").symlink_to(outside / "kept")
        (folder / "hard").hardlink_to(outside / "kept")
        os.mkfifo(folder / "fifo")
    remove_folder(top)
    assert not top.exists()
    assert (outside / "kept").read_text() == "x"


def test_a_folder_that_is_a_link_is_left_alone(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    link = tmp_path / "link"
    link.symlink_to(outside)
    remove_folder(link)
    assert (outside / "kept").exists()


def test_a_folder_that_is_gone_is_no_error(tmp_path):
    remove_folder(tmp_path / "gone")
