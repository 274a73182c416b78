"""The events that a child sends, as models: whatever does not fit is refused.

Everything in them is the student's. Unknown fields are refused, and texts and lists have limits.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

# Twice the length that the driver cuts them to.
Name = Annotated[str, Field(max_length=400)]
Message = Annotated[str, Field(max_length=8000)]
Gate = Literal["I", "F", "C", "O"]
Count = Annotated[int, Field(ge=0, lt=2**31)]
Lines = Annotated[list[Count], Field(max_length=50)]
Shape = Annotated[list[Count], Field(max_length=64)]  # NumPy's largest number of axes
# A run watches so many models of a notebook.
ModelNumber = Annotated[int, Field(ge=0, lt=40)]
Seconds = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
PhaseName = Literal[
    "lockdown", "import", "build", "inject", "trial", "call", "repeat", "gradients", "probe", "notebook"
]


class Event(BaseModel):
    """An event. Attributes: MOST: so many of a kind may come in one run; those of a case have room for twenty cases."""

    # Unknown fields are refused: both halves always have one version.
    model_config = ConfigDict(frozen=True, extra="forbid")
    MOST: ClassVar[int] = 1


class Phase(Event):
    MOST = 1000
    event: Literal["phase"]
    name: PhaseName


class Reach(Event):
    """A thing that the code reached for, though the exercise does not need it, on this line of the student's."""

    MOST = 25
    event: Literal["reach"]
    code: (
        Literal["network", "subprocess", "gc_reference", "frame_walk", "write_outside", "reads_files"]
        | Literal["env_read", "copied_source", "result_pipe", "grader_module"]
    )
    what: Name
    line: Count


class StatementFailed(Event):
    MOST = 100  # the driver's own limit
    event: Literal["statement_failed"]
    line: Count
    code: Literal["cell_failed", "cell_timed_out", "input_call"]
    type: Name
    message: Message
    # The last of the file's lines that the error passed through.
    raised_at: Count
    # Names that it would define, "*" for all that a module has, and the module that it imports them from.
    binds: Annotated[list[Name], Field(max_length=200)] = []
    module: Name | None = None


class ClassFound(Event):
    event: Literal["class"]
    found: bool
    is_class: bool
    kind: Name
    is_model: bool
    own: bool
    bases: Annotated[list[Name], Field(max_length=50)]
    has_call: bool
    is_stub: bool


class Constructed(Event):
    """The construction of the student's class: arguments as texts, and parameters with a number as their default."""

    event: Literal["constructed"]
    arguments: Annotated[list[Name], Field(max_length=50)]
    defaults: Annotated[dict[Name, Count], Field(max_length=50)]
    open: bool = False  # whether other arguments are as likely


class MisshapenWeight(BaseModel):
    """A weight that is named after a gate but has the wrong shape for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gate: Gate
    path: Name
    shape: Shape
    expected: Shape


class Parts(Event):
    event: Literal["parts"]
    roles: Annotated[dict[Name, Name], Field(max_length=20)]
    evidence: Literal["names", "numbers"] | None
    candidates: Count
    found: Annotated[list[Name], Field(max_length=100)]
    misshapen: Annotated[list[MisshapenWeight], Field(max_length=20)] = []
    # Letters of the gates without a weight for the input, or for the hidden state.
    without_weights: dict[Literal["kernel", "recurrent_kernel"], Name] = {}
    # Layers that get x where their siblings get h, or the other way round -> what they get.
    misfed: Annotated[dict[Name, Literal["x", "h"]], Field(max_length=8)] = {}
    states: Annotated[list[Name], Field(max_length=20)] = []  # variables that a call assigns
    unused: Annotated[list[Name], Field(max_length=100)] = []  # what only looks like a weight
    uses: Annotated[dict[Name, tuple[Count, Name, Name]], Field(max_length=100)] = {}  # what each weight is for
    open: bool = False  # names and shapes allow another reading of the weights
    drops: bool = False  # the code calls something dropout
    # Weights that the model does not know of, and objects that hold such weights.
    untracked: Annotated[dict[Name, Literal["variable", "holder", "constant", "frozen"]], Field(max_length=20)] = {}
    more_untracked: bool = False  # there are more than these
    knows_none: bool = False  # the model knows of no weight at all

    def untracked_of(self, kind: str) -> list[str]:
        """List those of one kind, for a report."""
        names = [name for name, each in self.untracked.items() if each == kind]
        return [*names, "…"] if names and self.more_untracked else names


# For each array of a container: the places of its items.
Place = Annotated[str, Field(max_length=40)]
Places = Annotated[list[Annotated[list[Place], Field(max_length=4096)]], Field(max_length=8)]


class Trial(Event):
    event: Literal["trial"]
    case: Name
    inside: Places = []
    repeats: bool  # the same call gave the same answer
    pairing: dict[Literal["recurrent_kernel", "bias"], Annotated[list[Count], Field(min_length=4, max_length=4)]]


class Equal(Event):
    """The gradients of every number of the weights, in one array, where all weights have one value."""

    MOST = 20
    event: Literal["equal"]
    case: Name


class BuiltIn(BaseModel):
    """Built-in recurrent code that was asked for while an answer was computed, or while its graph was made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    layer: Name | None  # the Keras class that it ran for
    line: Count | None
    is_global: bool  # that layer is a variable of the module


class CaseOutput(Event):
    MOST = 200
    event: Literal["output"]
    case: Name
    call: Literal[0, 1]
    reused: bool
    built_in: Annotated[list[BuiltIn], Field(max_length=50)] = []
    created: Count = 0  # variables created during the call
    kind: Name
    dtype: Name | None
    shape: Shape | None
    parts: Annotated[list[Shape], Field(max_length=20)] | None
    inside: Places = []
    own: bool = False  # an instance of a class that the student wrote
    global_name: Name | None = None  # the variable of the module that holds it
    # The model's gate weights for the input, and for the hidden state; 0 where they were not counted.
    kernels: Count = 0
    recurrent_kernels: Count = 0


class Gradients(Event):
    """Gradients of a sum of the answer times factors, with the arrays of `GRADIENTS` if the answer's shape is right."""

    MOST = 20
    event: Literal["gradients"]
    case: Name
    reach: Annotated[dict[Name, float | None], Field(max_length=1000)]
    first_timestep: float | None


class Raised(Event):
    MOST = 100
    event: Literal["raised"]
    phase: PhaseName | None
    case: Name | None
    type: Name
    bases: Annotated[list[Name], Field(max_length=50)]
    message: Message
    lines: Lines
    in_init: bool = False  # raised while the model was constructed
    caught: bool = False  # by an ``except`` of the student's own


class HardCoded(Event):
    """A size that a class needs: it failed for the exercise's own case, and answers where this size is that number."""

    event: Literal["hard_coded"]
    sizes: dict[Literal["batch", "units"], Count]


class ModelCall(Event):
    """A call of one of the notebook's models; `moment` names the `Weights` that it had.

    `reacts`: the change of the answer with other weights, as a share of its largest number, where that was asked.
    """

    MOST = 400
    event: Literal["called"]
    call: Count
    model: ModelNumber
    side: Literal["student", "keras"]
    statement: Count
    moment: Annotated[int, Field(ge=-1, lt=1000)]
    input: Name | None
    built_in: Annotated[list[BuiltIn], Field(max_length=50)] = []
    reacts: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class Weights(Event):
    """The weights of those models of the notebook whose weights changed."""

    MOST = 100
    event: Literal["weights"]
    moment: Annotated[int, Field(ge=0, lt=1000)]
    statement: Count


class NotebookOutput(Event):
    """An output of the notebook, or a number that it bound to a name."""

    MOST = 400
    event: Literal["shown"]
    statement: Count
    via: Literal["print", "write", "value", "bound", "call", "raised"]
    kind: Literal["number", "bool", "array", "text", "other"]
    size: Annotated[int, Field(ge=0)]
    values: Annotated[list[float], Field(max_length=100)]
    text: Message


class Done(Event):
    event: Literal["done"]
    phases: dict[PhaseName, Seconds]
    # Library functions that the student's code replaced.
    patched: Annotated[list[Name], Field(max_length=20)] = []


AnyEvent = Annotated[
    Phase
    | Reach
    | StatementFailed
    | ClassFound
    | Constructed
    | Parts
    | Trial
    | Equal
    | CaseOutput
    | Gradients
    | Raised
    | HardCoded
    | ModelCall
    | Weights
    | NotebookOutput
    | Done,
    Field(discriminator="event"),
]
