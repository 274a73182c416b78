"""States: where they start, and the values that a step leaves to the next."""

from collections.abc import Iterator, Sequence

from reader.parts.part import Part, operations
from reader.parts.step import C, H, Step, path
from reader.tracing.calls import RANDOM
from reader.tracing.traces import CarriedValue, Trace
from reader.tracing.values import Const, Node, Seq, Value, nodes_in, reachable_nodes

ONES = frozenset({"ones", "ones_like"})
FILLED = frozenset({"fill", "full", "full_like"})
ZEROS = frozenset({"zeros", "zeros_like"})
SHAPES = frozenset({"attribute", "shape", "size", "len", "rank"}) | ONES
#: Layers of one cell: for x and for h, for each gate.
MOST_LAYERS = 8


def state_parts(step: Step, trace: Trace) -> Iterator[Part]:
    roles = {id(carried): role_of(carried.after, step) for carried in step.loop.carried}
    below_h = {id(node) for node in reachable_nodes([step.h])} if step.h is not None and step.c is not None else set()
    for carried in step.loop.carried:
        is_third = roles[id(carried)] is None and {"h", "c"} <= {*roles.values()}
        if is_third and id(carried.state) in below_h and isinstance(carried.after, Node):
            is_counter = all(node is not trace.x for node in reachable_nodes([carried.after]))
            yield from [] if is_counter else [Part.at("passed_on", carried.after.span, "third")]
        if roles[id(carried)] is None and use_of(carried.state, step) is None:
            continue
        yield from _start(carried.before)
        yield from _passed_on(carried, roles[id(carried)], step, trace)
        if isinstance(carried.after, Node) and step.recognised.gate(carried.after) and H.fullmatch(carried.name):
            yield from _named("gate", [carried.after], trace)
    updates = [node for node in (step.h, step.c) if node is not None]
    starts_anew = any(node.op in ZEROS for node in reachable_nodes(updates))
    for role, node in (("h", step.h), ("c", step.c)):
        if node is not None and role not in roles.values() and (step.loop.carried or starts_anew):
            same = [held for held, _ in trace.named_values if path(held, node) == []]
            yield from _named(f"{role}_lost", same, trace)
            if not same:
                # The cell that should return it is called where the other state gets its name.
                others = [carried.after for carried in step.loop.carried if roles[id(carried)] is not None]
                called = list(_named(f"{role}_lost", others, trace))
                collected = (Part.at("passed_on", each.span, f"{role}_lost") for each in step.loop.collected)
                yield from called or collected
    if len({id(gate.node) for gate in step.gates if gate.letter == "I"}) > 1:
        layers = {id(made) for gate in step.gates for made in step.recognised.weights_in(gate.sum)}
        if len(layers) <= MOST_LAYERS:
            yield from _named("twice", [carried.after for carried in step.loop.carried], trace)
        elif step.h is not None:
            yield from _named("second_layer", [step.h], trace)
    yield from _reset(step)


def _named(word: str, values: Sequence[Value], trace: Trace) -> Iterator[Part]:
    """Yield the lines on which a loop of the class gives these values their names."""
    for held, span in trace.named_values:
        if held in values:
            yield Part.at("passed_on", span, word)


def _reset(step: Step) -> Iterator[Part]:
    """Yield zeros that are made in every step, in place of a state."""
    first, last = step.loop.lines
    for node in reachable_nodes([step.c, step.h] if step.c is not None and step.h is not None else []):
        # Zeros like a step of x stand for that step.
        like_x = any(isinstance(each, Node) and each.op == "item" for each in node.args)
        if node.op in ZEROS and first < node.span[0] <= last and not like_x:
            yield Part.at("passed_on", node.span, "reset")


def role_of(value: Value, step: Step) -> str | None:
    """Return which new state a value is."""
    if step.h is not None and path(value, step.h) is not None:
        return "h"
    return "c" if step.c is not None and path(value, step.c) is not None else None


def use_of(state: Node, step: Step) -> str | None:
    """Return which old state a state is used as: h goes into products, c into the update of c."""
    products = [product for gate in step.gates for product in step.recognised.products(gate.sum)]
    in_products = any(state is each or path(each, state) is not None for product in products for each in product.args)
    in_update = any(each is state for node in step.terms_of_c() for each in nodes_in(node.args))
    return "h" if in_products and not in_update else "c" if in_update and not in_products else None


def _start(before: Value) -> Iterator[Part]:
    if not isinstance(before, Node | Seq):
        return
    if isinstance(before, Node) and before.op == "state":
        yield Part.at("initial_state", before.span, "carried")
    sized = [node for node in reachable_nodes([before]) if node.op in ZEROS | ONES | FILLED | RANDOM]
    rest = [node for node in sized if node.op not in ZEROS]
    if isinstance(before, Node) and before.op != "state" and _has_numbers_of_x(before):
        yield Part.at("initial_state", before.span, "from_x")
    for node in sized:
        for place, size in enumerate(_sizes(node)):
            if isinstance(size, Const) and type(size.value) is int and size.span != (0, 0) and size.value > 1:
                yield Part.at("line", size.span, "fixed_batch" if place == 0 else "fixed_units")
            elif place and isinstance(size, Node) and size.op in ("size", "item") and size.label == 0:
                yield Part.at("initial_state", node.span, "turned")
    if isinstance(before, Node) and before.op not in ZEROS and rest:
        words = ["random"] if any(node.op in RANDOM for node in rest) else ["ones"] if before in rest else ["number"]
        if before.op in FILLED:
            words = ["ones", "number"]
        # A state that is tiled or scaled is wrong where its numbers are made.
        where = before if before.op in ("mul", "add", "sub", "div") else rest[0]
        yield Part.at("initial_state", where.span, *words)


def _has_numbers_of_x(value: Node) -> bool:
    """Return whether a value depends on the numbers of x, not on its shape alone."""
    waiting, seen = [value], set[int]()
    while waiting:
        node = waiting.pop()
        is_zero = node.op == "mul" and any(isinstance(each, Const) and not each.value for each in node.args)
        if node.op == "x":
            return True
        if id(node) not in seen and not is_zero and node.op not in ZEROS | SHAPES:
            seen.add(id(node))
            waiting += node.inputs()
    return False


def _sizes(node: Node) -> list[Value]:
    shape = node.args[0] if node.args else node.keywords.get("shape")
    return shape.items if isinstance(shape, Seq) and len(shape.items) == 2 else []


def _orders(given: Seq, parameters: Sequence[str], step: Step) -> str | None:
    """Compare the order of the states that a function returns with that of its parameters."""
    order = ["h" if H.fullmatch(name) else "c" for name in parameters if H.fullmatch(name) or C.fullmatch(name)]
    returned = [role_of(value, step) for value in given.items]
    return "kept" if order == returned else "turned" if order == returned[::-1] else None


def _passed_on(carried: CarriedValue, role: str | None, step: Step, trace: Trace) -> Iterator[Part]:
    target = step.h if role == "h" else step.c
    if role is not None and target is not None:
        way = path(carried.after, target) or []
        yield from operations("passed_on", (node for node in way if node.op != "either"))
        used = use_of(carried.state, step)
        fitting = C if role == "h" else H
        functions = [each for each in trace.given_back if carried.after in each[0].items]
        turning = [given for given, parameters in functions if _orders(given, parameters, step) == "turned"]
        # Where a name fits its use, the student's own function may give the states in the other order.
        is_function_right = target.span[0] < 0 or any(_orders(*each, step) == "kept" for each in functions)
        if used is None or used == role:
            pass
        elif turning:
            yield from (Part.at("passed_on", given.span, "swapped") for given in turning)
        elif is_function_right or not fitting.fullmatch(carried.name):
            named = list(_named("swapped", [carried.after], trace))
            # A state with the name of its use got its value in the last of these lines; one with the other's name was
            # used wrongly in the first.
            own, other = (H, C) if used == "h" else (C, H)
            is_named = own.fullmatch(carried.name) or other.fullmatch(carried.name)
            called = [carried.name] if is_named else carried.state.names
            is_own, is_other = any(map(own.fullmatch, called)), any(map(other.fullmatch, called))
            yield from named if is_own is is_other else named[-1:] if is_own else named[:1]
    if carried.on_object:
        yield from _named("kept", [carried.after], trace)
