"""The outer ring: where the host allows it, a warm process and its runs see their own small system.

Bubblewrap starts the warm process in new namespaces: no other process, no network device but its own loopback, and a
file system that holds Python, the system's libraries, `grader/runner` and the run folders. A run that escaped
Landlock or seccomp would find no file of the service and no other process behind it.

An ordinary container allows no namespaces, and the wall must hold without them (`grader/runner/lockdown.py`). So a
missing ring stops nothing: `find_ring` tries it once, and gives the reason if there is none. But once a ring is found,
it is kept: a warm process that fails to start in it is never started outside. Otherwise a submission that exhausts the
host's memory could take the ring away from the next one.
"""

import compileall
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from grader.sandbox.outcome import Mechanism

NAME = "namespaces"
STOPS = "other processes, the network, and every file that Python does not need: they do not exist in there"
PROBE_SECONDS = 20.0

GRADER = Path(__file__).resolve().parent.parent
RUNNER = GRADER / "runner"
# Left out where it is installed among Python's packages; `runner` is put back.
OURS = [str(GRADER.parent / name) for name in ("app", "grader", "reference")]
# The libraries of `grader/runner/lockdown.py`; its rules are for files that exist in the ring.
SYSTEM_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")
# Single files of /sys: `stat` shows for each when somebody first asked for it, and its folders remember names.
SYSTEM_FILES = ("/etc/ld.so.cache", *(f"/sys/devices/system/cpu/{name}" for name in ("online", "possible", "present")))
DEVICES = ("/dev/null", "/dev/urandom")
# Where the service is root, each run becomes its own user (SETUID, SETGID). The supervisor may end it (KILL)
# and look into its folder (DAC_READ_SEARCH).
ROOT_CAPABILITIES = ("CAP_SETUID", "CAP_SETGID", "CAP_KILL", "CAP_DAC_READ_SEARCH")
# Elsewhere runs have the same user, and no run may trace another. This alone lets the warm process measure their use.
# It covers processes of its own user namespace only.
USER_CAPABILITIES = ("CAP_SYS_PTRACE",)
# Dropped before anything else, once /proc is mounted (`grader/runner/own_proc.py`).
AT_FIRST = ("CAP_SYS_ADMIN",)


class Ring(NamedTuple):
    """A way to start a process in the ring; without a ring `prefix` is empty."""

    mechanism: Mechanism
    prefix: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """Return a phrase for the message about a failed start: its place, and the setting that avoids it."""
        return f" in its namespaces (LSTM_GRADER_ACCEPT_MISSING={NAME} does without them)" if self.prefix else ""

    def start(self, command: list[str], fd: int, environment: Mapping[str, str]) -> tuple[subprocess.Popen[bytes], int]:
        """Start a command with only this environment, the inherited descriptor `fd`, and a pipe for its errors.

        Returns: the process that ends when the command ends, and the command's own process id. They differ in the
            ring, where bubblewrap waits outside.
        """
        reader, writer = os.pipe()
        with os.fdopen(reader, "rb") as info:
            try:
                process = subprocess.Popen(
                    [*self.prefix, "--info-fd", str(writer), "--", *command] if self.prefix else command,
                    env=dict(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    pass_fds=[fd, writer] if self.prefix else [fd],
                    start_new_session=True,
                )
            finally:
                os.close(writer)
            facts = info.read()
        # If bubblewrap failed, this is empty; it prints the reason.
        return process, json.loads(facts)["child-pid"] if facts else process.pid


def without_ring(reason: str) -> Ring:
    """Return a `Ring` that starts processes without a ring, for this reason."""
    return Ring(Mechanism(False, f"{STOPS}. Not here: {reason}"))


def find_ring(directory: Path) -> Ring:
    """Return this host's ring, tried once with the same arguments as the warm processes.

    Args:
        directory: the only writable folder; it holds the run folders.
    """
    bubblewrap = shutil.which("bwrap")
    if bubblewrap is None:
        return without_ring("bubblewrap is not installed")
    as_root = os.geteuid() == 0
    problem: str | None = None
    # A set-uid root bubblewrap gives an ordinary user no capability, even in a user namespace.
    for own_proc in (True, False):
        prefix = command_prefix(bubblewrap, directory, as_root=as_root, own_proc=own_proc)
        problem = _problem(prefix, directory)
        if problem is None:
            # Nothing compiled in the ring can be kept, and each start would compile it again: a tenth of its time.
            compileall.compile_dir(RUNNER, quiet=2)
            return Ring(Mechanism(True, STOPS), tuple(prefix))
    return without_ring(problem or "")


def _problem(prefix: list[str], directory: Path) -> str | None:
    """Return the reason why a process cannot be started so; None: it can."""
    look = [sys.executable, "-I", "-S", "-c", "import os, sys; os.listdir(sys.argv[1])", str(directory)]
    try:
        probe = subprocess.run(
            [*prefix, "--", *look], env={}, stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBE_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        return str(exc)
    if probe.returncode != 0:
        return probe.stderr.decode("utf-8", "replace").strip()[-300:] or f"bwrap: {probe.returncode}"
    return None


def command_prefix(bubblewrap: str, directory: Path, *, as_root: bool, own_proc: bool = True) -> list[str]:
    """Return the words before the command of a warm process, up to ``--``.

    ``--die-with-parent`` is left out: the parent is the thread that started it, and the service's threads end. The
    warm process ends when its control socket is closed, and when bubblewrap dies (`lockdown.prepare`).

    Args:
        own_proc: add what the warm process needs to hide other processes from its runs.
    """
    links, trees = _minimal([*_needed_paths(), str(directory)])
    folder = str(directory.resolve())
    read_only = [tree for tree in trees if tree != folder]
    arguments = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    # When the first process of the namespace ends, however it ends, all others end too.
    arguments += ["--as-pid-1", "--hostname", "box", "--cap-drop", "ALL"]
    if not as_root:  # root needs no user namespace: other users would not exist in it
        arguments += ["--unshare-user"]
    capabilities = ROOT_CAPABILITIES if as_root else USER_CAPABILITIES if own_proc else ()
    for capability in (*capabilities, *(AT_FIRST if own_proc else ())):
        arguments += ["--cap-add", capability]
    # By itself, bubblewrap makes folders that only we may enter, but each run is another user.
    folders = {str(parent) for path in (*links, *trees, *DEVICES, str(RUNNER)) for parent in Path(path).parents}
    for parent in sorted(folders - {"/"}):
        if not _inside(parent, trees):
            arguments += ["--dir", parent]
    for tree in read_only:
        arguments += ["--ro-bind", tree, tree]
    for link, target in links.items():
        arguments += ["--symlink", target, link]
    for package in OURS:
        if _inside(package, read_only) and Path(package).is_dir():
            arguments += ["--tmpfs", package]
    arguments += ["--ro-bind", str(RUNNER), str(RUNNER), "--proc", "/proc"]
    for device in DEVICES:
        arguments += ["--dev-bind", device, device]
    arguments += ["--bind", folder, folder, "--remount-ro", "/"]
    # Libraries look for a temporary folder when they are imported, and take the working directory.
    return [bubblewrap, *arguments, "--chdir", folder]


def _needed_paths() -> list[str]:
    """List Python with its packages, the system's libraries, and the files that these read."""
    paths = sysconfig.get_paths()
    python = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    python += [str(Path(sys.base_prefix, "lib")), sys.executable, str(Path(sys.prefix, "pyvenv.cfg"))]
    return [path for path in (*python, *SYSTEM_LIBRARIES, *SYSTEM_FILES) if Path(path).exists()]


def _minimal(paths: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Find the links (with their targets) and the real files and folders that these paths need, none inside another."""
    links: dict[str, str] = {}
    real = set()
    for path in paths:
        found, end = _follow(path)
        links |= found
        real.add(end)
    trees = [path for path in sorted(real) if not _inside(path, real - {path})]
    return {link: target for link, target in links.items() if not _inside(link, trees)}, trees


def _follow(path: str) -> tuple[dict[str, str], str]:
    """Return the links on the way of an existing path, and its end."""
    links = {}
    reached = Path("/")
    pending = list(reversed(Path(path).absolute().parts[1:]))
    while pending:
        step = pending.pop()
        if step == "..":
            reached = reached.parent
        elif (reached / step).is_symlink():
            target = (reached / step).readlink()
            links[str(reached / step)] = str(target)
            if target.is_absolute():
                reached = Path("/")
            pending += reversed(target.parts[1:] if target.is_absolute() else target.parts)
        else:
            reached /= step
    return links, str(reached)


def _inside(path: str, trees: Iterable[str]) -> bool:
    return any(path.startswith(tree.rstrip("/") + "/") for tree in trees)
