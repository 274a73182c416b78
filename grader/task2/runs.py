"""Runs the notebook in the box, and collects its outputs, its calls of models and their weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from grader.assignment import Assignment
from grader.errors import RunnerOutputInvalid
from grader.execution.execution import Roles, run_of
from grader.execution.reading import Reading, Use
from grader.sandbox import Kind, Outcome, Sandbox, protocol
from grader.sandbox.events import ModelCall, NotebookOutput, Parts, Reach, StatementFailed, Weights
from grader.sandbox.requests import NotebookRequest, Spoil

Array = NDArray[np.floating]
#: The weights of one model by their Keras names; a student's model has NaN where it has none.
ModelWeights = dict[str, Array]
#: Ways to spoil answers, by the number of the call.
Spoils = Mapping[int, "Spoil"]


@dataclass(frozen=True)
class NotebookRun:
    """The events of one run of the notebook. `moments` are the weights of all models, each time that some changed."""

    reading: Reading
    outcome: Outcome
    complete: bool = False
    calls: tuple[ModelCall, ...] = ()
    moments: tuple[dict[int, ModelWeights], ...] = ()
    # The statement behind each of these changes.
    changed_by: tuple[int, ...] = ()
    outputs: tuple[NotebookOutput, ...] = ()
    reaches: tuple[Reach, ...] = ()
    # Keyed by the statement that failed.
    failed: dict[int, StatementFailed] = field(default_factory=dict)

    def models(self, side: str) -> list[int]:
        return sorted({call.model for call in self.calls if call.side == side})

    @cached_property
    def by_place(self) -> dict[tuple[int, str, int], NotebookOutput]:
        """Index the output by statement, way and order; the same thing has the same place in every run."""
        by_place: dict[tuple[int, str, int], NotebookOutput] = {}
        counts: dict[tuple[int, str], int] = {}
        for item in self.outputs:
            place = item.statement, item.via
            counts[place] = counts.get(place, -1) + 1
            by_place[*place, counts[place]] = item
        return by_place

    def use(self, statement: int) -> Use | None:
        return next((use for use in self.reading.uses if use.statement == statement), None)


class NotebookRunner:
    """Runs one submission's notebook under one Keras generation.

    Args:
        roles: the reading of weights without telling names that proved right for the class.
        parts: the class's weights, as it showed them.
        prepared: take shortcuts around Keras, as the runs of `grader.execution.runner.Runner` do.
    """

    def __init__(
        self,
        reading: Reading,
        assignment: Assignment,
        sandbox: Sandbox,
        *,
        generation: str,
        roles: Roles,
        parts: Parts | None = None,
        prepared: bool = True,
    ) -> None:
        self._reading = reading
        self._assignment = assignment
        self._sandbox = sandbox
        self._kind = Kind.NOTEBOOK2 if generation == "2" else Kind.NOTEBOOK3
        self._roles = roles
        self._parts = parts
        self._prepared = prepared

    def run(self, spoils: Spoils | None = None) -> NotebookRun:
        """Run the notebook once.

        Raises:
            SandboxError: the box failed.
        """
        reading, assignment = self._reading, self._assignment
        statements = [use.statement for use in reading.uses]
        # The whole notebook may be one statement, in a function.
        seconds = max(assignment.upload.statement_seconds, assignment.limits.cpu_seconds / 2)
        body: NotebookRequest = {
            **run_of(reading, assignment, self._roles, statements, seconds, prepared=self._prepared),
            "task": "notebook",
            "supply_layer": not any("keras" in use.sides for use in reading.uses),
            "unused": self._parts.unused if self._parts else [],
            "uses": self._parts.uses if self._parts else {},
            "spoils": {str(call): spoil for call, spoil in (spoils or {}).items()},
        }
        request = protocol.encode(body, dict(self._roles.places))
        return self._gather(self._sandbox.run(self._kind, request, assignment.limits))

    def _gather(self, outcome: Outcome) -> NotebookRun:
        by_itself = outcome.killed_for is None and outcome.exit_code >= 0
        try:
            events, complete = protocol.decode_events(outcome.result, ended_by_itself=by_itself)
        except RunnerOutputInvalid:
            return NotebookRun(self._reading, outcome)
        moments: list[dict[int, ModelWeights]] = []
        for event, arrays in events:
            if isinstance(event, Weights):
                changed: dict[int, ModelWeights] = {}
                for name, array in arrays.items():
                    model, _, weight = name.partition("/")
                    changed.setdefault(int(model), {})[weight] = array
                moments.append((moments[-1] if moments else {}) | changed)
        return NotebookRun(
            self._reading,
            outcome,
            complete,
            calls=tuple(protocol.select(events, ModelCall)),
            moments=tuple(moments),
            changed_by=tuple(event.statement for event in protocol.select(events, Weights)),
            outputs=tuple(protocol.select(events, NotebookOutput)),
            reaches=tuple(protocol.select(events, Reach)),
            failed={self._statement_at(failed.line): failed for failed in protocol.select(events, StatementFailed)},
        )

    def _statement_at(self, line: int) -> int:
        statements = self._reading.statements
        return next((i for i, s in enumerate(statements) if s.first_line <= line <= s.last_line), -1)
