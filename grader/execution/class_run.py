"""One child's answer to its questions: bytes from the box, as events and answers that were asked for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self, TypeVar

from grader.errors import RunnerOutputForged, RunnerOutputInvalid
from grader.execution.answers import Answer, items_of
from grader.execution.questions import EventArrays, Questions
from grader.sandbox import Outcome, protocol
from grader.sandbox.events import CaseOutput, ClassFound, Constructed, Event, Parts, Raised, Trial
from reference import Case

T = TypeVar("T", bound=Event)


@dataclass(frozen=True)
class ClassRun:
    """The events of one child that ran the class. Questions are named by the ids of their cases here."""

    outcome: Outcome
    complete: bool = False
    garbled: str | None = None
    forged: bool = False  # garbled by somebody who knew the form
    events: tuple[EventArrays, ...] = ()
    # All that answers are compared with, the assignment's cases first.
    cases: tuple[Case, ...] = ()
    answers: Mapping[str, Answer] = field(default_factory=dict)
    # The answers to second calls.
    repeats: Mapping[str, Answer] = field(default_factory=dict)
    # Counterparts of cases, with other numbers, and their answers; see `grader.execution.questions`.
    others: tuple[tuple[Case, Answer], ...] = ()
    # Questions of `reference.edges`, and their answers.
    edges: tuple[tuple[Case, Answer | None], ...] = ()
    # Questions of `reference.lstm.probes`, and their answers.
    probed: tuple[tuple[Case, Answer | None], ...] = ()

    @classmethod
    def read(cls, outcome: Outcome, questions: Questions, exercise: str) -> Self:
        """Read the bytes of a child.

        Args:
            exercise: id of the exercise's own case.
        """
        by_itself = outcome.killed_for is None and outcome.exit_code >= 0
        try:
            said, complete = protocol.decode_events(outcome.result, ended_by_itself=by_itself)
            events = questions.by_case(said)
            answers = dict(_answers(events, call=0, cases=questions.all_cases))
            repeats = dict(_answers(events, call=1, cases=questions.cases))
            if complete:
                _refuse_silence(events, questions)
        except RunnerOutputInvalid as exc:
            return cls(outcome, garbled=str(exc), forged=isinstance(exc, RunnerOutputForged), cases=questions.cases)
        if exercise in repeats:  # asked because the answer to the smallest case was unusable
            repeats = {exercise: repeats[exercise]}
        ids = {case.spec.id for case in questions.cases}
        return cls(
            outcome,
            complete,
            events=tuple(events),
            cases=questions.cases,
            answers={id: answer for id, answer in answers.items() if id in ids},
            repeats=repeats,
            edges=tuple((case, answers.get(case.spec.id)) for case in questions.edges),
            others=tuple((case, answers[case.spec.id]) for case in questions.others if case.spec.id in answers),
            probed=tuple((probe.case, answers.get(probe.case.spec.id)) for probe in questions.probes),
        )

    def with_answers(self, later: Iterable[tuple[Case, Answer]]) -> Self:
        """Put answers of later children, to the same cases with other numbers, in place of its own."""
        cases, answers = {case.spec.id: case for case in self.cases}, dict(self.answers)
        for case, answer in later:
            cases[case.spec.id], answers[case.spec.id] = case, answer
        return replace(self, cases=tuple(cases.values()), answers=answers)

    def select(self, kind: type[T]) -> list[T]:
        """Return the events of one kind, in order."""
        return protocol.select(self.events, kind)

    @property
    def takes_joined(self) -> bool:
        """Return whether weights take x and h joined, in an order that only numbers settle."""
        return any(role.startswith("fcXH") for parts in self.select(Parts) for role in parts.roles)

    @property
    def is_open(self) -> bool:
        """Return whether the weights may stand otherwise than their names and shapes suggest."""
        return any(parts.open for parts in self.select(Parts))

    @property
    def trial(self) -> tuple[Trial, protocol.Arrays] | None:
        """Return the answers under each reading of the weights, where names do not tell which weight is which."""
        return next(((event, arrays) for event, arrays in self.events if isinstance(event, Trial)), None)


def _answers(events: Iterable[EventArrays], *, call: int, cases: Sequence[Case]) -> Iterable[tuple[str, Answer]]:
    """Check the answers' cases. Raises: RunnerOutputForged: a case was not asked, or was answered too often."""
    # A case is answered twice only when a fresh model replaces a reused one.
    may_answer = {case.spec.id: True for case in cases}
    for event, arrays in events:
        if isinstance(event, CaseOutput) and event.call == call:
            if not may_answer.get(event.case, False):
                raise RunnerOutputForged(f"the box gave an answer that it was not asked for: {event.case[:40]!r}")
            may_answer[event.case] = event.reused
            yield event.case, Answer(event, arrays.get("output"), items_of(arrays, event.inside))


def _refuse_silence(events: Sequence[EventArrays], questions: Questions) -> None:
    """Check that answers came. Raises: RunnerOutputForged: a question that the driver never skips has none."""
    answered = {event.case for event, _ in events if isinstance(event, CaseOutput | Raised)}
    kinds = {type(event): event for event, _ in events}
    found, parts = kinds.get(ClassFound), kinds.get(Parts)
    # Where it is unknown which weight is which, answers wait for a trial.
    if Trial in kinds or (parts is not None and parts.candidates > 1):
        return
    must = questions.of_the_main_model() if Constructed in kinds else []
    if found is not None and found.is_class:
        must.append(next(question for question in questions.in_order if question.main))
    for question in must:
        if question.case.spec.id not in answered:
            raise RunnerOutputForged("the box said that it had ended before it was asked everything")
