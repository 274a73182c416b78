"""Finds top-level statements that use the class: they copy weights into it and compare its answers, for Task 2.

The plan for the class (`statement_plan`) leaves such statements out; a run of the notebook itself needs them, with
everything they read. Training and downloads stay out. Facts about each statement help to name a mistake when a result
turns out not to depend on the models; none of them decides a point.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from scopes import last_name, root_name

from reader.facts.class_facts import SHAPE_ATTRIBUTES, SHAPE_FUNCTIONS
from reader.plan.statement_plan import Plan, plan_with
from reader.plan.statement_rules import CLASS, DEFINITIONS, IMPORTS, Statement

STUDENT, KERAS = "student", "keras"
BUILT_IN = re.compile(r"(?:CuDNN)?LSTM(?:Cell)?|RNN")
# Calls that train or fetch: Task 2 needs none of them.
TRAINS = re.compile(r"fit|\w+_on_batch|apply_gradients|minimize")
LEFT_OUT = re.compile(
    rf"{TRAINS.pattern}|fit_\w+|evaluate\w*|load(?!s)\w*|upload|download|mount|urlopen|urlretrieve|get_file|input"
)
# Calls by which values go through a file that the notebook writes itself.
WRITES = re.compile(r"save(?!fig)|dump|write|to_")
READS = re.compile(r"load|read|open|fromfile|genfromtxt")
FOLDERS = frozenset({"mkdir", "makedirs"})
#: Stands among the names for all files: which of them is written or read is not looked at.
FILES = "its files"
# Calls whose value nobody needs, where they are the whole statement.
GIVES_NOTHING = re.compile(r"save\w*|summary|compile")
SHOWS = frozenset({"print", "display", "pprint"})
WEIGHTS = frozenset({"weights", "get_weights", "trainable_weights", "variables", "kernel", "recurrent_kernel", "bias"})
EQUALITY = frozenset({"array_equal", "equal", "assert_array_equal", "assertEqual", "not_equal", "array_equiv"})


@dataclass(frozen=True)
class Use:
    """A statement that is run for Task 2.

    `sides` say whose values it reads: `STUDENT`, `KERAS`. `shape_only`: it reads only their shapes. `equality`: it asks
    for exact equality. `assigns_attribute`: it replaces an attribute or item that holds a weight. `reads_weights`: it
    looks at weights.
    """

    statement: int
    sides: frozenset[str]
    shape_only: bool
    equality: bool
    assigns_attribute: bool
    reads_weights: bool


def find_uses(tree: ast.Module, plan: Plan, *, is_script: bool) -> list[Use]:
    """Return the statements to run for Task 2, in order; none when the file never uses the class."""
    finder = _Finder(tree, plan)
    chosen = finder.choose()
    if not chosen:
        return []
    running = plan_with(tree, plan.statements, chosen, is_script=is_script)
    return [finder.use(index) for index in sorted(running) if index in plan.reasons or not finder.is_left_out(index)]


class _Finder:
    def __init__(self, tree: ast.Module, plan: Plan) -> None:
        self._plan = plan
        self._functions = {n.name: n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
        called = {last_name(node.func) or "" for node in ast.walk(tree) if isinstance(node, ast.Call)}
        # A file that the notebook itself has written is not fetched.
        self._keeps = all(any(re.match(what, name) for name in called) for what in ("save|dump", "load"))
        self._sides_of_name: dict[str, set[str]] = defaultdict(set)
        self._sides_of_name[CLASS] = {STUDENT}
        self._sides: list[set[str]] = [set() for _ in plan.statements]
        # Functions may read names bound below them.
        for _ in range(2):
            # A file that is read above was not written by what stands below.
            self._sides_of_name[FILES] = set()
            for index, statement in enumerate(plan.statements):
                self._spread(index, statement)

    def _spread(self, index: int, statement: Statement) -> None:
        if isinstance(statement.node, IMPORTS):
            return
        sides = self._sides[index]
        for name in statement.uses.all_reads():
            sides |= self._sides_of_name[name] if name != CLASS else {STUDENT}
        called = self._called(statement)
        if any(map(READS.match, called)):
            sides |= self._sides_of_name[FILES]
        if any(self._is_built_in(node) for node in ast.walk(statement.node)):
            sides.add(KERAS)
        if any(map(WRITES.match, called)):
            self._sides_of_name[FILES] |= sides
        if CLASS in statement.uses.binds:
            return
        for name in statement.uses.binds | statement.uses.late_binds:
            self._sides_of_name[name] |= sides
        # A list that collects answers carries their values; a model that weights are copied into keeps its side.
        for name in statement.stores_into | statement.changes:
            if not self._sides_of_name[name]:
                self._sides_of_name[name] |= sides

    def _is_built_in(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Attribute):
            return BUILT_IN.fullmatch(node.attr) is not None and root_name(node) != "self"
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id != CLASS:
            dotted = self._plan.imports.dotted(node)
            return dotted is not None and BUILT_IN.fullmatch(dotted.rpartition(".")[2]) is not None
        return False

    def choose(self) -> list[int]:
        """Choose statements that read the models, and below the first use of the class those that show anything."""
        indices: list[int] = []
        used = False
        for index, statement in enumerate(self._plan.statements):
            if isinstance(statement.node, (*DEFINITIONS, *IMPORTS)) or index in self._plan.hiding:
                # A class of tests is used without its name: by `unittest.main()`.
                is_own = isinstance(statement.node, ast.ClassDef) and CLASS not in statement.uses.binds
                used = used or (is_own and STUDENT in self._sides[index])
                continue
            if self.is_left_out(index) or statement.shell_code():
                continue
            sides = self._sides[index]
            used = used or STUDENT in sides
            makes_folder = not FOLDERS.isdisjoint(self._called(statement))
            if sides or makes_folder or (used and self._shows(statement)):
                indices.append(index)
        return indices if used else []

    @staticmethod
    def _called(statement: Statement) -> set[str]:
        return {last_name(call.func) or "" for call in statement.calls}

    @staticmethod
    def _shows(statement: Statement) -> bool:
        if isinstance(statement.node, ast.Expr):
            return not isinstance(statement.node.value, ast.Constant) or statement.node.value.value not in (None, ...)
        return not SHOWS.isdisjoint(statement.called_functions) or isinstance(statement.node, ast.Assert)

    def is_left_out(self, index: int) -> bool:
        """Return whether a statement trains or fetches (``np.load``, ``load_model``), or gives nothing.

        A function of the file's own is what it calls, whatever its name.
        """
        statement = self._plan.statements[index]
        node = statement.node
        names = self._called(statement)
        if self._keeps:
            names = {name for name in names if not re.match("save|load", name)}
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            own = last_name(node.value.func) or ""
            if own in names - self._functions.keys() and GIVES_NOTHING.fullmatch(own):
                return True
        left_out = {name for name in names if LEFT_OUT.fullmatch(name)}
        if left_out - self._functions.keys():
            return True
        # To train the student's model is neither to copy nor to compare; a name that it binds may be needed.
        only_trains = self._sides[index] == {STUDENT} and not isinstance(node, (ast.Assign, *DEFINITIONS))
        return bool(left_out or only_trains) and any(map(self._trains, self._nodes(statement)))

    def _trains(self, node: ast.AST) -> bool:
        name = last_name(node.func) if isinstance(node, ast.Call) else None
        return name is not None and name not in self._functions and TRAINS.fullmatch(name) is not None

    def use(self, index: int) -> Use:
        nodes = list(self._nodes(self._plan.statements[index]))
        return Use(
            index,
            frozenset(self._sides[index]),
            shape_only=self._shape_only(nodes),
            equality=any(map(_is_equality, nodes)),
            assigns_attribute=any(map(_assigns_weight, nodes)),
            reads_weights=any(isinstance(node, ast.Attribute) and node.attr in WEIGHTS for node in nodes),
        )

    def _nodes(self, statement: Statement) -> Iterator[ast.AST]:
        """Yield the nodes of a statement and of the file's functions that it calls, also through others."""
        waiting: list[ast.AST] = [statement.node]
        seen: set[str] = set()
        while waiting:
            for node in ast.walk(waiting.pop()):
                yield node
                name = last_name(node.func) if isinstance(node, ast.Call) else None
                if name in self._functions and name not in seen:
                    seen.add(name)
                    waiting.append(self._functions[name])

    def _shape_only(self, nodes: list[ast.AST]) -> bool:
        of_shapes: set[int] = set()
        for node in nodes:
            attribute = node.attr if isinstance(node, ast.Attribute) else None
            function = last_name(node.func) if isinstance(node, ast.Call) else None
            if attribute in SHAPE_ATTRIBUTES or function in SHAPE_FUNCTIONS:
                of_shapes |= {id(inner) for inner in ast.walk(node)}
        reads = [n for n in nodes if isinstance(n, ast.Name) and self._sides_of_name.get(n.id) and n.id != CLASS]
        return bool(reads) and all(id(node) in of_shapes for node in reads)


def _is_equality(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare):
        is_exact = any(isinstance(operator, ast.Eq | ast.NotEq) for operator in node.ops)
        return is_exact and not any(isinstance(side, ast.Constant) for side in (node.left, *node.comparators))
    return isinstance(node, ast.Call) and last_name(node.func) in EQUALITY


def _assigns_weight(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(attr="kernel" | "bias" | "recurrent_kernel" | "weights", ctx=ast.Store()):
            return True
        case ast.Subscript(value=ast.Attribute(attr="weights" | "trainable_weights" | "variables"), ctx=ast.Store()):
            return True
        case ast.Subscript(value=ast.Call(func=ast.Attribute(attr="get_weights")), ctx=ast.Store()):
            return True
        case ast.Call(func=ast.Name(id="setattr"), args=[_, ast.Constant(value="kernel" | "bias"), *_]):
            return True
    return False
