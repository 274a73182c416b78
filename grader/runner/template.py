"""The template: the process that every run is a copy of. Nothing of a run ever reaches it.

A copy has all memory of its parent, also what the parent has freed. The supervisor learns the names of the files that
a run makes, its use of memory, its exit code. Were runs copies of the supervisor, each could read there what earlier
ones had written as names: 130,000 bytes. So the supervisor forks the template before the first run, and has it fork
the runs:

    supervisor  --order, descriptors-->  template  --fork-->  run
    supervisor  <----process id--------  template
    supervisor  --process id---------->  template  --wait4-->
    supervisor  <----end, use----------  template

Only a parent can wait for a process. The template does it into one buffer, and clears that.
"""

import contextlib
import ctypes
import functools
import json
import os
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn

import lockdown

REFUSED_EXIT_CODE = 97
DESCRIPTORS = (lockdown.REQUEST, lockdown.RESULT, lockdown.STDOUT, lockdown.STDERR)
# The longest wait for a fork: for a core, or for memory.
ANSWER_SECONDS = 60
MESSAGE_BYTES = 65536
NO_PROCESS = 0

_libc = ctypes.CDLL(None, use_errno=True)


class End(NamedTuple):
    """The end of a run: an exit code (minus a signal's number), and the CPU time of all its threads."""

    exit_code: int
    cpu_seconds: float


class _Wait(ctypes.Structure):
    """Results of wait4(2). A `struct rusage` begins with the user and system times, in seconds and microseconds."""

    _fields_ = (("status", ctypes.c_int), ("times", ctypes.c_long * 4), ("rest", ctypes.c_long * 14))


class Template:
    """The supervisor's end of the template, which the constructor forks.

    Args:
        wall: closes around each run.
        run: answers the request on a descriptor in the run; is told how many seconds the lockdown took.
        begin: is called in the run before that.
        control: the supervisor's own socket, of which the template must keep no copy.
    """

    def __init__(
        self, wall: lockdown.Wall, run: Callable[[int, float], None], begin: Callable[[], None], control: socket.socket
    ) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        supervisor = os.getpid()
        self.pid = os.fork()
        with theirs:
            if self.pid == 0:
                try:
                    control.close()
                    self._socket.close()
                    lockdown.die_with(supervisor)
                    _serve(theirs, functools.partial(_become_run, wall, run, begin))
                except BaseException:  # in any case it ends here and never becomes a second supervisor
                    traceback.print_exc()
                finally:
                    os._exit(1)
        self._socket.settimeout(1.0)

    def fork(self, order: bytes, fds: Sequence[int], meanwhile: Callable[[], None]) -> int | None:
        """Start a run with the request, result, output and error descriptors.

        Args:
            meanwhile: is called once a second during the wait.
        Returns: its process id; None: no process could be started.
        Raises: OSError: the template is gone.
        """
        return int(self._ask(order, fds, meanwhile)) or None

    def wait(self, pid: int, meanwhile: Callable[[], None]) -> End:
        """Collect a run that has ended. Raises: OSError: the template is gone."""
        ended = _Wait.from_buffer_copy(self._ask(b"%d" % pid, (), meanwhile))
        user, user_micro, system, system_micro = ended.times
        return End(os.waitstatus_to_exitcode(ended.status), user + system + (user_micro + system_micro) / 1e6)

    def _ask(self, message: bytes, fds: Sequence[int], meanwhile: Callable[[], None]) -> bytes:
        socket.send_fds(self._socket, [message], fds)
        for _ in range(ANSWER_SECONDS):
            with contextlib.suppress(TimeoutError):
                if answer := self._socket.recv(MESSAGE_BYTES):
                    return answer
                raise ConnectionResetError("the template is gone")
            meanwhile()
        raise ConnectionAbortedError("the template does not answer")


def _serve(supervisor: socket.socket, become_run: Callable[[bytes, Sequence[int], int], NoReturn]) -> None:
    parent, ended = os.getpid(), _Wait()
    while True:
        message, fds, _, _ = socket.recv_fds(supervisor, MESSAGE_BYTES, len(DESCRIPTORS))
        if not message:
            return
        if fds:
            # Buffered output would be written once more by every run.
            sys.stdout.flush()
            sys.stderr.flush()
            try:
                pid = os.fork()
            except OSError:
                pid = -1
            if pid == 0:
                become_run(message, fds, parent)
            for fd in fds:
                os.close(fd)
            supervisor.send(b"%d" % max(pid, NO_PROCESS))
        else:
            _libc.wait4(int(message), ctypes.byref(ended), 0, ctypes.byref(ended, _Wait.times.offset))
            supervisor.send(ended)
            ctypes.memset(ctypes.byref(ended), 0, ctypes.sizeof(ended))


def _become_run(
    wall: lockdown.Wall,
    run: Callable[[int, float], None],
    begin: Callable[[], None],
    message: bytes,
    fds: Sequence[int],
    parent: int,
) -> NoReturn:
    code = REFUSED_EXIT_CODE
    try:
        order, descriptors = json.loads(message), dict(zip(DESCRIPTORS, fds, strict=True))
        seconds = wall.apply(
            descriptors, order["directory"], order["limits"], order["uid"], parent, yields=order["yields"]
        )
        # Ignored where the service was started in the background; a run must not depend on that.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # AutoGraph writes the code it makes to a temporary file.
        tempfile.tempdir = os.environ["TMPDIR"] = order["directory"]
        sys.dont_write_bytecode = True
        begin()
        code = 1
        run(lockdown.REQUEST, seconds)
        code = 0
    except BaseException:  # in any case the run ends here and never becomes a second template
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)
