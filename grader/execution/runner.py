"""Runs a submission that was read, and collects what the checks need.

Usually one child is enough. Another is needed when names do not say which weight is which (with the candidate that
fits), and when a reused model is wrong where a fresh one is right (with fresh models).
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from grader.assignment import Assignment
from grader.execution import layouts, recognition
from grader.execution.answers import Answer
from grader.execution.choosing import choose
from grader.execution.class_run import ClassRun
from grader.execution.execution import Execution, Roles, run_of
from grader.execution.questions import Examiner, Questions, renamed
from grader.execution.reading import Reading
from grader.numerics.explanation import explain
from grader.sandbox import Kind, Sandbox, protocol
from grader.sandbox.events import Equal
from grader.sandbox.requests import ClassRequest
from reference import Case, search_case
from reference.lstm.misconceptions import Table

# At most this many ways to construct a class are tried by their numbers.
MOST_CONSTRUCTIONS = 4
# Questions of one run about the layout of weights; the box sends 200 answers at most.
MOST_ASKED = 120


class _Setup(NamedTuple):
    """The choices that stay the same in all children that answer for one model.

    Args:
        examiner: has the numbers that answers count for; each time that everything is asked it is another one.
    """

    examiner: Examiner
    roles: Roles = Roles()
    plans_passed_over: int = 0


class _Doubts(NamedTuple):
    """The outcome of asking again about right answers, with numbers that nobody knows.

    Args:
        known_by_heart: cases that a fresh model gets wrong with other numbers.
        remembered: cases that only a fresh model gets right: the old one kept something.
        twin: a counterpart of the exercise's own case of the same sizes, and its answer.
    """

    known_by_heart: frozenset[str] = frozenset()
    remembered: tuple[str, ...] = ()
    twin: tuple[Case, Answer] | None = None


class Runner:
    """Runs one submission under one Keras generation."""

    def __init__(
        self,
        reading: Reading,
        assignment: Assignment,
        published: Sequence[Case],
        seed: bytes,
        generation: str,
        sandbox: Sandbox,
        table_of: Callable[[Case], Table],
        prepared: bool = True,
    ) -> None:
        """Take the submission. Prepared runs use shortcuts around Keras that make no difference; others check them."""
        self._reading = reading
        self._assignment = assignment
        self._published = published
        self._seed = seed
        self._generation = generation
        self._drawn = itertools.count(1)
        self._sandbox = sandbox
        self._table_of = table_of
        self._prepared = prepared

    def run(self) -> Execution:
        """Collect everything that the checks need.

        When the constructor's arguments were guessed and the answer is wrong, other arguments are tried.

        Raises:
            SandboxError: the box failed.
        """
        execution = self._run(_Setup(self._draw()))
        exercise = self._published[0]
        constructed = execution.constructed
        known = constructed is None or not constructed.open or execution.depends_on_built_in
        if known or self._close(exercise, execution.answers):
            return execution
        for passed_over in range(1, MOST_CONSTRUCTIONS):
            other = self._run(_Setup(self._draw(), plans_passed_over=passed_over))
            if self._close(exercise, other.answers):
                return other
            if not other.answers:
                break
        return execution

    def _draw(self) -> Examiner:
        """Draw numbers that no run before was asked: runs can talk to later ones, and an earlier one knows its answers.

        Each asking that answers can count for has its own.
        """
        number = next(self._drawn)
        # Gradients of the smallest case cost least. Code that cuts them every so many steps shows only on many steps.
        # So if the source holds anything that could cut them, gradients are taken of the exercise's own case.
        return Examiner(
            self._published,
            self._seed,
            self._generation if number == 1 else f"{self._generation}-{number}",
            long_gradients=not self._reading.lets_gradients_through,
        )

    def _run(self, setup: _Setup) -> Execution:
        joined = self._reading.joined
        setup, run = self._run_with_order(setup, joined)
        if joined and run.answers and run.takes_joined and setup.roles.proven and not self._fits(run):
            # The source was misread, or the mistake is unknown.
            setup, run = self._run_with_order(setup._replace(examiner=self._draw()), None)
        close = self._count_close(run)
        if run.answers and run.is_open and close < len(run.cases):
            places = self._places(setup)
            if places:
                recognised = setup._replace(examiner=self._draw(), roles=Roles(places=places))
                other = self._ask(recognised, recognised.examiner.everything())
                # Where names contradict what was recognised, the answer is wrong, and the mistake is known.
                if self._count_close(other) > close or (self._fits(other) and not self._fits(run)):
                    setup, run = recognised, other
        run, cured = self._ask_fresh_models(setup, run)
        known_by_heart, remembered, twin = self._ask_counterparts(setup, run)
        if twin is not None:
            run = run.with_answers([twin])
        return Execution.of(
            run,
            generation=self._generation,
            roles=setup.roles,
            twin=setup.examiner.twin.spec.id,
            cured=frozenset(cured),
            known_by_heart=known_by_heart,
            fresh_only=(*cured, *remembered),
        )

    def _run_with_order(self, setup: _Setup, joined: Literal["xh", "hx"] | None) -> tuple[_Setup, ClassRun]:
        """Run under a supposed order of x and h in joined inputs; None: any, numbers choose."""
        setup = setup._replace(roles=Roles(joined=joined))
        run = self._ask(setup, setup.examiner.everything())
        if run.trial is None:
            return setup, run
        chosen = choose(*run.trial, run.cases, self._table_of)
        roles = Roles(0, proven=False) if chosen is None else chosen
        setup = setup._replace(examiner=self._draw(), roles=replace(roles, joined=joined))
        return setup, self._ask(setup, setup.examiner.everything())

    def _fits(self, run: ClassRun) -> bool:
        """Return whether answers are right or have a known mistake, which shows that the weights were read rightly."""
        if self._count_close(run):
            return True
        case = search_case(run.cases)
        answer = run.answers.get(case.spec.id)
        return answer is not None and explain({case.spec.id: answer.content}, [case], self._table_of) is not None

    def _places(self, setup: _Setup) -> dict[str, recognition.Places]:
        """Recognise the weights by their gradients, or where there are none by trying, for each size of the layer."""
        questions = setup.examiner.equal()
        run = self._ask(setup._replace(roles=Roles()), questions)
        found = {event.case: arrays for event, arrays in run.events if isinstance(event, Equal)}
        places = {}
        for case in questions.cases:
            answer, arrays = run.answers.get(case.spec.id), found.get(case.spec.id)
            if answer is None or not arrays:
                continue
            if recognition.is_hidden(case, arrays["gradients"]) and self._has_right_numbers(case, run.answers):
                return self._places_by_layout(setup)
            if answer.array is None:
                continue
            recognised = recognition.recognise(case, answer.array, arrays["gradients"])
            if recognised is not None:
                places[_key(case)] = recognised
        return places

    def _places_by_layout(self, setup: _Setup) -> dict[str, recognition.Places]:
        """Find the layout of weights that no gradient reaches by the answers under each."""
        case = setup.examiner.smallest
        layout = self._right_layout(setup, layouts.alike(case), layouts.layouts())
        layout = layout and self._right_layout(setup, case, layouts.in_all_orders(layout))
        if layout is None:
            return {}
        return {_key(each): layout.places(each.spec.features, each.spec.units) for each in setup.examiner.cases}

    def _right_layout(self, setup: _Setup, case: Case, tried: Sequence[layouts.Layout]) -> layouts.Layout | None:
        questions = list(layouts.questions(case, tried, self._reading.unpack_names))
        setup = setup._replace(roles=Roles(places={_key(case): layouts.identity(case)}))
        for start in range(0, len(questions), MOST_ASKED):
            some = questions[start : start + MOST_ASKED]
            run = self._ask(setup, setup.examiner.only([each for _, each in some], ()))
            if found := [layout for layout, each in some if self._has_right_numbers(each, run.answers)]:
                return found[0]
        return None

    def _ask_fresh_models(self, setup: _Setup, run: ClassRun) -> tuple[ClassRun, tuple[str, ...]]:
        """Ask fresh models again, when a reused model is wrong and a fresh one is right.

        Only answers to other numbers count. The same numbers tell a model that kept something from a formula that is
        wrong on some.

        Returns:
            the run with the right answers, and the ids of their cases.
        """
        answered = [(case, run.answers[case.spec.id]) for case in run.cases if case.spec.id in run.answers]
        right = [case for case, answer in answered if self._close(case, run.answers) and not answer.output.reused]
        wrong = {case.spec.id: case for case, _ in answered if not self._close(case, run.answers)}
        doubtful = {name for name in wrong if run.answers[name].output.reused}
        if not right or not doubtful:
            return run, ()
        examiner = self._draw()
        asked = [case for case in examiner.cases if case.spec.id in doubtful]
        before = {case.spec.id: renamed(wrong[case.spec.id], "before") for case in asked if case.is_drawn}
        questions = [*asked, *before.values()]
        again = self._ask(setup, examiner.only(questions, questions))
        right = [case for case in questions if self._close(case, again.answers)]
        cured = [case for case in asked if case in right and before.get(case.spec.id, case) in right]
        run = run.with_answers((case, again.answers[case.spec.id]) for case in cured)
        return run, tuple(case.spec.id for case in cured)

    def _ask_counterparts(self, setup: _Setup, run: ClassRun) -> _Doubts:
        """Ask a fresh model again, where a case is right and its counterpart with other numbers is not.

        The counterpart of the exercise's own case has fewer steps. A class that takes no other number than the
        exercise's is asked one of that many.
        """
        examiner, answers_of_others = setup.examiner, {case.spec.id: answer for case, answer in run.others}
        if not examiner.asks_hidden:
            return _Doubts()
        exercise, smallest, answers = examiner.exercise, examiner.smallest, run.answers
        twin = next(case for case in run.cases if case.spec.id == examiner.twin.spec.id)
        is_right = self._close(exercise, answers)
        first, second = (found.get(smallest.spec.id) for found in (answers, run.repeats))
        is_changing = bool(first and second and not first.repeats(second))
        is_doubtful = is_right and not self._close(twin, answers)
        # A kept state wears off only over many steps.
        needs_twin = is_doubtful or tells_less(twin, exercise, answers) or (is_changing and not is_right)
        # Questions that a limit cut off say nothing about earlier answers.
        was_asked = run.complete or examiner.other.spec.id in answers_of_others
        is_other_right = self._close(examiner.other, answers_of_others)
        needs_other = was_asked and self._close(smallest, answers) and not is_other_right
        if not needs_twin and not needs_other:
            return _Doubts()
        drawn = self._draw()
        counterparts = [(exercise, drawn.long_twin())] if needs_twin else []
        # A formula that is wrong on some numbers is wrong on the same ones again, without having kept anything.
        others = (drawn.other, renamed(examiner.other, "before")) if needs_other else ()
        counterparts += [(smallest, other) for other in others]
        asked = [other for _, other in counterparts]
        # The exercise's own case was answered in time, so it can be again, but not on a model built on all its steps.
        again = self._ask(setup, drawn.only(asked, asked[1:] if needs_twin else asked))
        right = {other.spec.id for other in asked if self._close(other, again.answers)}
        wrong = [case for case, other in counterparts if other.spec.id not in right]
        answered = again.answers.get(twin.spec.id)
        return _Doubts(
            known_by_heart=frozenset(case.spec.id for case in wrong if is_right or case is not exercise),
            # The twin has another number of steps: a right answer to it says nothing about a second call.
            remembered=(smallest.spec.id,) if needs_other and smallest not in wrong else (),
            twin=None if answered is None else (asked[0], answered),
        )

    def _ask(self, setup: _Setup, questions: Questions) -> ClassRun:
        kind = Kind.of_class(self._generation)
        outcome = self._sandbox.run(kind, self._request(setup, questions), self._assignment.limits)
        return ClassRun.read(outcome, questions, self._published[0].spec.id)

    def _request(self, setup: _Setup, questions: Questions) -> bytes:
        reading, assignment = self._reading, self._assignment
        statements = [index for index, statement in enumerate(reading.statements) if statement.run]
        seconds = assignment.upload.statement_seconds
        body: ClassRequest = {
            **run_of(reading, assignment, setup.roles, statements, seconds, prepared=self._prepared),
            "task": "class",
            "call_site": {"args": site.args, "kwargs": site.kwargs} if (site := reading.call_site) else None,
            "plans_passed_over": setup.plans_passed_over,
            "questions": [question.body() for question in questions.in_order],
            "probes": [probe.body() for probe in questions.probes],
        }
        return protocol.encode(body, {**questions.arrays(), **setup.roles.places})

    def _count_close(self, run: ClassRun) -> int:
        return sum(self._has_right_numbers(case, run.answers) for case in run.cases)

    def _has_right_numbers(self, case: Case, answers: Mapping[str, Answer]) -> bool:
        """Return whether a case has the right numbers among these, in whatever form."""
        answer = answers.get(case.spec.id)
        return answer is not None and answer.is_right_in_a_form(case, self._assignment.tolerance)

    def _close(self, case: Case, answers: Mapping[str, Answer]) -> bool:
        """Return whether a case has the right answer among these."""
        answer = answers.get(case.spec.id)
        return answer is not None and answer.compare(case, self._assignment.tolerance).close


def _key(case: Case) -> str:
    """Return the name under which a request has the places for the layer of a case."""
    return f"places/{case.spec.features}/{case.spec.units}"


def tells_less(twin: Case, exercise: Case, answers: Mapping[str, Answer]) -> bool:
    """Return whether an answer to a few steps shows hardly any, such as that of a loop that begins at the fifth."""
    few, many = (answers[name].steps_of(case) if (name := case.spec.id) in answers else 0 for case in (twin, exercise))
    return few < min(2, many)
