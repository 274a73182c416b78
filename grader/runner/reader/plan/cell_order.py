"""Reorders cells that were run in another order than they are written: imports at the bottom, a base class below its
use."""

import ast
import builtins
from collections.abc import Mapping, Sequence

from reader.plan.statement_plan import SUPPLIED, Plan
from reader.plan.statement_rules import CLASS


def better_order(plan: Plan, cell_of: Sequence[int]) -> list[int] | None:
    """Return an order of the cells in which the code to run finds its names; None when the present order does.

    Args:
        cell_of: for each statement of the plan the place of its cell in the present order, from 0.
    """
    present = list(dict.fromkeys(cell_of))
    needs: dict[int, list[int]] = {}
    for first, second in dict.fromkeys([*_late_binders(plan, cell_of), *_needed_but_hiding(plan, cell_of)]):
        if first != second:
            needs.setdefault(second, []).append(first)
    order = _with_needs_first(present, needs)
    return order if order != present else None


def _with_needs_first(present: Sequence[int], needs: Mapping[int, list[int]]) -> list[int]:
    """Return the present order, but each cell after the cells it needs; a cycle is broken where it closes."""
    order: dict[int, None] = {}
    entered: set[int] = set()
    for cell in present:
        waiting = [cell]
        while waiting:
            top = waiting[-1]
            first = [] if top in entered else [need for need in needs.get(top, []) if need not in entered]
            entered.add(top)
            if first:
                waiting += reversed(first)
            else:
                waiting.pop()
                order.setdefault(top)
    return list(order)


def _late_binders(plan: Plan, cell_of: Sequence[int]) -> list[tuple[int, int]]:
    """List pairs of cells (must come first, second): the second reads names that only a later one binds."""
    binders: dict[str, list[int]] = {}
    for index in sorted(plan.reasons):
        for name in plan.statements[index].uses.binds:
            binders.setdefault(name, []).append(index)
    pairs = []
    for index in sorted(plan.reasons):
        for name in plan.statements[index].uses.reads:
            places = binders.get(name, [])
            if places and places[0] > index and name not in SUPPLIED and name not in ("np", "tf"):
                pairs.append((cell_of[places[0]], cell_of[index]))
    return pairs


def _needed_but_hiding(plan: Plan, cell_of: Sequence[int]) -> list[tuple[int, int]]:
    """List imports that would hide the class where they stand, and bring something else that it needs."""
    binding = [i for i, s in enumerate(plan.statements) if CLASS in s.uses.binds and i not in plan.hiding]
    if not plan.hiding or not binding:
        return []
    bound = {name for index in plan.reasons for name in plan.statements[index].uses.binds}
    needed = {name for statement in plan.core_statements() for name in statement.uses.all_reads()}
    open_names = needed - bound - SUPPLIED - {"np", "tf", *dir(builtins)}
    pairs = []
    for index in sorted(plan.hiding):
        statement = plan.statements[index]
        star = any(alias.name == "*" for alias in getattr(statement.node, "names", []) if isinstance(alias, ast.alias))
        if open_names & statement.uses.binds or (star and open_names):
            pairs.append((cell_of[index], cell_of[binding[0]]))
    return pairs
