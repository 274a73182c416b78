"""Files outside of the LSTM's room, `reference/lstm`, that say its name, write its formulas or import from it."""

import re
import runpy
from pathlib import Path

import pytest

from reference.lstm.definition import CELL
from reference.lstm.weights import DENSE_LETTERS

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"\bLSTM(Cell)?\b")
#: A gate times what it scales, in any spelling, and a tanh that is undone.
TIMES = r"(?:_\w+)?['\"\])]* ?(?:[*·⊙]|\\odot) ?(?:\w+[.\[]['\"]?)*"
SCALED = {"f(?:orget)?": r"c(?:_\w+)?\b", "c": r"f\b", "i": r"(?:g|ch|candidate)(?:_\w+)?\b", r"o(?:ut\w*)?": "tanh"}
FORMULA = re.compile("|".join([*(rf"\b{gate}{TIMES}{scaled}" for gate, scaled in SCALED.items()), r"arctanh\("]))
IMPORT = re.compile(r"^from reference(?:\.lstm\b| import .*\b(?:GATES|LSTM\w+|lstm_\w+|split_gates)\b)", re.MULTILINE)

#: Why a file outside of the room names it -> the files.
REASONS = {
    "the product, its exercise, and examples of names": """
        app/actions/courses.py app/api/endpoints/submissions.py app/api/openapi.py app/api/schemas/work.py
        app/client/notebook.py
        app/main.py app/submissions/uploads.py app/web/static/style.css app/web/templates/manage/token_made.html
        grader/__init__.py grader/batch/collect.py grader/cli.py grader/handout.py grader/known_answer.py
        grader/assignments/lstm-layer.toml grader/assignments/lstm-notebook.toml
        grader/handouts/lstm.en.txt grader/handouts/lstm.ru.txt
    """,
    "the contract: the class has this name, and the course's cell has the other": """
        grader/checks/contract.py grader/checks/generalisation.py grader/diagnosis/missing_names.py
        grader/diagnosis/outcomes.py
        grader/reporting/advisories.py
        grader/runner/driver/construction/objects.py grader/runner/driver/construction/other_kinds.py
        grader/runner/driver/construction/student_definition.py grader/runner/driver/importing.py
        grader/runner/driver/notebook/watch.py grader/runner/driver/student/student_module.py
        grader/runner/reader/facts/class_facts.py grader/runner/reader/module_text.py
        grader/runner/reader/plan/statement_plan.py grader/runner/reader/plan/statement_rules.py
        grader/runner/reader/upload.py grader/runner/supplied_cell.py
    """,
    "the ready-made layer, which is compared with, taken away, or looked for": """
        grader/diagnosis/near_names.py grader/report/reproduction.txt grader/runner/driver/built_in/no_kernels.py
        grader/runner/driver/notebook/model_weights.py grader/runner/driver/notebook/notebook_run.py
        grader/runner/driver/warming.py
        grader/runner/reader/facts/call_effects.py grader/runner/reader/facts/gradient_paths.py
        grader/runner/reader/use_plan.py
    """,
}


#: The same for formulas.
FORMULAS = {
    "code that students read and run; tests/unit/runner/test_formulas.py compares it with the definition": (
        "grader/runner/supplied_cell.py"
    ),
    "known mistakes, whose names are formulas": "grader/diagnosis/mistakes.py",
    "how a tanh is undone where a formula is solved": "reference/cell.py",
    "the right terms, among those of other formulas": "grader/numerics/formula_fitting.py",
    "its form in a syntax tree": "grader/runner/reader/parts/update_parts.py",
    "examples in words": """
        grader/locale/en.po grader/locale/ru.po grader/numerics/visible_parts.py grader/numerics/written_formulas.py
        grader/report/proof/calculation.py grader/reporting/proof.py
    """,
}


CODE = (".py", ".txt", ".html", ".css", ".js", ".toml")


def outside_of_its_room(pattern: re.Pattern[str], *suffixes: str) -> set[str]:
    files = {
        str(file.relative_to(ROOT))
        for room in ("app", "grader", "reference")
        for file in (ROOT / room).rglob("*")
        if file.suffix in suffixes and pattern.search(file.read_text(encoding="utf-8"))
    }
    return {file for file in files if not file.startswith("reference/lstm/")}


@pytest.mark.parametrize(
    ("found", "reasons"),
    [
        (outside_of_its_room(NAME, *CODE), REASONS),
        (outside_of_its_room(FORMULA, *CODE, ".po"), FORMULAS),
    ],
    ids=["name", "formulas"],
)
def test_only_listed_files_outside_of_its_room_have_it(found: set[str], reasons: dict[str, str]) -> None:
    listed = [file for files in reasons.values() for file in files.split()]
    assert found == set(listed)
    assert len(listed) == len(set(listed))


def test_map_lists_what_imports_the_room() -> None:
    section = re.search(r"(?ms)^## What a second exercise.*?^## ", (ROOT / "docs" / "architecture.md").read_text())
    assert section is not None
    listed = re.findall(r"`((?:app|grader|reference)/[\w/.]+)`", section[0])
    assert [file for file in outside_of_its_room(IMPORT, ".py") if not file.startswith(tuple(listed))] == []


def test_box_calls_gates_as_the_room_does() -> None:
    """It imports nothing of ours."""
    words = runpy.run_path(str(ROOT / "grader" / "runner" / "gate_words.py"))
    assert words["NAMES"] == {letter: gate for gate, letter in DENSE_LETTERS.items()}
    assert words["GATES"] == "".join(DENSE_LETTERS[gate] for gate in CELL.gates)
