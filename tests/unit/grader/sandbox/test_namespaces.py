"""The command that makes the outer ring, from facts alone."""

import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from grader.sandbox import namespaces
from grader.sandbox.namespaces import RUNNER, command_prefix, find_ring


def _values(command: list[str], option: str) -> list[str]:
    """The first argument of each use of an option."""
    return [argument for before, argument in pairwise(command) if before == option]


# Capabilities of the warm process; the last one is given up when /proc is mounted.
OF_ROOT = ["CAP_SETUID", "CAP_SETGID", "CAP_KILL", "CAP_DAC_READ_SEARCH", "CAP_SYS_ADMIN"]
OF_USER = ["CAP_SYS_PTRACE", "CAP_SYS_ADMIN"]


@pytest.mark.parametrize("own_proc", [True, False])
def test_few_capabilities_stay_and_root_has_no_user_namespace(tmp_path, own_proc):
    for as_root, kept in ((True, OF_ROOT[: 5 if own_proc else 4]), (False, OF_USER if own_proc else [])):
        command = command_prefix("bwrap", tmp_path, as_root=as_root, own_proc=own_proc)
        assert ("--unshare-user" in command) is not as_root
        assert _values(command, "--cap-drop") == ["ALL"]
        assert _values(command, "--cap-add") == kept


@pytest.mark.parametrize("as_root", [True, False])
def test_processes_network_messages_and_names_are_always_apart(tmp_path, as_root):
    command = command_prefix("bwrap", tmp_path, as_root=as_root)
    assert {"--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"} <= set(command)
    assert "--share-net" not in command
    # The end of the thread that started it must not end it.
    assert "--die-with-parent" not in command


def test_only_the_folder_of_runs_is_writable(tmp_path):
    command = command_prefix("bwrap", tmp_path, as_root=True)
    assert _values(command, "--bind") == [str(tmp_path)]
    assert _values(command, "--dev-bind") == ["/dev/null", "/dev/urandom"]
    assert _values(command, "--remount-ro") == ["/"]


def test_a_file_that_a_host_does_not_have_is_not_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(namespaces, "SYSTEM_FILES", ("/etc/no such file",))
    assert "/etc/no such file" not in command_prefix("bwrap", tmp_path, as_root=True)


def test_of_our_own_code_the_runner_is_there_and_nothing_else(tmp_path):
    command = command_prefix("bwrap", tmp_path, as_root=True)
    bound = [Path(path) for path in _values(command, "--ro-bind")]
    grader = RUNNER.parent
    assert RUNNER in bound
    hidden = {Path(path) for path in _values(command, "--tmpfs")}
    for package in (grader, grader.parent / "app", grader.parent / "reference"):
        assert package in hidden or not any(package.is_relative_to(path) for path in bound)
    assert not [path for path in bound if path.is_relative_to(grader) and path != RUNNER]


def test_our_packages_are_hidden_where_they_are_installed_among_others(tmp_path, monkeypatch):
    packages, folder = tmp_path / "site-packages", tmp_path / "runs"
    ours = [packages / "grader", packages / "app"]
    for path in (*ours, packages / "numpy", folder):
        path.mkdir(parents=True)
    monkeypatch.setattr(namespaces, "OURS", [str(path) for path in ours])
    monkeypatch.setattr(namespaces, "_needed_paths", lambda: [str(packages)])
    command = command_prefix("bwrap", folder, as_root=True)
    assert _values(command, "--tmpfs") == [str(path) for path in ours]
    # Put back after it was hidden, not before.
    assert command.index(str(RUNNER)) > command.index(str(ours[-1])) > command.index(str(packages))


def test_links_are_made_again_with_what_they_lead_to(tmp_path, monkeypatch):
    (tmp_path / "real" / "bin").mkdir(parents=True)
    (tmp_path / "real" / "bin" / "python3.11").touch()
    (tmp_path / "real" / "bin" / "python3").symlink_to("python3.11")
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt" / "link").symlink_to("../real")
    (tmp_path / "python").symlink_to(tmp_path / "opt" / "link" / "bin" / "python3")
    links, trees = namespaces._minimal([str(tmp_path / "python")])
    assert trees == [str(tmp_path / "real" / "bin" / "python3.11")]
    assert links == {
        str(tmp_path / "python"): str(tmp_path / "opt" / "link" / "bin" / "python3"),
        str(tmp_path / "opt" / "link"): "../real",
        str(tmp_path / "real" / "bin" / "python3"): "python3.11",
    }


def test_a_path_in_a_bound_folder_is_not_bound_again(tmp_path):
    tree = tmp_path / "lib"
    (tree / "python3.11").mkdir(parents=True)
    (tree / "link").symlink_to("python3.11")
    (tmp_path / "library").mkdir()
    links, trees = namespaces._minimal(map(str, [tree / "python3.11", tree / "link", tree, tmp_path / "library"]))
    assert (links, trees) == ({}, [str(tree), str(tmp_path / "library")])


def test_without_bubblewrap_there_is_no_ring_and_it_says_so(tmp_path, monkeypatch):
    def hang(command: list[str], *, timeout: float, **_: object) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(namespaces.subprocess, "run", hang)
    for path, reason in ((None, "Not here: bubblewrap is not installed"), ("bwrap", "timed out after 20.0 seconds")):
        monkeypatch.setattr(namespaces.shutil, "which", lambda _, path=path: path)
        ring = find_ring(tmp_path)
        assert ring.prefix == ()
        assert not ring.mechanism.enforced
        assert ring.mechanism.stops.endswith(reason)
