"""Memory that a process of the service gives back to the system."""

import subprocess
import sys

import pytest

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
def test_memory_of_large_uploads_is_given_back(call: str, is_back: bool) -> None:
    script = UPLOADS.format(call=call)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (int(done.stdout) < 10) == is_back
