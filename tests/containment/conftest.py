"""A real box, submissions that attack it, and the promise that the next submission notices nothing."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from typing import Protocol

import pytest

from grader.assignment import Assignment, load_assignments
from grader.pipeline import grade
from grader.report import Report, Status
from grader.sandbox import ForkSandbox, Kind
from grader.submission import Submission
from reference import ReferenceStore

# A correct answer, with room for an attack before the class, where it is made, and where it is called.
SUBMISSION = """\
import ctypes, json, mmap, os, signal, struct, sys, threading, time
import numpy as np
import tensorflow as tf
{top}

class LSTM(tf.keras.Model):
{class_body}
    def __init__(self, h_size):
        super().__init__()
        self.h_size = h_size
        self.lstm_cell = LSTMCell(h_size)

    def call(self, x):
{call}
        h = tf.zeros((x.shape[0], self.h_size))
        c = tf.zeros((x.shape[0], self.h_size))
        outputs = []
        for t in range(x.shape[1]):
            h, c = self.lstm_cell(x[:, t], h, c)
            outputs.append(h)
        return tf.stack(outputs, axis=1)
"""


def submission(*, top: str = "", class_body: str = "", call: str = "") -> Submission:
    source = SUBMISSION.format(
        top=textwrap.dedent(top),
        class_body=textwrap.indent(textwrap.dedent(class_body), " " * 4),
        call=textwrap.indent(textwrap.dedent(call), " " * 8),
    )
    return Submission("submission.py", source.encode())


class Attack(Protocol):
    """Grades a submission with the attack in it, then an honest one, which must get full marks.

    Of `top`, what the class needs is run; all of `class_body` and `call` is.
    """

    def __call__(self, *, top: str = "", class_body: str = "", call: str = "", **limits: object) -> Report: ...


@pytest.fixture(scope="session")
def box() -> Iterator[ForkSandbox]:
    with ForkSandbox() as sandbox:
        sandbox.start(Kind.READER, Kind.KERAS3)
        yield sandbox


@pytest.fixture(scope="session")
def assignment() -> Assignment:
    """The default one with limits that are soon reached, under one Keras."""
    default = load_assignments()["lstm-layer"]
    return default.model_copy(
        update={
            "keras": "3",
            "limits": default.limits.model_copy(update={"cpu_seconds": 5, "wall_seconds": 12.0}),
            "upload": default.upload.model_copy(update={"statement_seconds": 2.0}),
        }
    )


@pytest.fixture(scope="session")
def graded(box: ForkSandbox, assignment: Assignment, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Report]:
    references = ReferenceStore(tmp_path_factory.mktemp("references"))

    def grade_it(given: Submission, **limits: object) -> Report:
        tight = assignment.model_copy(update={"limits": assignment.limits.model_copy(update=limits)})
        return grade(given, tight, sandbox=box, references=references)

    return grade_it


@pytest.fixture(scope="session")
def attack(graded: Callable[..., Report]) -> Attack:
    def attack_with(*, top: str = "", class_body: str = "", call: str = "", **limits: object) -> Report:
        report = graded(submission(top=top, class_body=class_body, call=call), **limits)
        after = graded(submission())
        assert (after.status, after.points, after.output.stdout) == (Status.PASSED, 100, "")
        return report

    return attack_with
