"""How to build the student's model: which arguments its constructor wants.

Sources, in this order: the parameter's name, the student's own call of the constructor, its default. What is still open
after that gets `units`, once.
"""

from __future__ import annotations

import ast
import inspect
import re
from typing import Any

# Parameter names seen in real submissions, by what they stand for.
UNITS = re.compile(
    r"(h|hid|hidden|hidden_?(size|dim|units|state|state_size)|h_?(size|dim|units)|units?|n_?(units|hidden|h)"
    r"|num_?(units|hidden)|rnn_?(units|size)|lstm_?(units|size|dim)|state_?(size|dim)|size|dim|output_?(size|dim)"
    r"|cell_?size|neurons|n_?neurons)",
    re.IGNORECASE,
)
FEATURES = re.compile(
    r"((in|inp|input|emb|embedding|embed|feature|x)_?(size|dim|features|shape|units)|(n_?|num_?)?features|emb|e_size)",
    re.IGNORECASE,
)
TIMESTEPS = re.compile(
    r"(seq|sequence|time|max)_?(len|length|steps|size)|timesteps|steps|length|n_?steps|t_max", re.IGNORECASE
)
BATCH = re.compile(r"(batch|b)_?(size|dim)|batch|n_?batch", re.IGNORECASE)
ROLES = {"units": UNITS, "features": FEATURES, "timesteps": TIMESTEPS, "batch": BATCH}


def arguments(
    cls: type, sizes: dict[str, int], canonical: dict[str, int], call_site: dict[str, Any] | None, names: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Positional and keyword arguments that build `cls` for a case.

    Args:
        sizes: ``batch``, ``timesteps``, ``features``, ``units`` of the case.
        canonical: the same of the exercise; a number in the student's own call that equals one of them means that size.
        call_site: ``{"args": [source], "kwargs": {name: source}}`` of the student's own call, if there is one.
        names: the module's namespace, to evaluate those sources in.
    """
    try:
        parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]  # type: ignore[misc]
    except (TypeError, ValueError):
        parameters = []
    own_positional = list(call_site["args"]) if call_site else []
    own_keywords = dict(call_site["kwargs"]) if call_site else {}
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    units_given = False
    for parameter in parameters:
        if parameter.kind is parameter.VAR_KEYWORD:
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            if not units_given:
                positional.append(sizes["units"])
            continue
        own = own_keywords.pop(parameter.name, None) or (own_positional.pop(0) if own_positional else None)
        value: Any
        if parameter.name == "return_sequences":
            value = True
        elif role := role_of(parameter.name):
            if role == "units" and units_given and parameter.default is not parameter.empty:
                continue
            value = sizes[role]
            units_given = units_given or role == "units"
        elif own is not None:
            value = _evaluate(own, sizes, canonical, names)
            units_given = units_given or value == sizes["units"]
        elif parameter.default is not parameter.empty:
            continue
        elif not units_given:
            value, units_given = sizes["units"], True
        else:
            # Nothing says what this is: leave it out, and Python's own message names the missing argument.
            continue
        if parameter.kind is parameter.POSITIONAL_ONLY:
            positional.append(value)
        else:
            keywords[parameter.name] = value
    return positional, keywords


def role_of(name: str) -> str | None:
    return next((role for role, pattern in ROLES.items() if pattern.fullmatch(name)), None)


class _Sizes(ast.NodeTransformer):
    """Replaces the exercise's own numbers by those of the case at hand."""

    def __init__(self, replacement: dict[int, int]) -> None:
        self._replacement = replacement

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if type(node.value) is int and node.value in self._replacement:
            return ast.copy_location(ast.Constant(self._replacement[node.value]), node)
        return node


def _evaluate(source: str, sizes: dict[str, int], canonical: dict[str, int], names: dict[str, Any]) -> Any:
    replacement = {canonical[role]: sizes[role] for role in ("batch", "timesteps", "features", "units")}
    try:
        tree = ast.fix_missing_locations(_Sizes(replacement).visit(ast.parse(source, mode="eval")))
        return eval(compile(tree, "call of LSTM", "eval"), dict(names))
    except Exception:  # names that only the part of the notebook that was not run defines
        return sizes["units"]
