"""Numbers in a gate, and what stands in the place of h, are read off the answers."""

from dataclasses import replace

import numpy as np
import pytest

from grader.numerics.gate_mistakes import HEARD_VALUES, hears
from grader.numerics.gate_values import function_of
from reference.lstm.misconceptions import Mistake
from reference.lstm.misconceptions.treatments import norm
from tests.tiers import sampled_pairs
from tests.unit.grader.numerics.conftest import making

NAMES = {"i": "I", "f": "F", "g": "C", "o": "O"}


def _act(gates, function):
    return Mistake("", "odd", {f"act.{g}": (lambda z, g=g: function(function_of(g), z)) for g in gates}, frozenset())


def _told(found):
    (mistake,) = found.mistakes
    return mistake.code, {name: value for name, value in mistake.params.items() if name != "gates"}


ODD = {
    "2z": (lambda f, z: f(2 * z), {"variant": "inside_factor", "value": 2.0}),
    "z/sqrt(32)": (lambda f, z: f(z / 32**0.5), {"variant": "inside_factor", "value": pytest.approx(32**-0.5, 1e-4)}),
    "z-3": (lambda f, z: f(z - 0.3), {"variant": "inside_added", "value": -0.3}),
    "+0.5": (lambda f, z: f(z) + 0.5, {"variant": "added", "value": 0.5}),
    "+0.001": (lambda f, z: f(z) + 0.001, {"variant": "added", "value": 0.001}),
    "2a-0.1": (lambda f, z: 2 * f(z) - 0.1, {"variant": "line", "value": 2.0, "added": -0.1}),
    "0.7": (lambda f, z: np.full_like(z, 0.7), {"variant": "constant", "value": 0.7}),
    "squared": (lambda f, z: f(z) ** 2, {"variant": "power", "value": 2.0}),
    "clipped": (lambda f, z: np.clip(f(z), 0.2, 0.8), {"variant": "limits", "low": 0.2, "high": 0.8}),
    "clipped sum": (lambda f, z: f(np.clip(z, -1, 1)), {"variant": "limits_inside", "low": -1.0, "high": 1.0}),
    "rounded": (lambda f, z: np.round(f(z)), {"variant": "rounded"}),
}


@pytest.mark.parametrize(("name", "gate"), sampled_pairs(ODD, NAMES))
def test_arithmetic_in_one_gate_is_named_with_its_number(explained, gate, name):
    function, expected = ODD[name]
    found = explained(making(_act(gate, function)))
    if (gate, name) == ("f", "z-3"):
        assert _told(found) == ("forget_bias_extra", {"value": -0.3})
    else:
        assert _told(found) == ("gate_arithmetic", expected)
        assert found.mistakes[0].params["gates"] == [NAMES[gate]]
    assert gate not in found.right_parts
    assert len(found.right_parts) >= (2 if name in ("0.7", "rounded") else 4)


@pytest.mark.parametrize(
    ("slot", "change", "told"),
    [
        ("hold", lambda h: h + 0.1, ("epsilon_added", {"value": 0.1, "of": ["h"]})),
        ("keep", lambda c: c - 0.2, ("epsilon_added", {"value": -0.2, "of": ["c"]})),
        (
            "x_values",
            lambda given: replace(given, x=0.7 * given.x),
            ("input_transformed", {"factor": 0.7, "of": ["x"]}),
        ),
        ("x_values", lambda given: replace(given, x=given.x / 1.001**0.5), ("layer_norm", {"of": ["x"]})),
        ("hold", lambda h: h / 1.001**0.5, ("layer_norm", {"of": ["h"]})),
        ("values", lambda y, x: y / 1.001**0.5, ("layer_norm", {"of": ["answer"]})),
    ],
    ids=["h", "c", "x", *(f"{place} through BatchNormalization" for place in ("x", "h", "answer"))],
)
def test_a_number_in_a_state_or_in_x_is_found(explained, slot, change, told):
    assert _told(explained(making(Mistake("", "odd", {slot: change}, frozenset())))) == told


@pytest.mark.parametrize("gates", ["ifgo", "ifo"])
@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda f, z: f(2 * z), {"variant": "inside_factor", "value": 2.0}),
        (lambda f, z: f(z + 1), {"variant": "inside_added", "value": 1.0}),
        (lambda f, z: 0.5 * f(z), {"variant": "factor", "value": 0.5}),
        (lambda f, z: f(np.clip(z, -1, 1)), {"variant": "limits_inside", "low": -1.0, "high": 1.0}),
        # Beyond what most sums reach.
        (lambda f, z: f(np.clip(z, -2, 2)), {"variant": "limits_inside", "low": -2.0, "high": 2.0}),
    ],
)
def test_the_same_number_in_all_gates_is_found(explained, gates, function, expected):
    found = explained(making(_act(gates, function)))
    assert _told(found) == ("gate_arithmetic", expected)
    assert found.mistakes[0].params["gates"] == [NAMES[gate] for gate in gates]


@pytest.mark.parametrize("gates", ["i", "f", "g", "o", "ifgo", "ifo"])
def test_normalised_sums_are_named(explained, gates):
    found = explained(making(_act(gates, lambda f, z: f(norm(z, 1e-3)))))
    assert _told(found) == ("layer_norm", {"variant": "gates"})


@pytest.mark.parametrize(("heard", "gate"), sampled_pairs(HEARD_VALUES, NAMES))
def test_an_h_layer_that_is_given_something_else_is_named(explained, gate, heard):
    found = explained(making(hears(gate, heard, HEARD_VALUES[heard])))
    assert _told(found) == ("gate_hears_other", {"heard": heard})


@pytest.mark.parametrize(
    ("changes", "code", "params"),
    [
        ({"keep": lambda c: np.clip(c, -0.7, 0.7)}, "state_clipped", {"low": -0.7, "high": 0.7, "of": ["c"]}),
        ({"hold": lambda h: np.clip(h, -0.3, 0.3)}, "state_clipped", {"low": -0.3, "high": 0.3, "of": ["h"]}),
        ({"values": lambda y, x: np.clip(y, -0.3, 0.2)}, "state_clipped", {"low": -0.3, "high": 0.2, "of": ["answer"]}),
        ({"keep": lambda c: 0.9 * c}, "scaled", {"factor": 0.9, "of": ["c"]}),
        # The same numbers as with 0.99 times f.
        ({"pass_c": lambda m, h, c: 0.99 * m.c_new}, "gate_arithmetic", {"variant": "kept", "value": 0.99}),
        ({"hold": lambda h: 0.8 * h}, "scaled", {"factor": 0.8, "of": ["h"]}),
    ],
)
def test_a_limit_or_a_factor_of_a_state_is_read_off(explained, changes, code, params):
    found = explained(making(Mistake("", "odd", changes, frozenset())))
    assert (found.mistakes[0].code, dict(found.mistakes[0].params)) == (code, params)


def test_a_gate_that_no_formula_explains_has_no_name(explained):
    assert explained(making(_act("i", lambda f, z: f(z) * (1 + 0.3 * np.sin(9 * z))))) is None
