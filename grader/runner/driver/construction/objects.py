"""Objects for a parameter: settings, cells, whatever class of the student's own an annotation or a name asks for."""

import types
import typing
from collections.abc import Callable, Iterator
from typing import Any

from driver.construction.class_signature import names_in_code
from driver.construction.plans import Plan, constant
from driver.construction.settings_discovery import discover_settings
from driver.construction.settings_objects import Configuration, Sizes, fields, resized, snake, value_at, value_of
from driver.construction.student_definition import StudentDefinition
from driver.student.parameter_names import CELL_CLASS, CONFIGURATION


class Objects:
    """Objects that a constructor may want, new ones on each call.

    Args:
        plans: gives ways to call the constructor itself.
        plans_of: gives ways to call another class; None: none is made, because this one is made for others already.
    """

    def __init__(
        self,
        submitted: StudentDefinition,
        plans: Callable[[Sizes], Iterator[Plan]],
        plans_of: Callable[[type, Sizes], Iterator[Plan]] | None,
    ) -> None:
        self._submitted = submitted
        self._names = submitted.names
        self._plans = plans
        self._plans_of = plans_of
        # While one call only notes which settings are read, it starts no second one.
        self._is_noting = False

    def instances(self, kind: type, sizes: Sizes) -> list[Any]:
        """Make objects of a class of the student's own."""
        if self._plans_of is None:
            return []
        if typing.is_typeddict(kind):
            return [lambda: Configuration({name: value_of(name, sizes) for name in kind.__annotations__})]

        def make(plan: Plan) -> Callable[[], Any]:
            canonical = self._submitted.canonical
            return lambda: resized(kind(*plan.positional, **plan.keywords), sizes, canonical, is_own=True)

        likely = [plan for _, plan in zip(range(8), self._plans_of(kind, sizes), strict=False) if not plan.unlikely]
        return [make(plan) for plan in likely[:3]]

    def cells(self, name: str, sizes: Sizes) -> list[Any]:
        """List cells, and classes of cells: the module's own, and Keras' LSTMCell."""
        own = [kind for key, kind in self._own_classes() if "cell" in key.lower()]
        kinds: list[Any] = [*own[::-1], self._names.get("LSTMCell")][:2]
        instances = [each for kind in kinds if isinstance(kind, type) for each in self.instances(kind, sizes)[:1]]
        classes = [constant(kind) for kind in kinds if kind is not None]
        return [*classes, *instances] if CELL_CLASS.fullmatch(name) else [*instances, *classes, sizes["units"]]

    def configurations(self, name: str, sizes: Sizes) -> list[Any]:
        """List settings objects: the module's own by that name, one of a class of the module, or one of ours."""
        own = [kind for key, kind in self._own_classes() if CONFIGURATION.fullmatch(snake(key))]
        found = [self._names[name]] if isinstance(self._names.get(name), dict) or self._is_settings(name) else []
        instances = [instance for kind in own for instance in self.instances(kind, sizes)]
        known = {name: value_of(name, sizes) for name in names_in_code(self._submitted.definition, self._names)}
        # Arguments of the module's class, for ``Settings(**config)``.
        arguments = [fields(kind, sizes) for kind in own]
        return [
            *map(constant, found),
            *instances,
            lambda: Configuration(known),
            lambda: types.SimpleNamespace(**known),
            *((lambda names=names: Configuration(names)) for names in arguments),
            self.discovered_settings(name, sizes, as_text=False),
            self.discovered_settings(name, sizes, as_text=True),
            lambda: [sizes["units"], sizes["features"]],
        ]

    def discovered_settings(self, name: str, sizes: Sizes, *, as_text: bool) -> Callable[[], Any]:
        """Make settings from the names read out of this parameter, the others having their likeliest values."""

        def make() -> Any:
            if self._is_noting:
                raise LookupError("what is read is being noted already")
            self._is_noting = True
            try:
                plan = next(self._plans(sizes))
            finally:
                self._is_noting = False

            def construct(settings: Any) -> object:
                keywords = {**plan.keywords, name: settings}
                if len(plan.positional) == 1 and name not in plan.keywords:
                    return self._submitted.definition(settings, **plan.keywords)
                return self._submitted.definition(*plan.positional, **keywords)

            return discover_settings(construct, sizes["units"], lambda path: value_at(path, sizes), as_text=as_text)

        return make

    def _own_classes(self) -> list[tuple[str, type]]:
        return [(k, each) for k, each in self._names.items() if isinstance(each, type) and self._submitted.is_own(each)]

    def _is_settings(self, name: str) -> bool:
        value = self._names.get(name)
        return value is not None and (isinstance(value, types.SimpleNamespace) or self._submitted.is_own(type(value)))
