"""The questions of one run, their order, and the matching of answers to questions.

The box gets one list. A seed decides the order and the names of its questions. The seed is the same at every grading
of a submission, and says nothing. Besides the assignment's cases there are two more questions. One is a second call of
the smallest case, somewhere after the first. The other has the same shape and numbers drawn from the seed: nobody can
know its answer by heart, because a file that held it would have another seed.

A run can still recognise sizes and numbers: the published ones are known, and a second call has those of
the first.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from grader.errors import RunnerOutputForged
from grader.execution import recognition
from grader.numerics.backpropagation import factors
from grader.sandbox.events import CaseOutput, Equal, Gradients, Raised, Trial
from grader.sandbox.protocol import Arrays
from reference import Case, probes, search_case
from reference.edges import edge_cases

if TYPE_CHECKING:
    from asked import Question as BoxQuestion  # grader/runner/asked.py: what the box expects

SIZES = ("batch", "timesteps", "features", "units")
# A number known to the tolerance takes two bytes that no compression shortens. Half of that is reason enough to ask.
LEAST_BYTES_OF_A_NUMBER = 1
Told = tuple[Any, Arrays]


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
        spec = self.case.spec
        return {
            "id": self.name,
            "batch": spec.batch,
            "timesteps": spec.timesteps,
            "features": spec.features,
            "units": spec.units,
            "fresh": self.fresh,
            "trial": self.trial,
            "measure": self.measure,
            "equal": self.equal,
            "main": self.main,
            "follows": self.follows,
        }

    def arrays(self) -> Arrays:
        weights = self.case.weights
        given = {
            "x": self.case.x,
            "kernel": weights.kernel,
            "recurrent_kernel": weights.recurrent_kernel,
            "bias": weights.bias,
        }
        return {f"{self.name}/{name}": array for name, array in given.items()}


@dataclass(frozen=True)
class Questions:
    """All questions of one run.

    Args:
        asked: in the order of asking.
        probes: asked afterwards, for partial points.
        cases: the cases that answers are compared with, in the order of the assignment.
        others: counterparts of cases, with other numbers.
        edges: those of `reference.edges`.
        with_factors: names of the questions that gradients may be taken of.
    """

    asked: tuple[Question, ...]
    cases: tuple[Case, ...]
    others: tuple[Case, ...] = ()
    edges: tuple[Case, ...] = ()
    probes: tuple[Question, ...] = ()
    with_factors: frozenset[str] = frozenset()

    @property
    def all_cases(self) -> tuple[Case, ...]:
        """Return all cases that an answer can belong to."""
        return (*self.cases, *self.others, *self.edges, *(probe.case for probe in self.probes))

    def of_the_main_model(self) -> list[Question]:
        """Return the questions that are asked even if others fail."""
        main = next(question for question in self.asked if question.main)
        return [question for question in self.asked if not question.follows and _model(question) == _model(main)]

    def arrays(self) -> Arrays:
        found: Arrays = {}
        for question in (*self.asked, *self.probes):
            found |= question.arrays()
            if question.equal:
                found[f"{question.name}/factors"] = recognition.factors(question.case)
            elif question.name in self.with_factors:
                found[f"{question.name}/factors"] = factors(question.case)
        return found

    def by_case(self, events: Sequence[Told]) -> list[Told]:
        """Replace names of questions in events by ids of cases, and put the events of cases in the cases' order.

        Raises:
            RunnerOutputForged: an event names an unknown question.
        """
        named = {question.name: question for question in (*self.asked, *self.probes)}
        told = [(_named(event, named), arrays) for event, arrays in events]
        order = {case.spec.id: index for index, case in enumerate(self.all_cases)}
        for kind in (CaseOutput, Raised):
            places = [index for index, (event, _) in enumerate(told) if isinstance(event, kind)]
            of_cases = sorted((told[index] for index in places), key=lambda each: order.get(each[0].case, len(order)))
            for index, each in zip(places, of_cases, strict=True):
                told[index] = each
        return told


def _named(event: Any, named: Mapping[str, Question]) -> Any:
    if not isinstance(event, CaseOutput | Raised | Trial | Gradients | Equal) or event.case is None:
        return event
    question = named.get(event.case)
    if question is None:
        raise RunnerOutputForged(f"the box gave an answer that it was not asked for: {event.case[:40]!r}")
    update: dict[str, Any] = {"case": question.case.spec.id}
    if isinstance(event, CaseOutput) and question.call:
        update["call"] = question.call
    return event.model_copy(update=update)


class Examiner:
    """Makes the lists of questions for one submission.

    Args:
        source: the submission's code, as the box gets it.
        digest: the assignment's digest.
        gradients_of: id of the case that gradients are taken of; None: the smallest.
    """

    def __init__(self, cases: Sequence[Case], source: str, digest: str, gradients_of: str | None) -> None:
        self._cases = tuple(cases)
        self._seed = [*hashlib.sha256(f"{digest}\0{source}".encode("utf-8", "replace")).digest()]
        self._probes = probes.questions(cases[0].spec.features, cases[0].spec.units)
        self.exercise = cases[0]
        self.smallest = min(cases, key=lambda case: case.expected.size)
        self._measured = gradients_of or self.smallest.spec.id
        # Counterparts with other numbers: always one of the smallest case, which costs little; one of the exercise's
        # own case only if the file is large enough to hold its answer.
        self.others = {self.smallest.spec.id: self.otherwise(self.smallest)}
        self._edges = edge_cases(self.smallest, [*self._seed, len(cases)])
        held = len(zlib.compress(source.encode("utf-8", "replace")))
        if held >= LEAST_BYTES_OF_A_NUMBER * self.exercise.expected.size:
            self.others[self.exercise.spec.id] = self.otherwise(self.exercise)

    def otherwise(self, case: Case) -> Case:
        """Make a case of the same sizes with other numbers."""
        return probes.other_numbers(case, [*self._seed, self._cases.index(case)])

    def everything(self) -> Questions:
        """List all questions that a grade needs."""
        random = np.random.default_rng(self._seed)
        names = _names(random)
        searched = search_case(self._cases)
        asked: list[Question] = []
        for case in self._cases:
            id = case.spec.id
            measured, twice = id == self._measured, case is self.smallest
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
            asked.append(first)
            if twice:
                asked.append(Question(next(names), case, 1, measure=measured and recorded == 1, follows=first.name))
            if id in self.others:
                asked.append(Question(next(names), self.others[id], follows=first.name))
        probes_asked = tuple(Question(next(names), probe) for probe in self._probes)
        with_factors = frozenset(question.name for question in asked if question.measure or question.main)
        # Last, because what a model keeps from another batch would hide what it keeps from the same one.
        edges = _shuffled([Question(next(names), edge) for edge in self._edges], random)
        order = (*_shuffled(asked, random), *edges)
        others = tuple(self.others.values())
        return Questions(order, self._cases, others, self._edges, probes_asked, with_factors)

    def only(self, cases: Sequence[Case], fresh: Collection[Case]) -> Questions:
        """Ask these cases and nothing else, some of them of their own models, and take no gradients."""
        random = np.random.default_rng([*self._seed, len(cases)])
        names, searched = _names(random), search_case(cases)
        asked = [
            Question(next(names), case, fresh=case in fresh, trial=case is searched, main=case is cases[0])
            for case in cases
        ]
        return Questions((asked[0], *_shuffled(asked[1:], random)), tuple(cases))

    def equal(self) -> Questions:
        """Ask for the gradients of each number of the weights, once for each size of the cases' layers."""
        by_size = {(case.spec.features, case.spec.units): recognition.question(case) for case in self._cases}
        names, cases = _names(np.random.default_rng([*self._seed, 2])), tuple(by_size.values())
        asked = (Question(next(names), case, equal=True, main=case is cases[0]) for case in cases)
        return Questions(tuple(asked), cases)


def _names(random: np.random.Generator) -> Iterator[str]:
    drawn = {""}
    while True:
        name = random.bytes(6).hex()
        if name not in drawn:
            drawn.add(name)
            yield name


def _shuffled(asked: Sequence[Question], random: np.random.Generator) -> list[Question]:
    """Draw an order: each question after the one it follows, and a question that needs a fresh model first to it.

    Questions that follow one come to its model with no other in between, so that any leftover shows in the next one.
    """
    left, order = list(asked), list[Question]()
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
