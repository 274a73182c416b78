"""Submissions that go for processes: new ones, the warm one, the service, each other, and the kernel itself."""

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyseccomp import Arch, resolve_syscall

import grader
from tests.containment.conftest import verdict
from tests.waiting import wait_until

EPERM_CALLS = {
    "new programs": "execve execveat memfd_create memfd_secret uselib",
    "new processes": "fork vfork setsid",
    "namespaces": (
        "unshare setns chroot pivot_root mount umount2 open_tree move_mount fsopen fsmount fspick mount_setattr"
    ),
    "the kernel": (
        "bpf perf_event_open keyctl add_key request_key userfaultfd io_uring_setup io_uring_enter io_uring_register "
        "init_module finit_module delete_module kexec_load kexec_file_load reboot swapon swapoff syslog quotactl acct "
        "iopl ioperm modify_ldt personality lookup_dcookie fanotify_init fanotify_mark inotify_init1 "
        "open_by_handle_at name_to_handle_at sethostname setdomainname vhangup seccomp arch_prctl kcmp"
    ),
    "the clock": "settimeofday clock_settime adjtimex clock_adjtime timer_create timerfd_create",
    "other processes": (
        "ptrace process_vm_readv process_vm_writev process_madvise process_mrelease pidfd_open pidfd_send_signal "
        "pidfd_getfd get_robust_list tkill rt_sigqueueinfo rt_tgsigqueueinfo "
        "migrate_pages move_pages get_mempolicy set_mempolicy mbind"
    ),
    "priority": (
        "setpriority sched_setaffinity sched_setscheduler sched_setparam sched_setattr ioprio_set setrlimit capset"
    ),
    "another user": "setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups setpgid",
    "shared memory and messages": "shmget shmat semget semop msgget msgsnd mq_open mq_unlink",
    "pipes between files": "splice tee vmsplice copy_file_range",
    "landlock": "landlock_create_ruleset landlock_add_rule landlock_restrict_self",
    "locked memory": "mlock mlock2 mlockall remap_file_pages",
}

ATTACKS = {
    "fork": "os.fork()",
    "forkpty": "os.forkpty()",
    "posix_spawn": "os.posix_spawn('/bin/true', ['true'], {})",
    "exec": "os.execv('/bin/true', ['true'])",
    "shell": "__import__('subprocess').run('true', shell=True)",
    "system": "assert os.system('true') == 0",
    "a daemon": "os.fork() or os.setsid() or os.fork()",
    "a program in memory": "os.memfd_create('program')",
    "clone without flags": "syscall('clone', 17, 0, 0, 0, 0)",
    "clone that shares memory": "syscall('clone', 0x100 | 17, 0, 0, 0, 0)",
    "clone in a new user namespace": "syscall('clone', 0x10000000 | 17, 0, 0, 0, 0)",
    "a thread in a new user namespace": "syscall('clone', 0x10000000 | 0x10900, 0, 0, 0, 0)",
    "a thread with descriptors of its own": "syscall('clone', 0x10900, 0, 0, 0, 0)",
    "clone with bits above 32 set": "syscall('clone', 1 << 32 | 17, 0, 0, 0, 0)",
    "signal 0 to the warm process": "os.kill(os.getppid(), 0)",
    "kill the warm process": "os.kill(os.getppid(), 9)",
    "stop the warm process": "os.kill(os.getppid(), 19)",
    "kill with bits above 32 set": "syscall('kill', os.getppid() | 1 << 32, 9)",
    "own number with bits above 32 set": "syscall('kill', os.getpid() | 1 << 32, 9)",
    "queue a signal to itself": "os.kill(os.getpid(), 40)",
    "kill by thread": "syscall('tgkill', os.getppid(), os.getppid(), 9)",
    "kill the service": "os.kill(SERVICE, 9)",
    "kill the bystander": "os.kill(BYSTANDER, 9)",
    "kill process 1": "os.kill(1, 15)",
    "kill everybody": "os.kill(-1, 9)",
    "kill the group": "os.kill(0, 9)",
    "kill the service's group": "os.killpg(os.getpgid(SERVICE), 9)",
    "trace the warm process": "syscall('ptrace', 16, os.getppid(), 0, 0)",
    "seize the bystander": "syscall('ptrace', 0x4206, BYSTANDER, 0, 0)",
    "be traced": "syscall('ptrace', 0, 0, 0, 0)",
    "read the memory of the warm process": "syscall('process_vm_readv', os.getppid(), bytes(16), 1, bytes(16), 1, 0)",
    "limits of the warm process": "__import__('resource').prlimit(os.getppid(), 7, (0, 0))",
    "limits of its own": "__import__('resource').setrlimit(7, (64, 64))",
    "limits of its own, by prlimit": "__import__('resource').prlimit(0, 9, (-1, -1))",
    "priority of the warm process": "os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
    "time that the warm process has used": "time.clock_gettime((~os.getppid() << 3) | 2)",
    "time that the service has used": "time.clock_gettime((~SERVICE << 3) | 2)",
    "cores of the warm process": "os.sched_setaffinity(os.getppid(), [0])",
}
# prctl: dumpable again, seccomp, capabilities, secure bits, a tracer, a subreaper, speculation, timers, memory merging.
PRCTL = (1, 4, 7, 8, 22, 24, 26, 28, 33, 35, 36, 38, 41, 45, 47, 50, 53, 59, 62, 64, 67, 0x59616D61, 1 << 31)


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """Any other process of the service's user."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        yield process
        process.kill()


def test_calls_that_no_submission_needs_are_refused(probe):
    names = " ".join(EPERM_CALLS.values()).split()
    results = probe({name: f"syscall({name!r}, 0, 0, 0, 0, 0, 0)" for name in names})
    assert {name: seen for name, seen in results.items() if seen != "EPERM"} == {}


def test_every_call_that_is_not_on_the_list_is_refused(probe, monkeypatch):
    """All numbers there are, whether anybody has thought of them or not."""
    monkeypatch.syspath_prepend(Path(grader.__file__).parent / "runner")
    listed = importlib.import_module("seccomp_filter")
    nothing_done = {*listed.REMOVE, *listed.SYNCHRONISE, *listed.LOCK, *listed.SCHEDULING}
    of_itself = {*listed.OF_A_PROCESS, "getpriority", "prlimit64"}
    named = {*listed.PLAIN, *nothing_done, *of_itself, *(name for name, *_ in listed.ARGUMENTS)}
    allowed = {resolve_syscall(Arch.NATIVE, name) for name in named}
    # What the kernel answers before any filter is asked: calls by which a probe returns, and which kill without one.
    probes = {335, 336}
    others = sorted(set(range(800)) - allowed - probes)
    results = probe({str(number): f"numbers['x'] = {number}\nsyscall('x', 0, 0, 0, 0, 0, 0)" for number in others})
    assert len(results) > 500
    assert set(results.values()) == {"EPERM", "ENOSYS"}


def test_calls_that_libc_can_do_without_do_not_exist(probe):
    """ENOSYS sends libc to an older call, which is filtered by its arguments; EPERM would be the end of it."""
    codes = {name: f"syscall({name!r}, 0, 0, 0, 0, 0, 0)" for name in ("clone3", "openat2")}
    young = {str(number): f"numbers['x'] = {number}\nsyscall('x', 0, 0, 0, 0, 0, 0)" for number in (467, 500, 599)}
    results = probe(codes | young)
    assert results == dict.fromkeys(results, "ENOSYS")


def test_other_processes_cannot_be_made_or_reached(probe, sandbox, bystander):
    warm = sandbox.pids()
    pids = {"SERVICE": str(os.getpid()), "BYSTANDER": str(bystander.pid)}
    results = probe(
        {name: re.sub("SERVICE|BYSTANDER", lambda who: pids[who[0]], code) for name, code in ATTACKS.items()}
    )
    # system() says how the shell ended, and there was none; setrlimit() has an exception of its own for EPERM.
    others = {"system": "AssertionError", "forkpty": "EACCES", "limits of its own": "ValueError"}
    assert results == dict.fromkeys(results, "EPERM") | others
    assert bystander.poll() is None
    wait_until(lambda: _state(bystander.pid) == "S")
    assert sandbox.pids() == warm


def test_proc_of_others_is_closed(probe, bystander):
    pids = {"warm": "{os.getppid()}", "service": os.getpid(), "bystander": bystander.pid, "init": 1}
    names = ("environ", "mem", "maps", "fd", "cwd/x", "root/etc/passwd", "exe", "stat", "cmdline", "status", "task")
    codes = {
        f"{name} of {whose}": f"os.open(f'/proc/{pid}/{name}', os.O_RDONLY)"
        for whose, pid in pids.items()
        for name in names
    }
    results = probe(codes)
    assert results == dict.fromkeys(results, "EACCES")


def test_only_the_name_of_a_thread_can_be_set_by_prctl(probe):
    results = probe({str(option): f"syscall('prctl', {option}, 0, 0, 0, 0)" for option in PRCTL})
    assert results == dict.fromkeys(results, "EPERM")
    assert probe({"name": "syscall('prctl', 15, b'a\\nVmData: 0 kB\\x1b[2J\\0', 0, 0, 0)"}) == {"name": "done"}


def test_the_kernels_figures_of_a_run(neighbour):
    with neighbour() as run:
        lines = Path(f"/proc/{run.pid}/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines)
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert int(status["CapEff"], 16) in (0, 1 << 2)  # at most CAP_DAC_READ_SEARCH: lockdown.py says when
    assert int(status["CapInh"], 16) == int(status["CapAmb"], 16) == 0
    if os.geteuid() == 0:  # a user of its own, in no group
        assert status["Groups"].strip() == ""
        assert len({*status["Uid"].split(), *status["Gid"].split()} - {"0"}) == 1


def test_runs_at_the_same_time_have_users_of_their_own_where_the_service_is_root(attack, neighbour):
    with neighbour() as other:
        owner = other.folder.stat().st_uid
        report = attack(class_body="print(os.getuid())")
    assert (int(report.output.stdout) == owner) == (os.geteuid() != 0)


def test_a_run_cannot_reach_the_one_beside_it(attack, neighbour):
    with neighbour() as other:
        pid = other.pid
        report = attack(
            class_body=f"""
            tried = [lambda: os.kill({pid}, 9), lambda: os.kill({pid}, 19), lambda: open('/proc/{pid}/mem', 'rb'),
                     lambda: open('/proc/{pid}/environ', 'rb'), lambda: os.sched_setaffinity({pid}, [0])]
            for action in tried:
                try:
                    action()
                except PermissionError:
                    print('refused')
            """
        )
    assert report.output.stdout.split() == ["refused"] * 5


X32_GETPID = "ctypes.CDLL(None).syscall(ctypes.c_long(0x40000000 | 39))"
# mov eax, 20 (getpid); int 0x80; ret: in memory that may be run, which JIT compilers need.
INT_80 = """
code = b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3'
page = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7)
page.write(code)
address = ctypes.addressof(ctypes.c_char.from_buffer(page))
print('went on as', ctypes.CFUNCTYPE(ctypes.c_int)(address)())
"""


if os.uname().machine == "x86_64":  # Both are ways into such a kernel.

    def test_calls_of_another_architecture_kill(attack):
        for class_body in (X32_GETPID, INT_80):
            report = attack(class_body=class_body)
            assert (report.status, report.points, report.output.stdout) == ("runtime_error", 0, ""), class_body
            assert [(each.code, each.params["signal"]) for each in report.diagnoses] == [("crash", 31)], class_body


BOMB_OF_THREADS = """
threading.stack_size(65536)
while True: threading.Thread(target=time.sleep, args=[1000], daemon=True).start()
"""


def test_too_many_threads_are_a_runtime_error_with_a_name_of_its_own(attack):
    for place in ("call", "class_body"):
        assert verdict(attack(**{place: BOMB_OF_THREADS})) == ("runtime_error", 0, "too_many_threads"), place


def test_a_process_that_goes_on_without_its_main_thread_is_ended(attack):
    """Its memory is not to be seen from outside any more. Else it would be over the time limit."""
    report = attack(
        class_body=f"""
        threading.Thread(target=time.sleep, args=[1000]).start()
        ctypes.CDLL(None).syscall({resolve_syscall(Arch.NATIVE, "exit")}, 0)
        """
    )
    assert (report.status, report.points) == ("runtime_error", 0)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
