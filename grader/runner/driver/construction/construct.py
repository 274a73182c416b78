"""Plans how to build the student's model: which arguments its constructor may want.

Sources, in this order: the parameter's name (parameter_names.py), the student's own call of the constructor, its
default, its annotation. Where these leave a choice there are several plans, the likeliest first: the resulting model
decides, see building.py.
"""

from __future__ import annotations

import ast
import heapq
import inspect
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from asked import CallSite

from driver.construction.class_signature import bases, hints, is_own_init, names_read, parameters, strings_read
from driver.construction.other_kinds import in_kind_of, other_kinds
from driver.construction.settings_objects import Configuration, Sizes, resized, snake
from driver.construction.settings_read import settings_read
from driver.student.parameter_names import CELL, CELL_CLASS, CONFIGURATION, is_measure, role_of, setting

STARRED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
SIZES = ("batch", "timesteps", "features", "units")
# Choices of this weight or more are tried only when nothing likelier fits.
LAST_RESORT = 10
MOST_PLANS = 200
# Values for a parameter of which only the type is known.
PLAIN: dict[type, list[Any]] = {float: [0.0, 1.0, 0.5], bool: [False, True], str: ["tanh", "lstm"]}


class Left:
    """A marker for an argument that is not given, so that the default holds."""


LEFT = Left()


@dataclass(frozen=True)
class Plan:
    """One way to call the constructor.

    Args:
        key: the choice made for each parameter; the same for cases of other sizes.
        unlikely: it contradicts the name, the default or the student's own call of some parameter.
        other_kind: it gives something other than a number where a size is expected.
    """

    positional: list[Any]
    keywords: dict[str, Any]
    key: tuple[int, ...]
    unlikely: bool
    other_kind: bool = False


@dataclass(frozen=True)
class Choice:
    """A value for a parameter, and how much speaks against it. Skipped when `make` raises."""

    make: Callable[[], Any]
    against: int
    other_kind: bool = False


class Constructor:
    """A class of the student's, or a function that builds one.

    Args:
        canonical: the exercise's own sizes; a number in the student's own call that equals one means that size.
        call_site: ``{"args": [source], "kwargs": {name: source}}`` of the student's own call, if there is one.
        names: the module's namespace, to evaluate those sources in.
    """

    def __init__(
        self, called: Any, canonical: Sizes, call_site: CallSite | None, names: dict[str, Any], depth: int = 0
    ) -> None:
        self._called = called
        self._canonical = canonical
        self._call_site = call_site
        self._names = names
        self._depth = depth
        # While one call only notes which settings are read, it starts no second one.
        self._is_noting = False
        self._parameters = parameters(called)
        self._hints = hints(called, names)
        # Parameters that need a value and whose name says only that it may be a size.
        needed = [p.name for p in self._parameters if p.default is p.empty and p.kind not in STARRED]
        self._unnamed = [name for name in needed if role_of(name) is None and setting(name) is None]

    def defaults(self) -> dict[str, int]:
        """Return parameters whose default is a number that could be a size."""
        return {p.name: p.default for p in self._parameters if type(p.default) is int and p.default > 1}

    def unexplained(self) -> list[str]:
        """List parameters without a default whose name, annotation and call give no clue to the value."""
        return [p.name for p in self._parameters if p.default is p.empty and not _is_known(p) and not self._hint(p)]

    def plans(
        self, sizes: Sizes, *, other_kind: bool | None = None, only: tuple[int, ...] | None = None
    ) -> Iterator[Plan]:
        """Yield ways to call it for a case of these sizes, the likeliest first. Plans are made on demand.

        Args:
            other_kind: only plans with something other than a number for a size, or only plans without; None: both.
            only: the key of the one wanted plan.
        """
        choices = self._choices(sizes)
        for key in _by_rank([[choice.against for choice in group] for group in choices]):
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

    def _arguments(self, values: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
        positional: list[Any] = []
        keywords: dict[str, Any] = {}
        starred = any(p.kind is p.VAR_POSITIONAL and value for p, value in zip(self._parameters, values, strict=True))
        for parameter, value in zip(self._parameters, values, strict=True):
            if value is LEFT:
                continue
            if parameter.kind is parameter.VAR_POSITIONAL:
                positional += value
            elif parameter.kind is parameter.VAR_KEYWORD:
                keywords.update(value)
            elif parameter.kind is parameter.POSITIONAL_ONLY or (
                starred and parameter.kind is not parameter.KEYWORD_ONLY
            ):
                positional.append(value)
            else:
                keywords[parameter.name] = value
        return positional, keywords

    # --- values for each parameter ----------------------------------------------------------------------------

    def _choices(self, sizes: Sizes) -> list[list[Choice]]:
        call_site = self._call_site or {"args": [], "kwargs": {}}
        positional, keywords = list(call_site["args"]), dict(call_site["kwargs"])
        given = {p.name for p in self._parameters if role_of(p.name) == "units" and p.kind is not p.VAR_KEYWORD}
        choices = []
        units_given = False
        for parameter in self._parameters:
            if parameter.kind is parameter.VAR_POSITIONAL:
                values = self._starred(positional, sizes, units_given=bool(given) or units_given)
            elif parameter.kind is parameter.VAR_KEYWORD:
                values = self._double_starred(keywords, sizes)
            else:
                source = keywords.pop(parameter.name, None)
                if source is None and positional and parameter.kind is not parameter.KEYWORD_ONLY:
                    source = positional.pop(0)
                values = self._of_parameter(parameter, source, sizes, units_given=units_given, other=bool(given))
                units_given = units_given or parameter.name in given
            choices.append(values)
        return choices

    def _of_parameter(
        self, parameter: inspect.Parameter, source: str | None, sizes: Sizes, *, units_given: bool, other: bool
    ) -> list[Choice]:
        """List the likeliest value first; values from `LAST_RESORT` on are tried when no likelier one fits."""
        name, role = parameter.name, role_of(parameter.name)
        kind = self._hint(parameter)
        if kind is not None and self._is_own(kind):
            role = None  # settings of the student's own, whatever their name
        has_default = parameter.default is not parameter.empty
        first: list[Any] = []
        rest: list[Any] = []
        known = setting(name)
        if known and known[0] is True and "return" in name.lower():
            first = [True]  # the exercise asks for all steps
        elif role is not None and isinstance(parameter.default, str | bool | float | dict | list | tuple):
            size = in_kind_of(parameter.default, sizes[role])
            first = [] if size is None else [size]  # else it is named like a size, but is none
        elif role is not None:
            first = [LEFT] if role == "units" and units_given and has_default else [sizes[role]]
        if not first and source is not None:
            first = self._evaluated(source, sizes)
        if first:
            rest = [LEFT] if has_default else []
        elif has_default:
            first = [LEFT]
            is_text = isinstance(parameter.default, str) and parameter.default.lstrip()[:1] == "{"
            if is_text or type(parameter.default) not in (int, float, str, bool, types.NoneType):
                rest = [lambda: resized(parameter.default, sizes, self._canonical)]
            elif kind is not None and self._is_own(kind):
                rest = self._made(kind, sizes)
            elif parameter.default is None and CONFIGURATION.fullmatch(name):
                rest = self._configurations(name, sizes)
        else:
            first = self._by_kind(parameter, sizes, units_elsewhere=other)
            if not other and self._unnamed == [name]:  # no other parameter can take the units
                first, rest = first[:1], first[1:]
        if role is not None or self._may_be_size(parameter, source):
            sized = [sizes["units"]] if role == "units" else [sizes["units"], sizes["features"]]
            rest += [in_kind_of(parameter.default, size) or size for size in sized]
        if name.lower().endswith("shape"):
            of_input = (sizes["timesteps"], sizes["features"])
            pair = (sizes["features"], sizes["units"])
            first = [of_input, *first, (sizes["batch"], *of_input), of_input[1:], pair, pair[::-1]]
        weighted = [(value, at) for at, value in enumerate(first)]
        weighted += [(value, LAST_RESORT + at) for at, value in enumerate(rest)]
        choices = _unique(weighted)
        if not has_default and known in (None, (1,)) and not CELL.fullmatch(name) and not CONFIGURATION.fullmatch(name):
            others = other_kinds(sizes[role or "units"], sizes, self._names.get("tf"))
            others.append(self._read_out_of(name, sizes, as_text=True))
            choices += [Choice(make, LAST_RESORT + len(rest) + at, True) for at, make in enumerate(others)]
        return choices

    def _may_be_size(self, parameter: inspect.Parameter, source: str | None) -> bool:
        if setting(parameter.name) is not None:
            return False
        if parameter.default is parameter.empty:
            return source is not None
        is_size = type(parameter.default) is int or in_kind_of(parameter.default, 2) is not None
        return is_size or parameter.default is None

    def _by_kind(self, parameter: inspect.Parameter, sizes: Sizes, *, units_elsewhere: bool) -> list[Any]:
        """List values for a parameter without a default that is not named like a size and that no call gives."""
        known = setting(parameter.name)
        if known is not None:
            return [self._as_function(value) for value in known]
        kind = self._hint(parameter)
        if kind is not None and self._is_own(kind):
            return self._made(kind, sizes)
        if CELL.fullmatch(parameter.name):
            return self._cells(parameter.name, sizes)
        if CONFIGURATION.fullmatch(parameter.name):
            return self._configurations(parameter.name, sizes)
        if kind is float and is_measure(parameter.name):
            return [float(sizes["units"])]
        if kind is str and is_measure(parameter.name):
            return [str(sizes["units"])]
        if kind in PLAIN:
            return PLAIN[kind]
        if kind in (dict, list, tuple):
            pair = (sizes["features"], sizes["units"])
            return self._configurations(parameter.name, sizes) if kind is dict else [[sizes["units"]], pair]
        names = ("features", "units") if units_elsewhere else ("units", "features")
        whole = [*(sizes[name] for name in names), 1, sizes["timesteps"], sizes["batch"]]
        if kind is int:
            return whole
        if is_measure(parameter.name):
            return whole
        return [*whole[:3], 0.0, "tanh", *self._configurations(parameter.name, sizes), *whole[3:], False, None]

    def _hint(self, parameter: inspect.Parameter) -> Any:
        """Return the class that an annotation names; of ``Optional[int]`` and the like the first that is a class."""
        hint = self._hints.get(parameter.name)
        is_union = typing.get_origin(hint) in (typing.Union, types.UnionType)
        kinds = [typing.get_origin(kind) or kind for kind in (typing.get_args(hint) if is_union else [hint])]
        return next((kind for kind in kinds if isinstance(kind, type) and kind is not type(None)), None)

    def _as_function(self, value: Any) -> Any:
        if isinstance(value, str) and value.startswith("function:"):
            return _constant(getattr(self._names.get("tf"), value.removeprefix("function:"), value))
        return value

    def _is_own(self, kind: type) -> bool:
        return kind.__module__ == self._names.get("__name__") and kind is not self._called

    def _made(self, kind: type, sizes: Sizes) -> list[Any]:
        """Make objects of a class of the student's own, new ones on each call."""
        if self._depth > 1:
            return []
        if typing.is_typeddict(kind):
            return [lambda: Configuration({name: _value_of(name, sizes) for name in kind.__annotations__})]
        maker = Constructor(kind, self._canonical, None, self._names, self._depth + 1)

        def make(plan: Plan) -> Callable[[], Any]:
            return lambda: resized(kind(*plan.positional, **plan.keywords), sizes, self._canonical, is_own=True)

        likely = [plan for _, plan in zip(range(8), maker.plans(sizes), strict=False) if not plan.unlikely]
        return [make(plan) for plan in likely[:3]]

    def _cells(self, name: str, sizes: Sizes) -> list[Any]:
        own = [
            value
            for key, value in self._names.items()
            if isinstance(value, type) and "cell" in key.lower() and self._is_own(value)
        ]
        kinds: list[Any] = [*own[::-1], self._names.get("LSTMCell")][:2]
        made = [instance for kind in kinds if isinstance(kind, type) for instance in self._made(kind, sizes)[:1]]
        classes = [_constant(kind) for kind in kinds if kind is not None]
        return [*classes, *made] if CELL_CLASS.fullmatch(name) else [*made, *classes, sizes["units"]]

    def _configurations(self, name: str, sizes: Sizes) -> list[Any]:
        """List settings objects: the module's own by that name, one of a class of the module, or one of ours."""
        own = [
            value
            for key, value in self._names.items()
            if isinstance(value, type) and CONFIGURATION.fullmatch(snake(key)) and self._is_own(value)
        ]
        found = [self._names[name]] if isinstance(self._names.get(name), dict) or self._is_settings(name) else []
        made = [instance for kind in own for instance in self._made(kind, sizes)]
        known = {name: _value_of(name, sizes) for name in names_read(self._called, self._names)}
        # Arguments of the module's class, for ``Settings(**config)``.
        fields = [self._fields(kind, sizes) for kind in own]
        return [
            *map(_constant, found),
            *made,
            lambda: Configuration(known),
            lambda: types.SimpleNamespace(**known),
            *((lambda names=names: Configuration(names)) for names in fields),
            self._read_out_of(name, sizes, as_text=False),
            self._read_out_of(name, sizes, as_text=True),
            lambda: [sizes["units"], sizes["features"]],
        ]

    def _fields(self, kind: type, sizes: Sizes) -> dict[str, Any]:
        return {p.name: _value_of(p.name, sizes) for p in parameters(kind) if p.kind not in STARRED}

    def _read_out_of(self, name: str, sizes: Sizes, *, as_text: bool) -> Callable[[], Any]:
        """Make settings from the names read out of this parameter, the others having their likeliest values."""

        def make() -> Any:
            if self._is_noting:
                raise LookupError("what is read is being noted already")
            self._is_noting = True
            try:
                plan = next(self.plans(sizes))
            finally:
                self._is_noting = False

            def construct(settings: Any) -> object:
                keywords = {**plan.keywords, name: settings}
                if len(plan.positional) == 1 and name not in plan.keywords:
                    return self._called(settings, **plan.keywords)
                return self._called(*plan.positional, **keywords)

            return settings_read(construct, sizes["units"], lambda path: _value_at(path, sizes), as_text=as_text)

        return make

    def _is_settings(self, name: str) -> bool:
        value = self._names.get(name)
        return value is not None and (isinstance(value, types.SimpleNamespace) or self._is_own(type(value)))

    def _starred(self, sources: list[str], sizes: Sizes, *, units_given: bool) -> list[Choice]:
        units, features = sizes["units"], sizes["features"]
        evaluated = [value for source in sources for value in self._evaluated(source, sizes)]
        sources.clear()
        values: list[Any] = [tuple(map(_value, evaluated))]
        if not values[0]:
            values = [(), (units,)] if units_given or not is_own_init(self._called, self._names) else [(units,), ()]
        return _unique([(value, at) for at, value in enumerate([*values, (features, units), (units, features)])])

    def _double_starred(self, sources: dict[str, str], sizes: Sizes) -> list[Choice]:
        """Fill ``**kwargs``: nothing; the names the constructor reads; or the needs of the base class."""
        given: dict[str, Any] = {}
        for name, source in sources.items():
            role = role_of(name)
            if role is not None:
                given[name] = sizes[role]
            elif evaluated := self._evaluated(source, sizes):
                given[name] = _value(evaluated[0])
        sources.clear()
        taken = {p.name for p in self._parameters}
        texts = [name for name in strings_read(self._called) if name not in taken]
        read = {name: sizes[role] for name in texts if (role := role_of(name)) in ("units", "features")}
        measured = {name: sizes["units"] for name in texts if is_measure(name)}
        settings = {name: known[0] for name in texts if (known := setting(name)) is not None}
        unknown = {name: sizes["units"] for name in texts if name not in {**read, **measured, **settings}}
        further = {
            p.name: _value_of(p.name, sizes)
            for base in bases(self._called, self._names)[1:]
            for p in parameters(base)
            if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name not in taken
        }
        units = {name: value for name, value in read.items() if role_of(name) == "units"}
        values = [given, {**given, **further}, {**given, **units}, {**given, **read}, {**given, **read, **further}]
        if not units:
            values += [{**given, **read, **measured}, {**given, **read, **unknown}]
            named = names_read(self._called, self._names)
            values += [{name: sizes["units"] for name in named if role_of(name) == "units" and name not in taken}]
            own = [self._names[name] for name in named if isinstance(self._names.get(name), type)]
            values += [self._fields(kind, sizes) for kind in own if self._is_own(kind)]
        values += [{**values[-1], **{name: self._as_function(value) for name, value in settings.items()}}]
        return _unique([(value, at) for at, value in enumerate(values)])

    def _evaluated(self, source: str, sizes: Sizes) -> list[Any]:
        """Return the value that the student's own call gives, for the sizes of a case; none where it is unknown."""
        replacement = {self._canonical[role]: sizes[role] for role in SIZES}
        try:
            tree = ast.fix_missing_locations(_Sizes(replacement).visit(ast.parse(source, mode="eval")))
            code = compile(tree, "call of LSTM", "eval")
            value = eval(code, dict(self._names))
        except Exception:  # a name defined only in a part of the notebook that was not run
            return []
        if type(value) is int and value not in sizes.values():
            return [resized(value, sizes, self._canonical)]
        if isinstance(value, str):
            return [resized(value, sizes, self._canonical)]
        if type(value) in (int, bool, float) or value is None:
            return [value]
        return [lambda: resized(eval(code, dict(self._names)), sizes, self._canonical)]


class _Sizes(ast.NodeTransformer):
    """Replaces the exercise's own numbers by those of the case at hand."""

    def __init__(self, replacement: dict[int, int]) -> None:
        self._replacement = replacement

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if type(node.value) is int and node.value in self._replacement:
            return ast.copy_location(ast.Constant(self._replacement[node.value]), node)
        return node


def _by_rank(weights: Sequence[Sequence[int]]) -> Iterator[tuple[int, ...]]:
    """Yield one place of each list, the combinations with the smallest sum first."""
    first = (0,) * len(weights)
    waiting, seen = [(sum(group[0] for group in weights), first)], {first}
    for _ in range(MOST_PLANS):
        if not waiting:
            return
        _, places = heapq.heappop(waiting)
        yield places
        for at, place in enumerate(places):
            following = (*places[:at], place + 1, *places[at + 1 :])
            if place + 1 < len(weights[at]) and following not in seen:
                seen.add(following)
                total = sum(group[at] for group, at in zip(weights, following, strict=True))
                heapq.heappush(waiting, (total, following))


def _unique(weighted: Sequence[tuple[Any, int]]) -> list[Choice]:
    choices: list[Choice] = []
    seen: list[Any] = []
    for value, against in weighted:
        plain = type(value) in (int, float, str, bool, tuple, dict) or value is None or value is LEFT
        if plain and any(type(value) is type(other) and value == other for other in seen):
            continue
        seen.append(value)
        choices.append(Choice(partial(_value, value), against))
    return choices


def _value(value: Any) -> Any:
    """Return the value itself; one of our functions makes a new object for every model."""
    return value() if isinstance(value, types.FunctionType) else value


def _constant(value: Any) -> Callable[[], Any]:
    return lambda: value


def _is_known(parameter: inspect.Parameter) -> bool:
    name = parameter.name
    return (
        parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        or role_of(name) is not None
        or setting(name) is not None
        or is_measure(name)
        or CELL.fullmatch(name) is not None
        or CONFIGURATION.fullmatch(name) is not None
    )


def _value_of(name: str, sizes: Sizes) -> Any:
    known = setting(name)
    if known is not None:
        return known[0]
    return sizes[role_of(name) or "units"]


def _value_at(path: tuple[str, ...], sizes: Sizes) -> Any:
    """Return the value of a nested setting; a name that is only a measure refers to the setting around it."""
    *outer, name = path
    if outer and is_measure(name) and (role := role_of(outer[-1])) is not None:
        return sizes[role]
    return _value_of(name, sizes)
