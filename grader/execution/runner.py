"""Runs a submission that was read, and collects what the checks need.

Usually one child is enough. Another is needed when names do not say which weight is which (with the candidate that
fits), and when a reused model is wrong where a fresh one is right (with fresh models).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from grader.assignment import Assignment
from grader.execution import recognition
from grader.execution.answers import Answer
from grader.execution.choosing import choose
from grader.execution.class_run import ClassRun
from grader.execution.execution import Execution, Roles
from grader.execution.questions import SIZES, Examiner, Questions
from grader.execution.reading import Reading
from grader.numerics.explanation import explain
from grader.sandbox import Kind, Sandbox, protocol
from grader.sandbox.events import Equal
from reference import Case, search_case
from reference.misconceptions import Table

if TYPE_CHECKING:
    from asked import ClassRequest  # grader/runner/asked.py: what the box expects

# At most this many ways to construct a class are tried by their numbers.
MOST_CONSTRUCTIONS = 4


class _Setup(NamedTuple):
    """The choices that stay the same in all children that answer for one model."""

    generation: str
    roles: Roles = Roles()
    plans_passed_over: int = 0


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
        self._prepared = prepared

    def run(self, generation: str) -> Execution:
        """Collect everything that the checks need.

        When the constructor's arguments were guessed and the answer is wrong, other arguments are tried.

        Raises:
            SandboxError: the box failed.
        """
        execution = self._run(_Setup(generation))
        exercise = self._cases[0]
        constructed = execution.constructed
        known = constructed is None or not constructed.open or execution.depends_on_built_in
        if known or self._close(exercise, execution.answers):
            return execution
        for passed_over in range(1, MOST_CONSTRUCTIONS):
            other = self._run(_Setup(generation, plans_passed_over=passed_over))
            if self._close(exercise, other.answers):
                return other
            if not other.answers:
                break
        return execution

    def _run(self, setup: _Setup) -> Execution:
        joined = self._reading.joined
        setup, run = self._settled(setup, joined)
        if joined and run.answers and run.takes_joined and setup.roles.proven and not self._fits(run):
            setup, run = self._settled(setup, None)  # the source was misread, or the mistake is unknown
        close = self._count_close(run)
        if run.answers and run.is_open and close < len(self._cases):
            places = self._places(setup)
            recognised = setup._replace(roles=Roles(places=places))
            if places:
                other = self._ask(recognised, self._examiner.everything())
                # Where names contradict what was recognised, the answer is wrong, and the mistake is known.
                if self._count_close(other) > close or (self._fits(other) and not self._fits(run)):
                    setup, run = recognised, other
        cured = self._cured(setup, run)
        known_by_heart, remembered = self._asked_otherwise(setup, run, cured)
        return Execution.of(
            setup.generation,
            run,
            setup.roles,
            cured=cured,
            known_by_heart=known_by_heart,
            fresh_only=(*cured, *remembered),
        )

    def _settled(self, setup: _Setup, joined: Literal["xh", "hx"] | None) -> tuple[_Setup, ClassRun]:
        """Run under a supposed order of x and h in joined inputs; None: any, numbers choose."""
        setup = setup._replace(roles=Roles(joined=joined))
        run = self._ask(setup, self._examiner.everything())
        if run.trial is None:
            return setup, run
        chosen = choose(*run.trial, self._cases, self._table_of)
        roles = Roles(0, proven=False) if chosen is None else chosen
        setup = setup._replace(roles=replace(roles, joined=joined))
        return setup, self._ask(setup, self._examiner.everything())

    def _fits(self, run: ClassRun) -> bool:
        """Return whether answers are right or have a known mistake, which shows that the weights were read rightly."""
        if self._count_close(run):
            return True
        case = search_case(self._cases)
        answer = run.answers.get(case.spec.id)
        return answer is not None and explain({case.spec.id: answer.content}, [case], self._table_of) is not None

    def _places(self, setup: _Setup) -> dict[str, recognition.Places]:
        """Recognise the weights by their gradients, for each size of the layer where this can be done."""
        questions = self._examiner.equal()
        run = self._ask(setup._replace(roles=Roles()), questions)
        found = {event.case: arrays for event, arrays in run.events if isinstance(event, Equal)}
        places = {}
        for case in questions.cases:
            answer, arrays = run.answers.get(case.spec.id), found.get(case.spec.id)
            if answer is not None and answer.array is not None and arrays:
                recognised = recognition.recognise(case, answer.array, arrays["gradients"])
                if recognised is not None:
                    places[f"places/{case.spec.features}/{case.spec.units}"] = recognised
        return places

    def _cured(self, setup: _Setup, run: ClassRun) -> dict[str, Answer]:
        """Ask again with fresh models, when a reused model is wrong and a fresh one is right; return right answers."""
        answered = [(case, run.answers[case.spec.id]) for case in self._cases if case.spec.id in run.answers]
        right = [case for case, answer in answered if self._close(case, run.answers) and not answer.output.reused]
        doubtful = [case for case, answer in answered if not self._close(case, run.answers) and answer.output.reused]
        if not right or not doubtful:
            return {}
        again = self._ask(setup, self._examiner.only(doubtful, doubtful))
        return {case.spec.id: again.answers[case.spec.id] for case in doubtful if self._close(case, again.answers)}

    def _asked_otherwise(
        self, setup: _Setup, run: ClassRun, cured: Mapping[str, Answer]
    ) -> tuple[frozenset[str], tuple[str, ...]]:
        """Ask a fresh model again, when a case's own numbers are right and others of its sizes are wrong.

        Returns:
            the cases that the fresh model gets wrong too: their answers were known by heart; and those that it gets
            right: the old model kept something.
        """
        others, answers = self._examiner.others, {**run.answers, **cured}
        answers_of_others = {case.spec.id: answer for case, answer in run.others}
        doubtful = [
            case
            for case in self._cases
            if case.spec.id in others
            and self._close(case, answers)
            and not self._close(others[case.spec.id], answers_of_others)
        ]
        if not doubtful:
            return frozenset(), ()
        asked = [others[case.spec.id] for case in doubtful]
        # The exercise's own case was answered in time, so it can be again, but not on a model built on all its steps.
        fresh: Collection[Case] = asked if doubtful[0].spec.id in cured else asked[1:]
        again = self._ask(setup, self._examiner.only(asked, fresh))
        right = {case.spec.id: self._close(other, again.answers) for case, other in zip(doubtful, asked, strict=True)}
        known_by_heart = frozenset(id for id, is_right in right.items() if not is_right)
        return known_by_heart, tuple(id for id, is_right in right.items() if is_right)

    def _ask(self, setup: _Setup, questions: Questions) -> ClassRun:
        kind = Kind.KERAS2 if setup.generation == "2" else Kind.KERAS3
        outcome = self._sandbox.run(kind, self._request(setup, questions), self._assignment.limits)
        return ClassRun.of(outcome, questions, self._cases[0].spec.id)

    def _request(self, setup: _Setup, questions: Questions) -> bytes:
        reading, assignment = self._reading, self._assignment
        body: ClassRequest = {
            "task": "class",
            "source": reading.source,
            "statements": [index for index, statement in enumerate(reading.statements) if statement.run],
            "statement_seconds": assignment.upload.statement_seconds,
            "canonical": {name: getattr(assignment.cases[0], name) for name in SIZES},
            "call_site": {"args": site.args, "kwargs": site.kwargs} if (site := reading.call_site) else None,
            "unpack_names": reading.unpack_names,
            "candidate": setup.roles.candidate,
            "pairing": {str(weight): order for weight, order in setup.roles.pairing.items()},
            "joined": setup.roles.joined,
            "plans_passed_over": setup.plans_passed_over,
            "prepared": self._prepared,
            "only_computes": reading.only_computes,
            "questions": [question.body() for question in questions.asked],
            "probes": [probe.body() for probe in questions.probes],
        }
        return protocol.encode(body, {**questions.arrays(), **setup.roles.places})

    def _count_close(self, run: ClassRun) -> int:
        return sum(self._close(case, run.answers) for case in self._cases)

    def _close(self, case: Case, answers: Mapping[str, Answer]) -> bool:
        """Return whether a case has the right answer among these."""
        answer = answers.get(case.spec.id)
        return answer is not None and answer.compared(case, self._assignment.tolerance).close
