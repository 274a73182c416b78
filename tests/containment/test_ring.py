"""The outer ring by itself: what can be seen from inside it without Landlock and seccomp, and who ends with whom.

Where bubblewrap can make no namespaces, which is so in an ordinary container, these tests ask that it is said.
"""

import json
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

import grader
from grader.sandbox import ForkSandbox, Kind
from grader.sandbox.limits import READER_LIMITS
from grader.sandbox.namespaces import ROOT_CAPABILITIES, RUNNER, USER_CAPABILITIES, Ring, find_ring
from grader.sandbox.protocol import encode
from tests.processes import ended, parent
from tests.programs import program
from tests.waiting import wait_until

ROOT = Path(grader.__file__).parent.parent
CAPABILITY_NUMBERS = {"CAP_DAC_READ_SEARCH": 2, "CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7, "CAP_SYS_PTRACE": 19}
# What a run has no business with, in every place where such things lie.
HOST_FILES = [
    *("/etc/passwd", "/etc/hosts", "/bin/sh", "/usr/bin", "/home", "/var", "/run", "/dev/shm", "/dev/tty", "/sys/fs"),
    *map(str, (ROOT / "pyproject.toml", ROOT / "app", ROOT / "reference", ROOT / "tests", ROOT / ".git")),
    *map(str, (ROOT / "grader" / "pipeline.py", ROOT / "grader" / "assignments", ROOT / "grader" / "sandbox")),
]


def _bubblewrap_works() -> bool:
    """Asked in the test's own words."""
    if not shutil.which("bwrap"):
        return False
    user = [] if os.geteuid() == 0 else ["--unshare-user"]
    command = ["bwrap", *user, "--unshare-pid", "--unshare-net", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    return subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0


WORKS = _bubblewrap_works()


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture(scope="module")
def ring(folder: Path) -> Ring:
    return find_ring(folder)


@pytest.fixture(scope="module")
def seen(ring: Ring) -> Callable[[str], Any]:
    """The value of an expression in the ring, with no other wall around it."""

    def evaluate(expression: str) -> Any:
        code = f"import json, os, socket, sys\nprint(json.dumps({expression}))"
        command = [*ring.prefix, "--", sys.executable, "-I", "-c", code]
        return json.loads(subprocess.run(command, env={}, check=True, capture_output=True).stdout)

    return evaluate


@pytest.fixture(scope="module")
def ringed() -> Iterator[ForkSandbox]:
    with ForkSandbox(slots=1) as sandbox:
        yield sandbox


def test_the_ring_is_there_where_bubblewrap_works_and_its_absence_is_explained(ring, ringed):
    mechanism = ringed.wall()["namespaces"]
    assert mechanism == ring.mechanism
    assert mechanism.enforced == WORKS
    assert WORKS or mechanism.stops.partition("Not here: ")[2]


def test_a_bubblewrap_that_may_not_is_quoted(folder, tmp_path, monkeypatch):
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho 'bwrap: No permissions to create a new namespace' >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    ring = find_ring(folder)
    assert (ring.prefix, ring.mechanism.enforced) == ((), False)
    assert ring.mechanism.stops.endswith("Not here: bwrap: No permissions to create a new namespace")


def test_an_operator_can_do_without():
    with ForkSandbox(slots=1, accept_missing=["namespaces"]) as sandbox:
        assert not sandbox.wall()["namespaces"].enforced
        assert _answers(sandbox)


def test_this_host_lets_bubblewrap_make_namespaces(ring):
    program("bwrap")
    if not WORKS:
        pytest.skip(f"there is no ring to look into. {ring.mechanism.stops.partition('Not here: ')[2]}")
    assert ring.prefix


if WORKS:

    def test_a_bubblewrap_that_gives_no_capability_makes_a_ring_all_the_same(tmp_path, monkeypatch):
        """One that is set-uid root refuses them to an ordinary user."""
        real = shutil.which("bwrap")
        (tmp_path / "bwrap").write_text(f'#!/bin/sh\ncase "$*" in *SYS_ADMIN*) exit 1;; esac\nexec {real} "$@"\n')
        (tmp_path / "bwrap").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        with ForkSandbox(slots=1) as sandbox:
            assert _answers(sandbox)
            assert sandbox.wall()["namespaces"].enforced
            assert not sandbox.wall()["a /proc of its own"].enforced

    def test_no_network_but_a_loopback_of_its_own(seen):
        assert seen("[name for _, name in socket.if_nameindex()]") == ["lo"]

    def test_listeners_of_the_host_are_not_there(seen):
        name = secrets.token_hex(8)
        with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as hidden:
            hidden.bind(f"\0{name}")
            hidden.listen()
            port = tcp.getsockname()[1]
            assert seen(f"socket.socket().connect_ex(('127.0.0.1', {port}))") != 0
            assert seen(f"socket.socket(socket.AF_UNIX).connect_ex('\\0{name}')") != 0
            assert select.select([tcp, hidden], [], [], 0.2)[0] == []
            with socket.socket() as ours:  # the witness: they do hear
                assert ours.connect_ex(("127.0.0.1", port)) == 0
            assert select.select([tcp, hidden], [], [], 400)[0] == [tcp]

    def test_no_process_of_the_host_is_to_be_seen(seen):
        assert len([name for name in os.listdir("/proc") if name.isdigit()]) > 1
        assert seen("[name for name in os.listdir('/proc') if name.isdigit()]") == ["1"]

    def test_every_kind_of_namespace_is_another(seen):
        kinds = ["pid", "net", "ipc", "uts", "mnt", *([] if os.geteuid() == 0 else ["user"])]
        inside = seen(f"[os.readlink(f'/proc/self/ns/{{kind}}') for kind in {kinds}]")
        outside = [os.readlink(f"/proc/self/ns/{kind}") for kind in kinds]
        assert [kind for kind, here, there in zip(kinds, inside, outside, strict=True) if here == there] == []

    def test_files_of_the_host_do_not_exist(seen):
        assert len(list(filter(os.path.exists, HOST_FILES))) > 10
        # Folders in which Python or the runner lie are there, as /home may be.
        needed = {str(parent) for path in (os.path.realpath(sys.executable), RUNNER) for parent in Path(path).parents}
        assert set(seen(f"list(filter(os.path.exists, {HOST_FILES}))")) <= needed

    def test_the_root_holds_what_python_needs(seen):
        top = {path.parts[1] for path in map(Path, (sys.prefix, sys.base_prefix, RUNNER, tempfile.gettempdir()))}
        assert set(seen("os.listdir('/')")) <= top | {"dev", "etc", "lib", "lib64", "proc", "sys", "usr"}
        assert seen("os.listdir('/etc')") == ["ld.so.cache"]
        assert sorted(seen("os.listdir('/sys/devices/system/cpu')")) == ["online", "possible", "present"]
        assert sorted(seen("os.listdir('/dev')")) == ["null", "urandom"]

    def test_nothing_can_be_written_but_in_the_folder_of_runs(seen, folder):
        places = ["/", "/tmp", "/dev", "/etc", "/usr/lib", str(RUNNER), os.path.dirname(os.__file__), sys.prefix]
        tried = "[os.access(place, os.W_OK) and not os.statvfs(place).f_flag & os.ST_RDONLY for place in {}]"
        assert seen(tried.format([*places, str(folder)])) == [False] * len(places) + [True]
        assert seen(f"open({str(folder / 'planted')!r}, 'w').write('x')") == 1
        assert (folder / "planted").read_text() == "x"

    def test_the_warm_process_has_the_capabilities_that_it_needs_and_no_other(ringed):
        ringed.warm_up(Kind.READER)
        status = Path(f"/proc/{ringed.pids()[0]}/status").read_text()
        capabilities = next(line.split()[1] for line in status.splitlines() if line.startswith("CapPrm"))
        wanted = ROOT_CAPABILITIES if os.geteuid() == 0 else USER_CAPABILITIES
        assert int(capabilities, 16) == sum(1 << CAPABILITY_NUMBERS[name] for name in wanted)

    def test_every_user_may_enter_what_is_in_there(seen):
        """A run by root is another user, and must need no capability to read Python."""
        tree = [str(folder) for place in (*sys.path[1:], RUNNER, sys.executable) for folder in Path(place).parents]
        assert seen(f"[x for x in {tree} if os.path.isdir(x) and not os.stat(x).st_mode & 0o001]") == []

    def test_the_warm_process_has_an_empty_environment(ringed):
        ringed.warm_up(Kind.READER)
        environment = Path(f"/proc/{ringed.pids()[0]}/environ").read_bytes()
        assert [
            name for name in environment.split(b"\0") if name and not name.startswith((b"PWD=", b"LC_CTYPE="))
        ] == []

    def test_killing_bubblewrap_ends_the_warm_process_and_the_next_run_gets_another():
        with ForkSandbox(slots=1) as sandbox:
            sandbox.warm_up(Kind.READER)
            (warm,) = sandbox.pids()
            os.kill(parent(warm), signal.SIGKILL)
            wait_until(lambda: ended(warm))
            assert _answers(sandbox)
            assert sandbox.pids() != [warm]


def test_a_warm_process_outlives_the_thread_that_started_it():
    with ForkSandbox(slots=1) as sandbox:
        thread = threading.Thread(target=sandbox.start, args=[Kind.READER])
        thread.start()
        thread.join()
        pids = sandbox.pids()
        assert _answers(sandbox)
        assert sandbox.pids() == pids


BECOME = """
import os, sys
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
"""
ASK = """
import json
from grader.sandbox import ForkSandbox
from tests.containment.test_ring import _answers
with ForkSandbox(slots=1) as sandbox:
    print(json.dumps([_answers(sandbox), [name for name, part in sandbox.wall().items() if part.enforced]]))
"""


def test_an_ordinary_user_has_a_ring():
    done = _as_an_ordinary_user(ASK)
    assert done.returncode == 0, done.stderr.decode()
    answers, wall = json.loads(done.stdout)
    assert answers
    assert ("namespaces" in wall) == WORKS
    assert not WORKS or "a /proc of its own" in wall


def _as_an_ordinary_user(code: str) -> subprocess.CompletedProcess[bytes]:
    """Run Python. As root we become one. Where only root may enter Python's or our folders, bubblewrap helps."""
    python = [sys.executable, "-c", BECOME + code]
    paths = [ROOT, Path(sys.prefix), Path(sys.base_prefix)]
    closed = {folder for path in paths for folder in path.parents if not folder.stat().st_mode & 0o001}
    if os.geteuid() == 0 and closed:
        program("bwrap")
        if not WORKS:
            pytest.skip("bubblewrap may not make namespaces here, and only root may enter the folders of Python")
        # In place of the closed folders, empty ones that everybody may enter, and in them only these paths.
        view = ["bwrap", "--bind", "/", "/", "--dev-bind", "/dev", "/dev"]
        view += chain.from_iterable(("--tmpfs", str(folder)) for folder in sorted(closed))
        for path in paths:
            inside = [folder for folder in reversed(path.parents) if not closed.isdisjoint(folder.parents)]
            view += chain.from_iterable(("--dir", str(folder)) for folder in inside)
            view += ["--bind", str(path), str(path)]
        python = [*view, "--", *python]
    # Not pytest's folder, which is closed to other users.
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        environment = {"LSTM_GRADER_CACHE_DIR": name, "HOME": name, "PATH": os.environ["PATH"]}
        environment |= {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(python, capture_output=True, env=environment)


def _answers(sandbox: ForkSandbox) -> bool:
    """Whether a submission is read in there."""
    content = b"class LSTM:\n    pass\n"
    canonical = {"batch": 2, "timesteps": 100, "features": 16, "units": 32}
    request = encode({"filename": "submission.py", "canonical": canonical, "bytes": len(content)}) + content
    outcome = sandbox.run(Kind.READER, request, READER_LIMITS)
    return outcome.exit_code == 0 and b"class LSTM" in outcome.result
