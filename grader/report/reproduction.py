"""A short script for Colab that asks the student's class the exercise's own question, with the same numbers.

The weights go where the grader found their places. A place is text from the box, and somebody will run the script. So
it is used only when it consists of attributes and indices and nothing else. The script stands in ``reproduction.txt``.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from string import Template

from grader.assignment import Assignment
from grader.report.model import Reproduction
from reference.lstm.weights import DENSE_LETTERS

SCRIPT = Template(Path(__file__).with_suffix(".txt").read_text(encoding="utf-8"))
PLACE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*|\[[0-9]{1,3}\]|\['\w{1,40}'\])*")
GATES = "".join(DENSE_LETTERS.values())
ROLES = [f"fc{array}{gate}" for array in "XH" for gate in GATES]
LEGACY = 'import os\nos.environ["TF_USE_LEGACY_KERAS"] = "1"  # Keras 2\n'


def reproduction(assignment: Assignment, generation: str, roles: Mapping[str, str]) -> Reproduction:
    """Write the public case as a script: the same seeded layer and input as `reference.lstm.keras_layer` makes.

    Args:
        roles: which of the student's attributes holds which weights, as in the report.
    """
    note, places = "# where the grader found them", [roles.get(role, "") for role in ROLES]
    if len(set(places)) < len(ROLES) or not all(map(PLACE.fullmatch, places)):
        note, places = "# the exercise's own names: put in yours", [f"lstm_cell.{role}" for role in ROLES]
    lines = (f'    "{role[2:]}": model.{place},' for role, place in zip(ROLES, places, strict=True))
    source = SCRIPT.substitute(
        assignment.cases[0].model_dump(),
        legacy=LEGACY if generation == "2" else "",
        gates=GATES,
        note=note,
        parts="\n".join(lines),
    )
    return Reproduction(language="python", source=source)
