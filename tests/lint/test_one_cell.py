"""Files whose code says LSTM: those of its own room, `reference/lstm`, and others for the reasons below."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"\bLSTM(Cell)?\b")

#: Why a file outside of the room names it -> the files.
REASONS = {
    "the product, its exercise, and examples of names": """
        app/actions/courses.py app/api/endpoints/submissions.py app/api/openapi.py app/api/schemas/submissions.py
        app/client/notebook.py
        app/main.py app/submissions/uploads.py
        grader/__init__.py grader/batch/collect.py grader/cli.py grader/handout.py grader/known_answer.py
    """,
    "the contract: the class has this name, and the course's cell has the other": """
        grader/checks/contract.py grader/checks/generalisation.py grader/diagnosis/outcomes.py
        grader/report/reproduction.py grader/reporting/advisories.py
        grader/runner/driver/construction/objects.py grader/runner/driver/construction/other_kinds.py
        grader/runner/driver/construction/student_definition.py grader/runner/driver/importing.py
        grader/runner/driver/notebook/watch.py grader/runner/driver/student/student_module.py
        grader/runner/reader/facts/class_facts.py grader/runner/reader/module_text.py
        grader/runner/reader/plan/statement_plan.py grader/runner/reader/plan/statement_rules.py
        grader/runner/reader/upload.py grader/runner/supplied_cell.py
    """,
    "the ready-made layer, which is compared with, taken away, or looked for": """
        grader/diagnosis/near_names.py grader/runner/driver/built_in/no_kernels.py
        grader/runner/driver/notebook/notebook_run.py grader/runner/driver/warming.py
        grader/runner/reader/facts/call_effects.py grader/runner/reader/facts/gradient_paths.py
        grader/runner/reader/use_plan.py
    """,
}


def test_only_listed_files_outside_of_its_room_name_the_cell() -> None:
    files = {
        str(file.relative_to(ROOT))
        for room in ("app", "grader", "reference")
        for file in (ROOT / room).rglob("*.py")
        if NAME.search(file.read_text(encoding="utf-8"))
    }
    outside = {file for file in files if not file.startswith("reference/lstm/")}
    listed = [file for files in REASONS.values() for file in files.split()]
    assert outside == set(listed)
    assert len(listed) == len(set(listed))
