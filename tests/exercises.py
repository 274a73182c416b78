"""Exercises for tests that run many submissions."""

from __future__ import annotations

from grader.assignment import Assignment


def shorter(assignment: Assignment) -> Assignment:
    """Return the exercise with 12 steps instead of 100: a step is like another, and a run costs a third less."""
    exercise, *others = assignment.cases
    return assignment.model_copy(update={"cases": [exercise.model_copy(update={"timesteps": 12}), *others]})
