"""Memory that goes back to the system, and a collector that rests in a block and works after it."""

import contextlib
import gc
import subprocess
import sys
import weakref

import pytest

from app.operations.collecting import not_collecting

# Prints the MB that a process holds after its threads have freed some large uploads.
UPLOADS = """
import re, threading
from pathlib import Path
from app.operations.memory import return_large_blocks

def megabytes():
    return int(re.search(r"RssAnon:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024

def handle_upload():
    for _ in range(3):
        content = b"x" * 17_000_000
        del content
        together.wait()

{call}
together = threading.Barrier(4)
before = megabytes()
threads = [threading.Thread(target=handle_upload) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(megabytes() - before)
"""


@pytest.mark.parametrize(("call", "is_back"), [("return_large_blocks()", True), ("", False)])
def test_memory_of_large_uploads_is_given_back(call, is_back):
    script = UPLOADS.format(call=call)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (int(done.stdout) < 10) == is_back


class Ring:
    """Refers to itself, so that only the collector ends it."""

    def __init__(self) -> None:
        self.me = self


def test_collector_rests_in_the_block_only_even_if_it_fails():
    with contextlib.suppress(OSError), not_collecting():
        assert not gc.isenabled()
        raise OSError("no such port")
    assert gc.isenabled()


def test_only_objects_of_the_block_are_kept():
    with not_collecting():
        kept = weakref.ref(Ring())
    later = weakref.ref(Ring())
    gc.collect()
    assert kept() is not None
    assert later() is None
