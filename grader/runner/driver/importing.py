"""Runs the statements of a submission that its class needs, and looks at the class."""

import ast
import itertools
from typing import Any

import tensorflow as tf
from box_requests import ClassRequest
from channel import Channel

from driver.built_in import copies
from driver.reaches import noticing
from driver.student import student_module
from driver.student.observations import MAX_NAME, failure, is_stub, own_attributes
from driver.student.student_module import StudentModule

# A notebook that loops over something missing may have thousands, more than anybody reads.
MOST_FAILURES_TOLD = 100


def run_statements(request: ClassRequest, channel: Channel) -> tuple[StudentModule, noticing.Originals]:
    """Run them. From here on everything that the submission reaches for is noticed.

    Returns: the module, and functions of libraries as they were before.
    """
    module = StudentModule(request["source"], request["canonical"])
    tell = noticing.watch()
    originals = noticing.Originals()
    copies.watch(lambda name, line: tell("copied_source", name, line))

    failures = itertools.count(1)

    def on_failure(statement: ast.stmt, exc: BaseException) -> None:
        if next(failures) <= MOST_FAILURES_TOLD:
            channel.send("statement_failed", **failure(statement, exc, 500), **student_module.brought_by(statement))

    module.run(request["statements"], request["statement_seconds"], on_failure)
    return module, originals


def find_class(module: StudentModule, channel: Channel) -> Any:
    """Report what the name ``LSTM`` stands for, and return it if it can answer; else None."""
    found: Any = module.names.get("LSTM")
    bases = [f"{base.__module__}.{base.__qualname__}"[:MAX_NAME] for base in getattr(found, "__mro__", ())]
    is_class = isinstance(found, type)
    channel.send(
        "class",
        found=found is not None,
        is_class=is_class,
        kind=type(found).__name__[:MAX_NAME],
        is_model=is_class and issubclass(found, tf.keras.Model),
        own=is_class and found.__module__ == student_module.MODULE_NAME,
        bases=bases[:20],
        has_call=is_class and bool(own_attributes(found) & {"call", "__call__"}),
        is_stub=is_class and is_stub(getattr(found, "call", None)),
    )
    # A function that builds the model is not a class, but its answers can be graded. A model that exists already cannot
    # take the sizes of the cases.
    is_factory = callable(found) and not isinstance(found, tf.keras.layers.Layer)
    return found if is_class or is_factory else None
