"""The file that students begin with, made from an assignment."""

import ast
import json

import pytest

from grader import handout
from grader.assignment import Assignment, load_assignments
from grader.report.messages import LANGUAGES

ASSIGNMENTS = load_assignments()
WHOLE = pytest.mark.parametrize("assignment", ASSIGNMENTS.values(), ids=ASSIGNMENTS)


def code_of(assignment: Assignment, language: str) -> str:
    cells = json.loads(handout.notebook(assignment, language))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


@WHOLE
@pytest.mark.parametrize("language", LANGUAGES)
def test_notebook_and_module_hold_the_same_code_with_the_sizes_of_the_exercise(assignment, language):
    code = ast.dump(ast.parse(code_of(assignment, language)))
    assert ast.dump(ast.parse(handout.module(assignment, language))) == code
    assert f"SEQ_LEN = {assignment.cases[0].timesteps} " in code_of(assignment, language)
    notebook = json.loads(handout.notebook(assignment, language))
    assert assignment.title[language] in notebook["cells"][0]["source"][0]
    assert notebook["nbformat_minor"] == 5  # Versions before 4.5 have no ids of cells.


@WHOLE
def test_every_language_has_the_same_code_but_for_the_words(assignment):
    shapes = set()
    for language in LANGUAGES:
        tree = ast.parse(code_of(assignment, language))
        for node in ast.walk(tree):
            if isinstance(node, ast.Raise):
                node.exc = None
        shapes.add(ast.dump(tree))
    assert len(shapes) == 1


def test_only_an_assignment_with_task_2_has_its_cells():
    has_it = {id: "get_weights" in code_of(assignment, "en") for id, assignment in ASSIGNMENTS.items()}
    assert has_it == {"lstm-layer": False, "lstm-notebook": True}


def test_other_sizes_and_a_title_with_signs_of_templates_are_taken_as_they_are(assignment):
    first = assignment.cases[0].model_copy(update={"timesteps": 7})
    changed = assignment.model_copy(update={"cases": [first, *assignment.cases[1:]], "title": {"en": "$batch {x}"}})
    module = handout.module(changed, "ru").decode()
    assert "SEQ_LEN = 7 " in module
    assert module.startswith("# # $batch {x}\n")
