"""Calculations of one step as a student would write them down: ``f·c[t−1] + i·g = 0.41·0.2 + 0.6·0.31 = 0.268``."""

import re
from collections.abc import Callable, Mapping

from reference.lstm.definition import CELL

#: The right formulas of c and of h, in the form in which the bank names wrong ones.
RIGHT = {state: CELL.formulas[f"{state}_new"].text.replace("c_new", "c") for state in ("c", "h")}
TOKEN = re.compile(r"old c|[a-z]+|\d+|[*+()-]")
#: Names in the formula of c, and in that of h, which comes after the new c -> the quantity, and its symbol.
MEANING = {"c": {"c": "c_before", "h": "h_before"}, "h": {"c": "c", "old c": "c_before", "h": "h_before"}}
SYMBOLS = {"h_before": "h[t−1]", "c_before": "c[t−1]", "c": "c[t]", "h": "h[t]"}
SIGNS = {"*": "·", "+": " + ", "-": " − "}


def calculation(
    state: str, formula: str | None, numbers: Mapping[str, float | None], shown: Callable[[float | None], str]
) -> str:
    """Write a formula in symbols, with the numbers of a step, and with its result.

    Args:
        state: ``c`` or ``h``, whose formula it is.
        formula: None: it has more in it than one unit's numbers, and only the result is written.
        numbers: the step's, by the names of `grader.report.proof.step.QUANTITIES`.
        shown: writes a number.
    """
    result = f"{SYMBOLS[state]} = {{}}{shown(numbers[state])}"
    if formula is None:
        return result.format("")
    tokens = TOKEN.findall(formula)
    names = [MEANING[state].get(token, token) for token in tokens]
    symbols = [SYMBOLS.get(name, SIGNS.get(name, name)) for name in names]
    filled = []
    for at, name in enumerate(names):
        if name not in numbers:
            filled.append(SIGNS.get(name, name))
            continue
        text = shown(numbers[name])
        alone = at == 0 or (tokens[at - 1] == "(" and tokens[at + 1 : at + 2] == [")"])
        filled.append(text if alone or text[0].isdigit() else f"({text})")
    return result.format(f"{''.join(symbols)} = {''.join(filled)} = ")
