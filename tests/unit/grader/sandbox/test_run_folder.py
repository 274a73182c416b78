"""Folders of runs: whatever a run left in one, it is removed, and nothing else is."""

import errno
import os
import resource
import stat
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from grader.errors import SandboxUnavailable
from grader.sandbox import ForkSandbox
from grader.sandbox.run_folder import SandboxFolder, remove_folder, run_folder


def test_run_folder_is_private_and_gone_afterwards_whatever_happens(tmp_path):
    with run_folder(tmp_path, None) as name:
        folder = Path(name)
        assert folder.parent == tmp_path
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "file").write_text("x")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ZeroDivisionError), run_folder(tmp_path, None) as name:
        raise ZeroDivisionError(name)
    assert list(tmp_path.iterdir()) == []


def test_a_thousand_and_a_hundred_levels_are_removed(tmp_path):
    """More than Python recurses, than files may be open, and than a path may be long."""
    name = "d" * 200
    top = tmp_path / "top"
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(1100):
        os.mkdir(name, dir_fd=here)
        os.close(os.open("file", os.O_CREAT, dir_fd=here))
        deeper = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 100, hard))
    try:
        remove_folder(top)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
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
    top.symlink_to(outside)
    remove_folder(top)
    remove_folder(tmp_path / "gone")
    assert (outside / "kept").read_text() == "x"


# --- the folder of a sandbox ------------------------------------------------------------------------------------------


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_whose_sandbox_was_killed_is_removed_by_the_next_one_of_its_user(temporary, monkeypatch):
    left = SandboxFolder()
    (left.path / "run").mkdir()
    (left.path / "run" / "file").write_text("x")
    left._lock.close()  # as the kernel does for a process that has ended
    with monkeypatch.context() as another_user:
        another_user.setattr(os, "geteuid", lambda: left.path.stat().st_uid + 1)
        theirs = SandboxFolder()
    assert set(temporary.iterdir()) == {left.path, theirs.path}
    theirs.remove()
    following = SandboxFolder()
    assert list(temporary.iterdir()) == [following.path]


def test_nothing_but_folders_of_sandboxes_is_removed(temporary):
    kept = {temporary / "lstm-grader-main", temporary / "lstm-grader-runs-of-last-year"}
    for folder in kept:
        folder.mkdir()
    (temporary / "lstm-grader-runs-linktoit").symlink_to(temporary / "lstm-grader-main")
    (temporary / "lstm-grader-runs-filethat").write_text("x")
    here = set(temporary.iterdir())
    folder = SandboxFolder()
    assert set(temporary.iterdir()) == {*here, folder.path}


def test_a_folder_that_was_taken_for_a_left_one_before_it_was_locked_is_made_again(temporary, monkeypatch):
    # Another sandbox removes it between its making and its locking.
    make, folders = tempfile.mkdtemp, []

    def make_and_lose(**where):
        folders.append(make(**where))
        if len(folders) == 1:
            os.rmdir(folders[0])
        return folders[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", make_and_lose)
    folder = SandboxFolder()
    assert len(folders) == 2
    assert list(temporary.iterdir()) == [folder.path]


def test_sandboxes_that_start_at_the_same_time_all_get_a_folder(temporary):
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: SandboxFolder(), range(40)))
    assert {folder.path for folder in folders} == set(temporary.iterdir())
    assert len(set(temporary.iterdir())) == 40
    for folder in folders:
        folder.remove()
    assert list(temporary.iterdir()) == []


def test_a_run_that_can_have_no_folder_is_our_failure(tmp_path):
    with (
        pytest.raises(SandboxUnavailable, match=r"no folder .*gone.*: No such file"),
        run_folder(tmp_path / "gone", None),
    ):
        pass


def test_a_host_without_a_temporary_directory_is_our_failure(monkeypatch):
    """As a container with a read-only root and no tmpfs."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/proc"])
    with pytest.raises(SandboxUnavailable, match="no folder"):
        SandboxFolder()


@pytest.mark.parametrize(
    ("number", "why"),
    [
        pytest.param(errno.EPERM, "CAP_CHOWN", id="in a container without capabilities"),
        pytest.param(errno.EINVAL, "root here has no user", id="in a user namespace of few ids"),
    ],
)
def test_root_that_may_give_runs_no_user_is_refused_before_any_of_them(temporary, monkeypatch, number, why):
    def refuse(path, uid, gid):
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", refuse)
    with pytest.raises(SandboxUnavailable, match=why):
        ForkSandbox(slots=1)
    assert list(temporary.iterdir()) == []
