"""Values for ``*args`` and ``**kwargs``, whose names say nothing about what the constructor wants."""

from collections.abc import Collection
from typing import Any

from driver.construction.class_signature import bases, is_own_init, names_in_code, parameters, strings_in_code
from driver.construction.plans import Choice, choices_of, fresh_value
from driver.construction.settings_objects import Sizes, fields, value_of
from driver.construction.student_definition import StudentDefinition
from driver.student.parameter_names import is_measure, role_of, setting


def starred(submitted: StudentDefinition, sources: list[str], sizes: Sizes, *, units_given: bool) -> list[Choice]:
    """Fill ``*args``.

    Args:
        sources: arguments of the student's own call that no parameter has taken.
        units_given: another parameter takes the units.
    """
    units, features = sizes["units"], sizes["features"]
    evaluated = [value for source in sources for value in submitted.evaluated(source, sizes)]
    values: list[Any] = [tuple(map(fresh_value, evaluated))]
    if not values[0]:
        own = is_own_init(submitted.definition, submitted.names)
        values = [(), (units,)] if units_given or not own else [(units,), ()]
    return choices_of([(value, at) for at, value in enumerate([*values, (features, units), (units, features)])])


def double_starred(
    submitted: StudentDefinition, sources: dict[str, str], taken: Collection[str], sizes: Sizes
) -> list[Choice]:
    """Fill ``**kwargs``: nothing; the names the constructor reads; or the needs of the base class.

    Args:
        sources: keyword arguments of the student's own call that no parameter has taken.
        taken: names of the other parameters.
    """
    definition, names = submitted.definition, submitted.names
    given: dict[str, Any] = {}
    for name, source in sources.items():
        role = role_of(name)
        if role is not None:
            given[name] = sizes[role]
        elif evaluated := submitted.evaluated(source, sizes):
            given[name] = fresh_value(evaluated[0])
    texts = [name for name in strings_in_code(definition) if name not in taken]
    read = {name: sizes[role] for name in texts if (role := role_of(name)) in ("units", "features")}
    measured = {name: sizes["units"] for name in texts if is_measure(name)}
    settings = {name: known[0] for name in texts if (known := setting(name)) is not None}
    unknown = {name: sizes["units"] for name in texts if name not in {**read, **measured, **settings}}
    further = {
        p.name: value_of(p.name, sizes)
        for base in bases(definition, names)[1:]
        for p in parameters(base)
        if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name not in taken
    }
    units = {name: value for name, value in read.items() if role_of(name) == "units"}
    values = [given, {**given, **further}, {**given, **units}, {**given, **read}, {**given, **read, **further}]
    if not units:
        values += [{**given, **read, **measured}, {**given, **read, **unknown}]
        named = names_in_code(definition, names)
        values += [{name: sizes["units"] for name in named if role_of(name) == "units" and name not in taken}]
        own = [names[name] for name in named if isinstance(names.get(name), type)]
        values += [fields(kind, sizes) for kind in own if submitted.is_own(kind)]
    values += [{**values[-1], **{name: submitted.as_function(value) for name, value in settings.items()}}]
    return choices_of([(value, at) for at, value in enumerate(values)])
