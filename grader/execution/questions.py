"""The questions of one run, their order, and the matching of answers to questions.

The box gets one list. The attempt's seed decides its order, its names and its numbers, so nobody can know an answer
before the question is asked. Two of an assignment's cases are asked as they are published, beside numbers that nobody
knows: the exercise's own, for proof, and the one on which known mistakes are looked up. Neither earns points alone.

Besides a drawn case for each of the assignment there are a second call of the smallest one, somewhere after the first;
a question of the same sizes with yet other numbers; and one to the exercise's layer, on fewer steps.

A check before handing in asks the exercise's own case and nothing else, so that no number of checks shows more of what
is asked of an attempt.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from grader.errors import RunnerOutputForged
from grader.execution import recognition
from grader.numerics.backpropagation import factors
from grader.sandbox.events import CaseOutput, Equal, Gradients, Raised, Trial
from grader.sandbox.protocol import Arrays
from grader.sandbox.requests import Question as BoxQuestion
from grader.sandbox.requests import sizes_of
from reference import Case, CaseSpec, LSTMWeights, draw, has_table, random_for, search_case
from reference.edges import edge_cases
from reference.lstm import probes

# Most steps of the exercise's twin: each costs a right answer a millisecond.
MOST_STEPS = 6
EventArrays = tuple[Any, Arrays]


@dataclass(frozen=True, eq=False)
class Question:
    """One question to the box.

    Args:
        call: 1 for the second of two equal questions.
        fresh: ask a model that was built for it.
        trial: where names do not settle which weight is which, look for it here.
        measure: take gradients of the answer.
        equal: give all weights one value, and ask for the gradients of each; see `grader.execution.recognition`.
        main: the exercise's own question; its model is built first.
        follows: name of a question whose answer this one needs for comparison; the same model gets both.
    """

    name: str
    case: Case
    call: Literal[0, 1] = 0
    fresh: bool = False
    trial: bool = False
    measure: bool = False
    equal: bool = False
    main: bool = False
    follows: str | None = None

    def body(self) -> BoxQuestion:
        return {
            "id": self.name,
            "sizes": sizes_of(self.case.spec),
            "fresh": self.fresh,
            "trial": self.trial,
            "measure": self.measure,
            "equal": self.equal,
            "main": self.main,
            "follows": self.follows,
        }

    def arrays(self) -> Arrays:
        weights = {name: getattr(self.case.weights, name) for name in ("kernel", "recurrent_kernel", "bias")}
        return {f"{self.name}/{name}": array for name, array in {"x": self.case.x, **weights}.items()}


@dataclass(frozen=True)
class Questions:
    """All questions of one run.

    Args:
        in_order: the questions in the order in which they are asked.
        probes: asked afterwards, for partial points.
        cases: the cases that answers are compared with, the assignment's own first and in its order.
        others: cases with other numbers, which may come between two equal questions.
        edges: the cases of `reference.edges`.
        factors: names of the questions that gradients may be taken of -> the factors of the answer.
    """

    in_order: tuple[Question, ...]
    cases: tuple[Case, ...]
    others: tuple[Case, ...] = ()
    edges: tuple[Case, ...] = ()
    probes: tuple[Question, ...] = ()
    factors: Arrays = field(default_factory=dict)

    @property
    def all_cases(self) -> tuple[Case, ...]:
        """Return all cases that an answer can belong to."""
        return (*self.cases, *self.others, *self.edges, *(probe.case for probe in self.probes))

    def of_the_main_model(self) -> list[Question]:
        """Return the questions that are asked even if others fail."""
        main = next(question for question in self.in_order if question.main)
        return [question for question in self.in_order if not question.follows and _model(question) == _model(main)]

    def arrays(self) -> Arrays:
        found: Arrays = {}
        for question in (*self.in_order, *self.probes):
            found |= question.arrays()
            if question.equal:
                found[f"{question.name}/factors"] = recognition.factors(question.case)
        return found | {f"{name}/factors": array for name, array in self.factors.items()}

    def by_case(self, events: Sequence[EventArrays]) -> list[EventArrays]:
        """Replace names of questions in events by ids of cases, and put the events of cases in the cases' order.

        The arrays of gradients get their ``factors``, without which they prove nothing.

        Raises:
            RunnerOutputForged: an event names an unknown question.
        """
        by_name = {question.name: question for question in (*self.in_order, *self.probes)}
        renamed = [(_with_case_id(event, by_name), self._with_factors(event, arrays)) for event, arrays in events]
        order = {case.spec.id: index for index, case in enumerate(self.all_cases)}
        for kind in (CaseOutput, Raised):
            places = [index for index, (event, _) in enumerate(renamed) if isinstance(event, kind)]
            of_cases = sorted(
                (renamed[index] for index in places), key=lambda each: order.get(each[0].case, len(order))
            )
            for index, each in zip(places, of_cases, strict=True):
                renamed[index] = each
        return renamed

    def _with_factors(self, event: Any, arrays: Arrays) -> Arrays:
        if not isinstance(event, Gradients) or not arrays:
            return arrays
        return {**arrays, "factors": self.factors[event.case]} if event.case in self.factors else {}


def _with_case_id(event: Any, by_name: Mapping[str, Question]) -> Any:
    if not isinstance(event, CaseOutput | Raised | Trial | Gradients | Equal) or event.case is None:
        return event
    question = by_name.get(event.case)
    if question is None:
        raise RunnerOutputForged(f"the box gave an answer that it was not asked for: {event.case[:40]!r}")
    update: dict[str, Any] = {"case": question.case.spec.id}
    if isinstance(event, CaseOutput) and question.call:
        update["call"] = question.call
    return event.model_copy(update=update)


class Examiner:
    """Makes the lists of questions for one submission.

    Args:
        published: the assignment's cases, with the answers of Keras; the exercise's own first, or it alone.
        seed: the attempt's.
        asking: names the run that is asked; each gets its own numbers, because an earlier one's may have leaked.
        long_gradients: take gradients of the exercise's own case instead of the smallest one.
    """

    def __init__(self, published: Sequence[Case], seed: bytes, asking: str, *, long_gradients: bool) -> None:
        self._seed, self._asking = seed, asking
        self.exercise = published[0]
        #: The class of the weights says which cell is asked for.
        self._kind = type(self.exercise.weights)
        drawn = [self._draw(case.spec, "case", case.spec.id) for case in published[1:]]
        graded = (self.exercise, *drawn)
        self.smallest = min(graded, key=lambda case: case.expected.size)
        searched = search_case(published)
        explaining = [renamed(searched, "published")] if has_table(searched) else []
        self.asks_hidden = len(published) > 1
        self.twin = self._twin() if self.asks_hidden else self.exercise
        #: All that answers are compared with.
        self.cases = (*graded, self.twin, *explaining) if self.asks_hidden else graded
        self.other = self._with_other_numbers(self.smallest, "other")
        self._measured = self.exercise if long_gradients else self.smallest
        self._edges = edge_cases(self.smallest.spec, self._random("edges"), self._kind)
        sizes = self.exercise.spec.features, self.exercise.spec.units
        self._probes = probes.questions(*sizes, self._random("probes")) if self._kind is LSTMWeights else ()

    def _random(self, *purpose: str) -> np.random.Generator:
        return random_for(self._seed, self._asking, *purpose)

    def _draw(self, spec: CaseSpec, *purpose: str) -> Case:
        return draw(spec, self._random(*purpose), self._kind)

    def _twin(self) -> Case:
        """Draw a case for the exercise's own layer, on a few steps, whose number nobody knows either."""
        spec = self.exercise.spec
        sizes = {spec.batch, spec.features, spec.units}
        # As even or odd as the exercise's: a loop over every second step gives half as many, or one more.
        steps = [n for n in range(spec.timesteps - 2, 2, -2) if n not in sizes and n <= MOST_STEPS]
        random = self._random("twin")
        taken = int(random.choice(steps)) if steps else spec.timesteps
        return renamed(draw(replace(spec, timesteps=taken), random, self._kind), "twin")

    def long_twin(self) -> Case:
        """Draw a case of the exercise's own sizes, for a class that takes no others."""
        return self._with_other_numbers(self.exercise, "twin")

    def _with_other_numbers(self, case: Case, name: str) -> Case:
        return renamed(self._draw(case.spec, name, "long"), name)

    def everything(self) -> Questions:
        """List all questions that a grade needs."""
        if not self.asks_hidden:
            return self.only(self.cases, ())
        random = self._random("order")
        names = _names(random)
        searched = search_case(self.cases)
        questions: list[Question] = []
        for case in self.cases:
            measured, twice = case is self._measured, case is self.smallest
            # Either of two equal questions may be the recorded one.
            recorded = int(random.integers(1 + twice))
            first = Question(
                next(names),
                case,
                # Built on its own shape: a mistake that a fresh model hides shows here.
                fresh=twice,
                trial=case is searched,
                measure=measured and recorded == 0,
                main=case is self.exercise,
            )
            questions.append(first)
            if twice:
                questions.append(Question(next(names), case, 1, measure=measured and recorded == 1, follows=first.name))
                questions.append(Question(next(names), self.other, follows=first.name))
        probe_questions = tuple(Question(next(names), probe) for probe in self._probes)
        drawn = self._random("factors")
        factors_by_name = {each.name: factors(each.case, drawn) for each in questions if each.measure or each.main}
        # Last, because what a model keeps from another batch would hide what it keeps from the same one.
        edges = _shuffled([Question(next(names), edge) for edge in self._edges], random)
        order = (*_shuffled(questions, random), *edges)
        return Questions(order, self.cases, (self.other,), self._edges, probe_questions, factors_by_name)

    def only(self, cases: Sequence[Case], fresh: Collection[Case]) -> Questions:
        """Ask these cases and nothing else, some of them of their own models, and take no gradients."""
        random = self._random("only", str(len(cases)))
        names, searched = _names(random), search_case(cases)
        questions = [
            Question(next(names), case, fresh=case in fresh, trial=case is searched, main=case is cases[0])
            for case in cases
        ]
        return Questions((questions[0], *_shuffled(questions[1:], random)), tuple(cases))

    def equal(self) -> Questions:
        """Ask for the gradients of each number of the weights, once for each size of the cases' layers."""
        by_size = {(case.spec.features, case.spec.units): recognition.question(case) for case in self.cases}
        names, cases = _names(self._random("equal")), tuple(by_size.values())
        questions = (Question(next(names), case, equal=True, main=case is cases[0]) for case in cases)
        return Questions(tuple(questions), cases)


def renamed(case: Case, ending: str) -> Case:
    """Return the case under another id, which no case of an assignment has."""
    return replace(case, spec=replace(case.spec, id=f"{case.spec.id}-{ending}", visibility="hidden"))


def _names(random: np.random.Generator) -> Iterator[str]:
    drawn = {""}
    while True:
        name = random.bytes(6).hex()
        if name not in drawn:
            drawn.add(name)
            yield name


def _shuffled(questions: Sequence[Question], random: np.random.Generator) -> list[Question]:
    """Draw an order: each question after the one it follows, and a question that needs a fresh model first to it.

    Questions that follow one come to its model with no other in between, so that any leftover shows in the next one.
    """
    left, order = list(questions), list[Question]()
    while left:
        waiting = {question.name for question in left}
        fresh = {_model(question) for question in left if question.fresh}
        begun = {question.follows for question in order} - {None}
        follow_up = {_model(question) for question in left if question.follows in begun}
        free = [
            question
            for question in left
            if question.follows not in waiting
            and (question.fresh or _model(question) not in fresh)
            and (question.follows in begun or _model(question) not in follow_up)
        ]
        order.append(free[random.integers(len(free))])
        left.remove(order[-1])
    return order


def _model(question: Question) -> tuple[int, int]:
    return question.case.spec.features, question.case.spec.units
