"""The pictures of a report: the error over time, by unit, and over both. One definition each, in Vega-Lite.

`drawing` turns one into an SVG without a browser or a network. A definition holds numbers and our own
words, and nothing that a student wrote. Every picture has a text that says the same, for blind readers and for
places that show no pictures.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from babel.numbers import get_decimal_symbol
from numpy.typing import NDArray

from grader.report import artefacts
from grader.report.messages import translate

#: The scale is logarithmic and has no zero. Smaller errors are drawn here, far below every tolerance.
FLOOR = 1e-9
# A cell of the heat map is a rectangle in the SVG. Longer sequences are drawn with several steps to a cell.
HEAT_STEPS = 50
WIDTH, HEIGHT = 620, 190
GREY, LINE, GOOD, BAD = "#7a8291", "#4f62d6", "#1d8a52", "#d0392e"
CONFIG: dict[str, Any] = {
    # Transparent and grey: readable on a light page and on a dark one.
    "background": None,
    # `Picture.text` is clearer than a label on each of a thousand rectangles.
    "aria": False,
    "font": "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": GREY, "titleColor": GREY, "domainColor": GREY, "tickColor": GREY, "gridColor": GREY,
        "gridOpacity": 0.25, "labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal",
    },
    "legend": {"labelColor": GREY, "titleColor": GREY, "titleFontWeight": "normal"},
}  # fmt: skip

# Vega also needs these for a language's numbers; we group no digits and show no money.
NUMBERS: dict[str, Any] = {"thousands": "", "grouping": [3], "currency": ["", ""]}

Case = Mapping[str, Any]
Spec = dict[str, Any]


@dataclass(frozen=True)
class Picture:
    """A chart of one case, and a text that says the same."""

    id: str
    title: str
    text: str
    spec: Spec


def pictures(case: Case, language: str, stored: Mapping[str, bytes]) -> list[Picture]:
    """Return the pictures of a case of a rendered report. A hidden case, or an answer of another shape, has none.

    Args:
        stored: artefacts by name; the heat map needs the one that the case names in `arrays`.
    """
    return list(_pictures(case, language, stored))


def _pictures(case: Case, language: str, stored: Mapping[str, bytes]) -> Iterator[Picture]:
    # Outputs stay below 1, so this is the largest error that is ever allowed.
    words = _Words(language, tolerance=case["atol"] + case["rtol"])
    if case["errors_by_timestep"]:
        yield _picture("over_time", words, case["errors_by_timestep"], "timestep", mark="line")
    if case["errors_by_unit"]:
        yield _picture("by_unit", words, case["errors_by_unit"], "unit", mark="bar")
    content = stored.get(case["arrays"] or "")
    if content is not None:
        kept = artefacts.unpack(content)
        yield _heat_map(words, kept.actual, kept.expected)


class _Words:
    def __init__(self, language: str, tolerance: float) -> None:
        self._language = language
        self.tolerance = tolerance
        #: `CONFIG`, with the language's decimal sign.
        self.config = CONFIG | {"locale": {"number": NUMBERS | {"decimal": get_decimal_symbol(language)}}}

    def __call__(self, id: str, **params: object) -> str:
        return translate(f"chart.{id}", self._language, **params)

    def end(self, error: float | None) -> float | str:
        """Return the error at an end of a line, for a text."""
        if error is None or not math.isfinite(error):
            return translate("report.not_finite", self._language)
        return error


def _on_log_scale(error: float | None) -> float | None:
    """Place an error on the logarithmic scale, rounded to four digits; NaN becomes None, which is a gap."""
    return None if error is None or not math.isfinite(error) else float(f"{max(error, FLOOR):.3e}")


def _y(words: _Words, largest: float) -> Spec:
    return {
        "field": "error",
        "type": "quantitative",
        "title": words("largest_error"),
        "scale": {"type": "log", "domain": [FLOOR, max(1.0, largest)], "nice": False},
        "axis": {"format": ".0e", "tickCount": 6},
    }


def _ordinal(words: _Words, field: str, count: int, **axis: object) -> Spec:
    scale, axis = {"domain": [*range(count)]}, {**axis, "labelOverlap": True}
    return {"field": field, "type": "ordinal", "title": words(field), "scale": scale, "axis": axis}


def _quantitative(words: _Words, field: str, last: int) -> Spec:
    scale, axis = {"domain": [0, last], "nice": False}, {"tickMinStep": 1, "grid": False}
    return {"field": field, "type": "quantitative", "title": words(field), "scale": scale, "axis": axis}


def _tooltip(words: _Words, *axes: str) -> list[Spec]:
    """Describe the value under the pointer, in charts that can be pointed at."""
    return [
        *({"field": axis, "title": words(axis)} for axis in axes),
        {"field": "error", "title": words("error"), "format": ".3~g"},
    ]


def _picture(id: str, words: _Words, errors: Sequence[float | None], axis: str, *, mark: str) -> Picture:
    shown = [_on_log_scale(error) for error in errors]
    values = [{axis: index, "error": error} for index, error in enumerate(shown)]
    # Outputs of the layer stay below 1: with the same scale two pictures can be compared.
    y = _y(words, largest=max((error for error in shown if error is not None), default=1.0))
    # Set the domain: Vega leaves out steps without a number, and the axis would look complete.
    if mark == "bar":
        x = _ordinal(words, axis, len(shown), labelAngle=0)
        chart: Spec = {"type": "bar", "color": LINE}
        encoding: Spec = {"x": x, "y": y, "y2": {"datum": FLOOR}, "tooltip": _tooltip(words, axis)}
    else:
        x = _quantitative(words, axis, max(1, len(shown) - 1))
        point = {"size": 14, "color": LINE}
        chart = {"type": "line", "color": LINE, "point": point, "strokeWidth": 1.5}
        encoding = {"x": x, "y": y, "tooltip": _tooltip(words, axis)}
    at_tolerance: Spec = {"data": {"values": [{"error": words.tolerance}]}}
    tolerance = {
        **at_tolerance,
        "mark": {"type": "rule", "color": GOOD, "strokeDash": [5, 4], "strokeWidth": 1.5},
        "encoding": {"y": y},
    }
    label = {
        **at_tolerance,
        "mark": {"type": "text", "align": "left", "dx": 4, "color": GOOD, "text": words("tolerance")},
        "encoding": {"x": {"value": "width"}, "y": y},
    }
    layers = [{"data": {"values": values}, "mark": chart, "encoding": encoding}, tolerance, label]
    if no_number := [value for value in values if value["error"] is None]:
        layers += [{"data": {"values": no_number}, "mark": {"type": "rule", "color": BAD}, "encoding": {"x": x}}]
        layers += [_no_number_label({"value": 6})]
    spec = {"config": words.config, "width": WIDTH, "height": HEIGHT, "layer": layers}
    return Picture(id, words(f"{id}_title"), _line_text(id, words, errors), spec)


def _no_number_label(y: Spec) -> Spec:
    """Label the red colour, at the right edge."""
    mark = {"type": "text", "align": "left", "dx": 4, "color": BAD, "text": "NaN, ∞"}
    return {"data": {"values": [{}]}, "mark": mark, "encoding": {"x": {"value": "width"}, "y": y}}


def _line_text(id: str, words: _Words, errors: Sequence[float | None]) -> str:
    known = [(error, index) for index, error in enumerate(errors) if error is not None and math.isfinite(error)]
    no_number = [index for index, error in enumerate(errors) if error is None or not math.isfinite(error)]
    bad = [index for index, error in enumerate(errors) if error is None or not error <= words.tolerance]
    sentences = []
    if known:
        largest, at = max(known, key=lambda pair: (pair[0], -pair[1]))
        ends = {"first": words.end(errors[0]), "last": words.end(errors[-1])}
        sentences += [words(f"{id}_text", largest=largest, at=at, **ends)]
    if not bad:
        return " ".join([*sentences, words("all_within", count=len(errors))])
    if known:
        sentences += [words(f"{id}_beyond", bad=len(bad), count=len(errors), first_bad=bad[0])]
    if no_number:
        sentences += [words(f"{id}_nan", bad=len(no_number), count=len(errors), first_bad=no_number[0])]
    return " ".join(sentences)


def _heat_map(words: _Words, actual: NDArray[np.float32], expected: NDArray[np.float32]) -> Picture:
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(actual.astype(np.float64) - expected.astype(np.float64)).max(axis=0)
    steps, units = error.shape
    together = math.ceil(steps / HEAT_STEPS)
    values = []
    for start in range(0, steps, together):
        for unit, value in enumerate(error[start : start + together].max(axis=0)):
            end, shown_error = min(start + together, steps), _on_log_scale(float(value))
            values.append({"timestep": start, "to": end, "unit": unit, "error": shown_error})
    largest = max((cell["error"] for cell in values if cell["error"] is not None), default=FLOOR)
    domain = [words.tolerance / 10, max(largest, words.tolerance)]
    scale = {"type": "log", "scheme": "viridis", "domain": domain, "clamp": True}
    x, y = _quantitative(words, "timestep", steps), _ordinal(words, "unit", units)
    place: Spec = {"x": x, "x2": {"field": "to"}, "y": y}
    legend = {"format": ".0e", "gradientLength": HEIGHT - 30}
    color = {"field": "error", "type": "quantitative", "title": words("error"), "scale": scale, "legend": legend}
    shown = {**place, "color": color, "tooltip": _tooltip(words, "timestep", "unit")}
    layers: list[Spec] = [{"data": {"values": values}, "mark": {"type": "rect"}, "encoding": shown}]
    if no_number := [value for value in values if value["error"] is None]:
        layers += [{"data": {"values": no_number}, "mark": {"type": "rect", "color": BAD}, "encoding": place}]
        layers += [_no_number_label({"value": HEIGHT - 6})]
    spec = {"config": words.config, "width": WIDTH - 70, "height": HEIGHT, "layer": layers}
    # Written with <= so that NaN counts as too large.
    bad = int((~(error <= words.tolerance)).sum())
    text = words("heat_text", bad=bad, count=error.size, steps=steps, units=units)
    untouched = int((error <= words.tolerance).all(axis=0).sum())
    sentences = [text, words("heat_units", good=untouched, units=units)]
    if lost := int((~np.isfinite(error)).sum()):
        sentences += [words("heat_nan", bad=lost, count=error.size)]
    return Picture("heat", words("heat_title"), " ".join(sentences), spec)
