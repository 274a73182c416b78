"""A GPU opens something in the wall, and the rest stays closed; /dev/full stands in for the card.

The kernel answers a call that the filter lets through (ENOTTY: no such call on this file); the filter answers EPERM and
Landlock EACCES. What only a card can show is in tests/integration/grader/test_gpu.py.
"""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.containment.locked_child import run_locked

HELPERS = """
def ioctl(number):
    call('ioctl', 4, ctypes.c_ulong(number), None)

def unix(kind=socket.SOCK_SEQPACKET):
    return socket.socket(socket.AF_UNIX, kind)

def named(name=chr(0) + 'cuda-uvmfd-' + str(os.getpid())):
    peer = unix()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    peer.bind(name)
    peer.listen(16)
    peer.setblocking(False)
    return peer

def name_a_thread(mode=os.O_RDWR):
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        fd = os.open('/proc/self/task/%d/comm' % thread.native_id, mode)
        os.write(fd, b'named')
        os.close(fd)
    finally:
        stop.set()
        thread.join()
"""

# What is tried -> its outcome with a GPU; without one all of this is refused.
OPENED = {
    "ioctl(0xc020462a)": "ENOTTY",  # NV_ESC_RM_CONTROL
    "ioctl(0xc030462b)": "ENOTTY",  # NV_ESC_RM_ALLOC, with the size that newer drivers use
    "ioctl(0xc020462b)": "ENOTTY",  # and with the older one
    "ioctl(0xc90046c8)": "ENOTTY",  # NV_ESC_CARD_INFO
    "ioctl(0x30000001)": "ENOTTY",  # UVM_INITIALIZE
    "ioctl(37)": "ENOTTY",  # UVM_REGISTER_GPU
    "ioctl(75)": "ENOTTY",  # UVM_MM_INITIALIZE
    "os.open('/dev/full', os.O_RDWR)": "done",
    "mmap.mmap(-1, 4096, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)": "done",
    "named()": "done",
    "name_a_thread()": "done",
    "open('/proc/devices').read()": "done",
    "open('/proc/self/maps').read()": "done",
}
# What is tried -> its outcome with and without a GPU.
CLOSED = {
    "ioctl(0xc01046d3)": "EPERM",  # NV_ESC_IOCTL_XFER_CMD, which carries any other
    "ioctl(0xc020464d)": "EPERM",  # NV_ESC_RM_ACCESS_REGISTRY
    "ioctl(0xc0204639)": "EPERM",  # NV_ESC_RM_I2C_ACCESS
    "ioctl(0xc020465c)": "EPERM",  # NV_ESC_RM_EXPORT_OBJECT_TO_FD
    "ioctl(0x462a)": "EPERM",  # right letter and number, no direction: a frame buffer's
    "ioctl(62)": "EPERM",  # UVM_TOOLS_READ_PROCESS_MEMORY
    "ioctl(63)": "EPERM",
    "ioctl(18)": "EPERM",  # UVM_REGISTER_MPS_SERVER
    "ioctl(1)": "EPERM",  # FIBMAP
    "ioctl(0x5412)": "EPERM",  # TIOCSTI: to type into a terminal
    "os.open('/dev/zero', os.O_RDWR)": "EACCES",
    "os.open('/proc/self/mem', os.O_RDWR)": "EACCES",
    "os.listdir('/proc/self/task')": "EACCES",
    "os.open('/proc/self/oom_score_adj', os.O_WRONLY)": "EACCES",
    "os.open('/proc/%d/task/%d/comm' % (os.getppid(), os.getppid()), os.O_RDWR)": "EACCES",
    "open('/proc/devices', 'r+')": "EACCES",
    "os.memfd_create('hidden')": "EPERM",
    "unix(socket.SOCK_STREAM)": "EPERM",
    "unix(socket.SOCK_DGRAM)": "EPERM",
    "socket.socket(socket.AF_INET)": "EPERM",
    "socket.socket(socket.AF_INET6, socket.SOCK_SEQPACKET)": "EPERM",
    "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)": "EPERM",
    "socket.socketpair()": "EPERM",
}
# With a socket in hand, nothing comes or goes through it.
SOCKET_CLOSED = {
    "named('socket-in-the-folder')": "EACCES",
    "named().accept()": "EPERM",
    "unix().connect(chr(0) + 'anything')": "EPERM",
    "unix().sendto(b'x', chr(0) + 'anything')": "EPERM",
    "unix().send(b'x')": "EPERM",
    "unix().recv(1)": "EPERM",
    "unix().sendmsg([b'x'])": "EPERM",
    "unix().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)": "EPERM",
}


def _outcomes(folder: Path, nodes: list[str], codes: Iterable[str]) -> dict[str, str]:
    done = run_locked(folder, {code: code for code in codes}, helpers=HELPERS, nodes=nodes)
    assert done.stdout, done.stderr
    outcomes, _ = json.loads(done.stdout)
    return outcomes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run's folder, which a run's own user may reach."""
    for parent in [tmp_path, *tmp_path.parents][:3]:
        parent.chmod(0o711)
    made = tmp_path / "run"
    made.mkdir(0o700)
    return made


def test_a_gpu_opens_what_cuda_needs(folder):
    assert _outcomes(folder, ["/dev/full"], OPENED) == OPENED


def test_without_a_gpu_all_of_that_is_closed(folder):
    outcomes = _outcomes(folder, [], OPENED)
    assert set(outcomes.values()) == {"EPERM", "EACCES"}, outcomes


@pytest.mark.parametrize("nodes", [[], ["/dev/full"]], ids=["without a GPU", "with a GPU"])
def test_the_rest_is_closed(folder, nodes):
    assert _outcomes(folder, nodes, CLOSED) == CLOSED


def test_nothing_goes_through_the_socket_that_cuda_insists_on(folder):
    assert _outcomes(folder, ["/dev/full"], SOCKET_CLOSED) == SOCKET_CLOSED
