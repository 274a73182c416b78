"""Wipes TensorFlow's recurrent kernels out of a warm process: the machine code below the functions of `no_recurrence`.

`libtensorflow_cc` holds whole LSTMs and GRUs of its own and of oneDNN, which any code can call by name or address.
Their code is found by the symbols that the library exports, copied to anonymous memory (so that giving a page back
brings zeros, not the file) and overwritten: a function returns at once (on x86), and running the bytes behind its first
one ends the process. Then the pages are sealed, by `mseal` where the kernel has it (Linux 6.10); elsewhere a filter in
every run keeps them (`kept_pages`). Changing them would gain nothing: their old content is nowhere in the process, and
the library's file cannot be read in the box (`Wall.hide` of lockdown.py).
"""

import ctypes
import errno
import mmap
import os
import platform
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

LIBRARY = "libtensorflow_cc.so.2"
# Kernels that compute or differentiate a recurrent cell, with the functors that do it for them.
WIPED = re.compile(
    rb"_ZNK?10tensorflow\d+(?:functor\d+)?"
    rb"(?:BlockLSTM|LSTMBlockCell|GRUBlockCell|GRUCellBlock|CudnnRNN)\w*(?:Compute|clE|WithEigen|DoForward|DoBackward)\w*"
    # oneDNN's own LSTM and GRU, which no operation of TensorFlow uses: every run of one goes through these.
    rb"|_ZZ?NK?4dnnl4impl3cpu\d+(?:_ref_rnn_(?:common|fwd|bwd)_t|lstm_(?:fwd|bwd)_postgemm_template)\w*"
)
# Every name that `WIPED` matches has one of them. There are 80 MB of names, and each is looked for in all of them.
KEYWORDS = (b"LSTM", b"GRU", b"CudnnRNN", b"_ref_rnn_", b"_postgemm_template")
# For x86; zeros end a process on other machines.
RETURN, TRAP = (0xC3, 0xCC) if platform.machine() == "x86_64" else (0, 0)
MAP_FIXED = 0x10
SYS_MSEAL = 462
PAGE = mmap.PAGESIZE

# ELF, 64 bits, little endian; the names are those of elf(5).
SECTION = np.dtype(
    [
        *(("sh_name", "<u4"), ("sh_type", "<u4"), ("sh_flags", "<u8"), ("sh_addr", "<u8"), ("sh_offset", "<u8")),
        *(("sh_size", "<u8"), ("sh_link", "<u4"), ("sh_info", "<u4"), ("sh_addralign", "<u8"), ("sh_entsize", "<u8")),
    ]
)
SYMBOL = np.dtype(
    [
        *(("st_name", "<u4"), ("st_info", "u1"), ("st_other", "u1"), ("st_shndx", "<u2")),
        *(("st_value", "<u8"), ("st_size", "<u8")),
    ]
)
SHT_DYNSYM, STT_FUNC = 11, 2


class WipedCode(NamedTuple):
    """Wiped code: the number of functions, the addresses around all of them, and whether their pages are sealed."""

    functions: int
    first: int
    last: int
    sealed: bool


def wipe(path: str) -> WipedCode:
    """Wipe the recurrent kernels of the library that this process has loaded from `path`.

    Raises: OSError: none was found, or one could not be overwritten.
    """
    functions = list(find_functions(path))
    if not functions:
        raise OSError(errno.ENOENT, "no recurrent kernel found to take out of", path)
    library = ctypes.CDLL(path, mode=os.RTLD_NOW | os.RTLD_NOLOAD)
    name, offset, _ = functions[0]
    base = _address(library, name) - offset
    sealed = True
    ranges = _pages(functions)
    for first, last in ranges:
        _overwrite(base + first, base + last, [(base + at, size) for _, at, size in functions if first <= at < last])
        sealed = _seal(base + first, last - first) and sealed
    return WipedCode(len(functions), base + ranges[0][0], base + ranges[-1][1], sealed)


def find_functions(path: str) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, offset from the library's base in bytes, and size in bytes of every recurrent kernel it exports."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as image:
        sections_at, count = np.frombuffer(image, "<u8", 1, 40)[0], np.frombuffer(image, "<u2", 1, 60)[0]
        sections = np.frombuffer(image, SECTION, count, sections_at).copy()
        dynsym = sections[sections["sh_type"] == SHT_DYNSYM][0]
        names = sections[dynsym["sh_link"]]
        symbols = np.frombuffer(image, SYMBOL, dynsym["sh_size"] // SYMBOL.itemsize, dynsym["sh_offset"]).copy()
        text = image[names["sh_offset"] : names["sh_offset"] + names["sh_size"]]
    functions = symbols[(symbols["st_info"] & 0xF == STT_FUNC) & (symbols["st_size"] > 0)]
    # Symbols may share the end of a longer name; names of functions start after a zero byte.
    starts = {text.rfind(b"\0", 0, place) + 1 for keyword in KEYWORDS for place in _places(text, keyword)}
    for symbol in functions[np.isin(functions["st_name"], list(starts))]:
        name = text[symbol["st_name"] : text.find(b"\0", int(symbol["st_name"]))]
        if WIPED.fullmatch(name):
            yield name, int(symbol["st_value"]), int(symbol["st_size"])


def _places(text: bytes, keyword: bytes) -> Iterator[int]:
    place = text.find(keyword)
    while place >= 0:
        yield place
        place = text.find(keyword, place + 1)


def _address(library: ctypes.CDLL, name: bytes) -> int:
    address = ctypes.cast(getattr(library, name.decode()), ctypes.c_void_p).value
    assert address is not None
    return address


def _pages(functions: list[tuple[bytes, int, int]]) -> list[tuple[int, int]]:
    """Merge the functions into ranges of whole pages that do not touch."""
    ranges: list[tuple[int, int]] = []
    for _, at, size in sorted(functions, key=lambda function: function[1]):
        first, last = at // PAGE * PAGE, -(-(at + size) // PAGE) * PAGE
        if ranges and first <= ranges[-1][1]:
            ranges[-1] = ranges[-1][0], max(last, ranges[-1][1])
        else:
            ranges.append((first, last))
    return ranges


def _overwrite(first: int, last: int, functions: list[tuple[int, int]]) -> None:
    content = ctypes.string_at(first, last - first)
    _call(
        "mmap", first, last - first, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_FIXED
    )
    ctypes.memmove(first, content, len(content))
    for address, size in functions:
        ctypes.memset(address, TRAP, size)
        ctypes.memset(address, RETURN, 1)
    _call("mprotect", first, last - first, mmap.PROT_READ | mmap.PROT_EXEC)


_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, address: int, length: int, *rest: int) -> None:
    function = getattr(_libc, name)
    function.restype = ctypes.c_long
    function.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_long] * 4]
    if function(address, length, *rest, *([-1, 0] if name == "mmap" else [0] * (4 - len(rest)))) == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _seal(address: int, length: int) -> bool:
    """Seal these pages; return whether no later mprotect, mremap, madvise, munmap or fixed map can change them."""
    _libc.syscall.restype = ctypes.c_long
    return bool(_libc.syscall(SYS_MSEAL, ctypes.c_void_p(address), ctypes.c_size_t(length), ctypes.c_ulong(0)) == 0)
