"""Parts of the lockdown that a whole box shows only on large hosts. For the rest see tests/containment/wall."""

import subprocess
import sys
from pathlib import Path

import pytest

RUNNER = Path(__file__).parents[3] / "grader" / "runner"

ARRANGE = """
import os, sys
sys.path.insert(0, {runner!r})
import lockdown

os.dup2(1, 290)
received = {numbers}
for wanted in received:
    os.dup2(os.memfd_create(str(wanted)), 280 + wanted)
for wanted, number in received.items():
    os.dup2(280 + wanted, number)
lockdown._arrange_descriptors(received | {{5: 290}})
names = {{}}
for fd in range(300):
    try:
        names[fd] = os.readlink(f"/proc/self/fd/{{fd}}")
    except OSError:
        pass
os.write(5, repr(names).encode())
"""


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param({1: 11, 2: 12, 3: 13, 4: 14}, id="free numbers"),
        pytest.param({1: 4, 2: 3, 3: 2, 4: 1}, id="each other's numbers"),
        pytest.param({1: 104, 2: 103, 3: 102, 4: 101}, id="high numbers, on a host with many runs"),
        pytest.param({1: 250, 2: 10, 3: 200, 4: 3}, id="here and there"),
    ],
)
def test_descriptors_arrive_at_their_numbers_and_no_other_is_left_open(numbers):
    code = ARRANGE.format(runner=str(RUNNER), numbers=numbers)
    printed = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True).stdout
    names = eval(printed)  # what our own code printed
    assert {fd: name for fd, name in names.items() if fd in numbers} == {fd: f"/memfd:{fd} (deleted)" for fd in numbers}
    assert names[0] == "/dev/null"
    assert set(names) == {0, 1, 2, 3, 4, 5}
