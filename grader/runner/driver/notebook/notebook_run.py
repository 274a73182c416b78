"""Runs the notebook itself, for Task 2: its own copying of weights and its own comparison.

The reader decided which statements these are. The results they show, the models they call and the weights of these are
sent as data; nothing is judged. The request says which answers to spoil.

Order of events: ``reach`` (see reaches/noticing.py), ``called``, ``weights``, ``shown`` and ``statement_failed`` as
they happen, ``done`` last.
"""

import ast
import itertools
import random
import sys
import time
from typing import Any

import numpy as np
import tensorflow as tf
from box_requests import NotebookRequest
from channel import Channel
from scopes import is_main_guard

from driver.notebook.model_weights import WatchedModels
from driver.notebook.outputs import OutputRecorder, numbers_of
from driver.notebook.watch import Watch
from driver.reaches import noticing
from driver.student.observations import failure
from driver.student.student_module import StudentModule

SEED = 20
MAX_FAILURES = 50
# The course's own layer, for a student who hands in only the code below it.
SUPPLIED = """
lstm = tf.keras.layers.LSTM(H_SIZE, return_sequences=True, recurrent_activation="sigmoid")
y = lstm(x)
"""


class NotebookModule(StudentModule):
    """A module that reports what its statements show and bind, and runs code under ``if __name__ == ...``."""

    def __init__(self, request: NotebookRequest, arrays: dict[str, np.ndarray], channel: Channel) -> None:
        super().__init__(request["source"], request["canonical"])
        # ``unittest.main()`` looks for tests here.
        sys.modules["__main__"] = self.module
        self.outputs = OutputRecorder(lambda **record: channel.send("shown", **record))
        self.watch = Watch(WatchedModels(channel, self.outputs, self.names, request, arrays))
        self.outputs.listen(self.names)
        self.watch.start()
        if request["supply_layer"]:
            exec(compile(SUPPLIED, "lstm", "exec", dont_inherit=True), self.names)

    def execute(self, index: int, statement: ast.stmt, flags: int) -> Any:
        self.outputs.statement = index
        before = dict(self.names)
        if isinstance(statement, ast.If) and is_main_guard(statement):
            statement.test = ast.copy_location(ast.Constant(True), statement.test)
        try:
            value = super().execute(index, statement, flags)
            if value is not None and isinstance(statement, ast.Expr):
                self.outputs.note("value", value)
            for name, bound in list(self.names.items()):
                if before.get(name) is not bound and numbers_of(bound)["kind"] in ("number", "bool"):
                    self.outputs.note("bound", bound)
            return value
        finally:
            self.watch.after_statement()

    def _build_layers(self) -> None:
        """Build nothing: no call is left out here, and it may be on another number of features."""


def run(request: NotebookRequest, arrays: dict[str, np.ndarray], channel: Channel) -> None:
    """Run the statements that `request` names."""
    started = time.monotonic()
    tf.keras.utils.set_random_seed(SEED)
    _seed_generators()
    # Nothing is traced: a graph would keep the answer as it was, spoiled or not, when the graph was made.
    tf.config.run_functions_eagerly(True)
    channel.send("phase", name="notebook")
    noticing.watch()
    module = NotebookModule(request, arrays, channel)

    failures = itertools.count(1)

    def on_failure(statement: ast.stmt, exc: BaseException) -> None:
        if next(failures) <= MAX_FAILURES:
            record = failure(statement, exc, 1000)
            channel.send("statement_failed", **record)
            module.outputs.note("raised", f"{record['type']}: {record['message']}")

    module.run(request["statements"], request["statement_seconds"], on_failure)
    channel.end(phases={"notebook": time.monotonic() - started})


def _seed_generators() -> None:
    """Seed generators that are made without a seed: a spoiled run must differ by the spoiling alone."""
    make = np.random.default_rng

    def default_rng(seed: Any = None) -> np.random.Generator:
        return make(SEED if seed is None else seed)

    np.random.default_rng = default_rng
    random.seed(SEED)
