"""Explanations of answers that are made here, and not by a model."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from grader.numerics.explanation import Explanation, explain
from reference import Case
from reference.lstm.misconceptions import Mistake, Table, replay

Explained = Callable[..., Explanation | None]


def making(*mistakes: Mistake) -> Callable[[Case], Any]:
    """Answer with these mistakes, in float32 as a model does."""
    return lambda case: replay(mistakes, case, np.float32)


@pytest.fixture(scope="session")
def explained(cases: tuple[Case, ...], table: Table) -> Explained:
    """Explains a model that answers as ``respond(case)``, by its answers to these cases."""

    def find(respond: Callable[[Case], Any], asked: Sequence[Case] = cases, **more: Any) -> Explanation | None:
        answers = {case.spec.id: np.asarray(respond(case), np.float32) for case in asked}
        return explain(answers, asked, lambda case: table, **more)

    return find
