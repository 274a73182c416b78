"""The system calls a child may make: an allow list, built with libseccomp.

Everything else answers EPERM, as if the rights were missing: no sockets, no exec, no new process, no ptrace, no signal
to another process, no chmod, links or attributes, no kind of memory that RLIMIT_DATA does not count. Calls younger than
this list answer ENOSYS, so that libc falls back to an older one. Another architecture's calls (x32, int 0x80) kill.

Numbers that all runs influence stay hidden: free memory and room on the disk, load, the parts of a file that the kernel
has read (sysinfo, statfs, mincore). Through them one run could signal another, exactly and thousands of times a second.

Nothing is removed or renamed either. A file that is open or mapped and then removed takes room on the disk that nobody
can count; a file that stays in its folder can be counted, and is deleted with the folder. Honest code removes temporary
files: removing reports success, and does nothing. So do waiting for the disk and locking a file.
"""

import ctypes
import ctypes.util
import errno
import os
import struct
from typing import Any, NamedTuple

import cuda

# pyseccomp looks for two libraries whose names are known. Python's own search runs ldconfig or a compiler: bubblewrap
# has none, and elsewhere the warm process starts no programs either.
_find_library = ctypes.util.find_library
ctypes.util.find_library = {"c": "libc.so.6", "seccomp": "libseccomp.so.2"}.get  # type: ignore[assignment]
try:
    import pyseccomp
    from pyseccomp import ALLOW, EQ, ERRNO, KILL_PROCESS, LT, MASKED_EQ, Arg, Attr
finally:
    ctypes.util.find_library = _find_library

PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
INSTRUCTION = "=HBBI"  # struct sock_filter: code, two jumps, operand
# A placeholder for the process that loads the program, whose number is known only then. No process can have it.
OWN_PID = 0x7FFFFFF1

NOT_ALLOWED = ERRNO(errno.EPERM)
NO_SUCH_CALL = ERRNO(errno.ENOSYS)
NOTHING_DONE = ERRNO(0)

PLAIN = """
    read write readv writev pread64 pwrite64 preadv pwritev lseek close close_range dup dup2 dup3 pipe pipe2 sendfile
    stat fstat lstat newfstatat statx access faccessat faccessat2 readlink readlinkat getcwd chdir fchdir
    getdents getdents64 ftruncate
    poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd eventfd2
    brk munmap mremap mprotect
    set_robust_list rseq set_tid_address sched_yield sched_get_priority_max sched_get_priority_min getcpu
    nanosleep gettimeofday time times getrusage
    setitimer getitimer alarm pause rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigsuspend rt_sigtimedwait
    sigaltstack restart_syscall
    getpid gettid getppid getuid geteuid getgid getegid getpgrp getgroups getresuid getresgid
    uname getrandom getrlimit exit exit_group
""".split()  # noqa: SIM905  # a page of names reads better than a page of quotes

# Values that an argument may have: (call, index of the argument, mask, values).
PRCTL = (15, 16, 0x53564D41)  # the name of a thread, set and read; the name of a mapping
FCNTL = (0, 1, 2, 3, 5, 1030)  # duplicate, flags, is there a lock: nothing that sends signals
# Is it a terminal, its size, bytes to read, non-blocking, close at exec.
IOCTL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
# Shared anonymous memory, memory that grows down, huge pages and locked pages escape RLIMIT_DATA.
MMAP_MASK = 0x0F | 0x20 | 0x100 | 0x2000 | 0x40000
MMAP = (0x02, 0x22, 0x01)  # private file, private anonymous, shared file
# Advice on the process's own memory, as allocators give it. Other advice pushes pages out to swap, makes several runs
# share equal pages, or makes holes in files.
MADVICE = (0, 1, 2, 3, 4, 8, 10, 14, 15, 16, 17, 22, 23)
# O_DIRECT makes a pipe pass on data in the same pieces, byte by byte, so that the trusted side works ten times as much
# as the run. With O_SYNC, and with O_DIRECT too, every write keeps the disk of the service's database busy.
UNBUFFERED = os.O_DIRECT | os.O_SYNC | os.O_ASYNC
SET_FLAGS = 4  # of fcntl(), index 2
# Landlock before ABI 3 allows opening for reading and truncating at once. A file without a name (O_TMPFILE, whose value
# includes O_DIRECTORY's) cannot be counted.
OPEN_MASK = os.O_TRUNC | os.O_ACCMODE | (os.O_TMPFILE & ~os.O_DIRECTORY) | UNBUFFERED
OPEN = (os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC, os.O_RDWR | os.O_TRUNC)
# A folder that its owner may not read, enter or empty would hide its content from a supervisor of the same user.
# umask() is not allowed for the same reason.
FOLDER_MODE = 0o700
# Clocks of its own thread or process, or of the machine. Others are numbered by process, and show its CPU time.
CLOCK_MASK = 0xFFFFFFF0
# Waiting and waking. What is left out asks whether the thread that holds a lock exists, in whatever process, and lends
# it one's priority.
FUTEX_MASK = 0xFFFFFFFF & ~(0x80 | 0x100)  # without: for this process only, by the clock of the day
FUTEX = (0, 1, 3, 4, 5, 9, 10)
# Signals from this number on wait in a queue, whose limit counts those of all processes of a user.
FIRST_QUEUED = 32
# The exact flags that pthread_create() uses for a thread: with them a clone is no process and no namespace, and shares
# its files and folders with the thread that made it.
THREAD = 0x003D0F00
ARGUMENTS = (
    ("mmap", 3, MMAP_MASK, MMAP),
    ("madvise", 2, 0xFFFFFFFF, MADVICE),
    ("open", 1, OPEN_MASK, OPEN),
    ("openat", 2, OPEN_MASK, OPEN),
    ("prctl", 0, 0xFFFFFFFF, PRCTL),
    ("fcntl", 1, 0xFFFFFFFF, FCNTL),
    ("futex", 1, FUTEX_MASK, FUTEX),
    ("ioctl", 1, 0xFFFFFFFF, IOCTL),
    ("mkdir", 1, FOLDER_MODE, (FOLDER_MODE,)),
    ("mkdirat", 2, FOLDER_MODE, (FOLDER_MODE,)),
    ("clone", 0, 0xFFFFFFFF, (THREAD,)),
    ("clock_gettime", 0, CLOCK_MASK, (0,)),
    ("clock_getres", 0, CLOCK_MASK, (0,)),
    ("clock_nanosleep", 0, CLOCK_MASK, (0,)),
)
# Also allowed where submissions run on a GPU; cuda.py says why.
GPU_PLAIN = ("sysinfo", "statfs", "fstatfs", "mincore")
GPU_ARGUMENTS = (
    ("ioctl", 1, cuda.FRONTEND_MASK, tuple(cuda.FRONTEND | number for number in cuda.FRONTEND_NUMBERS)),
    ("ioctl", 1, 0xFFFFFFFF, cuda.UVM_NUMBERS),
    ("mmap", 3, MMAP_MASK, (cuda.MMAP_SHARED_ANONYMOUS,)),
)
# A run's folder is not kept, so there is no reason to wait for the disk.
SYNCHRONISE = ("fsync", "fdatasync", "msync")
REMOVE = ("unlink", "unlinkat", "rmdir")
# Locks on files are visible to other runs and take kernel memory that nobody counts. A run is alone with its files.
LOCK = ("flock",)
# These answer about any process id, and so tell which exist: allowed only about itself.
OF_A_PROCESS = ("getpgid", "getsid", "sched_getaffinity")
# These too. But libraries ask about their own threads, whose numbers no filter knows. 0 is the answer for every run.
SCHEDULING = ("sched_getscheduler", "sched_getparam")
LOCK_COMMANDS = (6, 7)  # of fcntl(), with and without waiting
# libc tries these first and falls back only on ENOSYS. Numbers from 424 on are the same on all architectures.
FALL_BACK = ("clone3", "openat2")
YOUNGEST_KNOWN, BEYOND = 462, 600


class Program(NamedTuple):
    """A compiled filter, and the places in it for the number of the process that loads it."""

    code: bytes
    own_pid_at: tuple[int, ...]

    def load(self) -> None:
        """Put this thread, and all that it will start, behind the filter for good.

        Raises: OSError: the kernel refused.
        """
        code = bytearray(self.code)
        for offset in self.own_pid_at:
            struct.pack_into("=I", code, offset, os.getpid())
        filter_ = _SocketFilterProgram(len(code) // struct.calcsize(INSTRUCTION), bytes(code))
        if number := _set_filter(ctypes.byref(filter_)):
            raise OSError(number, f"seccomp: {os.strerror(number)}")


class _SocketFilterProgram(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _set_filter(filter_: Any) -> int:
    """Load a filter. Returns: the number of the error, or 0."""
    libc = ctypes.CDLL(None, use_errno=True)
    return ctypes.get_errno() if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter_, 0, 0) != 0 else 0


def compile_filter(*, gpu: bool = False) -> Program:
    """Compile the allow list. Done once in the warm process: in a child it would take two milliseconds.

    Args: gpu: also allow the calls that CUDA needs.
    Raises: OSError: libseccomp or the kernel cannot do it here.
    """
    # A kernel with filters reads the program at that address; one without rejects the request.
    if (number := _set_filter(None)) != errno.EFAULT:
        raise OSError(number, f"the kernel has no filters: {os.strerror(number)}")
    allowed = pyseccomp.SyscallFilter(NOT_ALLOWED)
    allowed.set_attr(Attr.ACT_BADARCH, KILL_PROCESS)
    allowed.set_attr(Attr.CTL_OPTIMIZE, 2)  # a tree of comparisons instead of a list
    for name in (*PLAIN, *(GPU_PLAIN if gpu else ())):
        _add(allowed, ALLOW, name)
    for name, index, mask, values in (*ARGUMENTS, *(GPU_ARGUMENTS if gpu else ())):
        for value in values:
            _add(allowed, ALLOW, name, Arg(index, MASKED_EQ, mask, value))
    if gpu:
        _allow_socket_of_cuda(allowed)
    for name, signal_at in (("kill", 1), ("tgkill", 2)):
        _add(allowed, ALLOW, name, Arg(0, EQ, OWN_PID), Arg(signal_at, LT, FIRST_QUEUED))
    for process in (0, OWN_PID):
        for name in OF_A_PROCESS:
            _add(allowed, ALLOW, name, Arg(0, EQ, process))
        _add(allowed, ALLOW, "getpriority", Arg(0, EQ, os.PRIO_PROCESS), Arg(1, EQ, process))
    # Reading its own limits, never setting them.
    _add(allowed, ALLOW, "prlimit64", Arg(0, EQ, 0), Arg(2, EQ, 0))
    _add(allowed, ALLOW, "fcntl", Arg(1, MASKED_EQ, 0xFFFFFFFF, SET_FLAGS), Arg(2, MASKED_EQ, UNBUFFERED, 0))
    for name in (*REMOVE, *SYNCHRONISE, *LOCK, *SCHEDULING):
        _add(allowed, NOTHING_DONE, name)
    for command in LOCK_COMMANDS:
        _add(allowed, NOTHING_DONE, "fcntl", Arg(1, MASKED_EQ, 0xFFFFFFFF, command))
    for name in FALL_BACK:
        _add(allowed, NO_SUCH_CALL, name)
    for number in range(YOUNGEST_KNOWN, BEYOND):
        allowed.add_rule(NO_SUCH_CALL, number)
    with open(os.memfd_create("filter"), "w+b") as file:
        allowed.export_bpf(file)
        file.seek(0)
        code = file.read()
    own_pid_at = tuple(
        8 * index + 4 for index, (*_, operand) in enumerate(struct.iter_unpack(INSTRUCTION, code)) if operand == OWN_PID
    )
    return Program(code, own_pid_at)


def _allow_socket_of_cuda(allowed: pyseccomp.SyscallFilter) -> None:
    is_unix = Arg(0, EQ, cuda.AF_UNIX)
    _add(allowed, ALLOW, "socket", is_unix, Arg(1, MASKED_EQ, cuda.SOCK_TYPE_MASK, cuda.SOCK_SEQPACKET))
    _add(allowed, ALLOW, "setsockopt", Arg(1, EQ, cuda.SOL_SOCKET), Arg(2, EQ, cuda.SO_PASSCRED))
    for name in ("bind", "listen"):
        _add(allowed, ALLOW, name)


def _add(filter_: pyseccomp.SyscallFilter, action: int, name: str, *arguments: Arg) -> None:
    number = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name)
    if number >= 0:  # below zero: this architecture has no such call (or libseccomp does not know it)
        filter_.add_rule(action, number, *arguments)
