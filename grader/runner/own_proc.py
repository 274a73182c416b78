"""A /proc in the outer ring that shows a run nothing but itself.

Landlock does not restrict `stat`. For any process `stat` shows how many files and threads it has open, so two runs
could communicate: one opens files, the other counts them. For an entry of the system (/proc/tty/drivers) it shows
when somebody first asked for it. So there are no such entries here. The kernel can hide processes from those that may
not trace them, and no run may trace another. The warm process watches its runs through /proc, so it gets access: as
root by its group, which no run has, and otherwise by the right to trace, which runs give up (`Wall.apply` of
lockdown.py).

Mounting takes a right (CAP_SYS_ADMIN) that the warm process of the ring has only for this, and gives up here.
"""

import ctypes
import errno
import os
import signal

PR_SET_DUMPABLE = 4
MNT_DETACH = 2
MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8
CAPABILITY_VERSION_3 = 0x20080522
CAP_SYS_ADMIN = 21
ONLY_PROCESSES = "hidepid=2,subset=pid"

_libc = ctypes.CDLL(None, use_errno=True)


def enter() -> str | None:
    """Mount such a /proc over the present one, if the kernel allows it, and give up the right to mount anything.

    Returns: why there is none; None on success.
    Raises: OSError: the right could not be given up.
    """
    try:
        _mount()
        if not _shows_runs():
            _libc.umount2(b"/proc", MNT_DETACH)
            raise OSError(errno.EACCES, "it would hide runs from their supervisor, too")
    except OSError as exc:
        return f"{exc.strerror}"
    finally:
        _give_up_mounting()
    return None


def _mount() -> None:
    options = f"{ONLY_PROCESSES},gid=0" if os.geteuid() == 0 else ONLY_PROCESSES
    flags = ctypes.c_ulong(MS_NOSUID | MS_NODEV | MS_NOEXEC)
    if _libc.mount(b"proc", b"/proc", b"proc", flags, options.encode()) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _shows_runs() -> bool:
    """Return whether this process sees a child like a run: of another user where possible, and not traceable."""
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        if os.geteuid() == 0:
            os.setresuid(65534, 65534, 65534)
        _libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
        os.write(tell, b".")
        signal.pause()
    try:
        os.read(ready, 1)
        with open(f"/proc/{child}/status", "rb") as status:  # access() would ask without capabilities
            return bool(status.read(1) and os.listdir(f"/proc/{child}/task"))
    except OSError:
        return False
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(ready)
        os.close(tell)


def _give_up_mounting() -> None:
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    # Effective, permitted and inheritable; the lower and then the upper 32 capabilities.
    sets = (ctypes.c_uint32 * 6)()
    if _libc.capget(header, sets) == 0:
        for index in range(3):
            sets[index] &= ~(1 << CAP_SYS_ADMIN)
        if _libc.capset(header, sets) == 0:
            return
    number = ctypes.get_errno()
    raise OSError(number, f"capset: {os.strerror(number)}")
