"""Access that CUDA needs through the wall. None of it is open unless submissions run on a GPU.

NVIDIA's driver is closed source and publishes no list. This one was put together from the open part of the driver
(open-gpu-kernel-modules: nv-ioctl-numbers.h, nv_escape.h, uvm_ioctl.h), from the calls that gVisor's nvproxy forwards
for CUDA, and from public traces of sandboxed CUDA programs. Where these leave a doubt the call stays closed. A driver
that needs a closed call fails to start, and the run is refused rather than graded.

CUDA does not survive a fork: the warm process must never start it. Each child calls `start` behind the wall and before
the first byte of a submission.
"""

import glob
import os
from collections.abc import Iterator

# Calls to /dev/nvidiactl and /dev/nvidia0: _IOWR('F', number, size). The driver checks the size, which changes with its
# version, so only direction, letter and number are compared. Left out: 211 (IOCTL_XFER_CMD), which carries any other
# number inside; access to registry, configuration and I2C; objects and buffers handed to other processes.
FRONTEND_MASK = 0xC000FFFF
FRONTEND = 0xC0004600
FRONTEND_NUMBERS = (
    *(200, 201, 206, 207, 210, 212, 214, 215, 218),  # cards, descriptors, events, version, memory blocks, NUMA, opened
    *(0x27, 0x29, 0x2A, 0x2B),  # memory, and objects of the resource manager: made, freed, controlled
    *(0x34, 0x35, 0x41, 0x4A, 0x4E, 0x4F, 0x54, 0x57, 0x58, 0x5E),  # objects in use: shared within, mapped, idle
)
# Calls to /dev/nvidia-uvm are plain numbers. Left out: event trackers and reading or writing a process' memory (56 to
# 64, 67: for debuggers), MPS (18, 19) and tests.
UVM_NUMBERS = (
    *(0x30000001, 0x30000002, 75),  # begin and end
    *(23, 24, 25, 26, 27, 28, 29, 30, 31, 33, 34, 37, 38, 39),  # range groups, address spaces, channels, peers, cards
    *(42, 43, 44, 45, 46, 47, 51, 53),  # where managed memory lies
    *(65, 66, 68, 69, 70, 71, 72, 73, 74),  # external ranges, semaphores
)
# CUDA's pinned memory is shared anonymous memory.
MMAP_SHARED_ANONYMOUS = 0x21
# CUDA listens on an abstract Unix socket, for peers that share memory with it, and does not start without it. The
# socket may be made and named. Connecting, accepting, sending and receiving stay closed, so that nothing can go through
# it.
AF_UNIX, SOCK_SEQPACKET, SOCK_TYPE_MASK = 1, 5, 0x0F
SOL_SOCKET, SO_PASSCRED = 1, 16

# The driver reads these at start: is the module loaded, how is memory laid out, on which node is the card.
READABLE_FILES = (
    "/proc/cpuinfo",
    "/proc/devices",
    "/proc/meminfo",
    "/proc/modules",
    "/proc/self/maps",
    "/proc/self/status",
    "/proc/sys/vm/mmap_min_addr",
)
READABLE_TREES = (
    "/proc/driver/nvidia",
    "/proc/driver/nvidia-uvm",
    "/sys/devices/system/memory",
    "/sys/devices/system/node",
    # Where container runtimes mount the driver's libraries when they are not among the system's.
    "/usr/local/nvidia",
    "/usr/lib/wsl",
)
# CUDA names its threads through /proc/self/task/NUMBER/comm and aborts when it cannot. That folder shows only itself.
OWN_THREADS = "/proc/self/task"

#: Paths that a GPU needs open -> why. `lstm-grader doctor` shows them.
OPENINGS = {
    "ioctl": f"{len(FRONTEND_NUMBERS)} calls of NVIDIA's driver and {len(UVM_NUMBERS)} of its memory manager: a large "
    "part of the kernel that no Landlock or seccomp rule looks into",
    "files": "of the driver in /proc and /sys, for reading; names of its own threads",
    "shared memory": "for buffers that the GPU reads; no rlimit counts it, the supervisor does while it is mapped",
    "unix socket": "one can be named, which CUDA insists on; nothing can be sent or received",
    "GPU memory": "is shared between runs and has no limit",
}


def trees() -> Iterator[str]:
    """Yield trees that CUDA reads, as far as this host has them."""
    yield from filter(os.path.isdir, READABLE_TREES)
    for card in sorted(glob.glob("/proc/driver/nvidia/gpus/*")):
        device = os.path.realpath(f"/sys/bus/pci/devices/{os.path.basename(card)}")
        if os.path.isdir(device):
            yield device


def start() -> None:
    """Start CUDA in this process and make TensorFlow use it.

    Raises:
        RuntimeError: TensorFlow finds no GPU, or the GPU does not compute.
    """
    import tensorflow as tf  # the lockdown imports this module, and the reader's process has no TensorFlow

    # The warm process has hidden the cards, so that nothing starts CUDA there by accident.
    os.environ["CUDA_VISIBLE_DEVICES"] = "0"
    if not tf.config.list_physical_devices("GPU"):
        raise RuntimeError("TensorFlow finds no GPU in the box, although this host has one")
    try:
        with tf.device("GPU:0"):
            total = float(tf.reduce_sum(tf.ones((2, 2)) @ tf.ones((2, 2))))
    except tf.errors.OpError as exc:
        raise RuntimeError(f"the GPU does not compute in the box: {exc.message}") from exc
    if total != 8.0:
        raise RuntimeError(f"the GPU computes wrongly: a sum of 8 came out as {total}")
