"""Submissions that look for memory: more than their share, or what somebody else has in it."""

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from grader.assignment import load_assignments
from grader.sandbox import ForkSandbox
from reference import ReferenceStore
from tests.processes import runs

LIMIT = 768 << 20
MAP = "(lambda protection, flags, size=2 << 30: syscall('mmap', 0, size, protection, flags, -1, 0))"
# (protection, flags): kinds of memory that a limit on private writable memory does not see.
REFUSED = {
    "shared": (3, 0x21),
    "shared, to be opened later": (0, 0x21),
    "shared and validated": (3, 0x23),
    "droppable": (3, 0x28),
    "growing down": (3, 0x122),
    "huge pages": (3, 0x40022),
    "huge pages of 1 GiB": (3, 0x22 | 30 << 26 | 0x40000),
    "locked": (3, 0x2022),
    "nothing at all": (3, 0x20),
}
# Kinds that it sees: as much as nobody has.
COUNTED = {
    "private": (3, 0x22),
    "without reserve": (3, 0x4022),
    "populated at once": (3, 0x8022),
    "a stack": (3, 0x20022),
    "below 4 GiB": (3, 0x62),
    "to be run": (7, 0x22),
}

BOMBS = {
    "page tables": """
        libc = ctypes.CDLL(None)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
        while True:
            start = libc.mmap(None, 1 << 39, 1, 0x4022, -1, 0)
            for offset in range(0, 1 << 39, 2 << 20): ctypes.c_ubyte.from_address(start + offset).value
        """,
    "stacks of threads": """
        threading.stack_size(32 << 20)
        def fill():
            junk = ctypes.create_string_buffer(1)
            ctypes.memset(ctypes.addressof(junk) - (30 << 20), 1, 30 << 20)
            time.sleep(1000)
        for _ in range(1000): threading.Thread(target=fill, daemon=True).start()
        """,
    "mapped files": """
        held = []
        for number in range(10 ** 9):
            file = open(f'{number}', 'w+b')
            file.truncate(16 << 20)
            held.append(mmap.mmap(file.fileno(), 16 << 20))
            for offset in range(0, 16 << 20, 4096): held[-1][offset] = 1
        """,
    "a regular expression": "import re\nre.compile('(?:' * 10 ** 6)",
    "compiled code": "compile('x,' * 10 ** 8, 'x', 'eval')",
}


# Memory of the kernel, which no figure of a process counts: the submission says itself how much it got.
PIPES = """
    held, size = [], 0
    try:
        while True:
            held.append(os.pipe())
            os.set_blocking(held[-1][1], False)
            try:
                while True: size += os.write(held[-1][1], bytes(65536))
            except BlockingIOError: pass
    except OSError:
        print(size)
        raise
    """


def _sizes(pid: int) -> dict[str, int]:
    """The figures of a process in bytes; none of one that has ended."""
    figures = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {figure[0].rstrip(":"): int(figure[1]) * 1024 for figure in figures if figure[2:] == ["kB"]}


def _growth(sandbox: ForkSandbox) -> Iterator[int]:
    """Yield the memory that each run has, or once had, beyond that of the warm process that it is a copy of."""
    for warm in sandbox.pids():
        for run in runs(warm):
            has, began_with = _sizes(run), _sizes(warm)
            if has:
                libraries = min(has["RssFile"], began_with["RssFile"])
                inherited = sum(began_with[name] for name in ("RssAnon", "RssShmem", "VmPTE"))
                yield has["VmHWM"] - libraries + has["VmPTE"] + has["VmSwap"] - inherited


@pytest.fixture
def grown(sandbox: ForkSandbox) -> Iterator[Callable[[], int]]:
    """Tells how much memory of its own a run has had at most since the last time. Other programs do not count."""
    seen, ended = [0], []

    def watch() -> None:
        while not ended:
            with contextlib.suppress(OSError):  # a run ends while it is looked at
                seen.extend(_growth(sandbox))
            time.sleep(0.02)  # Sleeps: memory is sampled.

    def most() -> int:
        nonlocal seen
        found, seen = seen, [0]
        return max(found)

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        yield most
        ended.append(True)
        watching.result()


def test_memory_that_no_limit_counts_cannot_be_had(probe):
    maps = {name: f"{MAP}({protection}, {flags})" for name, (protection, flags) in REFUSED.items()}
    others = {
        "memfd": "syscall('memfd_create', b'x', 0)",
        "secret memory": "syscall('memfd_secret', 0)",
        "System V": "syscall('shmget', 0, 1 << 30, 0o1600)",
        "locked": "syscall('mlockall', 3)",
    }
    files = {
        "/dev/shm": "open('/dev/shm/x', 'w')",
        "POSIX": "ctypes.CDLL('librt.so.1').shm_open and open('/dev/shm/y', 'x')",
    }
    results = probe(maps | others | files)
    assert results == dict.fromkeys(results, "EPERM") | dict.fromkeys(files, "EACCES")


def test_memory_that_is_counted_ends_at_the_limit(probe):
    results = probe({name: f"{MAP}({protection}, {flags})" for name, (protection, flags) in COUNTED.items()})
    assert results == dict.fromkeys(results, "ENOMEM")


def test_memory_cannot_be_moved_out_of_sight(probe):
    advice = "fresh = %s; syscall('madvise', fresh, 4096, %d)"
    results = probe(
        {str(number): advice % (f"{MAP}(3, 0x22, 4096)", number) for number in (4, 9, 12, 14, 18, 20, 21, 100)}
    )
    assert results == dict.fromkeys(results, "EPERM") | {"4": "done", "14": "done"}


def test_reserved_memory_cannot_be_made_writable_later(probe):
    """Reserving address space is free, and libraries do it. Using it is not."""
    later = "address = %s; syscall('mprotect', address, 2 << 30, 3)"
    results = probe(
        {
            "readable": later % f"{MAP}(1, 0x22)",
            "closed": later % f"{MAP}(0, 0x22)",
            "grown": f"syscall('mremap', {MAP}(3, 0x22, 4096), 4096, 2 << 30, 1)",
            "the heap": "syscall('brk', syscall('brk', 0) + (2 << 30)) ; raise MemoryError",
            "a thread with a huge stack": "threading.stack_size(2 << 30); threading.Thread(target=print).start()",
        }
    )
    assert results == {
        "readable": "ENOMEM",
        "closed": "ENOMEM",
        "grown": "ENOMEM",
        "the heap": "MemoryError",
        "a thread with a huge stack": "RuntimeError",
    }


def test_no_bomb_takes_much_more_than_the_limit(attack, grown):
    for name, bomb in BOMBS.items():
        report = attack(call=bomb, memory_bytes=LIMIT, cpu_seconds=3)
        assert report.status in ("memory_limit", "runtime_error", "output_limit", "time_limit"), name
        assert report.points == 0, name
        # The rest is what fits between two looks of the supervisor.
        assert grown() < 1.5 * LIMIT, name


def test_memory_beyond_a_limit_would_be_seen(attack, grown):
    """The witness: under a limit that is twice as high the same is measured as too much."""
    junk = "junk = []\nwhile True: junk.append(np.ones(1 << 22))"
    # A busy host needs seconds of CPU time for so many pages.
    report = attack(call=junk, memory_bytes=2 * LIMIT, cpu_seconds=30)
    assert (report.status, report.points) == ("memory_limit", 0)
    assert grown() > 1.5 * LIMIT


def test_pipes_hold_little(attack, assignment):
    report = attack(call=PIPES)
    assert (report.status, report.points) == ("runtime_error", 0)
    sizes = [int(size) for size in report.output.stdout.split()]
    assert 0 < max(sizes) <= assignment.limits.open_files * 65536


def test_no_memory_is_shared_between_runs(sandbox, graded, written):
    """Memory that a warm process shares would be shared with all its runs, and by them with each other."""
    graded(written())
    for pid in sandbox.pids():
        maps = [line.split()[1] for line in Path(f"/proc/{pid}/maps").read_text().splitlines()]
        assert [permissions for permissions in maps if permissions[1] == "w" and permissions[3] == "s"] == []


def test_no_run_holds_what_an_earlier_one_has_named(graded, written, neighbour):
    """Their supervisor reads names, and has them in its memory afterwards."""
    word = os.urandom(8).hex()
    named = f"for number in range(900): os.mkdir(f'{word}{{number:03}}' * 10)"
    assert graded(written(class_body=named)).points == 100
    with neighbour() as run:
        found = _search_run(run.pid, [word.encode()])
    assert found == []


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_no_warm_process_holds_a_secret_of_the_service(sandbox, graded, canary, references, written):
    """Neither the token in the service's environment nor an expected answer is in what runs are copied from."""
    graded(written())
    secrets = [canary.encode(), *_expected_bytes(references)]
    assert {pid: _search(pid, secrets) for pid in sandbox.pids()} == {pid: [] for pid in sandbox.pids()}


def test_no_run_holds_a_secret_of_the_service(canary, references, neighbour):
    secrets = [canary.encode(), *_expected_bytes(references)]
    with neighbour() as run:
        assert _search_run(run.pid, secrets) == []


def test_a_run_finds_no_secret_in_what_python_holds(attack, canary):
    digest = hashlib.sha256(canary.encode()).hexdigest()
    report = attack(
        class_body=f"""
        import gc, hashlib
        digest = hashlib.sha256
        os.environ['PLANTED'] = 'y' * {len(canary)}
        found = [os.environ.get('CANARY_TOKEN', ''), *os.environ.values(), *sys.orig_argv]
        for holder in gc.get_objects():
            if type(holder) is dict: found += [*holder, *holder.values()]
            elif type(holder) in (list, tuple): found += [*holder]
        digests = set()
        for text in found:
            if type(text) is str and len(text) == {len(canary)}:
                digests.add(digest(text.encode('utf-8', 'replace')).hexdigest())
        print(digest(b'y' * {len(canary)}).hexdigest() in digests, {digest!r} in digests)
        """
    )
    assert report.output.stdout.split() == ["True", "False"]


def _expected_bytes(references: ReferenceStore) -> list[bytes]:
    """Part of every expected answer, as it would lie in memory."""
    assignment = load_assignments()["lstm-layer"]
    cases = references.load([case.spec() for case in assignment.cases], digest=assignment.digest)
    return [np.ascontiguousarray(case.expected).tobytes()[-64:] for case in cases]


def _search_run(pid: int, needles: list[bytes]) -> list[bytes]:
    """Return those that are in the memory of a neighbour. Its own word is the witness that this is what to search."""
    word = b"a word of this submission"
    try:
        found = _search(pid, [word, *needles])
    except PermissionError:
        pytest.skip("only root with all its rights can look into the memory of a run")
    assert word in found
    return [needle for needle in found if needle != word]


def _search(pid: int, needles: list[bytes]) -> list[bytes]:
    """Return those of `needles` that are in the readable private memory of a process."""
    found = []
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            span, permissions, *_ = line.split()
            if not permissions.startswith("rw") or "[v" in line:
                continue
            start, end = (int(edge, 16) for edge in span.split("-"))
            try:
                content = os.pread(memory.fileno(), end - start, start)
            except OSError:
                continue
            found += [needle for needle in needles if needle in content]
    return sorted(set(found))
