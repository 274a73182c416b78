"""The record of a submission's run under one generation of Keras, without any judgement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Self, TypeVar

import numpy as np

from grader.execution.answers import Answer
from grader.execution.class_run import ClassRun
from grader.execution.recognition import Places
from grader.sandbox import Outcome, events
from grader.sandbox.protocol import Arrays
from reference import Case

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


@dataclass(frozen=True)
class Execution:
    """The events of one child, and what later children added where these left doubts."""

    generation: str
    outcome: Outcome
    complete: bool = False
    garbled: str | None = None
    forged: bool = False  # garbled by somebody who knew the form
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
    # All that answers are compared with, the assignment's cases first; and the id of the drawn case for the exercise's
    # own layer.
    cases: tuple[Case, ...] = ()
    twin: str = ""
    # By case. Where a reused model was wrong and a fresh one right (`cured`), the fresh one's.
    answers: Mapping[str, Answer] = field(default_factory=dict)
    cured: frozenset[str] = frozenset()
    # The answers to second calls.
    repeats: Mapping[str, Answer] = field(default_factory=dict)
    gradients: events.Gradients | None = None
    gradient_arrays: Arrays = field(default_factory=dict)
    raised: tuple[events.Raised, ...] = ()
    phases: Mapping[str, float] = field(default_factory=dict)
    # Counterparts of cases, with other numbers, and their answers; see `grader.execution.questions`.
    others: tuple[tuple[Case, Answer], ...] = ()
    # Questions of `reference.edges`, and their answers.
    edges: tuple[tuple[Case, Answer | None], ...] = ()
    # Cases that are right with their own numbers and wrong with others of the same sizes, even on a fresh model.
    known_by_heart: frozenset[str] = frozenset()
    # Cases that are right on a fresh model only.
    fresh_only: tuple[str, ...] = ()
    # Uses of built-in recurrent code during graded calls, where that code is gone.
    built_in: tuple[events.BuiltIn, ...] = ()
    # Questions of `reference.lstm.probes`, and their answers.
    probed: tuple[tuple[Case, Answer | None], ...] = ()

    @classmethod
    def of(
        cls,
        generation: str,
        run: ClassRun,
        roles: Roles,
        *,
        cases: tuple[Case, ...],
        twin: str,
        answers: Mapping[str, Answer],
        cured: frozenset[str],
        known_by_heart: frozenset[str],
        fresh_only: tuple[str, ...],
    ) -> Self:
        """Collect the events of one child by kind.

        Args:
            answers: the child's own, or those of later children in their place.
        """
        done = run.select(events.Done)
        measured = next(((event, arrays) for event, arrays in run.events if isinstance(event, events.Gradients)), None)
        return cls(
            generation,
            run.outcome,
            complete=run.complete,
            garbled=run.garbled,
            forged=run.forged,
            class_found=_last(run.select(events.ClassFound)),
            constructed=_last(run.select(events.Constructed)),
            hard_coded={name: size for found in run.select(events.HardCoded) for name, size in found.sizes.items()},
            parts=_parts(_last(run.select(events.Parts)), roles),
            roles=roles,
            statements_failed=tuple(run.select(events.StatementFailed)),
            reaches=tuple(_with_phases(run)),
            patched=tuple(name for each in done for name in each.patched),
            cases=cases,
            twin=twin,
            answers=answers,
            cured=cured,
            repeats=run.repeats,
            gradients=measured[0] if measured else None,
            gradient_arrays=measured[1] if measured else {},
            raised=tuple(run.select(events.Raised)),
            phases={name: seconds for each in done for name, seconds in each.phases.items()},
            others=run.others,
            edges=run.edges,
            known_by_heart=known_by_heart,
            fresh_only=fresh_only,
            built_in=tuple(
                dict.fromkeys(noted for output in run.select(events.CaseOutput) for noted in output.built_in)
            ),
            probed=run.probed,
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

    def progress(self) -> tuple[bool, bool, bool, int]:
        """Return how far the run got: to a class, a model, known weights, and the number of answers."""
        return (
            self.class_found is not None and self.class_found.found,
            self.constructed is not None,
            self.parts is not None and bool(self.parts.roles),
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
