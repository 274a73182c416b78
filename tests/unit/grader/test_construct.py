"""Which arguments a student's constructor is given."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).parents[3] / "grader" / "runner" / "construct.py"
EXERCISE = {"batch": 2, "timesteps": 100, "features": 16, "units": 32}
CASE = {"batch": 3, "timesteps": 5, "features": 7, "units": 11}


@pytest.fixture(scope="module")
def arguments():
    """The box's programs are no package: this one is loaded by its path."""
    spec = importlib.util.spec_from_file_location("construct", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.arguments


def _class(parameters):
    space = {}
    exec(f"class LSTM:\n    def __init__(self{', ' if parameters else ''}{parameters}): pass", space)
    return space["LSTM"]


@pytest.mark.parametrize(
    ("parameters", "call_site", "expected"),
    [
        ("", None, {}),
        ("h_size", None, {"h_size": 11}),
        ("units", None, {"units": 11}),
        ("hidden_size", None, {"hidden_size": 11}),
        ("units=32", None, {"units": 11}),
        ("n", None, {"n": 11}),
        ("input_size, hidden_size", None, {"input_size": 7, "hidden_size": 11}),
        ("hidden_size, batch_size, seq_len", None, {"hidden_size": 11, "batch_size": 3, "seq_len": 5}),
        ("units, return_sequences=False", None, {"units": 11, "return_sequences": True}),
        ("units, name='x', **kwargs", None, {"units": 11}),
        ("units, activation", {"args": ["32", "'tanh'"], "kwargs": {}}, {"units": 11, "activation": "tanh"}),
        (
            "units, activation",
            {"args": ["32"], "kwargs": {"activation": "'relu'"}},
            {"units": 11, "activation": "relu"},
        ),
        ("k, m", {"args": ["16", "32"], "kwargs": {}}, {"k": 7, "m": 11}),
        ("k, m", {"args": ["H_SIZE", "EMB_SIZE"], "kwargs": {}}, {"k": 11, "m": 7}),
        ("k", {"args": ["unknown_name"], "kwargs": {}}, {"k": 11}),
        ("k, deep", {"args": ["32", "True"], "kwargs": {}}, {"k": 11, "deep": True}),
        ("*, units", None, {"units": 11}),
    ],
)
def test_keyword_arguments(arguments, parameters, call_site, expected):
    names = {"H_SIZE": 11, "EMB_SIZE": 7}
    assert arguments(_class(parameters), CASE, EXERCISE, call_site, names) == ([], expected)


@pytest.mark.parametrize(("parameters", "expected"), [("n, /", [11]), ("*args", [11]), ("*args, **kwargs", [11])])
def test_positional_arguments(arguments, parameters, expected):
    assert arguments(_class(parameters), CASE, EXERCISE, None, {}) == (expected, {})


def test_what_nothing_explains_is_left_out_so_that_python_names_it(arguments):
    assert arguments(_class("a, b"), CASE, EXERCISE, None, {}) == ([], {"a": 11})


def test_a_class_without_a_constructor_of_its_own_gets_no_arguments(arguments):
    assert arguments(type("LSTM", (), {}), CASE, EXERCISE, None, {}) in (([], {}), ([11], {}))
