"""A process that closes the wall around itself, as a run does, and tries pieces of code behind it. No TensorFlow."""

import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

RUNNER = Path(__file__).parents[2] / "grader" / "runner"
LIMITS = {"memory_bytes": 1 << 30, "cpu_seconds": 10, "file_bytes": 1 << 20, "open_files": 64, "threads": 8}

CHILD = """
import ctypes, errno, fcntl, json, mmap, os, socket, sys, threading
sys.path.insert(0, {runner!r})
{before}
import lockdown
lockdown.SYSTEM_LIBRARIES += {readable!r}
try:
    wall = lockdown.prepare({accepted!r}, {nodes!r})
except lockdown.Refused as exc:
    sys.exit('refused: ' + str(exc))

parent, result = os.getpid(), os.memfd_create('result')
null = os.open('/dev/null', os.O_RDWR)
if pid := os.fork():
    os.waitpid(pid, 0)
    print(os.pread(result, 1 << 20, 0).decode())
    sys.exit()
user = 61183 if os.geteuid() == 0 else None
if user:
    os.chown({folder!r}, user, user)
wall.apply(dict([(1, null), (2, null), (3, result), (4, null)]), {folder!r}, {limits!r}, user, parent, yields=True)

libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    if getattr(libc, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)

{helpers}
def outcome(code):
    try:
        exec(code, globals())
    except BaseException as exc:
        return errno.errorcode.get(getattr(exc, 'errno', None)) or type(exc).__name__
    return 'done'

outcomes = dict((name, outcome(code)) for name, code in {codes!r}.items())
os.write(3, json.dumps([outcomes, wall.state]).encode())
os._exit(0)
"""


def run_locked(
    folder: Path,
    codes: Mapping[str, str],
    *,
    before: str = "",
    helpers: str = "",
    readable: Iterable[Path] = (),
    accepted: Iterable[str] = (),
    nodes: Iterable[str] = (),
) -> subprocess.CompletedProcess[str]:
    """Run it. It prints, as JSON, what became of each piece of code, and the state of the wall.

    Args:
        folder: where the run may write.
        before: code before the wall is prepared.
        helpers: functions for `codes`, besides `call`, which calls a function of libc.
        readable: folders that can be read like a system's library.
        accepted: parts of the wall that may be missing.
        nodes: a GPU's files.
    """
    script = CHILD.format(
        runner=str(RUNNER),
        before=before,
        helpers=helpers,
        readable=tuple(map(str, readable)),
        accepted=list(accepted),
        nodes=list(nodes),
        folder=str(folder),
        limits=LIMITS,
        codes=dict(codes),
    )
    return subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True)
