"""Runs a submission that was read, and collects evidence for the checks.

Usually one child is enough. Another is needed when names do not say which weight is which (with the candidate that
fits), and when a reused model is wrong where a fresh one is right (with fresh models).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from grader.assignment import Assignment
from grader.errors import RunnerOutputForged, RunnerOutputInvalid
from grader.execution.answers import Answer, items_of
from grader.execution.questions import SIZES, Examiner, Questions
from grader.execution.reading import Reading
from grader.numerics.backpropagation import Backpropagation, judge
from grader.numerics.comparison import NO_ANSWER, Comparison, compare
from grader.numerics.explanation import Explanation, explain
from grader.numerics.fitting import dropout
from grader.numerics.forms import PLAIN, Content, Form, Items, forms_of
from grader.report.model import Params
from grader.sandbox import Kind, Outcome, Sandbox, protocol
from grader.sandbox.protocol import (
    Attempt,
    BuiltIn,
    CaseOutput,
    ClassFound,
    Constructed,
    Done,
    Gradients,
    HardCoded,
    Parts,
    Phase,
    Raised,
    StatementFailed,
    Trial,
)
from reference import Case, search_case
from reference.misconceptions import Table

Array = NDArray[np.floating]


# An answer closer to the expected one than this has no mistake in the formulas.
RIGHT = 1e-3
# Among answers that change from call to call, one is nearest by chance. So it must be this many times nearer.
FAR_NEARER = 10.0
# At most this many ways to construct a class are tried by their numbers.
MOST_CONSTRUCTIONS = 4
# Errors of a statement that asks a module for something it does not have.
NOT_IN_MODULE = ("ModuleNotFoundError", "ImportError", "AttributeError")


@dataclass(frozen=True)
class Roles:
    """The chosen assignment of roles, where names do not settle it; see runner/driver/weights/roles.py."""

    candidate: int | None = None
    pairing: Mapping[Literal["recurrent_kernel", "bias"], list[int]] = field(default_factory=dict)
    # The order of x and h in a joined input, where it is supposed.
    joined: Literal["xh", "hx"] | None = None


@dataclass(frozen=True)
class Execution:
    """All events of one child, and how it ended."""

    generation: str
    outcome: Outcome
    complete: bool = False
    garbled: str | None = None
    forged: bool = False  # garbled by somebody who knew the form
    phase: str | None = None
    class_found: ClassFound | None = None
    constructed: Constructed | None = None
    # The size that a class needs if it failed for the exercise: ``{"batch": 10}``.
    hard_coded: Mapping[str, int] = field(default_factory=dict)
    parts: Parts | None = None
    roles_from: Literal["names", "numbers"] | None = None
    # The reading of the weights that the numbers chose, where names did not say.
    roles: Roles = Roles()
    statements_failed: tuple[StatementFailed, ...] = ()
    # The code's attempts at things that the exercise does not need, each with the phase of the run.
    attempts: tuple[tuple[Attempt, str | None], ...] = ()
    # Library functions that the student's code replaced.
    patched: tuple[str, ...] = ()
    answers: dict[str, Answer] = field(default_factory=dict)
    repeats: dict[str, Answer] = field(default_factory=dict)
    gradients: Gradients | None = None
    # The comparison of a right answer's gradients; None: the answer is wrong, or there are none.
    backpropagation: Backpropagation | None = None
    raised: tuple[Raised, ...] = ()
    phases: dict[str, float] = field(default_factory=dict)
    comparisons: dict[str, Comparison] = field(default_factory=dict)
    # Counterparts of cases, with other numbers, and their answers; see `grader.execution.questions`.
    others: tuple[tuple[Case, Answer], ...] = ()
    # Cases that are right with their own numbers and wrong with others of the same sizes, even on a fresh model.
    known_by_heart: frozenset[str] = frozenset()
    # Cases that are right on a fresh model only.
    fresh_only: tuple[str, ...] = ()
    # Uses of built-in recurrent code during graded calls, where that code is gone.
    built_in: tuple[BuiltIn, ...] = ()
    # Answers to the questions of `reference.probes`, by id.
    probed: dict[str, Answer] = field(default_factory=dict)
    # The known mistakes that give the numbers of a wrong answer.
    explanation: Explanation | None = None
    # The parts of a wrong answer to the exercise's own case that are still right.
    right_parts: frozenset[str] = frozenset()
    # A repair of unexplained answers, as `grader.numerics.repairs.repair` returns it.
    repair: Params = field(default_factory=dict)
    # The form of answers that are not one tensor of the right shape; None: they cannot be read.
    form: Form | None = PLAIN
    # The comparisons of the available numbers, read in that form.
    as_read: dict[str, Comparison] = field(default_factory=dict)

    def right_numbers(self, case_id: str) -> bool:
        """Return whether a case is right, or would be in the right form."""
        return any(found.get(case_id, NO_ANSWER).close for found in (self.comparisons, self.as_read))

    @property
    def depends_on_built_in(self) -> bool:
        """Return whether numbers are missing from the answers because disabled built-in code was asked for them."""
        arrays = [array for answer in (*self.answers.values(), *self.probed.values()) for array in answer.arrays]
        return bool(self.built_in) and not all(np.isfinite(array).all() for array in arrays)

    def failed_early(self) -> bool:
        """Return whether Keras 3 may be the reason: an error or a time limit before the exercise's own answer."""
        timed_out = self.outcome.killed_for in ("cpu", "wall", "budget")
        return not self.answers and (bool(self.raised) or timed_out or self.lost_imports() != ())

    def lost_imports(self) -> tuple[StatementFailed, ...]:
        """Return failed imports that the class needs, from modules that this Keras lacks, such as ``tf_keras``."""
        if self.class_found is None or self.class_found.found:
            return ()
        return tuple(failed for failed in self.statements_failed if failed.type in NOT_IN_MODULE)

    @property
    def takes_joined(self) -> bool:
        """Return whether weights take x and h joined, in an order that only numbers settle."""
        return self.parts is not None and any(role.startswith("fcXH") for role in self.parts.roles)

    def came(self) -> tuple[bool, bool, bool, int]:
        """Return how far the run got: to a class, a model, known weights, and the number of answers."""
        return (
            self.class_found is not None and self.class_found.found,
            self.constructed is not None,
            self.parts is not None and bool(self.parts.roles),
            len(self.answers),
        )


class Runner:
    """Runs one submission under one Keras generation."""

    def __init__(
        self,
        reading: Reading,
        assignment: Assignment,
        cases: Sequence[Case],
        sandbox: Sandbox,
        table_of: Callable[[Case], Table],
        prepared: bool = True,
    ) -> None:
        """Take the submission. Prepared runs use shortcuts around Keras that make no difference; others check them."""
        self._reading = reading
        self._assignment = assignment
        self._cases = cases
        # Gradients of the smallest case cost least. Code that cuts them every so many steps shows only on many steps.
        # So if the source holds anything that could cut them, gradients are taken of the exercise's own case.
        long = None if reading.lets_gradients_through else cases[0].spec.id
        self._examiner = Examiner(cases, reading.source, assignment.digest, gradients_of=long)
        self._sandbox = sandbox
        self._table_of = table_of
        self._plans_passed_over = 0
        self._prepared = prepared

    def run(self, generation: str) -> Execution:
        """Collect everything that the checks need.

        When the constructor's arguments were guessed and the answer is wrong, other arguments are tried.

        Raises:
            SandboxError: the box failed.
        """
        execution = self._run(generation)
        exercise = self._cases[0].spec.id
        constructed = execution.constructed
        known = constructed is None or not constructed.open or execution.depends_on_built_in
        if known or self._close(execution, exercise):
            return execution
        for passed_over in range(1, MOST_CONSTRUCTIONS):
            other = self._run(generation, passed_over)
            if self._close(other, exercise):
                return other
            if not other.answers:
                break
        return execution

    def _run(self, generation: str, plans_passed_over: int = 0) -> Execution:
        self._plans_passed_over = plans_passed_over
        joined = self._reading.joined
        execution = self._under(generation, joined)
        if joined and execution.answers and execution.takes_joined and not self._fits(execution):
            execution = self._under(generation, None)  # the source was misread, or the mistake is unknown
        return self._ask_otherwise(self._retry_fresh(execution))

    def _under(self, generation: str, joined: Literal["xh", "hx"] | None) -> Execution:
        """Run under a supposed order of x and h in joined inputs; None: any, numbers choose."""
        roles = Roles(joined=joined)
        execution, trial = self._once(generation, roles)
        if trial is None:
            return replace(execution, roles=roles)
        chosen = self._choose(*trial)
        roles = replace(chosen or Roles(0), joined=joined)
        execution, _ = self._once(generation, roles)
        execution = replace(execution, roles_from="numbers", roles=roles)
        if chosen is None and execution.parts is not None:
            execution = replace(execution, roles_from=None, parts=execution.parts.model_copy(update={"roles": {}}))
        return execution

    def _fits(self, execution: Execution) -> bool:
        """Return whether answers are right or have a known mistake, which shows that the weights were read rightly."""
        case = search_case(self._cases)
        answer = execution.answers.get(case.spec.id)
        return any(self._close(execution, id) for id in execution.answers) or (
            answer is not None and explain({case.spec.id: answer.content}, [case], self._table_of) is not None
        )

    def _retry_fresh(self, execution: Execution) -> Execution:
        """Ask again with fresh models, when a reused model is wrong and a fresh one is right."""
        right = [
            id for id, answer in execution.answers.items() if self._close(execution, id) and not answer.output.reused
        ]
        doubtful = [
            case
            for case in self._cases
            if (answer := execution.answers.get(case.spec.id)) is not None
            and not self._close(execution, case.spec.id)
            and answer.output.reused
        ]
        if not right or not doubtful:
            return execution
        again, _ = self._once(execution.generation, execution.roles, self._examiner.only(doubtful, doubtful))
        cured = [case.spec.id for case in doubtful if self._close(again, case.spec.id)]
        return replace(
            execution,
            answers={**execution.answers, **{id: again.answers[id] for id in cured}},
            comparisons={**execution.comparisons, **{id: again.comparisons[id] for id in cured}},
            fresh_only=tuple(cured),
        )

    def _ask_otherwise(self, execution: Execution) -> Execution:
        """Ask a fresh model again, when a case's own numbers are right and others of its sizes are wrong.

        If the fresh model is wrong too, the answer was known by heart; if it is right, the old model kept something.
        """
        others = self._examiner.others
        right_others = {case.spec.id for case, answer in execution.others if self._compare(case, answer).close}
        doubtful = [
            case
            for case in self._cases
            if case.spec.id in others
            and self._close(execution, case.spec.id)
            and others[case.spec.id].spec.id not in right_others
        ]
        if not doubtful:
            return execution
        asked = [others[case.spec.id] for case in doubtful]
        # The exercise's own case was answered in time, so it can be again, but not on a model built on all its steps.
        fresh = asked if doubtful[0].spec.id in execution.fresh_only else asked[1:]
        again, _ = self._once(execution.generation, execution.roles, self._examiner.only(asked, fresh))
        right = {case.spec.id: self._close(again, other.spec.id) for case, other in zip(doubtful, asked, strict=True)}
        return replace(
            execution,
            known_by_heart=frozenset(id for id, is_right in right.items() if not is_right),
            fresh_only=(*execution.fresh_only, *(id for id, is_right in right.items() if is_right)),
        )

    @staticmethod
    def _close(execution: Execution, case_id: str) -> bool:
        comparison = execution.comparisons.get(case_id)
        return comparison is not None and comparison.close

    def _choose(self, trial: Trial, arrays: protocol.Arrays) -> Roles | None:
        """Choose the candidate whose answer is right, else the one most plainly wrong, else the nearest.

        Take the first one when none has the expected shape. Return None when the answers change from call to call and
        none is right except for dropped values.
        """
        case = next(case for case in self._cases if case.spec.id == trial.case)
        contents = list(_candidates(trial, arrays))
        errors = np.array([_distance(content, case.expected) for content in contents])
        if not np.isfinite(errors).any():
            return Roles(0, dict(trial.pairing))
        best = int(np.argmin(errors))
        if not trial.repeats:
            chosen = _dropped_from(case, contents)
            return None if chosen is None else Roles(chosen, dict(trial.pairing))
        if not errors[best] <= RIGHT and case is search_case(self._cases):
            found = [explain({case.spec.id: content}, [case], self._table_of) for content in contents]
            plain = [(len(explanation.mistakes), index) for index, explanation in enumerate(found) if explanation]
            best = min(plain, default=(0, best))[1]
        return Roles(best, dict(trial.pairing))

    def _once(
        self, generation: str, roles: Roles = Roles(), questions: Questions | None = None
    ) -> tuple[Execution, tuple[Trial, protocol.Arrays] | None]:
        questions = questions or self._examiner.everything()
        kind = Kind.KERAS2 if generation == "2" else Kind.KERAS3
        outcome = self._sandbox.run(kind, self._request(questions, roles), self._assignment.limits)
        return self._gather(generation, outcome, questions)

    def _request(self, questions: Questions, roles: Roles) -> bytes:
        reading, assignment = self._reading, self._assignment
        body = {
            "task": "class",
            "source": reading.source,
            "statements": [index for index, statement in enumerate(reading.statements) if statement.run],
            "statement_seconds": assignment.upload.statement_seconds,
            "canonical": {name: getattr(assignment.cases[0], name) for name in SIZES},
            "call_site": reading.call_site.model_dump() if reading.call_site else None,
            "unpack_names": reading.unpack_names,
            "candidate": roles.candidate,
            "pairing": dict(roles.pairing),
            "joined": roles.joined,
            "plans_passed_over": self._plans_passed_over,
            "prepared": self._prepared,
            "only_computes": reading.only_computes,
            **questions.body(),
        }
        return protocol.encode(body, questions.arrays())

    def _compare(self, case: Case, answer: Answer | None) -> Comparison:
        if answer is None or answer.array is None:
            return NO_ANSWER
        tolerance = self._assignment.tolerance
        return compare(answer.array, case.expected, atol=tolerance.atol, rtol=tolerance.rtol)

    def _judged(
        self,
        events: Sequence[tuple[Any, protocol.Arrays]],
        cases: Sequence[Case],
        comparisons: Mapping[str, Comparison],
        repeats: Mapping[str, Answer],
    ) -> tuple[Gradients | None, Backpropagation | None]:
        """Return the gradients, and their comparison if the answer they were taken of is right.

        Without numbers, the gradients of a right answer prove nothing.
        """
        found = next(((event, arrays) for event, arrays in events if isinstance(event, Gradients)), None)
        case = next((case for case in cases if found and case.spec.id == found[0].case), None)
        if found is None or case is None:
            return None, None
        event, arrays = found
        again = repeats.get(case.spec.id)
        if not (comparisons[case.spec.id].close and (again is None or self._compare(case, again).close)):
            return event, None
        return (event, judge(case, arrays)) if arrays else (None, None)

    def _gather(
        self, generation: str, outcome: Outcome, questions: Questions
    ) -> tuple[Execution, tuple[Trial, protocol.Arrays] | None]:
        try:
            by_itself = outcome.killed_for is None and outcome.exit_code >= 0
            said, complete = protocol.decode_events(outcome.result, ended_by_itself=by_itself)
            events = questions.understood(said)
            answers = dict(_answers(events, call=0, asked=questions.all_cases))
            repeats = dict(_answers(events, call=1, asked=questions.cases))
            if complete:
                _refuse_silence(events, questions)
        except RunnerOutputInvalid as exc:
            forged = isinstance(exc, RunnerOutputForged)
            return Execution(generation, outcome, garbled=str(exc), forged=forged), None
        cases, exercise = questions.cases, self._cases[0].spec.id
        if exercise in repeats:  # asked because the answer to the smallest case was unusable
            repeats = {exercise: repeats[exercise]}
        others, probed = (
            {each.spec.id: answers.pop(each.spec.id) for each in group if each.spec.id in answers}
            for group in (questions.others, [probe.case for probe in questions.probes])
        )
        of_others = tuple((case, others[case.spec.id]) for case in questions.others if case.spec.id in others)
        phases = [event.name for event in protocol.select(events, Phase)]
        comparisons = {case.spec.id: self._compare(case, answers.get(case.spec.id)) for case in cases}
        parts = _last(protocol.select(events, Parts))
        gradients, backpropagation = self._judged(events, cases, comparisons, repeats)
        execution = Execution(
            generation,
            outcome,
            complete=complete,
            phase=_last(phases),
            class_found=_last(protocol.select(events, ClassFound)),
            constructed=_last(protocol.select(events, Constructed)),
            hard_coded={
                name: size for found in protocol.select(events, HardCoded) for name, size in found.sizes.items()
            },
            parts=parts,
            roles_from=parts.evidence if parts else None,
            statements_failed=tuple(protocol.select(events, StatementFailed)),
            answers=answers,
            repeats=repeats,
            attempts=tuple((event, phase) for event, phase in _with_phases(events) if isinstance(event, Attempt)),
            patched=tuple(name for done in protocol.select(events, Done) for name in done.patched),
            built_in=_built_in(protocol.select(events, CaseOutput)),
            gradients=gradients,
            backpropagation=backpropagation,
            raised=tuple(protocol.select(events, Raised)),
            phases={name: seconds for done in protocol.select(events, Done) for name, seconds in done.phases.items()},
            comparisons=comparisons,
            others=of_others,
            probed=probed,
        )
        trial = next(((e, arrays) for e, arrays in events if isinstance(e, Trial)), None)
        return execution, trial


def _candidates(trial: Trial, arrays: protocol.Arrays) -> Iterable[Content]:
    """Yield a model's answers under each of the candidates."""
    if "output" in arrays:
        yield from arrays["output"]
    elif arrays:
        for stacks in zip(*(arrays[f"inside/{k}"] for k in range(len(trial.inside))), strict=False):
            yield tuple(Items(stack, tuple(places)) for stack, places in zip(stacks, trial.inside, strict=True))


def _dropped_from(case: Case, contents: Sequence[Content]) -> int | None:
    """Return the index of the answer that is right except for randomly dropped values, or None.

    If a state is kept from call to call instead, the right answer is far nearer than all others.
    """
    expected = case.expected
    whole = [
        next(
            (read for form, read in forms_of(content, expected.shape) if form.is_whole), np.full_like(expected, np.nan)
        )
        for content in contents
    ]
    for index, answer in enumerate(whole):
        if dropout([case], {case.spec.id: answer}) is not None:
            return index
    with np.errstate(invalid="ignore", over="ignore"):
        typical = np.array([np.median(np.abs(answer - expected)) for answer in whole])
    order = np.argsort(np.where(np.isfinite(typical), typical, np.inf))
    nearest, following = typical[order[:2]]
    return int(order[0]) if nearest * FAR_NEARER < following else None


def _distance(content: Content, expected: Array) -> float:
    """Return the distance of an answer from the right one, in the form in which it is nearest."""
    with np.errstate(invalid="ignore", over="ignore"):
        errors = [
            float(np.abs(read - expected)[form.known(content, expected.shape)].max())
            for form, read in forms_of(content, expected.shape)
        ]
    return min((error for error in errors if np.isfinite(error)), default=np.inf)


def repeats_itself(execution: Execution) -> bool:
    """Return whether the second call of a case, if there was one, gave the same answer as the first."""
    return all(
        (first := execution.answers.get(case_id)) is not None and first.repeats(second)
        for case_id, second in execution.repeats.items()
    )


def _answers(
    events: Iterable[tuple[Any, protocol.Arrays]], *, call: int, asked: Sequence[Case]
) -> Iterable[tuple[str, Answer]]:
    """Check the answers' cases. Raises: RunnerOutputForged: a case was not asked, or was answered too often."""
    # A case is answered twice only when a fresh model replaces a reused one.
    may_answer = {case.spec.id: True for case in asked}
    for event, arrays in events:
        if isinstance(event, CaseOutput) and event.call == call:
            if not may_answer.get(event.case, False):
                raise RunnerOutputForged(f"the box gave an answer that it was not asked for: {event.case[:40]!r}")
            may_answer[event.case] = event.reused
            yield event.case, Answer(event, arrays.get("output"), items_of(arrays, event.inside))


def _refuse_silence(events: Sequence[tuple[Any, protocol.Arrays]], questions: Questions) -> None:
    """Check that answers came. Raises: RunnerOutputForged: a question that the driver never skips has none."""
    told = {event.case for event, _ in events if isinstance(event, CaseOutput | Raised)}
    kinds = {type(event): event for event, _ in events}
    found, parts = kinds.get(ClassFound), kinds.get(Parts)
    # Where it is unknown which weight is which, answers wait for a trial.
    if Trial in kinds or (parts is not None and parts.candidates > 1):
        return
    must = questions.of_the_main_model() if Constructed in kinds else []
    if found is not None and found.is_class:
        must.append(next(question for question in questions.asked if question.main))
    for question in must:
        if question.case.spec.id not in told:
            raise RunnerOutputForged("the box said that it had ended before it was asked everything")


def _built_in(outputs: Iterable[CaseOutput]) -> tuple[BuiltIn, ...]:
    return tuple(dict.fromkeys(noted for output in outputs for noted in output.built_in))


def _with_phases(events: Iterable[tuple[Any, protocol.Arrays]]) -> Iterable[tuple[Any, str | None]]:
    phase = None
    for event, _ in events:
        if isinstance(event, Phase):
            phase = event.name
        yield event, phase


def _last(items: Sequence[Any]) -> Any:
    return items[-1] if items else None
