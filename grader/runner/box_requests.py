"""The table of requests to the box: kinds of warm process, the requests that each answers, and words of answers.

Both sides read this one module: the box by this name, the trusted side as `grader.sandbox.requests`. It imports nothing
of either. Requests are JSON objects; mypy checks both sides against their types. Nothing is checked in the box: the
trusted side is believed there.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, NotRequired, TypedDict

#: How many of each of `SIZES` a case has.
Sizes = dict[str, int]
SIZES = ("batch", "timesteps", "features", "units")

#: Words for the activations that a reader finds. Other functions of the same numbers have the same word.
ACTIVATIONS = frozenset(
    {
        *("sigmoid", "tanh", "hard_sigmoid", "relu", "leaky_relu", "elu", "selu", "softmax", "softplus"),
        *("softsign", "swish", "silu", "gelu", "sin", "cos", "exp", "hard_tanh", "relu6", "mish"),
        *("sqrt", "square", "abs", "tan", "atan", "arctan", "sinh", "cosh", "asinh", "arcsinh", "erf", "log_sigmoid"),
        *("logsigmoid", "hard_silu", "hard_swish", "log1p", "expm1", "sign"),
    }
)


class Kind(StrEnum):
    """A warm process that a request can go to."""

    # Gets an `UploadRequest`.
    READER = "reader"
    # Get a `ClassRequest`. They are without Keras' and TensorFlow's recurrent code.
    KERAS2 = "keras2"
    KERAS3 = "keras3"
    # Get a `NotebookRequest`. They have that code, for a notebook's statements outside its own class.
    NOTEBOOK2 = "notebook2"
    NOTEBOOK3 = "notebook3"

    @classmethod
    def of_class(cls, keras: str) -> Kind:
        """Return the kind for a generation of Keras, or for an assignment that leaves it open."""
        return cls.KERAS2 if keras == "2" else cls.KERAS3

    @property
    def is_keras2(self) -> bool:
        return self in (Kind.KERAS2, Kind.NOTEBOOK2)

    @property
    def lends_recurrence(self) -> bool:
        return self in (Kind.NOTEBOOK2, Kind.NOTEBOOK3)


class UploadRequest(TypedDict):
    """A request to read a file; its bytes follow the JSON.

    Attributes:
        canonical: the exercise's own sizes by name; a call of the class that uses one of them is how it is constructed.
    """

    filename: str
    canonical: Sizes


class Question(TypedDict):
    """One question to the student's class. Its arrays are named by its id.

    Attributes:
        fresh: ask a model that was built for it.
        trial: where names do not settle which weight is which, look for it here.
        measure: take gradients of the answer.
        equal: give all weights one value, and tell the gradients of every number.
        main: the exercise's own question; its model is built first.
        follows: id of the question before it; the same model gets both.
    """

    id: str
    sizes: Sizes
    fresh: bool
    trial: bool
    measure: bool
    equal: bool
    main: bool
    follows: str | None


class CallSite(TypedDict):
    """The student's own call of the constructor, as source text."""

    args: list[str]
    kwargs: dict[str, str]


class Run(TypedDict):
    """The part of a request that runs of a class and of a notebook have in common.

    Where weights were recognised, an array ``places/16/32`` follows for each layer: that of 16 features, 32 units.

    Attributes:
        statements: indices of the top-level statements to run.
        unpack_names: names of the four parts of each fused product, in their order.
        candidate: the index of one way to give the weights their roles; None: names must settle it.
        pairing: the order of recurrent kernels and biases that an earlier run found.
        joined: the order of x and h in a joined input.
        prepared: take the short ways around Keras.
        only_computes: calls of the student's layers leave nothing behind but the answer.
    """

    source: str
    statements: list[int]
    statement_seconds: float
    canonical: Sizes
    unpack_names: list[list[str]]
    candidate: int | None
    pairing: dict[str, list[int]]
    joined: Literal["xh", "hx"] | None
    prepared: bool
    only_computes: bool


class ClassRequest(Run):
    """A request to ask the class.

    Attributes:
        plans_passed_over: ways to construct it that are left out, because their numbers were wrong.
    """

    task: Literal["class"]
    call_site: CallSite | None
    plans_passed_over: int
    questions: list[Question]
    probes: list[Question]


class Spoil(TypedDict):
    """A change of one answer of a notebook's model.

    Attributes:
        by: ``shift`` and ``pattern`` add numbers to it, each to other elements unless `everywhere`; ``keras`` puts the
            answer of Keras' `model` and a shift in its place. ``weights`` leaves it: the model answers again, with
            other weights, and the change is sent.
        amount: factor of these numbers.
    """

    by: Literal["shift", "pattern", "keras", "weights"]
    amount: float
    everywhere: NotRequired[bool]
    model: NotRequired[int]


class NotebookRequest(Run):
    """A request to run the notebook itself.

    Attributes:
        supply_layer: the notebook has no layer of Keras, so it gets the course's.
        spoils: changes of answers, by the number of the call.
        unused: paths of what only looks like a weight, as the class showed.
        uses: what each weight is for, by its path, as the class showed on other sizes.
    """

    task: Literal["notebook"]
    supply_layer: bool
    unused: list[str]
    uses: dict[str, tuple[int, str, str]]
    spoils: dict[str, Spoil]
