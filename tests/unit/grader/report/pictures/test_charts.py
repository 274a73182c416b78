"""Pictures: one definition each, drawn without a browser, and the same in words."""

import io
import json
import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from grader.report import artefacts
from grader.report.messages import render
from grader.report.pictures import drawing
from grader.report.pictures.charts import HEAT_STEPS, Picture, pictures
from tests.unit.grader.make_reports import make_report


def case(**changes: Any) -> dict[str, Any]:
    exercise: dict[str, Any] = render(make_report(), "en")["cases"][0]
    return exercise | changes


def picture(errors: list[float | None], id: str = "over_time", language: str = "en") -> Picture:
    key = "errors_by_timestep" if id == "over_time" else "errors_by_unit"
    (drawn,) = pictures(case(errors_by_timestep=[], errors_by_unit=[]) | {key: errors}, language, {})
    return drawn


def heat(actual: np.ndarray, expected: np.ndarray) -> Picture:
    name, content = artefacts.pack(actual, expected)
    return pictures(case(arrays=name), "en", {name: content})[-1]


def test_a_picture_is_an_svg_that_names_no_address() -> None:
    for drawn in pictures(case(), "ru", {}):
        root = ET.fromstring(drawing.svg(drawn.spec))
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert not [e for e in root.iter() if "href" in "".join(e.attrib)]


def test_a_picture_is_the_same_every_time_and_from_several_threads() -> None:
    drawn = pictures(case(), "en", {})[0]
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(lambda _: drawing.svg(drawn.spec), range(8)))) == 1


def test_words_say_where_it_goes_wrong() -> None:
    text = picture([1e-7, 2e-7, 0.1, 0.4, 0.3]).text
    assert "1e-7 at the first timestep and 0.3 at the last; the largest of all is 0.4, at timestep 3" in text
    assert "3 of 5 timesteps are beyond the tolerance, the first of them timestep 2." in text
    assert "Вне допуска 1 из 1 шагов" in picture([0.5], language="ru").text
    assert picture([1e-7, 0.0]).text.endswith("All 2 are within the tolerance.")


def test_a_drawn_number_has_the_decimal_sign_of_the_language() -> None:
    drawn = picture([0.1, 0.4], language="ru")
    number = {"field": "error", "type": "quantitative", "format": ".2f"}
    layer = {"data": {"values": [{"error": 0.123}]}, "mark": {"type": "text"}, "encoding": {"text": number}}
    assert "0,12" in drawing.svg(drawn.spec | {"layer": [layer]})


def test_nan_is_beyond_the_tolerance_and_a_gap() -> None:
    drawn = picture([1e-7, None, 0.5], "by_unit")
    assert "2 of 3 units are beyond the tolerance, the first of them unit 1." in drawn.text
    assert [value["error"] for value in drawn.spec["layer"][0]["data"]["values"]] == [1e-7, None, 0.5]
    assert "NaN or infinity in 1 of 3 units, the first of them unit 1." in drawn.text
    # The axis is as long as ever: an element without a number must not look absent.
    layers = drawn.spec["layer"]
    assert layers[0]["encoding"]["x"]["scale"]["domain"] == [0, 1, 2]
    assert [value["unit"] for value in layers[3]["data"]["values"]] == [1]
    assert picture([None, None]).text == "NaN or infinity at 2 of 2 timesteps, the first of them timestep 0."
    assert "is NaN or infinity at the first timestep and 0.5 at the last" in picture([None, 0.5]).text


@given(st.lists(st.none() | st.floats(0, 1e30), min_size=1, max_size=40), st.sampled_from(["over_time", "by_unit"]))
def test_any_errors_have_words(errors: list[float | None], id: str) -> None:
    drawn = picture(errors, id)
    assert drawn.text
    assert "?" not in drawn.text
    for value in drawn.spec["layer"][0]["data"]["values"]:
        assert value["error"] is None or 0 < value["error"] < math.inf


@pytest.mark.parametrize("errors", [[0.0], [None], [1e30, 0.0]])
@pytest.mark.parametrize("id", ["over_time", "by_unit"])
def test_unusual_errors_can_be_drawn(id: str, errors: list[float | None]) -> None:
    assert drawing.svg(picture(errors, id).spec).startswith("<svg")


def test_the_heat_map_counts_what_is_right() -> None:
    expected = np.zeros((2, 10, 4), np.float32)
    actual = expected.copy()
    actual[1, 5:, 2] = 0.5
    actual[0, 9, 3] = np.nan
    drawn = heat(actual, expected)
    assert "6 of 40 pairs of a timestep and a unit are beyond the tolerance" in drawn.text
    assert "Right at every timestep: 2 of 4 units. NaN or infinity: 1 of the 40 pairs." in drawn.text
    assert drawing.svg(drawn.spec).startswith("<svg")


@pytest.mark.parametrize("steps", [1, 3, HEAT_STEPS, HEAT_STEPS + 1, 1000])
def test_the_heat_map_of_a_long_sequence_is_no_larger(steps: int) -> None:
    drawn = heat(np.ones((1, steps, 2), np.float32), np.zeros((1, steps, 2), np.float32))
    values = drawn.spec["layer"][0]["data"]["values"]
    assert len(values) <= 2 * HEAT_STEPS
    assert (values[0]["timestep"], values[-1]["to"]) == (0, steps)


@given(arrays.arrays(np.float32, (2, 3, 4)))
def test_arrays_are_stored_as_they_were(actual: np.ndarray) -> None:
    name, content = artefacts.pack(actual, np.zeros_like(actual))
    assert (name, content) == artefacts.pack(actual, np.zeros_like(actual))
    stored = artefacts.unpack(content)
    np.testing.assert_array_equal(stored.actual, actual)
    assert not stored.expected.any()


@pytest.mark.parametrize("content", [b"", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      ", b"x" * 100])
def test_bytes_that_are_no_artefact_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="no artefact"):
        artefacts.unpack(content)


def test_the_process_that_draws_answers_line_by_line_and_outlives_a_chart_that_is_none() -> None:
    drawn = pictures(case(), "en", {})[0].spec
    questions = io.BytesIO(b"".join(json.dumps(spec).encode() + b"\n" for spec in ({"mark": 5}, drawn)))
    answers = io.BytesIO()
    drawing.answer_lines(questions, answers)
    first, second = map(json.loads, answers.getvalue().splitlines())
    assert list(first) == ["error"]
    assert second == {"text": drawing.svg(drawn)}


def test_a_browser_can_draw_the_same_definitions() -> None:
    script = drawing.javascript()
    assert "window.vegaEmbed" in script
    # Pages run no code that is made from strings; the interpreter of expressions is what makes that possible.
    assert "expressionInterpreter" in script
