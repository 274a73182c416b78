"""Plans how to build the student's model: which arguments its constructor may want.

Sources, in this order: the parameter's name (parameter_names.py), the student's own call of the constructor, its
default, its annotation. Where these leave a choice there are several plans, the likeliest first: the resulting model
decides, see building.py.
"""

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

from box_requests import CallSite

from driver.construction.class_signature import parameters
from driver.construction.objects import Objects
from driver.construction.parameter_values import ParameterValues
from driver.construction.plans import DEFAULT, LAST_RESORT, Choice, Plan, by_rank
from driver.construction.settings_objects import STARRED, Sizes
from driver.construction.starred import double_starred, starred
from driver.construction.student_definition import StudentDefinition
from driver.student.parameter_names import CELL, CONFIGURATION, is_measure, role_of, setting

# Objects are made for a constructor, and objects for those, but no further.
DEEPEST = 1


class Constructor:
    """A class of the student's, or a function that builds one.

    Args:
        canonical: the exercise's own sizes; a number in the student's own call that equals one means that size.
        call_site: ``{"args": [source], "kwargs": {name: source}}`` of the student's own call, if there is one.
        names: the module's namespace, to evaluate those sources in.
    """

    def __init__(
        self, definition: Any, canonical: Sizes, call_site: CallSite | None, names: dict[str, Any], depth: int = 0
    ) -> None:
        self._submitted = StudentDefinition(definition, canonical, names)
        self._call_site = call_site
        self._depth = depth
        self._parameters = parameters(definition)
        objects = Objects(self._submitted, self.plans, self._plans_of if depth <= DEEPEST else None)
        needed = [p.name for p in self._parameters if p.default is p.empty and p.kind not in STARRED]
        unnamed = [name for name in needed if role_of(name) is None and setting(name) is None]
        self._values = ParameterValues(self._submitted, objects, unnamed)

    def defaults(self) -> dict[str, int]:
        """Return parameters whose default is a number that could be a size."""
        return {p.name: p.default for p in self._parameters if type(p.default) is int and p.default > 1}

    def unexplained(self) -> list[str]:
        """List parameters without a default whose name, annotation and call give no clue to the value."""
        needed = [p for p in self._parameters if p.default is p.empty]
        return [p.name for p in needed if not _is_known(p) and not self._values.hint(p)]

    def plans(
        self, sizes: Sizes, *, other_kind: bool | None = None, only: tuple[int, ...] | None = None
    ) -> Iterator[Plan]:
        """Yield ways to call it for a case of these sizes, the likeliest first. Plans are made on demand.

        Args:
            other_kind: only plans with something other than a number for a size, or only plans without; None: both.
            only: the key of the one wanted plan.
        """
        choices = self._choices(sizes)
        for key in by_rank([[choice.against for choice in group] for group in choices]):
            chosen = [group[place] for group, place in zip(choices, key, strict=True)]
            is_other = any(choice.other_kind for choice in chosen)
            if other_kind not in (None, is_other) or only not in (None, key):
                continue
            try:
                values = [choice.make() for choice in chosen]
            except Exception:  # noqa: S112  # an object of the student's own cannot be made this way
                continue
            unlikely = any(choice.against >= LAST_RESORT for choice in chosen)
            yield Plan(*self._arguments(values), key, unlikely, is_other)

    def without_unexplained(self, sizes: Sizes, *, no_numbers: bool = False) -> Plan:
        """Return the first plan without unexplained arguments, so that Python's own message names the missing one.

        Args:
            no_numbers: numbers did not fit, so a parameter that got one is unexplained too, unless it is named like
                the units.
        """
        plan = next(self.plans(sizes), None) or Plan([], {}, (), unlikely=True)
        units_given = any(role_of(p.name) == "units" for p in self._parameters)
        unexplained = self.unexplained()[0 if units_given or no_numbers else 1 :]
        if no_numbers and self._call_site is None:
            unexplained += [p.name for p in self._parameters if p.default is p.empty and role_of(p.name) != "units"]
        keywords = {name: value for name, value in plan.keywords.items() if name not in unexplained}
        return Plan(plan.positional, keywords, plan.key, unlikely=True)

    def _plans_of(self, kind: type, sizes: Sizes) -> Iterator[Plan]:
        submitted = self._submitted
        return Constructor(kind, submitted.canonical, None, submitted.names, self._depth + 1).plans(sizes)

    def _choices(self, sizes: Sizes) -> list[list[Choice]]:
        call_site = self._call_site or {"args": [], "kwargs": {}}
        positional, keywords = list(call_site["args"]), dict(call_site["kwargs"])
        given = {p.name for p in self._parameters if role_of(p.name) == "units" and p.kind is not p.VAR_KEYWORD}
        choices = []
        units_given = False
        for parameter in self._parameters:
            if parameter.kind is parameter.VAR_POSITIONAL:
                values = starred(self._submitted, positional, sizes, units_given=bool(given) or units_given)
                positional = []
            elif parameter.kind is parameter.VAR_KEYWORD:
                taken = {p.name for p in self._parameters}
                values = double_starred(self._submitted, keywords, taken, sizes)
            else:
                source = keywords.pop(parameter.name, None)
                if source is None and positional and parameter.kind is not parameter.KEYWORD_ONLY:
                    source = positional.pop(0)
                values = self._values.choices(parameter, source, sizes, units_given=units_given, other=bool(given))
                units_given = units_given or parameter.name in given
            choices.append(values)
        return choices

    def _arguments(self, values: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
        positional: list[Any] = []
        keywords: dict[str, Any] = {}
        pairs = list(zip(self._parameters, values, strict=True))
        is_starred = any(parameter.kind is parameter.VAR_POSITIONAL and value for parameter, value in pairs)
        for parameter, value in pairs:
            by_place = {parameter.POSITIONAL_ONLY, *([parameter.POSITIONAL_OR_KEYWORD] if is_starred else [])}
            if value is DEFAULT:
                continue
            if parameter.kind is parameter.VAR_POSITIONAL:
                positional += value
            elif parameter.kind is parameter.VAR_KEYWORD:
                keywords.update(value)
            elif parameter.kind in by_place:
                positional.append(value)
            else:
                keywords[parameter.name] = value
        return positional, keywords


def _is_known(parameter: inspect.Parameter) -> bool:
    name = parameter.name
    is_pattern = CELL.fullmatch(name) or CONFIGURATION.fullmatch(name)
    is_named = role_of(name) is not None or setting(name) is not None or is_measure(name)
    return parameter.kind in STARRED or is_named or is_pattern is not None
