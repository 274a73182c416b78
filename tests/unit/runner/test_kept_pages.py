"""The filter that keeps pages: its program is run here as the kernel would, instruction by instruction."""

import struct

import kept_pages
import pyseccomp
import pytest
from hypothesis import given
from hypothesis import strategies as st

PAGE = 4096
# Its end has other upper 32 bits than its beginning.
FIRST, LAST = 0x7F3A_FFFF_E000, 0x7F3B_0000_5000
PROGRAM = kept_pages.compile_filter(FIRST, LAST).code
CALLS = ("mprotect", "munmap", "madvise", "mremap", "mmap")
MASK = 0xFFFFFFFF


def _answer(name: str, *arguments: int) -> int:
    """The answer of the program to a call: classic BPF, as linux/filter.h describes it."""
    number = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name)
    data = struct.pack("=IIQ6Q", number, 0, 0, *arguments, *[0] * (6 - len(arguments)))
    code = list(struct.iter_unpack("=HBBI", PROGRAM))
    at, a, x, kept = 0, 0, 0, [0] * 16
    while True:
        operation, yes, no, k = code[at]
        at += 1
        kind, operand = operation & 7, x if operation & 8 else k
        if operation == 0x20:
            (a,) = struct.unpack_from("=I", data, k)
        elif kind == 0:
            a = kept[k] if operation == 0x60 else k
        elif kind == 2:
            kept[k] = a
        elif kind == 4:
            a = (a - operand if operation & 0xF0 == 0x10 else a & operand) & MASK
        elif kind == 5:
            holds = {0x10: a == operand, 0x20: a > operand, 0x30: a >= operand, 0x40: bool(a & operand)}
            at += yes if holds[operation & 0xF0] else no
        elif kind == 7:
            a, x = (x, x) if operation == 0x87 else (a, a)
        else:
            return k


def _refused(name: str, *arguments: int) -> bool:
    answer = _answer(name, *arguments)
    assert answer in (kept_pages.ALLOWED, kept_pages.REFUSED)
    return answer == kept_pages.REFUSED


def _reaches(place: int, length: int) -> bool:
    return place < LAST and place + max(length, 1) > FIRST


near = st.integers(-64, 64).flatmap(lambda pages: st.sampled_from([FIRST + pages * PAGE, LAST + pages * PAGE]))
far = st.integers(0, (1 << 47) // PAGE).map(lambda page: page * PAGE)
lengths = st.one_of(
    st.integers(0, 200 * PAGE), st.integers(0, (1 << 64) - 1), near.map(lambda place: place % (1 << 47))
)


@given(st.sampled_from(CALLS[:4]), st.one_of(near, far), lengths)
def test_a_change_is_refused_exactly_where_it_reaches_into_the_range(name, place, length):
    assert _refused(name, place, length) == _reaches(place, length)


@given(st.one_of(near, far), lengths, st.one_of(near, far), lengths)
def test_pages_cannot_be_moved_away_or_onto_it(old, old_length, new, new_length):
    away, onto = _reaches(old, old_length), _reaches(new, new_length)
    assert _refused("mremap", old, old_length, new_length, 3, new) == (away or onto)
    assert _refused("mremap", old, old_length, new_length, 1, new) == away


@given(st.one_of(near, far), lengths)
def test_only_a_map_at_a_fixed_address_is_asked_for_it(place, length):
    assert _refused("mmap", place, length, 3, 0x32) == _reaches(place, length)
    assert not _refused("mmap", place, length, 3, 0x22)


@pytest.mark.parametrize("tag", [0x01, 0x7E, 0xFF])
@pytest.mark.parametrize("name", CALLS[:4])
def test_a_tag_in_the_upper_byte_of_an_address_hides_nothing(name, tag):
    assert _refused(name, FIRST | tag << 56, PAGE)
    assert not _refused(name, LAST | tag << 56, PAGE)


def test_a_length_that_wraps_round_is_refused():
    assert _refused("munmap", FIRST - PAGE, (1 << 64) - PAGE)


@pytest.mark.parametrize("name", ["read", "write", "brk", "poll", "futex"])
def test_other_calls_are_none_of_its_business(name):
    assert not _refused(name, FIRST, PAGE)
