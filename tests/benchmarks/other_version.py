"""The engine of any version of this project, warm, with two slots.

Started as ``other_version.py FOLDER CACHE``. For each line that it reads it prints a number. For
``cost ASSIGNMENT FILE``, the CPU seconds of one grade, all processes included; for ``two-slots ASSIGNMENT FILE``, how
many grades a second two slots do.
"""

import inspect
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, sys.argv[1])

from grader import Submission, grade, load_assignments  # of that folder
from grader.sandbox import ForkSandbox
from reference import ReferenceStore

ASSIGNMENTS = load_assignments()
# Versions before 1.1 ask the same of everybody.
SEED = {"seed": bytes(32)} if "seed" in inspect.signature(grade).parameters else {}
GRADES = 12
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(sandbox: ForkSandbox) -> float:
    total = time.process_time()
    for warm in sandbox.pids():
        # An older version forks runs from the warm process itself, and has no template.
        templates = Path(f"/proc/{warm}/task/{warm}/children").read_text().split()
        for pid in (warm, *templates):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15])) / TICKS
    return total


def cost(sandbox: ForkSandbox, references: ReferenceStore, assignment: str, path: str) -> float:
    before = cpu_seconds(sandbox)
    submission = Submission(Path(path).name, Path(path).read_bytes())
    report = grade(submission, ASSIGNMENTS[assignment], **SEED, sandbox=sandbox, references=references)
    assert report.points == 100
    return cpu_seconds(sandbox) - before


def throughput(sandbox: ForkSandbox, references: ReferenceStore, assignment: str, path: str) -> float:
    def several(count: int) -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda _: cost(sandbox, references, assignment, path), range(count)))

    several(2)
    started = time.monotonic()
    several(GRADES)
    return GRADES / (time.monotonic() - started)


def main() -> None:
    references = ReferenceStore(Path(sys.argv[2]))
    # With one slot, because the CPU of a warm process that starts meanwhile would be taken for that of a grade.
    with ForkSandbox(1) as one, ForkSandbox(2) as two:
        for line in sys.stdin:
            order, assignment, path = line.split()
            if order == "cost":
                print(cost(one, references, assignment, path), flush=True)
            else:
                print(throughput(two, references, assignment, path), flush=True)


main()
