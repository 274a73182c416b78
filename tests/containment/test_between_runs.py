"""Two submissions that would talk to each other through the box: what one does, another must not find.

docs/threat-model.md has a table of all ways, and measures those that stay.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from grader.pipeline import grade
from grader.sandbox import ForkSandbox, Kind
from tests.containment.test_ring import WORKS

# Numbers that every process of the machine moves, and places that all of them share; see also wall/test_processes.py.
ASKED = {
    "free memory, load, number of threads": "syscall('sysinfo', ctypes.create_string_buffer(128))",
    "room on the disk": "os.statvfs('.')",
    "room on another disk": "os.statvfs('/dev/shm')",
    "room where standard output goes": "os.fstatvfs(1)",
    "what is in memory of a file": """
        file = open(os.__file__)
        part = mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ, flags=mmap.MAP_PRIVATE)
        address = np.frombuffer(part, np.uint8).ctypes.data
        syscall('mincore', address, 4096, ctypes.create_string_buffer(1))
        """,
    "reading only what is in memory": "os.preadv(os.open(os.__file__, 0), [bytearray(9)], 0, 8)",
    "dropping what is in memory": "os.posix_fadvise(os.open(os.__file__, 0), 0, 0, 4)",
    "watching a file": "syscall('inotify_init1', 0)",
    "watching a disk": "syscall('fanotify_init', 0, 0)",
    "a lease": "__import__('fcntl').fcntl(os.open(os.__file__, 0), 1024, 0)",
    "group of another process": "os.getpgid(os.getppid())",
    "session of another process": "os.getsid(os.getppid())",
    "cores of another process": "os.sched_getaffinity(os.getppid())",
    "priority of another process": "os.getpriority(os.PRIO_PROCESS, os.getppid())",
    "priority of a user": "os.getpriority(os.PRIO_USER, 0)",
    "the holder of a lock": "syscall('futex', ctypes.byref(ctypes.c_int(os.getppid())), 6, 0, 0, 0, 0)",
    "room in the queue of signals": "signal.signal(64, signal.SIG_IGN), signal.raise_signal(64)",
    "priority": "os.setpriority(os.PRIO_PROCESS, 0, 10)",
    "cores": "os.sched_setaffinity(0, {0})",
}
READ = (
    *("loadavg", "meminfo", "cpuinfo", "stat", "vmstat", "uptime", "locks", "interrupts", "softirqs", "schedstat"),
    *("diskstats", "slabinfo", "buddyinfo", "zoneinfo", "keys", "key-users", "partitions", "swaps", "timer_list"),
    *("pressure/cpu", "pressure/memory", "pressure/io", "sysvipc/shm", "sysvipc/msg", "sysvipc/sem", "net/unix"),
    *("sys/fs/dentry-state", "sys/fs/inode-nr", "sys/fs/file-nr", "sys/kernel/ns_last_pid", "sys/kernel/pty/nr"),
    *("sys/kernel/random/entropy_avail", "self/io", "self/stat", "self/sched", "self/oom_score", "self/fdinfo/1"),
    *("self/smaps", "self/pagemap", "self/mountinfo", "1/stat", "1/io"),
)
ASKED |= {f"/proc/{name}": f"open('/proc/{name}').read()" for name in READ}
CPU = "/sys/devices/system/cpu"
ASKED |= {
    f"{CPU}/{name}": f"open('{CPU}/{name}').read()"
    for name in ("cpu0/cpufreq/scaling_cur_freq", "cpu0/cpuidle/state0/time", "cpu0/crash_notes", "uevent")
}
ASKED |= {
    place: f"os.listdir({place!r})" for place in ("/dev/shm", "/dev/mqueue", "/tmp", "/sys/fs/cgroup", "/proc", CPU)
}
ASKED |= {"a file of everybody": "open('/dev/shm/word', 'w')", "a file of everybody's": "open('/tmp/word', 'w')"}
# Some of these do not exist on every kernel.
REFUSED = {"EPERM", "EACCES", "ENOENT", "ENOTDIR", "OSError"}


def test_no_run_can_ask_what_others_move(probe):
    outcomes = probe(ASKED)
    assert {name: outcome for name, outcome in outcomes.items() if outcome not in REFUSED} == {}


def test_a_run_may_ask_for_its_own_figures_and_gets_the_same_for_every_thread_there_is_or_is_not(probe):
    outcomes = probe(
        {
            "its own": "for own in (0, os.getpid()): os.getpgid(own), os.getsid(own), os.sched_getaffinity(own)",
            "its priority": "assert os.getpriority(os.PRIO_PROCESS, 0) == os.getpriority(os.PRIO_PROCESS, os.getpid())",
            "scheduling": "assert {os.sched_getscheduler(pid) for pid in (0, 1, os.getppid(), 1 << 22)} == {0}",
            "its parameters": "syscall('sched_getparam', 1 << 22, ctypes.create_string_buffer(4))",
        }
    )
    assert outcomes == dict.fromkeys(outcomes, "done")


def test_a_run_does_not_learn_how_much_time_earlier_ones_have_left(graded, written):
    """Runs of a submission share a budget. Code of ours that calls the submission holds the limits that it needs."""
    body = """
        frame, limits = sys._getframe(), []
        while frame := frame.f_back:
            orders = [value for value in frame.f_locals.values() if type(value) is dict and 'limits' in value]
            limits += [order['limits'] for order in orders]
        print(json.dumps(limits))
    """
    seen = json.loads(graded(written(class_body=body)).output.stdout)
    assert seen
    assert [limits for limits in seen if "wall_seconds" in limits] == []


@pytest.fixture(scope="module")
def ringed() -> Iterator[ForkSandbox]:
    with ForkSandbox(slots=1) as sandbox:
        sandbox.start(Kind.READER, Kind.KERAS3)
        yield sandbox


if WORKS:

    def test_reading_a_file_leaves_no_time_behind_in_the_ring(ringed, assignment, references, questions_seed, written):
        """A view that can only be read keeps access times as they are."""
        file = Path(np.__file__).parent / "version.py"
        before = file.stat()
        os.utime(file, ns=(before.st_mtime_ns - 10**9, before.st_mtime_ns))  # old enough to be moved by reading it
        old = file.stat().st_atime_ns
        folder = file.parent
        body = f"""
            for _ in range(3): open({str(file)!r}).read(), os.listdir({str(folder)!r})
            print(json.dumps(os.stat({str(file)!r}).st_atime_ns))
        """
        submission = written(class_body=body)
        report = grade(submission, assignment, seed=questions_seed, sandbox=ringed, references=references)
        assert report.points == 100, report.error
        assert json.loads(report.output.stdout) == old
        assert file.stat().st_atime_ns == old

    def test_a_run_in_the_ring_finds_no_process_but_itself(ringed, assignment, references, questions_seed, written):
        """By `stat` of /proc/N/fd one could count what another has open, and the other could count up and down.

        The times of other entries say when somebody first asked for them.
        """
        body = """
            own = {number for number in range(1, 5000) if os.path.exists(f'/proc/self/task/{number}')}
            found = {number for number in range(1, 5000) if os.path.exists(f'/proc/{number}')}
            system = [name for name in ('sys', 'sys/kernel', 'meminfo', 'bus') if os.path.exists(f'/proc/{name}')]
            cores = os.stat('/sys/devices/system/cpu').st_dev == os.stat('/sys/devices/system').st_dev
            print(json.dumps([sorted(found - own), os.getpid() in found, os.getppid() in found, system, cores]))
        """
        submission = written(class_body=body)
        report = grade(submission, assignment, seed=questions_seed, sandbox=ringed, references=references)
        assert report.points == 100, report.error
        assert json.loads(report.output.stdout) == [[], True, False, [], True]
        assert "a /proc of its own" in report.environment.wall
