"""Values for one parameter, by its name, the student's own call of the constructor, its default and its annotation."""

import inspect
import types
import typing
from typing import Any

from driver.construction.class_signature import hints
from driver.construction.objects import Objects
from driver.construction.other_kinds import in_kind_of, other_kinds
from driver.construction.plans import DEFAULT, LAST_RESORT, Choice, choices_of
from driver.construction.settings_objects import Sizes, resized
from driver.construction.student_definition import StudentDefinition
from driver.student.parameter_names import CELL, CONFIGURATION, is_measure, role_of, setting

# Values for a parameter of which only the type is known.
PLAIN: dict[type, list[Any]] = {float: [0.0, 1.0, 0.5], bool: [False, True], str: ["tanh", "lstm"]}


class ParameterValues:
    """Values for the parameters of one constructor.

    Args:
        unnamed: parameters that need a value and whose name says only that it may be a size.
    """

    def __init__(self, submitted: StudentDefinition, objects: Objects, unnamed: list[str]) -> None:
        self._submitted = submitted
        self._objects = objects
        self._unnamed = unnamed
        self._hints = hints(submitted.definition, submitted.names)

    def choices(
        self, parameter: inspect.Parameter, source: str | None, sizes: Sizes, *, units_given: bool, other: bool
    ) -> list[Choice]:
        """List the likeliest value first; values from `LAST_RESORT` on are tried when no likelier one fits.

        Args:
            source: the argument in the student's own call.
            units_given: a parameter before this one takes the units.
            other: some parameter is named like the units.
        """
        name, role = parameter.name, role_of(parameter.name)
        kind = self.hint(parameter)
        if kind is not None and self._submitted.is_own(kind):
            role = None  # settings of the student's own, whatever their name
        has_default = parameter.default is not parameter.empty
        first: list[Any] = []
        rest: list[Any] = []
        known = setting(name)
        if known and known[0] is True and "return" in name.lower():
            first = [True]  # the exercise asks for all steps
        elif role is not None and isinstance(parameter.default, str | bool | float | dict | list | tuple):
            size = in_kind_of(parameter.default, sizes[role])
            first = [] if size is None else [size]  # else it is named like a size, but is not one
        elif role is not None:
            first = [DEFAULT] if role == "units" and units_given and has_default else [sizes[role]]
        if not first and source is not None:
            first = self._submitted.evaluated(source, sizes)
        if first:
            rest = [DEFAULT] if has_default else []
        elif has_default:
            first, rest = [DEFAULT], self._instead_of_default(parameter, kind, sizes)
        else:
            first = self._by_kind(parameter, kind, sizes, units_elsewhere=other)
            if not other and self._unnamed == [name]:  # no other parameter can take the units
                first, rest = first[:1], first[1:]
        if role is not None or _may_be_size(parameter, source):
            sized = [sizes["units"]] if role == "units" else [sizes["units"], sizes["features"]]
            rest += [in_kind_of(parameter.default, size) or size for size in sized]
        if name.lower().endswith("shape"):
            of_input = (sizes["timesteps"], sizes["features"])
            pair = (sizes["features"], sizes["units"])
            first = [of_input, *first, (sizes["batch"], *of_input), of_input[1:], pair, pair[::-1]]
        weighted = [(value, at) for at, value in enumerate(first)]
        weighted += [(value, LAST_RESORT + at) for at, value in enumerate(rest)]
        choices = choices_of(weighted)
        if not has_default and known in (None, (1,)) and not CELL.fullmatch(name) and not CONFIGURATION.fullmatch(name):
            others = other_kinds(sizes[role or "units"], sizes, self._submitted.names.get("tf"))
            others.append(self._objects.discovered_settings(name, sizes, as_text=True))
            choices += [Choice(make, LAST_RESORT + len(rest) + at, True) for at, make in enumerate(others)]
        return choices

    def hint(self, parameter: inspect.Parameter) -> Any:
        """Return the class that an annotation names; of ``Optional[int]`` and the like the first that is a class."""
        hint = self._hints.get(parameter.name)
        is_union = typing.get_origin(hint) in (typing.Union, types.UnionType)
        kinds = [typing.get_origin(kind) or kind for kind in (typing.get_args(hint) if is_union else [hint])]
        return next((kind for kind in kinds if isinstance(kind, type) and kind is not type(None)), None)

    def _instead_of_default(self, parameter: inspect.Parameter, kind: type | None, sizes: Sizes) -> list[Any]:
        """List values for a parameter that is not named like a size, where its default does not fit."""
        default = parameter.default
        is_text = isinstance(default, str) and default.lstrip()[:1] == "{"
        if is_text or type(default) not in (int, float, str, bool, types.NoneType):
            return [lambda: resized(default, sizes, self._submitted.canonical)]
        if kind is not None and self._submitted.is_own(kind):
            return self._objects.instances(kind, sizes)
        if default is None and CONFIGURATION.fullmatch(parameter.name):
            return self._objects.configurations(parameter.name, sizes)
        return []

    def _by_kind(
        self, parameter: inspect.Parameter, kind: type | None, sizes: Sizes, *, units_elsewhere: bool
    ) -> list[Any]:
        """List values for a parameter without a default that is not named like a size and that no call gives."""
        name = parameter.name
        known = setting(name)
        if known is not None:
            return [self._submitted.as_function(value) for value in known]
        if kind is not None and self._submitted.is_own(kind):
            return self._objects.instances(kind, sizes)
        if CELL.fullmatch(name):
            return self._objects.cells(name, sizes)
        if CONFIGURATION.fullmatch(name):
            return self._objects.configurations(name, sizes)
        if kind is float and is_measure(name):
            return [float(sizes["units"])]
        if kind is str and is_measure(name):
            return [str(sizes["units"])]
        if kind in PLAIN:
            return PLAIN[kind]
        if kind in (dict, list, tuple):
            pair = (sizes["features"], sizes["units"])
            return self._objects.configurations(name, sizes) if kind is dict else [[sizes["units"]], pair]
        likeliest = ("features", "units") if units_elsewhere else ("units", "features")
        whole = [*(sizes[size] for size in likeliest), 1, sizes["timesteps"], sizes["batch"]]
        if kind is int or is_measure(name):
            return whole
        return [*whole[:3], 0.0, "tanh", *self._objects.configurations(name, sizes), *whole[3:], False, None]


def _may_be_size(parameter: inspect.Parameter, source: str | None) -> bool:
    if setting(parameter.name) is not None:
        return False
    if parameter.default is parameter.empty:
        return source is not None
    is_size = type(parameter.default) is int or in_kind_of(parameter.default, 2) is not None
    return is_size or parameter.default is None
