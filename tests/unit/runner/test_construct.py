"""Arguments that a student's constructor is given, and the order in which others are tried."""

import itertools
from dataclasses import make_dataclass
from types import SimpleNamespace
from typing import Any

import pytest

EXERCISE = {"batch": 2, "timesteps": 100, "features": 16, "units": 32}
CASE = {"batch": 3, "timesteps": 5, "features": 7, "units": 11}
NAMES = {"H_SIZE": 11, "EMB_SIZE": 7}


def _constructor(parameters: str, call_site: dict[str, Any] | None = None, before: str = "", **names: Any) -> Any:
    from driver.construction.construct import Constructor

    space: dict[str, Any] = {"__name__": "submission", **NAMES, **names}
    exec(f"{before}\nclass LSTM:\n    def __init__(self{', ' if parameters else ''}{parameters}): pass", space)
    return Constructor(space["LSTM"], EXERCISE, call_site, space)


def _first(constructor: Any) -> tuple[list[Any], dict[str, Any]]:
    plan = next(constructor.plans(CASE))
    return plan.positional, plan.keywords


@pytest.mark.parametrize(
    ("parameters", "call_site", "expected"),
    [
        ("", None, {}),
        ("h_size", None, {"h_size": 11}),
        ("units=32", None, {"units": 11}),
        ("hidden_len=64", None, {"hidden_len": 11}),
        ("n", None, {"n": 11}),
        ("n=64", None, {}),
        ("num_inputs, num_hiddens", None, {"num_inputs": 7, "num_hiddens": 11}),
        ("num_inputs, num_hiddens, sigma=0.01", None, {"num_inputs": 7, "num_hiddens": 11}),
        ("size, emb_size", None, {"size": 11, "emb_size": 7}),
        ("size, hidden", None, {"size": 7, "hidden": 11}),
        ("hidden_size, batch_size, seq_len", None, {"hidden_size": 11, "batch_size": 3, "seq_len": 5}),
        ("hidden_size, output_size=10", None, {"hidden_size": 11}),
        ("units, return_sequences=False", None, {"units": 11, "return_sequences": True}),
        ("units, return_sequences", None, {"units": 11, "return_sequences": True}),
        ("units, activation, dropout", None, {"units": 11, "activation": "tanh", "dropout": 0.0}),
        ("units, num_layers, bidirectional", None, {"units": 11, "num_layers": 1, "bidirectional": False}),
        ("units, qq: float", None, {"units": 11, "qq": 0.0}),
        ("units, qq: bool", None, {"units": 11, "qq": False}),
        ("qq: int", None, {"qq": 11}),
        ("qq: 'int | None' = None", None, {}),
        ("units, name='x', **kwargs", None, {"units": 11}),
        ("units, activation", {"args": ["32", "'relu'"], "kwargs": {}}, {"units": 11, "activation": "relu"}),
        (
            "units, activation",
            {"args": ["32"], "kwargs": {"activation": "'relu'"}},
            {"units": 11, "activation": "relu"},
        ),
        ("k, m", {"args": ["16", "32"], "kwargs": {}}, {"k": 7, "m": 11}),
        ("k, m", {"args": ["H_SIZE", "EMB_SIZE"], "kwargs": {}}, {"k": 11, "m": 7}),
        ("k", {"args": ["unknown_name"], "kwargs": {}}, {"k": 11}),
        ("k, deep", {"args": ["32", "True"], "kwargs": {}}, {"k": 11, "deep": True}),
        ("k", {"args": ["{'h': 32, 'e': 16}"], "kwargs": {}}, {"k": {"h": 11, "e": 7}}),
        ("**kwargs", {"args": [], "kwargs": {"units": "32"}}, {"units": 11}),
        ("*, units", None, {"units": 11}),
        ("units, *args", None, {"units": 11}),
    ],
)
def test_the_first_plan_is_what_names_calls_and_defaults_say(parameters, call_site, expected):
    assert _first(_constructor(parameters, call_site)) == ([], expected)


def test_parameter_without_any_clue_is_named():
    assert _constructor("units, cell, config, qq, activation, n_x, *args, last=None").unexplained() == ["qq"]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [("n, /", [11]), ("*args", [11]), ("*args, **kwargs", [11]), ("emb, *args", [7, 11])],
)
def test_positional_arguments(parameters, expected):
    assert _first(_constructor(parameters)) == (expected, {})


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ("qq=64", {"qq": 11}),
        ("qq=None", {"qq": 11}),
        ("p, q", {"p": 7, "q": 11}),
        ("m, n", {"m": 7, "n": 11}),
        ("m=10, n=20", {"m": 7, "n": 11}),
        ("emb_size", {"emb_size": 11}),
        ("sizes=(16, 32)", {"sizes": (7, 11)}),
        ("config={'units': 64, 'emb': 10}", {"config": {"units": 11, "emb": 7}}),
        ("units, shape", {"units": 11, "shape": 7}),
    ],
)
def test_another_plan_is_there_for_who_finds_that_the_first_does_not_fit(parameters, expected):
    plans = itertools.islice(_constructor(parameters).plans(CASE), 25)
    assert expected in [plan.keywords for plan in plans]


@pytest.mark.parametrize("constructor", [5, max])
def test_a_constructor_without_a_signature_has_no_parameters(constructor):
    from driver.construction.class_signature import parameters

    assert parameters(type("LSTM", (), {"__init__": constructor})) == []


def test_a_parameter_that_takes_no_number_comes_last_and_is_known_for_it():
    tf = SimpleNamespace(zeros=lambda shape: ("zeros", shape))
    plans = list(_constructor("hidden_dims, shape", tf=tf).plans(CASE))
    others = [plan for plan in plans if plan.other_kind]
    assert all(plan.unlikely for plan in others)
    assert [plan.keywords["hidden_dims"] for plan in plans if plan.keywords["shape"] == (5, 7)] == [
        11, [11], ("zeros", (3, 5, 7)), [7, 11], [11, 7], (3, 5, 7),
    ]  # fmt: skip
    assert not any(plan.other_kind for plan in _constructor("cell, cfg, activation, units=32").plans(CASE))


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ("units=32.0", {"units": 11.0}),
        ("units='32'", {"units": "11"}),
        ("units='many'", {}),
        ("state=0.0", {}),
        ("width: float", {"width": 11.0}),
    ],
)
def test_a_size_comes_in_the_kind_of_its_default(parameters, expected):
    _, keywords = _first(_constructor(parameters))
    assert keywords == expected
    assert [type(value) for value in keywords.values()] == [type(value) for value in expected.values()]


def test_a_size_is_unlikely_if_its_name_or_default_speaks_against_it():
    plans = list(_constructor("num_inputs, hidden_len=64").plans(CASE))
    assert [plan.keywords for plan in plans if not plan.unlikely] == [{"num_inputs": 7, "hidden_len": 11}]


@pytest.mark.parametrize("call_site", [None, {"args": ["64"], "kwargs": {}}], ids=["no call", "a call for training"])
def test_every_plan_is_there_once_and_the_keys_are_the_same_for_all_sizes(call_site):
    constructor = _constructor("k, m=5, *, units=None", call_site)
    plans, others = list(constructor.plans(CASE)), list(constructor.plans(EXERCISE))
    keys = [plan.key for plan in plans]
    assert len(set(keys)) == len(keys) > 1
    assert keys[0] == others[0].key


def test_settings_come_in_an_object_of_the_students_own_class():
    plain = (
        "class Config:\n    def __init__(self, hidden_size: int, rate=0.1): self.__dict__ |= vars() | {'self': None}"
    )
    named = "import typing\nclass Config(typing.NamedTuple):\n    hidden_size: int\n    rate: float = 0.1"
    for before in (plain, named):
        for parameters in ("config: Config", "config: 'Config'", "config"):
            _, keywords = _first(_constructor(parameters, before=before))
            assert (keywords["config"].hidden_size, keywords["config"].rate) == (11, 0.1)


def test_settings_that_are_read_by_name_are_there_as_items_and_as_attributes():
    from driver.construction.construct import Constructor

    class LSTM:
        def __init__(self, cfg: Any) -> None:
            self.units = cfg["num_hiddens"] + cfg.emb + cfg.get("razmer", 1)

    LSTM.__module__ = "submission"
    plan = next(Constructor(LSTM, EXERCISE, None, {"__name__": "submission"}).plans(CASE))
    assert LSTM(**plan.keywords).units == 11 + 7 + 11


def test_a_call_with_an_object_of_settings_gets_the_sizes_of_the_case():
    settings = make_dataclass("Settings", ["hidden", "emb", "rate"])(32, 16, 0.5)
    _, keywords = _first(_constructor("cfg", {"args": ["settings"], "kwargs": {}}, settings=settings))
    assert vars(keywords["cfg"]) == {"hidden": 11, "emb": 7, "rate": 0.5}
    assert vars(settings) == {"hidden": 32, "emb": 16, "rate": 0.5}


def test_a_cell_is_made_of_the_modules_own_class():
    before = "class LSTMCell:\n    def __init__(self, n_unit): self.n = n_unit\n"
    _, keywords = _first(_constructor("cell, hidden_len", before=before))
    assert (keywords["cell"].n, keywords["hidden_len"]) == (11, 11)
    _, keywords = _first(_constructor("cell_class, hidden_len", before=before))
    assert keywords["cell_class"].__name__ == "LSTMCell"


def test_arguments_of_a_base_class_are_handed_on():
    from driver.construction.construct import Constructor

    class Base:
        def __init__(self, n_unit: int) -> None:
            self.n_unit = n_unit

    class LSTM(Base):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)

    Base.__module__ = LSTM.__module__ = "submission"
    plans = Constructor(LSTM, EXERCISE, None, {"__name__": "submission"}).plans(CASE)
    assert {"n_unit": 11} in [plan.keywords for plan in plans]


@pytest.mark.parametrize(
    ("parameters", "left"),
    [("h_size, vocabulary, tokenizer", {"h_size": 11, "vocabulary": 7}), ("a, c", {"a": 11})],
)
def test_a_name_that_nothing_explains_is_left_out_so_that_python_names_it(parameters, left):
    assert _constructor(parameters).without_unexplained(CASE).keywords == left


def test_defaults_that_may_be_a_width_are_known():
    constructor = _constructor("hidden_len=64, layers=1, rate=0.5, name='x', flag=True")
    assert constructor.defaults() == {"hidden_len": 64}


def test_a_class_without_a_constructor_of_its_own_gets_no_arguments():
    from driver.construction.construct import Constructor

    cls = type("LSTM", (), {"__module__": "submission"})
    assert _first(Constructor(cls, EXERCISE, None, {"__name__": "submission"})) == ([], {})
