"""The wall on kernels that can do less: Landlock as it was before this kernel, no Landlock, no seccomp.

What a kernel lacks is taken away before the wall is closed: the younger rights of Landlock by its binding, whole calls
by a filter, so that the kernel itself answers as one without them.
"""

import json
import os
import secrets
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containment.locked_child import RUNNER, run_locked

TAKE_AWAY = """
import pyseccomp
from pyseccomp import EQ, ERRNO, Arg

def without(*calls):
    calls_answer = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for number, name, *arguments in calls:
        calls_answer.add_rule(ERRNO(number), name, *arguments)
    calls_answer.load()
"""
LANDLOCK = "import landlockpy._syscall as landlock\nlandlock.abi_version = lambda: {}"
NOT_COMPILED_IN = "without((errno.ENOSYS, 'landlock_create_ruleset'))"
NOT_SWITCHED_ON = "without((errno.EOPNOTSUPP, 'landlock_create_ruleset'))"
NO_FILTERS = "without((errno.EINVAL, 'prctl', Arg(0, EQ, 22)), (errno.ENOSYS, 'seccomp'))"
NO_LIBRARY = """
class WithoutSeccomp(ctypes.CDLL):
    def __init__(self, name, *arguments, **more):
        if name == 'libseccomp.so.2':
            raise OSError('libseccomp.so.2: cannot open shared object file')
        super().__init__(name, *arguments, **more)

ctypes.CDLL = WithoutSeccomp
del sys.modules['pyseccomp']
"""

# What Landlock learnt after its first version. SHARED can be read, and the mode of its files forbids nothing.
ATTACKS = {
    "truncate": "os.truncate(SHARED, 0)",
    "truncate while opening to read": "os.open(SHARED, os.O_RDONLY | os.O_TRUNC)",
    "truncate while creating": "call('creat', SHARED.encode(), 0o666)",
    "write": "open(SHARED, 'w')",
    "link it here": "os.link(SHARED, 'link')",
    "move it here": "os.rename(SHARED, 'moved')",
    "move something there": "open('mine', 'w').close(); os.rename('mine', SHARED)",
    "exchange": "open('mine', 'w').close(); call('renameat2', -100, b'mine', -100, SHARED.encode(), 2)",
    "remove": "os.remove(SHARED); assert not os.path.exists(SHARED)",
    "ioctl on a device": "call('ioctl', os.open('/dev/urandom', 0), ctypes.c_ulong(0x40045201), bytes(4))",
    "TCP, to bind": "socket.socket().bind(('127.0.0.1', 0))",
    "TCP, to connect": "socket.socket().connect(('127.0.0.1', PORT))",
    "UDP": "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', PORT))",
    "an abstract socket": "socket.socket(socket.AF_UNIX).connect(chr(0) + NAME)",
    "a socket by its path": "socket.socket(socket.AF_UNIX).connect(SHARED + '.socket')",
    "signal 0 to the parent": "os.kill(parent, 0)",
    "a signal to the bystander": "os.kill(BYSTANDER, 15)",
    "a signal to one of its threads": "call('tgkill', BYSTANDER, BYSTANDER, 15)",
    "a signal to everybody": "os.kill(-1, 15)",
    "a signal by a file": "fcntl.fcntl(3, fcntl.F_SETOWN, BYSTANDER)",
    "a signal by a file descriptor": "os.pidfd_open(BYSTANDER)",
    "a descriptor of the file to be read": "open(SHARED).close()",
    "a file of its own": "open('mine', 'w').truncate(10)",
    "a closed file": "open('/etc/passwd')",
}
HONEST = {"a descriptor of the file to be read": "done", "a file of its own": "done"}
EXPECTED = (
    dict.fromkeys(ATTACKS, "EPERM")
    | HONEST
    | {
        "write": "EACCES",
        "a closed file": "EACCES",
        "remove": "AssertionError",  # it says that it worked
    }
)


@pytest.fixture
def surroundings() -> Iterator[dict[str, object]]:
    """The targets of the attacks; afterwards all of it must be as it was."""
    with (
        tempfile.TemporaryDirectory() as name,
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(type=socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as hidden,
        socket.socket(socket.AF_UNIX) as by_path,
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as bystander,
    ):
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "own").mkdir()
        readable = folder / "readable"
        readable.mkdir()
        readable.chmod(0o777)
        shared = readable / "shared"
        shared.write_text("as it was")
        shared.chmod(0o666)
        by_path.bind(f"{shared}.socket")
        Path(f"{shared}.socket").chmod(0o777)
        abstract = secrets.token_hex(8)
        hidden.bind(f"\0{abstract}")
        udp.bind(("127.0.0.1", tcp.getsockname()[1]))
        for listener in (hidden, by_path):
            listener.listen()
        yield {
            "own": folder / "own",
            "readable": readable,
            "names": {
                "SHARED": str(shared),
                "PORT": tcp.getsockname()[1],
                "NAME": abstract,
                "BYSTANDER": bystander.pid,
            },
            "listeners": [tcp, udp, hidden, by_path],
        }
        bystander_lives = bystander.poll() is None
        bystander.kill()
        assert bystander_lives


def _run(surroundings, kernel: str, accepted: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    names = "".join(f"{name} = {value!r}\n" for name, value in surroundings["names"].items())
    # Without seccomp a signal would reach this test, and whoever runs it.
    reaches_us = "seccomp" in accepted
    return run_locked(
        surroundings["own"],
        {name: code for name, code in ATTACKS.items() if not (reaches_us and "signal" in name)},
        before=f"{TAKE_AWAY}\n{kernel}\n{names}",
        readable=[surroundings["readable"]],
        accepted=accepted,
    )


def _outcomes(surroundings, kernel: str, accepted: tuple[str, ...] = ()) -> tuple[dict[str, str], dict[str, list]]:
    done = _run(surroundings, kernel, accepted)
    assert done.returncode == 0, done.stderr
    outcomes, state = json.loads(done.stdout)
    return outcomes, state


# The calls that a version leaves to seccomp alone; versions between two of them lack what the earlier one says.
LACKING = {
    1: "truncating, TCP, ioctl, signals and abstract sockets",
    3: "TCP, ioctl, signals and abstract sockets",
    5: "signals and abstract sockets",
}


@pytest.mark.parametrize("abi", [*LACKING, *(pytest.param(abi, marks=pytest.mark.thorough) for abi in (2, 4, 6, 7))])
def test_doors_that_an_older_landlock_leaves_open_are_closed_all_the_same(surroundings, abi):
    outcomes, state = _outcomes(surroundings, LANDLOCK.format(abi))
    assert outcomes == EXPECTED
    assert f"ABI {abi}" in state["landlock"][1]
    if abi in LACKING:
        assert state["landlock"][1].endswith(f"(ABI {abi}, which leaves to seccomp: {LACKING[abi]})")
    shared = Path(surroundings["names"]["SHARED"])
    assert shared.read_text() == "as it was"
    assert sorted(os.listdir(shared.parent)) == ["shared", "shared.socket"]
    assert select.select(surroundings["listeners"], [], [], 0.1)[0] == []


def test_without_seccomp_the_first_landlock_lets_through_what_it_does_not_know(surroundings):
    """The witness that the kernel in these tests is an old one."""
    outcomes, state = _outcomes(surroundings, f"{LANDLOCK.format(1)}\n{NO_FILTERS}", ("seccomp",))
    assert not state["seccomp"][0]
    assert state["landlock"][1].endswith("without truncating, TCP, ioctl, signals and abstract sockets)")
    through = {name for name, outcome in outcomes.items() if outcome == "done"}
    assert {"truncate", "TCP, to bind", "TCP, to connect", "an abstract socket"} <= through
    assert outcomes["a closed file"] == outcomes["write"] == "EACCES"


@pytest.mark.parametrize(
    ("kernel", "name"),
    [
        pytest.param(NOT_COMPILED_IN, "landlock", id="no Landlock"),
        pytest.param(NOT_SWITCHED_ON, "landlock", id="Landlock is switched off"),
        pytest.param(NO_FILTERS, "seccomp", id="no seccomp"),
        pytest.param(NO_LIBRARY, "seccomp", id="no libseccomp"),
    ],
)
def test_a_host_without_one_of_them_is_refused_until_an_operator_names_it(surroundings, kernel, name):
    refused = _run(surroundings, kernel)
    assert refused.returncode == 1, refused.stdout
    assert refused.stderr.startswith("refused: ")
    assert f"LSTM_GRADER_ACCEPT_MISSING={name}" in refused.stderr
    outcomes, state = _outcomes(surroundings, kernel, (name,))
    assert [mechanism for mechanism, (enforced, _) in state.items() if not enforced] in (
        [name],
        [name, "uid per run"],
    )
    # What is left still holds.
    assert outcomes["a file of its own"] == "done"
    assert outcomes["write" if name == "seccomp" else "TCP, to connect"] in ("EACCES", "EPERM")


ZYGOTE = """
import errno, runpy, sys
import pyseccomp
without = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
without.add_rule(pyseccomp.ERRNO(errno.ENOSYS), 'landlock_create_ruleset')
without.load()
path = sys.argv[1]
sys.path.insert(0, path.rpartition('/')[0])
sys.argv = [path, 'reader', sys.argv[2], '', '']
runpy.run_path(path, run_name='__main__')
"""


def test_a_refusal_is_said_before_the_socket_is_closed():
    """The service kills a warm process whose socket has ended, and says what it had printed by then."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-I", "-c", ZYGOTE, str(RUNNER / "zygote.py"), str(theirs.fileno())]
    with subprocess.Popen(command, stderr=subprocess.PIPE, pass_fds=[theirs.fileno()]) as process, ours:
        theirs.close()
        assert ours.recv(1) == b""
        process.kill()
        assert process.stderr.read().startswith(b"refused: ")
