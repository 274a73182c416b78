"""The models that answer a run's questions: builds them, and finds which of their weights is what."""

import contextlib
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from box_requests import ClassRequest, Question, Sizes
from channel import Channel
from gate_words import GATES

from driver.construction.building import Builder, call_eagerly
from driver.construction.class_signature import own_codes
from driver.phases import PhaseFailed, Phases
from driver.recorded import STEPS_OF_ALL_PATHS
from driver.student.observations import MAX_NAME
from driver.student.student_module import StudentModule
from driver.weights import placements, recognition, roles
from driver.weights.leaves import Leaf, Use, find_leaves, untracked
from driver.weights.peepholes import ROWS, TIMESTEPS, find_peepholes
from driver.weights.used import find_factors, find_starts, find_states, find_unused, may_be_starts
from driver.weights.weight_shapes import count_gates, gaps, is_crowded, may_be_states, sort_by_shape, uses

MOST_HOLDERS_TOLD = 10
MOST_LEAVES_TOLD = 40


@dataclass
class BuiltModel:
    """A model, its weights' possible placements, and whether it was called on another shape than the case's."""

    model: Any
    reused: bool
    candidates: list[placements.Placement] = field(default_factory=list)


class Models:
    """The models of one run, one for each pair of `features` and `units`: the last that was built.

    Attributes:
        pairing: the order of weights whose names say nothing; a trial finds it.
        states: paths of variables that a call assigns.
    """

    def __init__(
        self,
        request: ClassRequest,
        arrays: dict[str, np.ndarray],
        channel: Channel,
        phases: Phases,
        module: StudentModule,
        builder: Builder,
    ) -> None:
        self._request = request
        self._arrays = arrays
        self._channel = channel
        self._phases = phases
        self._module = module
        self._builder = builder
        self._models: dict[tuple[int, int], BuiltModel] = {}
        self._construction_reported = False
        self.pairing = request["pairing"]
        # The first model's sizes differ most: it shows which weights do nothing, and what the others are for, by path.
        self._unused: frozenset[str] = frozenset()
        self._uses: dict[str, Use] = {}
        self.states: list[str] = []
        self._gaps: dict[str, Any] = {}

    def get(self, case: Question) -> BuiltModel | None:
        return self._models.get((case["sizes"]["features"], case["sizes"]["units"]))

    def all(self) -> Collection[BuiltModel]:
        return self._models.values()

    def build(self, case: Question, x: tf.Tensor) -> BuiltModel:
        """Build a model.

        Building traces `call` symbolically in Keras 3, which costs seconds for a hundred steps, so the model is built
        on the first step alone, where the case allows it. A loop that leaves out some steps may need more of them to
        reach all of its layers.
        """
        self._phases.begin("build")
        built, sizes = None, case["sizes"]
        if not case["fresh"]:
            try:
                built = BuiltModel(self._model(sizes | {"timesteps": 1}, x[:, :1]), reused=True)
            except BaseException as exc:  # one step is our idea, not the exercise's: the case itself decides
                if not self._builder.constructed:
                    self._phases.report(exc, case["id"], constructing=True)
                    raise PhaseFailed from exc
        if built is not None and not self._has_all_gates(sizes, built.model):
            with contextlib.suppress(Exception):  # this number of steps is our idea too
                steps = x[:, :STEPS_OF_ALL_PATHS]
                built = BuiltModel(self._model(sizes | {"timesteps": steps.shape[1]}, steps), reused=True)
        if built is None:
            self._module.caught.clear()
            try:
                model = self._model(sizes, x)
            except BaseException as exc:
                for hidden in self._module.caught:
                    self._phases.report(hidden, case["id"], caught=True)
                self._phases.report(exc, case["id"], constructing=self._builder.constructing)
                raise PhaseFailed from exc
            built = BuiltModel(model, reused=False)
        self._find_parts(sizes, built, x)
        # From its second case on a model has seen another shape, however it was built.
        self._models[(sizes["features"], sizes["units"])] = BuiltModel(
            built.model, reused=True, candidates=built.candidates
        )
        return built

    def _has_all_gates(self, sizes: Sizes, model: Any) -> bool:
        return min(count_gates(model, self._module.names, sizes["features"], sizes["units"]).values()) >= len(GATES)

    def _model(self, sizes: Sizes, x: tf.Tensor) -> Any:
        self._module.follow(sizes)
        return self._builder.build(sizes, x)

    def report_construction(self) -> None:
        if not self._construction_reported:
            self._construction_reported = True
            self._channel.send("constructed", **self._builder.description())

    def find_gaps(self, sizes: Sizes) -> None:
        """Keep the misshapen weights of a model that raised when it was called."""
        if (model := self._builder.unfinished) is not None:
            leaves = find_leaves(model, self._module.names)
            found = gaps(leaves, sizes["features"], sizes["units"])["misshapen"]
            self._gaps = {"found": _listed(leaves), "misshapen": found} if found else {}

    def report_gaps(self) -> None:
        """Report them, unless a question of another shape got a model that works: that one reported its parts."""
        if self._gaps and not self._models:
            self._channel.send("parts", roles={}, evidence=None, candidates=0, **self._gaps)

    def _find_parts(self, sizes: Sizes, built: BuiltModel, x: tf.Tensor) -> None:
        """Find the weights of a new model, and report their roles for the first one."""
        if not self._models:
            self._unused = self._find_unused(sizes, built.model, x)
        leaves, names = self.leaves(built.model), self._request["unpack_names"]
        known = recognition.placement_of(leaves, self._arrays, sizes["features"], sizes["units"], names)
        built.candidates, evidence = ([known], "numbers") if known else self.candidates(leaves, sizes)
        peepholes, behind = self._peepholes(leaves, sizes, built)
        if peepholes or behind:
            others = [leaf for leaf in leaves if leaf not in (*peepholes, *behind)]
            built.candidates, evidence = self.candidates(others, sizes)
            for candidate in built.candidates:
                candidate.peepholes = peepholes
        if not self._models:
            self._uses = uses(sort_by_shape(leaves, sizes["features"], sizes["units"]))
            self.report_construction()
            placement = self.placement(built)
            names_in_code = (name for code in own_codes(self._module.names) for name in code.co_names)
            self._channel.send(
                "parts",
                roles={gate: path[:MAX_NAME] for gate, path in placement.roles().items()} if placement else {},
                evidence=evidence,
                candidates=len(built.candidates),
                found=_listed(leaves),
                misfed={
                    (leaf.layer or leaf.path)[:MAX_NAME]: "x" if (leaf.shape or ())[0] == sizes["features"] else "h"
                    for leaf in (placement.misfed if placement else ())
                },
                states=[path[:MAX_NAME] for path in self.states[:MOST_HOLDERS_TOLD]],
                unused=sorted(path[:MAX_NAME] for path in self._unused)[:MOST_LEAVES_TOLD],
                uses=dict([(path[:MAX_NAME], use) for path, use in self._uses.items()][:MOST_LEAVES_TOLD]),
                open=evidence != "names" or (placement is not None and placement.is_open),
                drops=any("dropout" in name.lower() for name in names_in_code),
                **self._untracked(built, placement),
                **gaps(leaves, sizes["features"], sizes["units"]),
            )

    def leaves(self, model: Any) -> list[Leaf]:
        """List the weights of a model, without those that the first model's answer does not depend on."""
        leaves = [leaf for leaf in find_leaves(model, self._module.names) if leaf.path not in self._unused]
        for leaf in leaves:
            leaf.use = self._uses.get(leaf.path)
        return leaves

    def _find_unused(self, sizes: Sizes, model: Any, x: tf.Tensor) -> frozenset[str]:
        """Find the paths of what is no weight: starts, states, and what does nothing where there is too much."""
        leaves = find_leaves(model, self._module.names)
        found = sort_by_shape(leaves, sizes["features"], sizes["units"])
        is_big, has_states = is_crowded(found), may_be_states(leaves, found, sizes["units"])
        if not is_big and not has_states and not may_be_starts(found):
            return frozenset()
        steps = x[:, :STEPS_OF_ALL_PATHS]

        def call() -> tf.Tensor:
            return call_eagerly(model, steps)

        def call_on_positive() -> tf.Tensor:
            step = np.abs(np.array(x[:, :1])) + np.float32(0.5)
            return call_eagerly(model, tf.constant(step / step.sum(axis=-1, keepdims=True)))

        left_out: list[Leaf] = []
        try:
            self._module.follow(sizes | {"timesteps": 1})
            left_out += find_starts(leaves, found, sizes["units"], call_on_positive)
            self._module.follow(sizes | {"timesteps": steps.shape[1]})
            if is_big or has_states:
                states = find_states(leaves, call)
                self.states = [leaf.path for leaf in states]
                left_out += states
            if is_big:
                left_out += find_unused(leaves, sizes["units"], call)
        except Exception:  # the experiment is our idea, not the exercise's
            return frozenset()
        finally:
            self._module.follow(sizes)
        return frozenset(leaf.path for leaf in left_out)

    def candidates(self, leaves: list[Leaf], sizes: Sizes) -> tuple[list[placements.Placement], str | None]:
        request, features, units = self._request, sizes["features"], sizes["units"]

        def candidates(some: list[Leaf]) -> tuple[list[placements.Placement], str | None]:
            return roles.candidates(some, features, units, request["unpack_names"], self.pairing, request["joined"])

        # Such vectors beside all the biases may be factors. Those stay as they are: they are tried first.
        if factors := find_factors(leaves, units):
            found, evidence = candidates([leaf for leaf in leaves if leaf not in factors])
            if evidence and found[0].has_biases:
                return [*found, *candidates(leaves)[0]], "numbers"
        return candidates(leaves)

    def open_weights(self, model: Any, units: int) -> list[Leaf]:
        """List the weights that may be recognised."""
        return recognition.open_weights(self.leaves(model), units)

    @staticmethod
    def _untracked(built: BuiltModel, placement: placements.Placement | None) -> dict[str, Any]:
        try:
            found = untracked(built.model, [slot.leaf for slot in placement.slots] if placement else [])
            knows_none = not built.model.trainable_variables
        except Exception:  # the student's own `trainable_weights` may raise anything
            return {}
        listed = list(found.items())[:MOST_HOLDERS_TOLD]
        return {
            "untracked": {name[:MAX_NAME]: kind for name, kind in listed},
            "more_untracked": len(listed) < len(found),
            "knows_none": knows_none,
        }

    def _peepholes(self, leaves: list[Leaf], sizes: Sizes, built: BuiltModel) -> tuple[list[Leaf], list[Leaf]]:
        """Find the weights through which gates see c, and those behind the cell, where all kernels have a place."""
        first = next(iter(built.candidates), None)
        if first is None or first.is_recognised or not first.takes("x"):
            return [], []
        if any(other.roles() != first.roles() for other in built.candidates):
            return [], []

        def call(x: np.ndarray) -> np.ndarray:
            return np.array(call_eagerly(built.model, tf.constant(x)))

        self._module.follow(sizes | {"batch": ROWS, "timesteps": TIMESTEPS})
        try:
            return find_peepholes(leaves, first, sizes["features"], sizes["units"], call)
        except Exception:  # the experiment is our idea, not the exercise's
            return [], []
        finally:
            self._module.follow(sizes)

    def placement(self, built: BuiltModel) -> placements.Placement | None:
        # The choice holds for models with as many candidates: a model of a width outside the cases has its own.
        chosen = self._request["candidate"] or 0
        return next((found for found in (built.candidates[chosen:], built.candidates) if found), [None])[0]


def _listed(leaves: list[Leaf]) -> list[str]:
    return [f"{leaf.path[:MAX_NAME]} {leaf.shape}"[: 2 * MAX_NAME] for leaf in leaves[:MOST_LEAVES_TOLD]]
