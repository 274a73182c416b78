"""The loop, the outputs that it collects, how they are put together, and the value that is returned."""

from collections.abc import Iterator

from reader.parts.part import SHORT, Part, has_turning, is_coarse, operations, words
from reader.parts.step import Step, path
from reader.tracing.traces import CarriedValue, CollectedOutput, Trace
from reader.tracing.values import Const, Map, Node, Obj, Seq, Value, reachable_nodes

JOINING = frozenset(
    {
        *("stack", "transpose", "concat", "reshape", "permute_dimensions", "swapaxes", "rows", "array"),
        *("moveaxis", "expand_dims", "squeeze", "einsum", "permute", "hstack", "vstack", "dstack"),
        *("item",),
    }
)


#: Functions that may repeat steps without a loop that is followed; ``call`` is a recursion.
REPEATING = frozenset({"call", "map", "reduce", "accumulate", "foldl", "foldr", "vectorized_map", "vectorize", "rnn"})


def answer_parts(trace: Trace, step: Step | None) -> Iterator[Part]:
    if step is not None:
        yield Part.at("loop", step.loop.span, *_of_loop(step.loop.over))
        for carried in step.loop.carried:
            yield from _of_counter(carried)
        yield from (Part.at("loop", test, "choice") for test in trace.choices)
        for collected in step.loop.collected:
            yield from _collected(collected, step)
    for head in trace.endless:
        yield Part.at("loop", head, "endless")
    for created in trace.created_in_call:
        if isinstance(created, Obj) or created.op == "weight" or created.label == "Dense":
            yield Part.at("line", created.span, "made")
    for repeated in trace.created_repeatedly:
        yield Part.at("line", repeated.span, "made_often")
    for drawn in trace.random_in_call:
        yield Part.at("line", drawn, "random")
    everything = reachable_nodes([answer.value for answer in trace.answers])
    for node in everything:
        if "dropout" in node.op or node.op == "stop_gradient":
            yield Part.at("line", node.span, "stop_gradient" if node.op == "stop_gradient" else "dropout")
        if is_coarse(node, SHORT):
            yield Part.at("line", node.span, "short")
    has_loop = trace.loops or trace.is_doubtful or any(node.op in REPEATING for node in everything)
    for answer in trace.answers:
        where = ["in_loop"] if answer.in_loop else [] if has_loop else ["no_loop"]
        yield Part.at("returned", answer.span, "answer", *_form(answer.value, step), *where)
        if isinstance(answer.value, Node):
            span = answer.value.span if any(answer.value.span) else answer.span
            yield Part.at("returned", span, *words(answer.value))
        if not answer.in_loop:
            yield from _between_loop_and_answer(answer.value, step)


def _of_loop(over: Value) -> Iterator[str]:
    if has_turning(over):
        yield "reversed"
    counted = over.args if isinstance(over, Node) and over.op in ("enumerate", "zip") else (over,)
    for node in reachable_nodes([over]):
        if (node.op == "x" and node in counted) or _splits_rows(node):
            yield "other_axis"
        if node.op not in ("range", "compare"):
            continue
        bounds = [each.value if isinstance(each, Const) else None for each in node.args]
        if len(bounds) == 3 and bounds[2] == -1:
            yield "reversed"
        elif len(bounds) == 3 and bounds[2] != 1:
            yield "every_second"
        if len(bounds) > 1 and type(bounds[0]) is int and bounds[0] > 0 and node.op == "range":
            yield "late"
        stop = node.args[0 if len(node.args) == 1 else 1] if node.args else None
        match stop:
            case Const(value=int(length)) if length > 1:
                yield "fixed_length"
            case Node(op="sub"):
                yield "short"
            case Node(op="add"):
                yield "long"
            case Node(op="size" | "item", label=0 | 2) | Node(op="len", args=(Node(op="x"), *_)):
                yield "other_axis"


def _splits_rows(node: Node) -> bool:
    """Return whether x is split along its first axis: ``tf.unstack(x)``."""
    axis = node.keywords.get("axis", node.args[2] if len(node.args) > 2 else Const(0))
    is_first = isinstance(axis, Const) and axis.value == 0
    split = node.args[0] if node.args else node.keywords.get("value")
    return node.op == "unstack" and is_first and isinstance(split, Node) and split.op == "x"


def _of_counter(carried: CarriedValue) -> Iterator[Part]:
    """Yield the lines that move an index from step to step, where it does not go on by 1."""
    stride, node = 0, carried.after
    while isinstance(node, Node) and node.op in ("add", "sub") and len(node.args) == 2:
        numbers = [each.value for each in node.args if isinstance(each, Const) and type(each.value) is int]
        rest = [each for each in node.args if isinstance(each, Node)]
        if len(numbers) != 1 or len(rest) != 1:
            return
        stride += numbers[0] if node.op == "add" else -numbers[0]
        node = rest[0]
    if node is carried.state and isinstance(carried.after, Node) and stride not in (0, 1):
        yield Part.at("loop", carried.after.span, "reversed" if stride < 0 else "every_second")


def _collected(collected: CollectedOutput, step: Step) -> Iterator[Part]:
    value, into = collected.value, collected.into
    if isinstance(into, Seq) and into.items and into.items[0] is not value and into.span != (0, 0):
        yield Part.at("collected", into.span, "begun")
    first, last = step.loop.lines
    if isinstance(into, Seq) and first < into.span[0] <= last:
        yield Part.at("collected", into.span, "begun_anew")
    if isinstance(value, Seq | Map):
        yield Part.at("collected", collected.span, "several")
        return
    if step.h is not None and (way := path(value, step.h)) is not None:
        yield Part.at("collected", collected.span, "h")
        yield from operations("collected", (node for node in way if node.op != "either"))
    elif step.c is not None and path(value, step.c) is not None:
        yield Part.at("collected", collected.span, "c")
    elif isinstance(value, Node) and step.recognised.gate(value) is not None:
        yield Part.at("collected", collected.span, "gate")
    elif any(path(value, carried.state, through_states=False) is not None for carried in step.loop.carried):
        yield Part.at("collected", collected.span, "old_state")
    else:
        yield Part.at("collected", collected.span, "other")


def _form(value: Value, step: Step | None) -> Iterator[str]:
    if isinstance(value, Seq):
        yield "sequence"
        if value.items and step is not None and all(item in (step.h, step.c) for item in value.items):
            yield "states"
    elif isinstance(value, Map):
        yield "dict"
    elif isinstance(value, Node):
        if step is not None and value is step.h:
            yield "last"
        if value.op == "item" and value.label == -1:
            yield "last"
    elif isinstance(value, Const) and value.value is None:
        yield "none"


def _between_loop_and_answer(value: Value, step: Step | None) -> Iterator[Part]:
    """Yield the operations on the outputs between the loop and the answer."""
    ends = {id(node) for node in (reachable_nodes([each.value for each in step.loop.collected]) if step else ())}
    if step is None or not step.loop.collected:
        return
    for node in reachable_nodes([value]):
        if id(node) in ends or node.op in ("slice", "size", "attribute", "x", "shape", "name", "parameter", "state"):
            continue
        if not any(id(each) in ends for each in reachable_nodes([node])):
            continue
        is_joining = node.op in JOINING or "reversed" in words(node)
        yield Part.at("stacking" if is_joining else "returned", node.span, *words(node))
