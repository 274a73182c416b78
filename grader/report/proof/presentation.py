"""The proof as a reader sees it: sentences, a curve, the first wrong step in numbers, and the map of every number."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from babel.numbers import format_decimal
from numpy.typing import NDArray

from grader.report import artefacts
from grader.report.artefacts import CaseArrays
from grader.report.messages import translate
from grader.report.numbers import number, true_minus
from grader.report.proof.calculation import RIGHT, SYMBOLS, calculation
from grader.report.proof.cells import Cells, map_of
from grader.report.proof.curve import Curve, draw
from grader.report.proof.step import Position, WorkedStep, position_to_show

Array = NDArray[np.floating]

# Number of the curve's timesteps in its table.
MOST_ROWS = 200
#: Decimals of a worked step: as few as show that two numbers differ.
FEWEST_DECIMALS, MOST_DECIMALS = 4, 7
# Significant digits of the numbers in a sentence.
DIGITS = 4
# Larger numbers are written with an exponent.
LARGE = 1e4


@dataclass(frozen=True)
class Row:
    """A quantity of the worked step: its symbol, its name, and its numbers as texts."""

    symbol: str
    name: str
    keras: str
    named: str | None
    is_wrong: bool


@dataclass(frozen=True)
class Work:
    """The first wrong step: sentences, rows of numbers, calculations of c and h (whose, and how), the student's h."""

    sentences: tuple[str, ...]
    rows: tuple[Row, ...]
    calculations: tuple[tuple[str, str], ...]
    yours: str
    has_named: bool


@dataclass(frozen=True)
class Proof:
    """The proof of one public case that is wrong.

    Args:
        case: its id.
        numbers: the curve's first timesteps: the step, Keras, yours, and the named mistake's where there is one.
        steps: how many timesteps there are.
        mistakes: how many known mistakes together give the named numbers.
        text: what the curve shows, in words.
    """

    case: str
    category: str
    position: Position
    curve: Curve
    title: str
    text: str
    numbers: tuple[tuple[int, str, str, str | None], ...]
    steps: int
    has_named: bool
    mistakes: int
    work: Work
    cells: Cells


def proofs(report: Mapping[str, Any], language: str, stored: Mapping[str, bytes]) -> list[Proof]:
    """Return the proofs of a rendered report. A hidden case has none, nor has one whose arrays were not kept.

    Numbers that the student's own formulas did not compute prove nothing about them.

    Args:
        stored: artefacts by name.
    """
    return list(_proofs(report, language, stored))


def _proofs(report: Mapping[str, Any], language: str, stored: Mapping[str, bytes]) -> Iterator[Proof]:
    if any(check["id"] == "own_work" and check["status"] == "failed" for check in report["checks"]):
        return
    mistakes = max(1, sum(each["residual"] is not None for each in report["diagnoses"]))
    for case in report["cases"]:
        content = stored.get(case["arrays"] or "")
        if case["visibility"] != "public" or not case["first_divergence"] or content is None:
            continue
        arrays = artefacts.unpack(content)
        if arrays.step is not None:
            position = arrays.step.position
        elif (
            found := position_to_show(arrays.actual, arrays.expected, atol=case["atol"], rtol=case["rtol"])
        ) is not None:
            position = found
        else:
            continue
        yield _proof(case, arrays, position, _Words(language, mistakes))


def _proof(case: Mapping[str, Any], arrays: CaseArrays, position: Position, words: _Words) -> Proof:
    keras, yours = arrays.expected[position.batch, :, position.unit], arrays.actual[position.batch, :, position.unit]
    named = None if arrays.named is None else arrays.named[position.batch, :, position.unit]
    lines = [_column(line, words.language) for line in (keras, yours, named)]
    rows = zip(range(len(keras)), *lines, strict=False)
    tolerance = {"atol": case["atol"], "rtol": case["rtol"]}
    return Proof(
        case=case["id"],
        category=case["category"],
        position=position,
        curve=draw(keras, yours, named, position.timestep),
        title=words("curve_title", **position._asdict()),
        text=" ".join(_curve_text(words, arrays, position, **tolerance)),
        numbers=tuple(rows)[:MOST_ROWS],
        steps=len(keras),
        has_named=named is not None,
        mistakes=words.mistakes,
        work=_work(words, arrays, position),
        cells=map_of(arrays, **tolerance),
    )


def _column(line: Array | None, language: str) -> Iterator[str | None]:
    if line is None:
        return itertools.repeat(None)
    return iter([_fixed(value, language, FEWEST_DECIMALS) for value in line[:MOST_ROWS].tolist()])


def _fixed(value: float, language: str, decimals: int) -> str:
    if not math.isfinite(value) or abs(value) >= LARGE:
        return number(value, language, DIGITS)
    text = true_minus(format_decimal(value, format=f"0.{'0' * decimals}", locale=language))
    # No minus before a zero that is only rounded to one.
    return text.lstrip("\N{MINUS SIGN}") if not any(digit in text for digit in "123456789") else text


class _Words:
    def __init__(self, language: str, mistakes: int) -> None:
        self.language, self.mistakes = language, mistakes

    def __call__(self, id: str, **params: object) -> str:
        return translate(f"proof.{id}", self.language, **params)

    def about_mistake(self, id: str, **params: object) -> str:
        """Return a text about the named mistake, or about two of them."""
        return self(id, count=self.mistakes, **params)


def _curve_text(words: _Words, arrays: CaseArrays, position: Position, *, atol: float, rtol: float) -> Iterator[str]:
    keras = arrays.expected[position.batch, :, position.unit].astype(np.float64)
    yours = arrays.actual[position.batch, :, position.unit].astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(yours - keras)
        beyond = int((~(error <= atol + rtol * np.abs(keras))).sum())
    yield words("curve_beyond", beyond=beyond, count=len(keras), timestep=position.timestep)
    finite = np.flatnonzero(np.isfinite(error))
    if len(finite):
        at = int(finite[np.argmax(error[finite])])
        shown = {"expected": number(float(keras[at]), words.language, DIGITS)}
        shown |= {"actual": number(float(yours[at]), words.language, DIGITS)}
        yield words("curve_largest", largest=float(error[at]), at=at, **shown)
    if lost := len(keras) - len(finite):
        yield words("curve_lost", lost=lost)
    if arrays.named is not None:
        with np.errstate(invalid="ignore", over="ignore"):
            left = np.abs(arrays.named.astype(np.float64) - arrays.actual.astype(np.float64))
        yield words.about_mistake("curve_named", largest=float(left[np.isfinite(left)].max(initial=0.0)))


def _work(words: _Words, arrays: CaseArrays, position: Position) -> Work:
    # Older artefacts have no step: show the little that the arrays give.
    step = arrays.step or WorkedStep(
        **position._asdict(), keras={"h": float(arrays.expected[position])}, actual=float(arrays.actual[position])
    )
    shown = _Formatter(step, words.language)
    return Work(
        tuple(_sentences(words, step, shown)),
        tuple(_rows(words, step, shown)),
        tuple(_calculations(words, step, shown)),
        shown(step.actual),
        step.named is not None,
    )


class _Formatter:
    """Writes the numbers of a step, all with the same decimals."""

    def __init__(self, step: WorkedStep, language: str) -> None:
        self._language = language
        pairs = [(step.keras[name], other) for name, other in (step.named or {}).items()] + [
            (step.keras["h"], step.actual)
        ]
        differences = (abs(one - other) for one, other in pairs if one is not None and other is not None)
        # Rounding differences should not show; the smallest difference that counts is 1e-5.
        least = min((each for each in differences if each >= 1e-5), default=1.0)
        self._decimals = min(max(FEWEST_DECIMALS, 1 - math.floor(math.log10(least))), MOST_DECIMALS)

    def __call__(self, value: float | None) -> str:
        if value is None:
            return translate("report.not_finite", self._language)
        return _fixed(value, self._language, self._decimals)


def _sentences(words: _Words, step: WorkedStep, shown: _Formatter) -> Iterator[str]:
    yield words("place", **step.position._asdict())
    if step.named is not None and step.begins is not None:
        begins = "start" if step.begins == "before" and step.timestep == 0 else step.begins
        yield words.about_mistake(f"begins_{begins}", quantities=[SYMBOLS.get(name, name) for name in step.wrong])
    result = {"keras": shown(step.keras["h"]), "yours": shown(step.actual)}
    if step.named is not None:
        yield words("result_named", named=shown(step.named["answer"]), **result)
    else:
        yield words("result_alone" if len(step.keras) > 1 else "result", **result)


def _rows(words: _Words, step: WorkedStep, shown: _Formatter) -> Iterator[Row]:
    named = step.named or {}
    for name, keras in step.keras.items():
        # The answer is h, except where a mistake returns something else.
        if name == "answer" and (not named or shown(named["answer"]) == shown(named["h"])):
            continue
        other = shown(named[name]) if named else None
        symbol = "" if name == "answer" else SYMBOLS.get(name, name)
        is_wrong = other is not None and other != shown(keras)
        yield Row(symbol, words(f"quantity_{name}"), shown(keras), other, is_wrong)


def _calculations(words: _Words, step: WorkedStep, shown: _Formatter) -> Iterator[tuple[str, str]]:
    if len(step.keras) == 1:
        return
    for state in ("c", "h"):
        yield words("keras"), calculation(state, RIGHT[state], step.keras, shown)
        if step.named is not None:
            yield words.about_mistake("named"), calculation(state, step.formulas.get(state), step.named, shown)
