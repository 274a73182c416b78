"""The outcome of following a class: its loops, the outputs that they collect, and the value that it returns."""

from dataclasses import dataclass, field

from reader.tracing.values import Node, Obj, Seq, Span, Value


@dataclass(eq=False)
class CarriedValue:
    """A value that a step leaves to the next one: `state` stands for it in the step, `after` is what it leaves.

    `on_object`: it is an attribute, which outlives the call.
    """

    name: str
    state: Node
    before: Value
    after: Value
    on_object: bool = False


@dataclass(eq=False)
class CollectedOutput:
    value: Value
    span: Span
    into: Value


@dataclass(eq=False)
class Loop:
    """A loop whose body was followed; `over` is what it runs over, `span` its head, `lines` all of it, `outer` the loop
    around it.
    """

    span: Span
    over: Value
    carried: list[CarriedValue] = field(default_factory=list)
    collected: list[CollectedOutput] = field(default_factory=list)
    lines: Span = (0, 0)
    outer: "Loop | None" = None


@dataclass(eq=False)
class ReturnedValue:
    value: Value
    span: Span
    in_loop: bool


@dataclass(eq=False)
class Trace:
    """Everything that parts are found from.

    Attributes:
        created_in_call: layers and objects made while the class answers.
        created_repeatedly: objects that the constructor makes for each of many.
        random_in_call: where random numbers are drawn while the class answers.
        endless: heads of loops that nothing ends.
        choices: conditions in loops that no one can tell the outcome of.
        named_values: values, and the statements in loops of the class itself that gave them a name.
        given_back: values that functions called in a loop return together, and the functions' parameters.
        is_doubtful: something was not followed that can change numbers.
    """

    x: Node
    loops: list[Loop] = field(default_factory=list)
    answers: list[ReturnedValue] = field(default_factory=list)
    created_in_call: list[Node | Obj] = field(default_factory=list)
    created_repeatedly: list[Obj] = field(default_factory=list)
    random_in_call: list[Span] = field(default_factory=list)
    endless: list[Span] = field(default_factory=list)
    choices: list[Span] = field(default_factory=list)
    named_values: list[tuple[Node, Span]] = field(default_factory=list)
    given_back: list[tuple[Seq, list[str]]] = field(default_factory=list)
    is_doubtful: bool = False
