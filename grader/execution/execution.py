"""The record of a submission's run under one generation of Keras, without any judgement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self, TypeVar

import numpy as np

from grader.assignment import Assignment
from grader.execution.class_run import ClassRun
from grader.execution.reading import Reading
from grader.execution.recognition import Places
from grader.sandbox import events
from grader.sandbox.protocol import Arrays
from grader.sandbox.requests import Run, sizes_of

T = TypeVar("T")

# Errors of a statement that asks a module for something it does not have.
NOT_IN_MODULE = ("ModuleNotFoundError", "ImportError", "AttributeError")


@dataclass(frozen=True)
class Roles:
    """The chosen reading of the weights, where names do not settle it; see runner/driver/weights/roles.py.

    Args:
        joined: the order of x and h in a joined input, where it is supposed.
        places: by array name of a request, where each number of recognised weights stands in the Keras layer; see
            grader/execution/recognition.py.
        proven: the numbers chose it; False: nothing tells the candidates apart, and this is any one.
    """

    candidate: int | None = None
    pairing: Mapping[Literal["recurrent_kernel", "bias"], list[int]] = field(default_factory=dict)
    joined: Literal["xh", "hx"] | None = None
    places: Mapping[str, Places] = field(default_factory=dict)
    proven: bool = True


def run_of(
    reading: Reading, assignment: Assignment, roles: Roles, statements: list[int], seconds: float, *, prepared: bool
) -> Run:
    """Return the part of a request that runs of a class and of a notebook have in common."""
    return {
        "source": reading.source,
        "statements": statements,
        "statement_seconds": seconds,
        "canonical": sizes_of(assignment.cases[0]),
        "unpack_names": reading.unpack_names,
        "candidate": roles.candidate,
        "pairing": {str(weight): order for weight, order in roles.pairing.items()},
        "joined": roles.joined,
        "prepared": prepared,
        "only_computes": reading.only_computes,
    }


@dataclass(frozen=True)
class Execution(ClassRun):
    """The events of one child, and what later children added where these left doubts.

    Where a reused model was wrong and a fresh one right (`cured`), `cases` and `answers` are the fresh one's.
    """

    generation: str = field(kw_only=True)
    class_found: events.ClassFound | None = None
    constructed: events.Constructed | None = None
    # The size that a class needs if it failed for the exercise: ``{"batch": 10}``.
    hard_coded: Mapping[str, int] = field(default_factory=dict)
    parts: events.Parts | None = None
    # The reading of the weights that the numbers chose, where names did not say.
    roles: Roles = Roles()
    statements_failed: tuple[events.StatementFailed, ...] = ()
    # The reaches of the code for things that the exercise does not need, each with the phase of the run.
    reaches: tuple[tuple[events.Reach, str | None], ...] = ()
    # Library functions that the student's code replaced.
    patched: tuple[str, ...] = ()
    # The id of the drawn case for the exercise's own layer.
    twin: str = ""
    cured: frozenset[str] = frozenset()
    gradients: events.Gradients | None = None
    gradient_arrays: Arrays = field(default_factory=dict)
    raised: tuple[events.Raised, ...] = ()
    # Exceptions that the student's own code caught.
    caught: tuple[events.Raised, ...] = ()
    phases: Mapping[str, float] = field(default_factory=dict)
    # Cases that are right with their own numbers and wrong with others of the same sizes, even on a fresh model.
    known_by_heart: frozenset[str] = frozenset()
    # Cases that are right on a fresh model only.
    fresh_only: tuple[str, ...] = ()
    # Uses of built-in recurrent code during graded calls, where that code is gone.
    built_in: tuple[events.BuiltIn, ...] = ()

    @classmethod
    def of(cls, run: ClassRun, **later: Any) -> Self:
        """Collect the events of one child by kind.

        Args:
            later: fields that follow from the children after it, too.
        """
        found = cls(**vars(run) | later)
        done = run.select(events.Done)
        measured = next(((event, arrays) for event, arrays in run.events if isinstance(event, events.Gradients)), None)
        outputs, raised = run.select(events.CaseOutput), run.select(events.Raised)
        return replace(
            found,
            class_found=_last(run.select(events.ClassFound)),
            constructed=_last(run.select(events.Constructed)),
            hard_coded={name: size for each in run.select(events.HardCoded) for name, size in each.sizes.items()},
            parts=_parts(_last(run.select(events.Parts)), found.roles),
            statements_failed=tuple(run.select(events.StatementFailed)),
            reaches=tuple(_with_phases(run)),
            patched=tuple(name for each in done for name in each.patched),
            gradients=measured[0] if measured else None,
            gradient_arrays=measured[1] if measured else {},
            raised=tuple(each for each in raised if not each.caught),
            caught=tuple(each for each in raised if each.caught),
            phases={name: seconds for each in done for name, seconds in each.phases.items()},
            built_in=tuple(dict.fromkeys(noted for output in outputs for noted in output.built_in)),
        )

    @property
    def roles_from(self) -> Literal["names", "numbers"] | None:
        """Return the kind of evidence that tells which weight is which."""
        if self.roles.candidate is not None:
            return "numbers" if self.roles.proven else None
        return self.parts.evidence if self.parts else None

    @property
    def depends_on_built_in(self) -> bool:
        """Return whether numbers are missing from the answers because disabled built-in code was asked for them."""
        probed = [answer for _, answer in self.probed if answer is not None]
        arrays = [array for answer in (*self.answers.values(), *probed) for array in answer.arrays]
        return bool(self.built_in) and not all(np.isfinite(array).all() for array in arrays)

    def failed_early(self) -> bool:
        """Return whether Keras 3 may be the reason: an error or a time limit before the exercise's own answer."""
        timed_out = self.outcome.killed_for in ("cpu", "wall", "budget")
        return not self.answers and (bool(self.raised) or timed_out or self.lost_imports() != ())

    def lost_imports(self) -> tuple[events.StatementFailed, ...]:
        """Return failed imports that the class needs, from modules that this Keras lacks, such as ``tf_keras``."""
        if self.class_found is None or self.class_found.found:
            return ()
        return tuple(failed for failed in self.statements_failed if failed.type in NOT_IN_MODULE)

    def progress(self) -> tuple[bool, bool, int]:
        """Return how far the run got: to a class, a model, and the number of answers."""
        return (
            self.class_found is not None and self.class_found.found,
            self.constructed is not None,
            len(self.answers),
        )


def _parts(parts: events.Parts | None, roles: Roles) -> events.Parts | None:
    """Return the model's parts, without names of weights that are no more than a guess."""
    return parts if parts is None or roles.proven else parts.model_copy(update={"roles": {}})


def _with_phases(run: ClassRun) -> list[tuple[events.Reach, str | None]]:
    phase: str | None = None
    reaches: list[tuple[events.Reach, str | None]] = []
    for event, _ in run.events:
        if isinstance(event, events.Phase):
            phase = event.name
        elif isinstance(event, events.Reach):
            reaches.append((event, phase))
    return reaches


def _last(items: Sequence[T]) -> T | None:
    return items[-1] if items else None
