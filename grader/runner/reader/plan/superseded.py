"""Leaves out first tries: definitions that a later one of the same name replaces before anything can have used them.

A student rewrites the class in a cell below and leaves the old one standing. It is run all the same, but says nothing
about the class that is graded.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping

from reader.plan.statement_plan import Plan
from reader.plan.statement_rules import CLASS, DEFINITIONS, Statement


def effective_statements(plan: Plan) -> list[Statement]:
    """List the statements that the class needs, but no superseded definitions, nor any that only those read."""
    left_out = _superseded(plan)
    readers = Counter([CLASS])
    helpers: dict[str, list[int]] = defaultdict(list)
    for index in plan.reasons.keys() - left_out:
        statement = plan.statements[index]
        readers.update(_names_read_outside(statement))
        if index in plan.core and isinstance(statement.node, DEFINITIONS):
            helpers[statement.node.name].append(index)
    waiting = [name for index in left_out for name in _names_read_outside(plan.statements[index])]
    while waiting:
        name = waiting.pop()
        if readers[name] == 0:
            for index in helpers.pop(name, ()):
                left_out.add(index)
                gone = _names_read_outside(plan.statements[index])
                readers.subtract(gone)
                waiting += gone
    return [plan.statements[index] for index in sorted(plan.core - left_out)]


def _superseded(plan: Plan) -> set[int]:
    running = [(index, plan.statements[index]) for index in sorted(plan.reasons)]
    defined: dict[str, set[str]] = defaultdict(set)
    for _, statement in running:
        if isinstance(statement.node, DEFINITIONS):
            defined[statement.node.name] |= statement.uses.all_reads()
    places: set[int] = set()
    unused: dict[str, int] = {}
    for index, statement in running:
        if unused:
            for name in _may_be_used_by(statement, defined):
                unused.pop(name, None)
        if isinstance(statement.node, DEFINITIONS):
            if (replaced := unused.pop(statement.node.name, None)) is not None:
                places.add(replaced)
            if not statement.node.decorator_list:  # a decorator may keep the definition anywhere
                unused[statement.node.name] = index
    return places


def _may_be_used_by(statement: Statement, defined: Mapping[str, set[str]]) -> set[str]:
    """Collect names whose objects a statement may use while it is run: a definition calls none of its functions.

    Args:
        defined: the names that the definitions of each name read.
    """
    if isinstance(statement.node, DEFINITIONS):
        return set(statement.uses.reads)
    names: set[str] = set()
    waiting = [*statement.uses.all_reads()]
    while waiting:
        name = waiting.pop()
        if name not in names:
            names.add(name)
            waiting += defined.get(name, ())
    return names


def _names_read_outside(statement: Statement) -> set[str]:
    return statement.uses.all_reads() - {getattr(statement.node, "name", None)}
