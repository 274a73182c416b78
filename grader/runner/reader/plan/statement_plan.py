"""Decides which top-level statements are run: those the class needs, and none that merely uses it.

A notebook is full of training, plots, downloads and `input()`. None of it may cost the student the grade, and most of
it costs time. So the plan starts at the name ``LSTM`` and follows the names that its functions read, through all
statements that bind or change them. Statements that configure a library or patch a class are run as well.
"""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from scopes import names_bound_by

from reader.plan import statement_rules as rules
from reader.plan.imports import Imports, may_bring
from reader.plan.statement_rules import CLASS, DEFINITIONS, IMPORTS, SIMPLE, Statement, may_bind_dynamically

# Names the module starts with. These follow the case at hand whatever the student's own values were.
SUPPLIED = frozenset({"x", "BATCH_SIZE", "SEQ_LEN", "EMB_SIZE", "H_SIZE"})


@dataclass
class Plan:
    """The statements to run. `reasons` says for each which rule chose it; the class itself needs those in `core`.

    `hiding` are imports that would take the class away (`hiding_imports`).
    """

    statements: list[Statement]
    imports: Imports
    reasons: dict[int, str] = field(default_factory=dict)
    core: set[int] = field(default_factory=set)
    hiding: set[int] = field(default_factory=set)
    class_line: int | None = None

    @property
    def is_bound(self) -> bool:
        """Return whether any statement that is run may bind the class."""
        return self.class_line is not None or "cannot_tell" in self.reasons.values()

    def core_statements(self) -> list[Statement]:
        return [self.statements[index] for index in sorted(self.core)]


def make_plan(
    tree: ast.Module, statements: list[Statement], *, is_script: bool, also_needed: Iterable[str] = ()
) -> Plan:
    """Choose the statements to run.

    Args:
        statements: those of `tree`, as `statements_of` gives them.
        is_script: from a ``.py`` file, where ending the process or acting on the system counts (see `script_effect`).
        also_needed: names that are read from outside, by the arguments of the student's own call of the class.
    """
    planner = _Planner(tree, statements, is_script)
    planner.choose([CLASS, *also_needed])
    return planner.plan


def plan_with(tree: ast.Module, statements: list[Statement], also: Iterable[int], *, is_script: bool) -> set[int]:
    """Plan to run some statements too that the class does not need: these and everything they read."""
    planner = _Planner(tree, statements, is_script)
    planner.choose([CLASS])
    for index in also:
        planner.add(index)
    return set(planner.plan.reasons)


class _Planner:
    def __init__(self, tree: ast.Module, statements: list[Statement], is_script: bool) -> None:
        self._tree_nodes = list(ast.walk(tree))
        hiding = rules.hiding_imports(statements)
        self.plan = Plan(statements, Imports(self._tree_nodes), hiding=hiding)
        self._is_script = is_script
        self._needed: set[str] = set()
        self._binders: dict[str, list[int]] = defaultdict(list)
        self._changers: dict[str, list[int]] = defaultdict(list)
        self._callers: dict[str, list[int]] = defaultdict(list)
        for index, statement in enumerate(statements):
            if index in hiding:
                continue
            for name in statement.uses.binds | statement.uses.late_binds:
                self._binders[name].append(index)
            if CLASS not in statement.uses.binds and any(may_bring(node, CLASS) for node in statement.uses.nodes):
                self._binders[CLASS].append(index)
            for name in statement.stores_into | statement.changes:
                self._changers[name].append(index)
            for name in statement.called_functions:
                self._callers[name].append(index)
        self._runs_anyway = [index for index in range(len(statements)) if index not in hiding]
        self._defined = {s.node.name for s in statements if isinstance(s.node, DEFINITIONS)}

    def choose(self, names: list[str]) -> None:
        plan = self.plan
        plan.class_line = self._class_line()
        if plan.class_line is None and may_bind_dynamically(self._tree_nodes, {CLASS}, plan.imports):
            for index, statement in enumerate(plan.statements):
                self._select(index, "cannot_tell", core=isinstance(statement.node, DEFINITIONS))
            return
        self._follow(names)
        for index in self._runs_anyway:
            if reason := self._own_reason(plan.statements[index]):
                self._select(index, reason)
                self._follow(plan.statements[index].uses.all_reads())
        while self._select_dynamic():
            pass
        self._select_definitions()

    def add(self, index: int) -> None:
        """Select a statement that the class does not need, and everything it reads."""
        self._select(index, "use")
        self._follow(self.plan.statements[index].uses.all_reads())

    def _class_line(self) -> int | None:
        """Return the last line that binds the class; an import only where nothing else does."""
        lines: dict[bool, list[int]] = {True: [], False: []}
        for index in self._binders[CLASS]:
            statement = self.plan.statements[index]
            late = CLASS in statement.uses.late_binds
            for node in ast.walk(statement.node) if late else statement.uses.nodes:
                if CLASS in names_bound_by(node) or may_bring(node, CLASS):
                    lines[isinstance(node, IMPORTS)].append(getattr(node, "lineno", statement.first_line))
        return max(lines[False] or lines[True], default=None)

    def _own_reason(self, statement: Statement) -> str | None:
        if statement.is_import():
            return "import"
        if rules.is_configuration(statement, self.plan.imports):
            return "configuration"
        if rules.is_patch(statement, self.plan.imports, self._defined):
            return "patch"
        return rules.script_effect(statement, self.plan.imports) if self._is_script else None

    def _select(self, index: int, reason: str, *, core: bool = False) -> None:
        self.plan.reasons.setdefault(index, reason)
        if core:
            self.plan.core.add(index)

    def _follow(self, names: Iterable[str]) -> None:
        """Select all statements that bind or change `names`, and everything those read in turn."""
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name in self._needed:
                continue
            self._needed.add(name)
            for index in [*self._binders[name], *self._changers[name]]:
                statement = self.plan.statements[index]
                if index in self.plan.core or not self._may_run_for(name, statement):
                    continue
                self._select(index, "binds_class" if name == CLASS else "needed", core=True)
                waiting += statement.uses.all_reads()
                if _looks_names_up(statement):
                    waiting += self._names_in_strings(statement)
                if isinstance(statement.node, DEFINITIONS) and self._only_calls_bind(name):
                    for caller in self._callers[statement.node.name]:
                        self._select(caller, "needed", core=True)
                        waiting += self.plan.statements[caller].uses.all_reads()

    def _only_calls_bind(self, name: str) -> bool:
        """Return whether only functions with ``global`` bind a name, so that their calls are needed too."""
        return all(name not in self.plan.statements[index].uses.binds for index in self._binders[name])

    def _may_run_for(self, name: str, statement: Statement) -> bool:
        if isinstance(statement.node, (*DEFINITIONS, *IMPORTS)):
            return True
        binds = name in statement.uses.binds
        if statement.is_main_guard():
            # Names that only the guard binds come from nowhere else.
            return binds and name not in SUPPLIED and len(self._binders[name]) == 1
        if name in SUPPLIED:
            # The module has it already: run a line as simple as the course's own, not a loop that reads batches.
            simple = isinstance(statement.node, ast.Assign | ast.AnnAssign)
            return binds and simple and all(self._is_supplied(read) for read in statement.uses.reads)
        if binds or name in statement.stores_into:
            return True
        if name in self.plan.imports:
            return False
        return isinstance(statement.node, (*SIMPLE, ast.For, ast.With, ast.If))

    def _is_supplied(self, name: str) -> bool:
        return name in SUPPLIED or name in self.plan.imports or name not in self._binders

    def _names_in_strings(self, statement: Statement) -> list[str]:
        """List names of the module in the strings of a statement that looks names up while it runs."""
        constants = (node.value for node in ast.walk(statement.node) if isinstance(node, ast.Constant))
        strings = (value for value in constants if isinstance(value, str))
        return [word for text in strings for word in re.findall(r"\w+", text) if word in self._binders]

    def _select_dynamic(self) -> bool:
        """Select statements with ``exec`` and the like that may bind needed names; return whether any was new."""
        before = len(self.plan.reasons)
        for index in self._runs_anyway:
            statement = self.plan.statements[index]
            if index in self.plan.reasons or statement.is_main_guard():
                continue
            if may_bind_dynamically(statement.uses.nodes, self._needed, self.plan.imports):
                self._select(index, "may_bind", core=True)
                self._follow(statement.uses.all_reads())
        return len(self.plan.reasons) > before

    def _select_definitions(self) -> None:
        """Select definitions that the class does not need too, unless they need something that is not run."""
        statements = self.plan.statements
        others = (index for index in self._runs_anyway if index not in self.plan.reasons)
        rest = [index for index in others if isinstance(statements[index].node, DEFINITIONS)]
        running = Counter(name for index in [*self.plan.reasons, *rest] for name in statements[index].uses.binds)
        readers: dict[str, list[int]] = defaultdict(list)
        for index in rest:
            for name in statements[index].uses.reads:
                readers[name].append(index)
        unable: set[int] = set()
        lacking = [name for name in readers if name in self._binders and name not in SUPPLIED and running[name] == 0]
        while lacking:
            for index in readers[lacking.pop()]:
                if index not in unable:
                    unable.add(index)
                    running.subtract(statements[index].uses.binds)
                    lacking += [name for name in statements[index].uses.binds - SUPPLIED if running[name] == 0]
        for index in rest:
            if index not in unable:
                self._select(index, "definition")


def _looks_names_up(statement: Statement) -> bool:
    lookups = {"eval", "exec", "globals", "vars", "locals", "__import__"}
    return not lookups.isdisjoint(statement.uses.all_reads()) or "sys" in statement.uses.all_reads()
