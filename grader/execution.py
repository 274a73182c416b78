"""Runs a submission that was read, and gathers what happened as evidence for the checks.

Usually that is one child. Another is needed when names do not say which weight is which (with the candidate that fits),
when a model that had seen another shape is wrong where a fresh one is right (with fresh models), and when built-in
recurrent code ran (with that code returning NaN).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from grader.assignment import Assignment
from grader.comparison import NO_ANSWER, Comparison, compare
from grader.errors import RunnerOutputForged, RunnerOutputInvalid
from grader.explanation import Explanation, explain, explain_changing, idle_arrays
from grader.localisation import repair
from grader.reading import Reading
from grader.report import Params
from grader.sandbox import Kind, Outcome, Sandbox, protocol
from grader.sandbox.protocol import (
    Attempt,
    CaseOutput,
    ClassFound,
    Done,
    Gradients,
    Parts,
    Phase,
    Raised,
    StatementFailed,
    Trial,
)
from reference import Case, probes, search_case
from reference.misconceptions import Table

Array = NDArray[np.floating]


# An answer that is nearer to the expected one than this is no mistake in the formulas.
RIGHT = 1e-3


@dataclass(frozen=True)
class Answer:
    """What the model returned for one case: a description, and its numbers when it returned one array.

    Args:
        inside: of a container, what may be meant to be the answer. It can be explained, and earns nothing.
    """

    output: CaseOutput
    array: Array | None
    inside: Array | None = None

    @property
    def numbers(self) -> Array | None:
        return self.inside if self.array is None else self.array


@dataclass(frozen=True)
class Roles:
    """Which of the possible assignments of roles to take, where names do not settle it; see runner/roles.py."""

    candidate: int | None = None
    pairing: Mapping[Literal["recurrent_kernel", "bias"], list[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Execution:
    """Everything one child said, and how it ended."""

    generation: str
    outcome: Outcome
    complete: bool = False
    garbled: str | None = None
    forged: bool = False  # garbled by somebody who knew the form
    phase: str | None = None
    class_found: ClassFound | None = None
    parts: Parts | None = None
    roles_from: Literal["names", "numbers"] | None = None
    # Which reading of the weights the numbers chose, where names did not say.
    roles: Roles = Roles()
    statements_failed: tuple[StatementFailed, ...] = ()
    # What the student's code reached for, with the phase of the run in which it did.
    attempts: tuple[tuple[Attempt, str | None], ...] = ()
    # Functions of libraries that it replaced.
    patched: tuple[str, ...] = ()
    answers: dict[str, Answer] = field(default_factory=dict)
    repeats: dict[str, Answer] = field(default_factory=dict)
    gradients: Gradients | None = None
    raised: tuple[Raised, ...] = ()
    phases: dict[str, float] = field(default_factory=dict)
    comparisons: dict[str, Comparison] = field(default_factory=dict)
    # Cases that are right on a fresh model only.
    fresh_only: tuple[str, ...] = ()
    # Built-in recurrent functions that ran during graded calls.
    fired: tuple[str, ...] = ()
    # None: no recurrent code ran. False: it ran, and the answer did not depend on it.
    depends_on_built_in: bool | None = None
    # Answers to the questions of `reference.probes`, by their ids.
    probed: dict[str, Array] = field(default_factory=dict)
    # The known mistakes that give the numbers of a wrong answer.
    explanation: Explanation | None = None
    # The parts of a wrong answer to the exercise's own case that are right all the same.
    right_parts: frozenset[str] = frozenset()
    # What would make answers right that nothing explains; as `grader.localisation.repair` gives it.
    repair: Params = field(default_factory=dict)

    def failed_early(self) -> bool:
        """Whether Keras 3 may be the reason: it raised or timed out before an answer to the exercise's own case."""
        return not self.answers and (bool(self.raised) or self.outcome.killed_for in ("cpu", "wall"))


class Runner:
    """Runs one submission under one Keras generation."""

    def __init__(
        self,
        reading: Reading,
        assignment: Assignment,
        cases: Sequence[Case],
        sandbox: Sandbox,
        table_of: Callable[[Case], Table],
    ) -> None:
        self._reading = reading
        self._assignment = assignment
        self._cases = cases
        self._probes = probes.questions(cases[0].spec.features, cases[0].spec.units)
        self._sandbox = sandbox
        self._table_of = table_of

    def run(self, generation: str) -> Execution:
        """Everything that there is to know for the checks.

        Raises:
            SandboxError: the box failed.
        """
        roles = Roles()
        execution, trial = self._once(generation)
        if trial is not None:
            roles = self._choose(*trial)
            execution, _ = self._once(generation, roles)
            execution = replace(execution, roles_from="numbers", roles=roles)
        execution = self._retry_fresh(execution, roles)
        if execution.fired:
            poisoned, _ = self._once(generation, roles, poisoned=True)
            execution = replace(execution, depends_on_built_in=_differ(execution, poisoned))
        return understood(execution, self._cases, self._probes, self._table_of)

    def _retry_fresh(self, execution: Execution, roles: Roles) -> Execution:
        """A model that had seen another shape is wrong, one that had not is right: ask again with fresh models."""
        right = [
            id for id, answer in execution.answers.items() if self._close(execution, id) and not answer.output.reused
        ]
        doubtful = [
            id for id, answer in execution.answers.items() if not self._close(execution, id) and answer.output.reused
        ]
        if not right or not doubtful:
            return execution
        again, _ = self._once(execution.generation, roles, fresh=doubtful, only=doubtful)
        cured = [id for id in doubtful if self._close(again, id)]
        return replace(
            execution,
            answers={**execution.answers, **{id: again.answers[id] for id in cured}},
            comparisons={**execution.comparisons, **{id: again.comparisons[id] for id in cured}},
            fresh_only=tuple(cured),
        )

    @staticmethod
    def _close(execution: Execution, case_id: str) -> bool:
        comparison = execution.comparisons.get(case_id)
        return comparison is not None and comparison.close

    def _choose(self, trial: Trial, outputs: Array | None) -> Roles:
        """The candidate whose answer is right; else the one that is most plainly wrong, else the one that is nearest.

        The first one when none has the expected shape.
        """
        case = next(case for case in self._cases if case.spec.id == trial.case)
        expected = case.expected
        if outputs is None or outputs.shape[1:] != expected.shape:
            return Roles(0, dict(trial.pairing))
        with np.errstate(invalid="ignore", over="ignore"):
            errors = np.abs(outputs - expected).reshape(len(outputs), -1).max(axis=1)
        best = int(np.argmin(np.where(np.isfinite(errors), errors, np.inf)))
        if not errors[best] <= RIGHT and case is search_case(self._cases):
            found = [explain({case.spec.id: output}, [case], self._table_of) for output in outputs]
            plain = [(len(explanation.mistakes), index) for index, explanation in enumerate(found) if explanation]
            best = min(plain, default=(0, best))[1]
        return Roles(best, dict(trial.pairing))

    def _once(
        self,
        generation: str,
        roles: Roles = Roles(),
        *,
        poisoned: bool = False,
        fresh: Sequence[str] = (),
        only: Sequence[str] = (),
    ) -> tuple[Execution, tuple[Trial, Array | None] | None]:
        cases = [case for case in self._cases if not only or case.spec.id in only]
        asked = () if only else self._probes
        request = self._request(cases, asked, roles, poisoned=poisoned, fresh=fresh, measure=not poisoned and not only)
        kind = Kind.KERAS2 if generation == "2" else Kind.KERAS3
        outcome = self._sandbox.run(kind, request, self._assignment.limits)
        return self._gather(generation, outcome, cases, asked)

    def _request(
        self,
        cases: Sequence[Case],
        asked: Sequence[Case],
        roles: Roles,
        *,
        poisoned: bool,
        fresh: Sequence[str],
        measure: bool,
    ) -> bytes:
        reading, assignment = self._reading, self._assignment
        small = min(cases, key=lambda case: case.expected.size).spec.id
        sizes = ("batch", "timesteps", "features", "units")
        body = {
            "task": "class",
            "source": reading.source,
            "statements": [index for index, statement in enumerate(reading.statements) if statement.run],
            "statement_seconds": assignment.upload.statement_seconds,
            "canonical": {name: getattr(assignment.cases[0], name) for name in sizes},
            "call_site": reading.call_site.model_dump() if reading.call_site else None,
            "unpack_names": reading.unpack_names,
            "candidate": roles.candidate,
            "pairing": dict(roles.pairing),
            "poisoned": poisoned,
            "cases": [
                {
                    "id": case.spec.id,
                    **{name: getattr(case.spec, name) for name in sizes},
                    # The smallest case is built on its own shape: what is right only on a fresh model shows here.
                    "fresh": case.spec.id == small or case.spec.id in fresh,
                    "trial": case is search_case(cases),
                    # A second call and gradients: on the smallest case, because they cost a call each.
                    "measure": case.spec.id == small and measure,
                }
                for case in cases
            ],
            "probes": [{"id": probe.spec.id, **{name: getattr(probe.spec, name) for name in sizes}} for probe in asked],
        }
        arrays = {
            f"{case.spec.id}/{name}": array
            for case in (*cases, *asked)
            for name, array in (
                ("x", case.x),
                ("kernel", case.weights.kernel),
                ("recurrent_kernel", case.weights.recurrent_kernel),
                ("bias", case.weights.bias),
            )
        }
        return protocol.encode(body, arrays)

    def _compare(self, case: Case, answer: Answer | None) -> Comparison:
        if answer is None or answer.array is None:
            return NO_ANSWER
        tolerance = self._assignment.tolerance
        return compare(answer.array, case.expected, atol=tolerance.atol, rtol=tolerance.rtol)

    def _gather(
        self, generation: str, outcome: Outcome, cases: Sequence[Case], asked: Sequence[Case]
    ) -> tuple[Execution, tuple[Trial, Array | None] | None]:
        try:
            by_itself = outcome.killed_for is None and outcome.exit_code >= 0
            events, complete = protocol.decode_events(outcome.result, ended_by_itself=by_itself)
            answers = dict(_answers(events, call=0, asked=(*cases, *asked)))
            repeats = dict(_answers(events, call=1, asked=cases))
        except RunnerOutputInvalid as exc:
            forged = isinstance(exc, RunnerOutputForged)
            return Execution(generation, outcome, garbled=str(exc), forged=forged), None
        probed = {probe.spec.id: answers.pop(probe.spec.id, None) for probe in asked}
        phases = [event.name for event in protocol.select(events, Phase)]
        comparisons = {case.spec.id: self._compare(case, answers.get(case.spec.id)) for case in cases}
        parts = _last(protocol.select(events, Parts))
        execution = Execution(
            generation,
            outcome,
            complete=complete,
            phase=_last(phases),
            class_found=_last(protocol.select(events, ClassFound)),
            parts=parts,
            roles_from=parts.evidence if parts else None,
            statements_failed=tuple(protocol.select(events, StatementFailed)),
            answers=answers,
            repeats=repeats,
            attempts=tuple((event, phase) for event, phase in _with_phases(events) if isinstance(event, Attempt)),
            patched=tuple(name for done in protocol.select(events, Done) for name in done.patched),
            fired=_fired(events),
            gradients=_last(protocol.select(events, Gradients)),
            raised=tuple(protocol.select(events, Raised)),
            phases={name: seconds for done in protocol.select(events, Done) for name, seconds in done.phases.items()},
            comparisons=comparisons,
            probed={id: answer.array for id, answer in probed.items() if answer and answer.array is not None},
        )
        trial = next(((e, arrays.get("outputs")) for e, arrays in events if isinstance(e, Trial)), None)
        return execution, trial


def understood(
    execution: Execution, cases: Sequence[Case], asked: Sequence[Case], table_of: Callable[[Case], Table]
) -> Execution:
    """With what explains the numbers, and what is right about them, where they are wrong and the student's own.

    Args:
        cases: the assignment's, the exercise's own first.
        asked: the questions of `reference.probes` that were asked too.
    """
    answers = {case_id: array for case_id, answer in execution.answers.items() if (array := answer.numbers) is not None}
    if execution.depends_on_built_in or all(execution.comparisons[case_id].close for case_id in answers):
        return execution
    if repeats_itself(execution):
        idle = idle_arrays(execution.gradients.reach) if execution.gradients else frozenset()
        explanation = explain(answers, cases, table_of, idle)
    else:
        repeats = {id: array for id, answer in execution.repeats.items() if (array := answer.numbers) is not None}
        explanation = explain_changing(answers, repeats, cases)
    repaired = repair(answers, cases) if explanation is None else {}
    execution = replace(execution, explanation=explanation, repair=repaired)
    return replace(execution, right_parts=_right_parts(execution, cases[0], asked))


def _right_parts(execution: Execution, exercise: Case, asked: Sequence[Case]) -> frozenset[str]:
    comparison, answer = execution.comparisons[exercise.spec.id], execution.answers.get(exercise.spec.id)
    if comparison.close or not comparison.same_shape or answer is None or answer.array is None:
        return frozenset()
    if execution.explanation is not None:
        return execution.explanation.right_parts
    # What is the same everywhere, or another at every call, is no answer, whatever the probes may say.
    is_answer = np.ptp(answer.array) and repeats_itself(execution)
    return probes.right_parts(asked, execution.probed) if is_answer else frozenset()


def repeats_itself(execution: Execution) -> bool:
    """Whether the second call of a case, where there was one, gave what the first one gave."""
    for case_id, second in execution.repeats.items():
        first = execution.answers.get(case_id)
        numbers = first.numbers if first else None
        if numbers is None or second.numbers is None or not same_answer(numbers, second.numbers):
            return False
    return True


def same_answer(first: Array, second: Array) -> bool:
    """Whether a model that was called twice said the same, as far as float32 can tell."""
    return first.shape == second.shape and np.allclose(first, second, atol=1e-5, rtol=1e-5, equal_nan=True)


def _answers(
    events: Iterable[tuple[Any, protocol.Arrays]], *, call: int, asked: Sequence[Case]
) -> Iterable[tuple[str, Answer]]:
    """Raises: RunnerOutputForged: an answer to a case that was not asked, or more answers than the driver gives."""
    # A case is answered again only when a model that had seen another shape is replaced by a fresh one.
    may_answer = {case.spec.id: True for case in asked}
    for event, arrays in events:
        if isinstance(event, CaseOutput) and event.call == call:
            if not may_answer.get(event.case, False):
                raise RunnerOutputForged(f"the box gave an answer that it was not asked for: {event.case[:40]!r}")
            may_answer[event.case] = event.reused
            yield event.case, Answer(event, arrays.get("output"), arrays.get("inside"))


def _fired(events: Iterable[tuple[Any, protocol.Arrays]]) -> tuple[str, ...]:
    """Which built-in recurrent functions ran while an answer was computed, or went into a graph, which may have."""
    names = set()
    for event, phase in _with_phases(events):
        if isinstance(event, protocol.Tripped) and (event.traced or phase in ("call", "repeat", "trial")):
            names.add(event.name)
        elif isinstance(event, CaseOutput):
            names.update(event.fired)
    return tuple(sorted(names))


def _with_phases(events: Iterable[tuple[Any, protocol.Arrays]]) -> Iterable[tuple[Any, str | None]]:
    phase = None
    for event, _ in events:
        if isinstance(event, Phase):
            phase = event.name
        yield event, phase


def _last(items: Sequence[Any]) -> Any:
    return items[-1] if items else None


def _differ(clean: Execution, poisoned: Execution) -> bool:
    """Whether an answer changed when recurrent code returned NaN."""
    for case_id, answer in clean.answers.items():
        other = poisoned.answers.get(case_id)
        if answer.array is None or other is None or other.array is None:
            return other is None or other.array is not answer.array
        if not np.array_equal(answer.array, other.array, equal_nan=True):
            return True
    return clean.probed.keys() != poisoned.probed.keys() or any(
        not np.array_equal(array, poisoned.probed[id], equal_nan=True) for id, array in clean.probed.items()
    )
