"""A filter that protects a range of memory from changes, where `mseal` cannot (before Linux 6.10).

It refuses every call that could change the pages or put others there: mprotect, munmap, madvise, mremap, and mmap at a
fixed address. libseccomp compares an argument with a constant, but the end of a mapping is a sum of two arguments. So
the program is written here, in the instructions of classic BPF. They calculate in 32 bits: an address takes two of
them.

It stands beside the filter of `seccomp_filter`, as a second one. Both are asked, and the stricter answer counts.
"""

import errno
import struct
from collections.abc import Iterator
from typing import NamedTuple

import pyseccomp
from seccomp_filter import INSTRUCTION, Program

# Instructions of classic BPF: linux/bpf_common.h.
LOAD, LOAD_NUMBER, LOAD_KEPT, KEEP = 0x20, 0x00, 0x60, 0x02
SUBTRACT, SUBTRACT_X, AND, TO_X, FROM_X = 0x14, 0x1C, 0x54, 0x07, 0x87
EQUAL, EQUAL_X, GREATER, GREATER_X, AT_LEAST, ANY_BIT, RETURN = 0x15, 0x1D, 0x25, 0x2D, 0x35, 0x45, 0x06
# struct seccomp_data: the number of the call, then the architecture and the instruction, then six arguments.
FIRST_ARGUMENT = 16
ALLOWED, REFUSED = 0x7FFF0000, 0x00050000 | errno.EPERM
MAP_FIXED, MREMAP_FIXED = 0x10, 0x2
# The upper byte of an address may be a tag, which processors ignore.
UNTAGGED = 0x00FFFFFF
LOW = 0xFFFFFFFF

# The two arguments that give a place and its length: (call, place, length, index of the flags, flag that must be set).
CHANGES = (
    ("mprotect", 0, 1, None, 0),
    ("munmap", 0, 1, None, 0),
    ("madvise", 0, 1, None, 0),
    ("mremap", 0, 1, None, 0),
    ("mremap", 4, 2, 3, MREMAP_FIXED),
    ("mmap", 0, 1, 3, MAP_FIXED),
)


class _Jump(NamedTuple):
    """An instruction that goes to a label if its comparison holds, else to another label or the next instruction."""

    code: int
    operand: int
    yes: str | None = None
    no: str | None = None


def compile_filter(first: int, last: int) -> Program:
    """Compile a filter for the range of whole pages from the address `first` up to `last`."""
    lines: list[str | tuple[int, int] | _Jump] = []
    for index, (name, place, length, flags, flag) in enumerate(CHANGES):
        number, end = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name), f"after {index}"
        lines += [(LOAD, 0), _Jump(EQUAL, number, no=end)]
        if flags is not None:
            lines += [(LOAD, _low(flags)), _Jump(ANY_BIT, flag, no=end)]
        lines += [*_overlaps(first, last, place, length, end), (RETURN, REFUSED), end]
    return Program(_assembled([*lines, (RETURN, ALLOWED)]), ())


def _low(argument: int) -> int:
    return FIRST_ARGUMENT + 8 * argument


def _overlaps(first: int, last: int, place: int, length: int, outside: str) -> Iterator[str | tuple[int, int] | _Jump]:
    """Go on if a mapping reaches into the range, else to `outside`. Lengths need no rounding: `first` begins a page."""
    low, high = _low(place), _low(place) + 4
    inside = f"in front of {outside}"
    yield from _not_below(last, low, high, outside, f"begins before the end: {outside}")
    yield f"begins before the end: {outside}"
    yield from _not_below(first, low, high, inside, f"begins before: {outside}")
    # It begins before the range, so its length must not exceed the distance: first - place, in two halves.
    yield f"begins before: {outside}"
    yield from ((LOAD, high), (AND, UNTAGGED), (TO_X, 0), (LOAD_NUMBER, first >> 32), (SUBTRACT_X, 0), (KEEP, 1))
    yield from ((LOAD, low), (TO_X, 0), (LOAD_NUMBER, first & LOW), (SUBTRACT_X, 0), (KEEP, 0), (FROM_X, 0))
    yield _Jump(GREATER, first & LOW, no=f"no borrow: {outside}")
    yield from ((LOAD_KEPT, 1), (SUBTRACT, 1), (KEEP, 1))
    yield f"no borrow: {outside}"
    yield from ((LOAD_KEPT, 1), (TO_X, 0), (LOAD, _low(length) + 4))
    yield _Jump(GREATER_X, 0, yes=inside)
    yield _Jump(EQUAL_X, 0, no=outside)
    yield from ((LOAD_KEPT, 0), (TO_X, 0), (LOAD, _low(length)))
    yield _Jump(GREATER_X, 0, no=outside)
    yield inside


def _not_below(address: int, low: int, high: int, yes: str, no: str) -> Iterator[tuple[int, int] | _Jump]:
    yield from ((LOAD, high), (AND, UNTAGGED))
    yield _Jump(GREATER, address >> 32, yes=yes)
    yield _Jump(EQUAL, address >> 32, no=no)
    yield (LOAD, low)
    yield _Jump(AT_LEAST, address & LOW, yes=yes, no=no)


def _assembled(lines: list[str | tuple[int, int] | _Jump]) -> bytes:
    places: dict[str, int] = {}
    program: list[tuple[int, int] | _Jump] = []
    for line in lines:
        if isinstance(line, str):
            places[line] = len(program)
        else:
            program.append(line)
    code = b""
    for index, instruction in enumerate(program, start=1):
        yes = no = 0
        if isinstance(instruction, _Jump):
            yes, no = (places[label] - index if label else 0 for label in (instruction.yes, instruction.no))
        code += struct.pack(INSTRUCTION, instruction[0], yes, no, instruction[1])
    return code
