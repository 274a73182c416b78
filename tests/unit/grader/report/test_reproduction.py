"""The script for Colab: it asks the same question, fills the student's own parts, and carries nothing it should not."""

import ast

import pytest

from grader.report.reproduction import ROLES, reproduction
from tests.unit.grader.make_reports import ASSIGNMENT


def source(roles: dict[str, str], generation: str = "3") -> str:
    script = reproduction(ASSIGNMENT, generation, roles).source
    ast.parse(script)
    return script


def test_the_script_makes_the_public_case() -> None:
    script = source({})
    assert f"default_rng({ASSIGNMENT.cases[0].seed})" in script
    assert "tf.keras.layers.LSTM(\n    32," in script
    for hidden in ASSIGNMENT.cases[1:]:
        assert str(hidden.seed) not in script


def test_the_weights_go_where_the_grader_found_their_places() -> None:
    script = source({role: f"cell.gates['{role}'].w[0]" for role in ROLES})
    assert "\"XI\": model.cell.gates['fcXI'].w[0]," in script
    assert "lstm_cell" not in script


def test_names_of_other_alphabets_are_names() -> None:
    assert '"HO": model.ячейка.выход,' in source({role: f"ячейка.{role}" for role in ROLES} | {"fcHO": "ячейка.выход"})


@pytest.mark.parametrize(
    "place",
    [
        "__import__('os').system('id')",
        "a; import os",
        "a\nimport os",
        "d['x'] or print(1)",
        "d['a\\'b']",
        "a.b()",
        "a\u2028b",
        "",
        "1a",
        "a..b",
        "a[-1]",
    ],
)
def test_a_place_that_is_more_than_attributes_gets_into_no_script(place: str) -> None:
    script = source({role: f"cell.{role}" for role in ROLES} | {"fcXI": place})
    assert script == source({})


@pytest.mark.parametrize("roles", [{}, dict.fromkeys(ROLES, "kernel"), {"fcXI": "cell.fcXI"}])
def test_without_eight_places_the_exercises_own_names_stand_there(roles: dict[str, str]) -> None:
    assert '"HO": model.lstm_cell.fcHO,' in source(roles)
    assert "put in yours" in source(roles)


def test_keras_2_is_chosen_before_tensorflow_is_imported() -> None:
    script = source({}, "2")
    assert script.index("TF_USE_LEGACY_KERAS") < script.index("import tensorflow")
