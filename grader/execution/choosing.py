"""Chooses which weight is which by the numbers, where names do not say."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from grader.execution.execution import Roles
from grader.numerics.case_answers import CaseAnswer
from grader.numerics.explanation import explain
from grader.numerics.fitting import dropout
from grader.numerics.forms import Content, Items, forms_of
from grader.numerics.step_fitting import with_a_rare_mistake
from grader.sandbox.events import Trial
from grader.sandbox.protocol import Arrays
from reference import Case, search_case
from reference.lstm.misconceptions import Table

Array = NDArray[np.floating]

# An answer closer to the expected one than this has no mistake in the formulas.
RIGHT = 1e-3
# Among answers that change from call to call, one is nearest by chance. So it must be this many times nearer.
FAR_NEARER = 10.0


def choose(trial: Trial, arrays: Arrays, cases: Sequence[Case], table_of: Callable[[Case], Table]) -> Roles | None:
    """Choose the candidate whose answer is right, else the one most plainly wrong, else the nearest.

    Many a mistake has no effect on the first step, so an answer that is right there is nearer than any other. Take the
    first one when none has the expected shape. Return None when the answers change from call to call and none is right
    except for dropped values.
    """
    case = next(case for case in cases if case.spec.id == trial.case)
    contents = list(_candidates(trial, arrays))
    errors = np.array([_distance(content, case.expected) for content in contents])
    if not np.isfinite(errors).any():
        return Roles(0, dict(trial.pairing))
    best = int(np.argmin(errors))
    if not trial.repeats:
        chosen = _dropped_from(case, contents)
        return None if chosen is None else Roles(chosen, dict(trial.pairing))
    if not errors[best] <= RIGHT and case is search_case(cases):
        found = [explain({case.spec.id: content}, [case], table_of) for content in contents]
        plain = [(len(explanation.mistakes), index) for index, explanation in enumerate(found) if explanation]
        begun = [_distance(content, case.expected, steps=1) for content in contents]
        if plain:
            best = min(plain)[1]
        elif (rarely := _with_a_rare_mistake(case, contents)) is not None:
            best = rarely
        elif min(begun) <= RIGHT:
            best = int(np.argmin(begun))
    return Roles(best, dict(trial.pairing))


def _candidates(trial: Trial, arrays: Arrays) -> Iterable[Content]:
    """Yield a model's answers under each of the candidates."""
    if "output" in arrays:
        yield from arrays["output"]
    elif arrays:
        for stacks in zip(*(arrays[f"inside/{k}"] for k in range(len(trial.inside))), strict=False):
            yield tuple(Items(stack, tuple(places)) for stack, places in zip(stacks, trial.inside, strict=True))


def _with_a_rare_mistake(case: Case, contents: Sequence[Content]) -> int | None:
    everywhere, shape = np.ones(case.expected.shape, bool), case.expected.shape
    whole = [each for each in contents if isinstance(each, np.ndarray) and each.shape == shape]
    # One model's answers under all of its readings have one shape.
    return with_a_rare_mistake([CaseAnswer(case, each, everywhere) for each in whole]) if whole else None


def _dropped_from(case: Case, contents: Sequence[Content]) -> int | None:
    """Return the index of the answer that is right except for randomly dropped values, or None.

    If a state is kept from call to call instead, the right answer is far nearer than all others.
    """
    expected = case.expected
    nothing = np.full_like(expected, np.nan)
    complete = ((read for form, read in forms_of(each, expected.shape) if form.is_complete) for each in contents)
    whole = [next(reads, nothing) for reads in complete]
    for index, answer in enumerate(whole):
        if dropout([case], {case.spec.id: answer}) is not None:
            return index
    with np.errstate(invalid="ignore", over="ignore"):
        typical = np.array([np.median(np.abs(answer - expected)) for answer in whole])
    order = np.argsort(np.where(np.isfinite(typical), typical, np.inf))
    nearest, following = typical[order[:2]]
    return int(order[0]) if nearest * FAR_NEARER < following else None


def _distance(content: Content, expected: Array, steps: int | None = None) -> float:
    """Return the distance of an answer from the right one in its first steps, in the form in which it is nearest."""
    errors = []
    for form, read in forms_of(content, expected.shape):
        known = form.mask(content, expected.shape)[:, :steps]
        with np.errstate(invalid="ignore", over="ignore"):
            errors.append(float(np.abs(read - expected)[:, :steps][known].max()) if known.any() else np.inf)
    return min((error for error in errors if np.isfinite(error)), default=np.inf)
