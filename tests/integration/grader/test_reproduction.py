"""The script for Colab, run by a Python of its own with TensorFlow: it prints the numbers that the report gave."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from grader.assignment import load_assignments
from grader.report.reproduction import ROLES, reproduction

CORPUS = Path(__file__).parents[2] / "corpus" / "lstm_layer"


@pytest.mark.thorough
def test_the_script_prints_the_errors_that_the_report_gives(tmp_path: Path) -> None:
    """`wrong_swap_if` is off by 0.38628 on the exercise's own input, first by 0.16248 where 0.11137 is expected."""
    roles = {role: f"lstm_cell.{role}" for role in ROLES}
    script = reproduction(load_assignments()["lstm-layer"], "3", roles).source
    submission = (CORPUS / "wrong_swap_if" / "submission.py").read_text(encoding="utf-8")
    notebook = tmp_path / "notebook.py"
    notebook.write_text(f"import numpy as np\nimport tensorflow as tf\n{submission}\n{script}", encoding="utf-8")
    run = subprocess.run([sys.executable, str(notebook)], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr[-2000:]
    numbers = re.search(r"largest difference: (\S+)\nyours:    \[(\S+) .*\nexpected: \[(\S+) ", run.stdout)
    assert numbers, run.stdout
    assert [float(number) for number in numbers.groups()] == pytest.approx([0.38628, 0.162480, 0.111370], abs=1e-5)
