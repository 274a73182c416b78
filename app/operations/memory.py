"""Memory that a process of the service gives back to the system."""

import contextlib
import ctypes

M_MMAP_THRESHOLD = -3  # <malloc.h>
LARGE_BYTES = 1024 * 1024


def return_large_blocks() -> None:
    """Have glibc give each large block back to the system when it is freed, in all threads.

    Left alone, it raises this limit to the size of the first upload that is freed, and then keeps up to twice as much
    for each thread: some hundred MB after a dozen notebooks of 17 MB.
    """
    with contextlib.suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
