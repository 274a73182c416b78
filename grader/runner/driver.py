"""Runs one submission inside the box: imports it, builds the model, injects weights, calls it on each case.

It answers questions with raw arrays and never judges: it has no expected value, and the process it runs in belongs to
the student's code. Everything is sent as soon as it is known, so that a crash or a timeout keeps what came before.

Order of events: ``phase`` (begins a phase), ``tripped`` (built-in recurrent code runs), ``attempt`` (see attempts.py),
``statement_failed``, ``class``, ``parts``, ``trial``, ``output``, ``gradients``, ``raised``, and ``done`` last.
"""

from __future__ import annotations

import ast
import contextlib
import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import attempts
import lockdown
import notebook_run
import numpy as np
import own_warnings
import roles
import student_module
import tensorflow as tf
import tripwires
import warming
from channel import Channel, decode
from construct import arguments
from contents import last_step
from leaves import find_leaves
from observations import MAX_NAME, describe, is_stub, largest, own_attributes, text_of, watchable
from phases import Failed, Phases
from student_module import StudentModule
from weight_shapes import count_gates

Sizes = dict[str, int]
SEED = 20
# A notebook that loops over something missing may have thousands; nobody reads on.
MOST_FAILURES_TOLD = 100
MOST_PATCHES_TOLD = 10


preload = warming.preload


def main(request_fd: int) -> None:
    """Answer the request on `request_fd`. Runs in the child, behind the lockdown."""
    size = os.fstat(request_fd).st_size
    request, arrays = decode(os.pread(request_fd, size, 0))
    os.close(request_fd)
    own_warnings.show_only_own()
    if request["task"] == "notebook":
        notebook_run.run(request, Channel(lockdown.RESULT))
    else:
        Driver(request, arrays, Channel(lockdown.RESULT)).run()


def _sizes(case: dict[str, Any]) -> Sizes:
    return {name: case[name] for name in ("batch", "timesteps", "features", "units")}


@contextlib.contextmanager
def _created() -> Iterator[list[str]]:
    """Collects the names of variables as they are created: in a model that stands, there should be none any more."""
    names: list[str] = []

    def create(next_creator: Callable[..., Any], **arguments: Any) -> Any:
        names.append(str(arguments.get("name")))
        return next_creator(**arguments)

    with tf.variable_creator_scope(create):
        yield names


@dataclass
class Built:
    """A model with weights, what they may be, and whether it has been called on another shape than the case's."""

    model: Any
    reused: bool
    candidates: list[roles.Assignment] = field(default_factory=list)


class Driver:
    """One submission. Cases of equal `features` and `units` share a model, unless `fresh` asks otherwise."""

    def __init__(self, request: dict[str, Any], arrays: dict[str, np.ndarray], channel: Channel) -> None:
        self._request = request
        self._arrays = arrays
        self._channel = channel
        self._models: dict[tuple[int, int], Built] = {}
        # Cases that a model which had seen another shape answered with a wrong shape.
        self._doubtful: list[dict[str, Any]] = []
        self._shape_right = self._fresh_shape_right = False
        self._measured = False
        self._tried = False
        self._pairing: dict[str, list[int]] = request["pairing"]
        self._constructible = False
        self._phases = Phases(channel, {"lockdown": lockdown.seconds})
        if request["poisoned"]:
            warming.poison()
        # The same submission gives the same numbers every time; and a poisoned run differs by the poison alone.
        tf.keras.utils.set_random_seed(SEED)

    def run(self) -> None:
        self._import()
        if self._class is not None:
            for case in self._request["cases"]:
                self._case(case)
                if not self._constructible:
                    break  # not even for the exercise: the other cases would only say the same again
            self._ask_again()
            self._probe()
        self._phases.end()
        self._channel.send("done", phases=self._phases.seconds, patched=self._patches.replaced()[:MOST_PATCHES_TOLD])

    # --- import ----------------------------------------------------------------------------------------------

    def _import(self) -> None:
        self._phases.begin("import")
        request = self._request
        self._module = StudentModule(request["source"], request["canonical"])
        self._patches = attempts.Patches()
        tell = attempts.watch()
        tripwires.copies.watch(lambda name, line: tell("copied_source", name, line))

        failures = itertools.count(1)

        def on_failure(statement: ast.stmt, exc: BaseException) -> None:
            if next(failures) > MOST_FAILURES_TOLD:
                return
            timed_out = isinstance(exc, student_module.StatementTimeout)
            self._channel.send(
                "statement_failed",
                line=statement.lineno,
                code="cell_timed_out" if timed_out else "input_call" if isinstance(exc, EOFError) else "cell_failed",
                type=type(exc).__name__[:MAX_NAME],
                message=text_of(exc)[:500],
                **student_module.brought_by(statement),
            )

        self._module.run(request["statements"], request["statement_seconds"], on_failure)
        found: Any = self._module.names.get("LSTM")
        bases = [f"{base.__module__}.{base.__qualname__}"[:MAX_NAME] for base in getattr(found, "__mro__", ())]
        is_class = isinstance(found, type)
        self._channel.send(
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
        # A function that builds the model is no class, but its answers can be graded; a model that exists already
        # cannot take the sizes of the cases.
        is_factory = callable(found) and not isinstance(found, tf.keras.layers.Layer)
        self._class: Any = found if is_class or is_factory else None

    # --- one case --------------------------------------------------------------------------------------------

    def _case(self, case: dict[str, Any]) -> None:
        try:
            self._run_case(case)
        except Failed:
            pass

    def _ask_again(self) -> None:
        """What the first round left open.

        A wrong shape from a model that had seen another one is asked of a fresh model, but only where a fresh model was
        right elsewhere: building on a hundred steps costs seconds. The second call and the gradients are taken from
        the exercise's own case when the small one had no answer to take them from; so is a trial of candidates.
        """
        if self._fresh_shape_right:
            for case in self._doubtful:
                self._case({**case, "fresh": True})
        exercise = self._request["cases"][0]
        ambiguous = any(len(built.candidates) > 1 for built in self._models.values())
        if ambiguous and self._request["candidate"] is None and not self._tried:
            self._case({**exercise, "fresh": False, "trial": True, "again": True})
        measured = any(case["measure"] for case in self._request["cases"])
        if measured and not self._measured and self._models:
            self._case({**exercise, "fresh": False, "measure": True, "again": True})

    def _probe(self) -> None:
        """Short questions to a model that stands. They are our idea, not the exercise's: what they raise is dropped."""
        self._phases.begin("probe")
        for probe in self._request["probes"]:
            built = self._models.get((probe["features"], probe["units"]))
            if built is None or (len(built.candidates) > 1 and self._request["candidate"] is None):
                return
            try:
                self._module.follow(_sizes(probe))
                self._inject(probe, built)
                self._call(probe, tf.constant(self._arrays[f"{probe['id']}/x"]), built, call=0)
            except BaseException:
                return

    def _run_case(self, case: dict[str, Any]) -> None:
        sizes = _sizes(case)
        x = tf.constant(self._arrays[f"{case['id']}/x"])
        built = None if case["fresh"] else self._models.get((sizes["features"], sizes["units"]))
        if built is None:
            built = self._build(case, sizes, x)
        try:
            self._answer(case, sizes, x, built)
        except BaseException as exc:
            if not built.reused:
                self._phases.report(exc, case["id"])
                raise Failed from exc
            # It has seen another shape before: only a fresh instance can say whether this one is the trouble.
            fresh = self._build({**case, "fresh": True}, sizes, x)
            self._phases.guarded(case["id"], lambda: self._answer(case, sizes, x, fresh))

    def _build(self, case: dict[str, Any], sizes: Sizes, x: tf.Tensor) -> Built:
        """A built model.

        Building traces `call` symbolically in Keras 3, which costs seconds for a hundred steps: so it is built on the
        first step alone, where the case allows it. Functions run eagerly meanwhile: a graph traced now would keep the
        weights, or the length, of now.
        """
        self._phases.begin("build")
        built = None
        if not case["fresh"]:
            one_step = sizes | {"timesteps": 1}
            model = self._phases.guarded(case["id"], lambda: self._construct(one_step), constructing=True)
            try:
                self._first_call(model, x[:, :1])
                built = Built(model, reused=True)
            except BaseException:  # one step is our idea, not the exercise's: the case itself decides
                pass
        if built is None:
            model = self._phases.guarded(case["id"], lambda: self._construct(sizes), constructing=True)
            self._phases.guarded(case["id"], lambda: self._first_call(model, x))
            built = Built(model, reused=False)
        self._find_parts(sizes, built)
        # From its second case on a model has seen another shape, however it was built.
        self._models[(sizes["features"], sizes["units"])] = Built(built.model, reused=True, candidates=built.candidates)
        return built

    def _construct(self, sizes: Sizes) -> Any:
        self._module.follow(sizes)
        positional, keywords = arguments(
            self._class, sizes, self._request["canonical"], self._request["call_site"], self._module.names
        )
        model = self._class(*positional, **keywords)
        self._constructible = True
        return model

    @staticmethod
    def _first_call(model: Any, x: tf.Tensor) -> None:
        tf.config.run_functions_eagerly(True)
        try:
            model(x)
        finally:
            tf.config.run_functions_eagerly(False)

    def _find_parts(self, sizes: Sizes, built: Built) -> None:
        """Find the weights of a new model, and say what they are for the first one."""
        leaves = find_leaves(built.model, self._module.names)
        built.candidates, evidence = roles.candidates(
            leaves, sizes["features"], sizes["units"], self._request["unpack_names"], self._pairing
        )
        if not self._models:
            assignment = self._assignment(built)
            self._channel.send(
                "parts",
                roles={gate: path[:MAX_NAME] for gate, path in assignment.roles().items()} if assignment else {},
                evidence=evidence,
                candidates=len(built.candidates),
                found=[f"{leaf.path[:MAX_NAME]} {leaf.shape}"[: 2 * MAX_NAME] for leaf in leaves[:40]],
            )

    def _assignment(self, built: Built) -> roles.Assignment | None:
        return built.candidates[self._request["candidate"] or 0] if built.candidates else None

    def _answer(self, case: dict[str, Any], sizes: Sizes, x: tf.Tensor, built: Built) -> None:
        self._module.follow(sizes)
        tripwires.copies.resume()
        self._phases.begin("inject")
        if len(built.candidates) > 1 and self._request["candidate"] is None:
            self._trial(case, x, built)
            return
        assignment = self._inject(case, built)
        shape_wanted = (sizes["batch"], sizes["timesteps"], sizes["units"])
        if not case.get("again"):
            self._phases.begin("call")
            shape = tuple(getattr(self._call(case, x, built, call=0), "shape", ()))
            if shape == shape_wanted:
                self._shape_right = True
                self._fresh_shape_right = self._fresh_shape_right or not built.reused
            elif built.reused:
                self._doubtful.append(case)
                return
            elif self._shape_right:  # of another case: that one shall be measured
                return
        if case["measure"]:
            self._measured = True
            self._repeat(case, x, built, assignment)

    def _weights(self, case: dict[str, Any]) -> dict[str, np.ndarray]:
        return {name: self._arrays[f"{case['id']}/{name}"] for name in ("kernel", "recurrent_kernel", "bias")}

    def _inject(self, case: dict[str, Any], built: Built) -> roles.Assignment | None:
        assignment = self._assignment(built)
        if assignment is not None:
            roles.inject(assignment, self._weights(case))
        return assignment

    def _call(self, case: dict[str, Any], x: tf.Tensor, built: Built, call: int) -> Any:
        tripwires.fired.clear()
        with _created() as created:
            output = built.model(x)
        arrays, description = describe(output)
        fired = sorted({name for name, _ in tripwires.fired})
        names = self._module.names
        layers = {id(value) for value in names.values() if isinstance(value, tf.keras.layers.Layer)}
        exercise = call == 0 and case["id"] == self._request["cases"][0]["id"]
        counted = count_gates(built.model, names, case["features"], case["units"]) if exercise else {}
        self._channel.send(
            "output",
            arrays,
            case=case["id"],
            call=call,
            reused=built.reused,
            fired=fired,
            fired_global=any(id(owner) in layers for _, owner in tripwires.fired),
            global_name=next((name[:MAX_NAME] for name, value in names.items() if value is output is not None), None),
            **counted,
            created=len(created),
            **description,
        )
        return output

    def _trial(self, case: dict[str, Any], x: tf.Tensor, built: Built) -> None:
        """Names do not say which weight is which: answer under every candidate and let the trusted side choose."""
        if self._tried or not case["trial"]:
            return
        self._phases.begin("trial")
        answers: list[dict[str, np.ndarray]] = []
        places: list[list[str]] = []
        leaves = find_leaves(built.model, self._module.names)
        features, units = case["features"], case["units"]
        few_steps = tf.abs(x[:, :2]) + 0.5
        try:
            self._pairing = roles.find_pairing(leaves, features, units, lambda: np.array(built.model(few_steps)))
        except Exception:  # two steps are our idea, not the exercise's
            self._pairing = {}
        candidates, _ = roles.candidates(leaves, features, units, self._request["unpack_names"], self._pairing)
        weights = self._weights(case)
        for candidate in candidates:
            roles.inject(candidate, weights)
            arrays, description = describe(built.model(x))
            answers.append(arrays)
            places = description.get("inside", [])
        self._tried = True
        alike = len({tuple((name, array.shape) for name, array in answer.items()) for answer in answers}) == 1
        stacked = {name: np.stack([answer[name] for answer in answers]) for name in answers[0]} if alike else {}
        self._channel.send("trial", stacked, case=case["id"], pairing=self._pairing, inside=places)

    def _repeat(self, case: dict[str, Any], x: tf.Tensor, built: Built, assignment: roles.Assignment | None) -> None:
        """A second call, recorded, so that it serves for both: is the answer the same, and how far do gradients reach?

        The gradient is that of the last step's output. It should reach every weight, and back to the first input.
        """
        self._phases.begin("repeat")
        with tf.GradientTape() as tape:
            tape.watch(x)
            output = self._call(case, x, built, call=1)
        if assignment is None:
            return
        self._phases.begin("gradients")
        slots = assignment.slots
        variables = [leaf.variable for leaf, *_ in slots]
        try:
            with tape:
                last = last_step(output, case)
                # Unequal factors: equal ones could cancel.
                parts = [tf.reshape(part, [-1]) for part in last]
                loss = tf.add_n([tf.reduce_sum(part * tf.linspace(0.5, 1.5, part.shape[0])) for part in parts])
            gradients = tape.gradient(loss, [x, *(watchable(variable) for variable in variables)])
        except Exception as exc:
            if student_module.student_frames(exc):  # else it is none of the student's code
                self._phases.report(exc, case["id"])
            return
        input_gradient, *weight_gradients = gradients
        reach = {
            f"{leaf.path[:MAX_NAME]} ({array} {gates})": largest(gradient)
            for (leaf, array, gates, _), gradient in zip(slots, weight_gradients, strict=True)
        }
        first = largest(input_gradient[:, 0]) if input_gradient is not None else None
        self._channel.send("gradients", case=case["id"], reach=reach, first_timestep=first)
