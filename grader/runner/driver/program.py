"""Runs one submission inside the box: imports it, builds the model, injects weights, asks it a list of questions.

The order and names in the list carry no meaning (`execution/questions.py`); `case` in an event is such a name. The
driver answers with raw arrays and never judges: it has no expected value, and its process belongs to the student's
code. Everything is sent as soon as it is known, so that a crash or a timeout keeps what came before.

Order of events: ``phase`` (begins a phase), ``attempt`` (see reaches/noticing.py),
``statement_failed``, ``class``, ``constructed``, ``parts``, ``trial``, ``output``, ``gradients``, ``raised``, and
``done`` last.
"""

from __future__ import annotations

import ast
import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import lockdown
import numpy as np
import safetensors.numpy
import tensorflow as tf
from asked import ClassRequest, NotebookRequest, Question, Sizes
from channel import Channel
from frames import read_request

from driver import warming
from driver.built_in import copies, no_recurrence
from driver.construction.building import Builder, call_eagerly
from driver.construction.class_signature import own_codes
from driver.construction.construct import Constructor
from driver.notebook import notebook_run
from driver.phases import Failed, Phases
from driver.reaches import noticing
from driver.recorded import STEPS_OF_ALL_PATHS, Recorded
from driver.short_ways import plain_dense, variable_names
from driver.student import own_warnings, student_module
from driver.student.contents import drained
from driver.student.observations import MAX_NAME, describe, is_stub, own_attributes, text_of
from driver.student.student_module import StudentModule
from driver.weights import roles
from driver.weights.gate_names import GATES
from driver.weights.leaves import Leaf, find_leaves, untracked
from driver.weights.peepholes import ROWS, TIMESTEPS, find_peepholes
from driver.weights.weight_shapes import count_gates, gaps

SEED = 20
# A notebook that loops over something missing may have thousands; nobody reads that many.
MOST_FAILURES_TOLD = 100
MOST_PATCHES_TOLD = 10
MOST_HOLDERS_TOLD = 10
MOST_LEAVES_TOLD = 40
MOST_BUILT_IN_TOLD = 20


preload = warming.preload


def main(request_fd: int) -> None:
    """Answer the request on `request_fd`. Runs in the child, behind the lockdown."""
    request: ClassRequest | NotebookRequest
    request, block = read_request(request_fd)
    own_warnings.show_only_own()
    if not request["prepared"]:
        plain_dense.uninstall()
        variable_names.uninstall()
    if request["task"] == "notebook":
        notebook_run.run(request, Channel(lockdown.RESULT))
    else:
        Driver(request, safetensors.numpy.load(block), Channel(lockdown.RESULT)).run()


def _sizes(case: Question) -> Sizes:
    return {
        "batch": case["batch"],
        "timesteps": case["timesteps"],
        "features": case["features"],
        "units": case["units"],
    }


def _found(leaves: list[Leaf]) -> list[str]:
    return [f"{leaf.path[:MAX_NAME]} {leaf.shape}"[: 2 * MAX_NAME] for leaf in leaves[:MOST_LEAVES_TOLD]]


@contextlib.contextmanager
def _created() -> Iterator[list[str]]:
    """Collect the names of variables as they are created. A model that is already built should create none."""
    names: list[str] = []

    def create(next_creator: Callable[..., Any], **arguments: Any) -> Any:
        names.append(str(arguments.get("name")))
        return next_creator(**arguments)

    with tf.variable_creator_scope(create):
        yield names


@dataclass
class Built:
    """A model, its weights' possible assignments, and whether it was called on another shape than the case's."""

    model: Any
    reused: bool
    candidates: list[roles.Assignment] = field(default_factory=list)


class Driver:
    """One submission. Questions of equal `features` and `units` share a model, unless `fresh` asks otherwise.

    A question that `follows` another goes to the model that answered that one, and to no other.
    """

    def __init__(self, request: ClassRequest, arrays: dict[str, np.ndarray], channel: Channel) -> None:
        self._request = request
        self._arrays = arrays
        self._channel = channel
        self._models: dict[tuple[int, int], Built] = {}
        # The exercise's own question, and the model built for it, until that model is called.
        self._main = next(question for question in request["questions"] if question["main"])
        self._unused: Built | None = None
        # The model that answered each question.
        self._answered: dict[str, Built] = {}
        # Cases answered with a wrong shape by a model that had seen another shape.
        self._doubtful: list[Question] = []
        self._shape_right = self._fresh_shape_right = False
        self._measured = False
        # A recorded call with a wrong shape: its gradients are taken when there are no better ones.
        self._recorded: Recorded | None = None
        self._tried = False
        self._construction_told = False
        self._pairing: dict[str, list[int]] = request["pairing"]
        self._phases = Phases(channel, {"lockdown": lockdown.seconds})
        # The same submission gives the same numbers every time.
        tf.keras.utils.set_random_seed(SEED)

    def run(self) -> None:
        self._import()
        if self._class is not None:
            if self._begin():
                for question in self._request["questions"]:
                    with contextlib.suppress(Failed):
                        self._ask(question)
            self._ask_again()
            self._probe()
        self._phases.end()
        patched = self._patches.replaced()[:MOST_PATCHES_TOLD]
        self._channel.end(phases=self._phases.seconds, patched=patched)

    # --- import ----------------------------------------------------------------------------------------------

    def _import(self) -> None:
        self._phases.begin("import")
        request = self._request
        self._module = StudentModule(request["source"], request["canonical"])
        tell = noticing.watch()
        self._patches = noticing.Patches()
        copies.watch(lambda name, line: tell("copied_source", name, line))

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
        # A function that builds the model is no class, but its answers can be graded. A model that exists already
        # cannot take the sizes of the cases.
        is_factory = callable(found) and not isinstance(found, tf.keras.layers.Layer)
        self._class: Any = found if is_class or is_factory else None
        constructor = Constructor(found, request["canonical"], request["call_site"], self._module.names)
        self._builder = Builder(
            found,
            constructor,
            self._module.names,
            request["plans_passed_over"],
            only_computes=request["prepared"] and request["only_computes"],
        )

    # --- one question ----------------------------------------------------------------------------------------

    def _begin(self) -> bool:
        """Build the exercise's own model, before any question. False: no question is worth asking."""
        main = self._main
        try:
            self._unused = self._build(main, _sizes(main), self._input(main))
        except Failed:
            if not self._builder.constructed:
                return False  # it fails even for the exercise: other questions would only repeat that
            self._tell_construction()
            self._look_for_hard_coded_size(main)
            self._tell_gaps(_sizes(main))
        return True

    def _look_for_hard_coded_size(self, case: Question) -> None:
        sizes = _sizes(case) | {"timesteps": 1}
        self._module.follow(sizes)
        found = self._builder.size_that_works(sizes, self._input(case)[:, :1])
        if found:
            self._channel.send("hard_coded", sizes=found)

    def _ask_again(self) -> None:
        """Ask again what the first round left open.

        A wrong shape from a model that had seen another one is asked of a fresh model, but only where a fresh model was
        right elsewhere: building on a hundred steps costs seconds. Gradients are taken from the exercise's own question
        when the small one gave no answer to take them from. A trial of candidates works the same way.
        """
        if self._fresh_shape_right:
            for case in self._doubtful:
                self._ask_once_more({**case, "fresh": True}, call=0)
        exercise: Question = {**self._main, "fresh": False}
        ambiguous = any(len(built.candidates) > 1 for built in self._models.values())
        if ambiguous and self._request["candidate"] is None and not self._tried:
            self._ask_once_more({**exercise, "trial": True}, call=1)
        measured = any(case["measure"] for case in self._request["questions"])
        if measured and not self._measured and self._models:
            if self._recorded is not None and not self._shape_right:
                self._differentiate(self._recorded)
            else:
                self._ask_once_more({**exercise, "measure": True}, call=1)

    def _ask_once_more(self, question: Question, *, call: int) -> None:
        with contextlib.suppress(Failed):
            self._ask(question, call)

    def _probe(self) -> None:
        """Put short questions to a built model. They are our idea, not the exercise's: exceptions are dropped."""
        self._phases.begin("probe")
        for probe in self._request["probes"]:
            built = self._models.get((probe["features"], probe["units"]))
            if built is None or (len(built.candidates) > 1 and self._request["candidate"] is None):
                return
            try:
                self._module.follow(_sizes(probe))
                self._inject(probe, built)
                self._call(probe, self._input(probe), built, call=0)
            except BaseException:
                return

    def _ask(self, case: Question, call: int = 0) -> None:
        sizes, x = _sizes(case), self._input(case)
        if case["follows"] is not None:
            if case["follows"] in self._answered:
                # It has been called on the same shape before, so an exception now comes from the state that call left
                # behind.
                built = replace(self._answered[case["follows"]], reused=True)
                self._phases.guarded(case["id"], lambda: self._answer(case, sizes, x, built, call))
            return
        built = self._model_for(case, sizes, x)
        try:
            self._answer(case, sizes, x, built, call)
        except BaseException as exc:
            if not built.reused:
                self._phases.report(exc, case["id"])
                raise Failed from exc
            # It has seen another shape before: only a fresh instance shows whether that is the cause.
            fresh = self._build({**case, "fresh": True}, sizes, x)
            self._phases.guarded(case["id"], lambda: self._answer(case, sizes, x, fresh, call))

    def _model_for(self, case: Question, sizes: Sizes, x: tf.Tensor) -> Built:
        built = self._models.get((sizes["features"], sizes["units"]))
        unused = self._unused
        if unused is not None and built is not None and built.model is unused.model:
            self._unused = None
            if case is self._main:
                return unused
        if built is None or case["fresh"]:
            built = self._build(case, sizes, x)
        return built

    def _input(self, case: Question) -> tf.Tensor:
        return tf.constant(self._arrays[f"{case['id']}/x"])

    def _build(self, case: Question, sizes: Sizes, x: tf.Tensor) -> Built:
        """Build a model.

        Building traces `call` symbolically in Keras 3, which costs seconds for a hundred steps, so the model is built
        on the first step alone, where the case allows it. A loop that leaves out some steps may need more of them to
        reach all of its layers.
        """
        self._phases.begin("build")
        built = None
        if not case["fresh"]:
            try:
                built = Built(self._model(sizes | {"timesteps": 1}, x[:, :1]), reused=True)
            except BaseException as exc:  # one step is our idea, not the exercise's: the case itself decides
                if not self._builder.constructed:
                    self._phases.report(exc, case["id"], constructing=True)
                    raise Failed from exc
        if built is not None and not self._has_all_gates(sizes, built.model):
            with contextlib.suppress(Exception):  # this number of steps is our idea too
                steps = x[:, :STEPS_OF_ALL_PATHS]
                built = Built(self._model(sizes | {"timesteps": steps.shape[1]}, steps), reused=True)
        if built is None:
            try:
                model = self._model(sizes, x)
            except BaseException as exc:
                self._phases.report(exc, case["id"], constructing=self._builder.constructing)
                raise Failed from exc
            built = Built(model, reused=False)
        self._find_parts(sizes, built)
        # From its second case on a model has seen another shape, however it was built.
        self._models[(sizes["features"], sizes["units"])] = Built(built.model, reused=True, candidates=built.candidates)
        return built

    def _has_all_gates(self, sizes: Sizes, model: Any) -> bool:
        return min(count_gates(model, self._module.names, sizes["features"], sizes["units"]).values()) >= len(GATES)

    def _model(self, sizes: Sizes, x: tf.Tensor) -> Any:
        self._module.follow(sizes)
        return self._builder.build(sizes, x)

    def _tell_construction(self) -> None:
        if not self._construction_told:
            self._construction_told = True
            self._channel.send("constructed", **self._builder.description())

    def _tell_gaps(self, sizes: Sizes) -> None:
        """Report misshapen weights of a model that raised when it was called."""
        model = self._builder.unfinished
        if model is not None and not self._models:
            leaves = find_leaves(model, self._module.names)
            found = gaps(leaves, sizes["features"], sizes["units"])["misshapen"]
            if found:
                self._channel.send(
                    "parts", roles={}, evidence=None, candidates=0, found=_found(leaves), misshapen=found
                )

    def _find_parts(self, sizes: Sizes, built: Built) -> None:
        """Find the weights of a new model, and report their roles for the first one."""
        leaves = find_leaves(built.model, self._module.names)
        built.candidates, evidence = self._candidates(leaves, sizes)
        peepholes, behind = self._peepholes(leaves, sizes, built)
        if peepholes or behind:
            others = [leaf for leaf in leaves if leaf not in (*peepholes, *behind)]
            built.candidates, evidence = self._candidates(others, sizes)
            for candidate in built.candidates:
                candidate.peepholes = peepholes
        if not self._models:
            self._tell_construction()
            assignment = self._assignment(built)
            self._channel.send(
                "parts",
                roles={gate: path[:MAX_NAME] for gate, path in assignment.roles().items()} if assignment else {},
                evidence=evidence,
                candidates=len(built.candidates),
                found=_found(leaves),
                drops=any("dropout" in name.lower() for name in self._names_in_code()),
                **self._untracked(built, assignment),
                **gaps(leaves, sizes["features"], sizes["units"]),
            )

    def _candidates(self, leaves: list[Leaf], sizes: Sizes) -> tuple[list[roles.Assignment], str | None]:
        request = self._request
        return roles.candidates(
            leaves, sizes["features"], sizes["units"], request["unpack_names"], self._pairing, request["joined"]
        )

    def _names_in_code(self) -> Iterator[str]:
        return (name for code in own_codes(self._module.names) for name in code.co_names)

    @staticmethod
    def _untracked(built: Built, assignment: roles.Assignment | None) -> dict[str, Any]:
        try:
            found = untracked(built.model, [leaf for leaf, *_ in assignment.slots] if assignment else [])
            knows_none = not built.model.trainable_variables
        except Exception:  # the student's own `trainable_weights` may raise anything
            return {}
        told = list(found.items())[:MOST_HOLDERS_TOLD]
        return {
            "untracked": {name[:MAX_NAME]: kind for name, kind in told},
            "more_untracked": len(told) < len(found),
            "knows_none": knows_none,
        }

    def _peepholes(self, leaves: list[Leaf], sizes: Sizes, built: Built) -> tuple[list[Leaf], list[Leaf]]:
        """Find the weights through which gates see c, and those behind the cell, where names settle all others."""
        if len(built.candidates) != 1:
            return [], []

        def call(x: np.ndarray) -> np.ndarray:
            return np.array(call_eagerly(built.model, tf.constant(x)))

        self._module.follow(sizes | {"batch": ROWS, "timesteps": TIMESTEPS})
        try:
            return find_peepholes(leaves, built.candidates[0], sizes["features"], sizes["units"], call)
        except Exception:  # the experiment is our idea, not the exercise's
            return [], []
        finally:
            self._module.follow(sizes)

    def _assignment(self, built: Built) -> roles.Assignment | None:
        # The choice holds for models with as many candidates: a model of a width outside the cases has its own.
        chosen = self._request["candidate"] or 0
        return next((found for found in (built.candidates[chosen:], built.candidates) if found), [None])[0]

    def _answer(self, case: Question, sizes: Sizes, x: tf.Tensor, built: Built, call: int) -> None:
        self._module.follow(sizes)
        self._phases.begin("inject")
        if len(built.candidates) > 1 and self._request["candidate"] is None:
            self._trial(case, x, built)
            return
        assignment = self._inject(case, built)
        self._phases.begin("repeat" if case["measure"] else "call")
        if not case["measure"]:
            output = self._call(case, x, built, call=call)
        else:
            factors = self._arrays.get(f"{case['id']}/factors")
            # Recorded, so that one call serves for the answer and for its gradients.
            with tf.GradientTape(persistent=factors is not None) as tape:
                tape.watch(x)
                output = self._call(case, x, built, call=call)
            recorded = Recorded(case, x, built.model, assignment, tape, output, factors)
        self._answered[case["id"]] = built
        if not call and tuple(getattr(output, "shape", ())) != (sizes["batch"], sizes["timesteps"], sizes["units"]):
            if case["measure"]:
                self._recorded = recorded
            if built.reused and case["follows"] is None:
                self._doubtful.append(case)
            return
        if not call:
            self._shape_right = True
            self._fresh_shape_right = self._fresh_shape_right or not built.reused
        if case["measure"]:
            self._differentiate(recorded)

    def _weights(self, case: Question) -> dict[str, np.ndarray]:
        return {name: self._arrays[f"{case['id']}/{name}"] for name in ("kernel", "recurrent_kernel", "bias")}

    def _inject(self, case: Question, built: Built) -> roles.Assignment | None:
        assignment = self._assignment(built)
        if assignment is not None:
            roles.inject(assignment, self._weights(case))
        return assignment

    def _call(self, case: Question, x: tf.Tensor, built: Built, call: int) -> Any:
        no_recurrence.ran.clear()
        with _created() as created:
            output = drained(built.model(x))
        arrays, description = describe(output)
        names = self._module.names
        exercise = call == 0 and case["id"] == self._main["id"]
        counted = count_gates(built.model, names, case["features"], case["units"]) if exercise else {}
        self._channel.send(
            "output",
            arrays,
            case=case["id"],
            call=call,
            reused=built.reused,
            built_in=self._built_in(),
            global_name=next((name[:MAX_NAME] for name, value in names.items() if value is output is not None), None),
            **counted,
            created=len(created),
            **description,
        )
        return output

    def _built_in(self) -> list[dict[str, Any]]:
        """List built-in recurrent code that ran since the last call: for which layer, and the student's line."""
        layers = {id(value) for value in self._module.names.values() if isinstance(value, tf.keras.layers.Layer)}
        noted = [*no_recurrence.ran.values(), *no_recurrence.traced.values()]
        return [
            {
                "name": each.name,
                "layer": type(each.layer).__name__[:MAX_NAME] if each.layer is not None else None,
                "line": each.line,
                "is_global": id(each.layer) in layers,
            }
            for each in noted[:MOST_BUILT_IN_TOLD]
        ]

    def _trial(self, case: Question, x: tf.Tensor, built: Built) -> None:
        """Answer under every candidate, because names do not settle the weights, and let the trusted side choose."""
        if self._tried or not case["trial"]:
            return
        self._phases.begin("trial")
        answers: list[dict[str, np.ndarray]] = []
        places: list[list[str]] = []
        leaves = find_leaves(built.model, self._module.names)
        few_steps = tf.abs(x[:, :2]) + 0.5
        repeats = self._repeats(built, x)
        self._pairing = {}
        if repeats:  # else a change cannot be traced to a weight
            with contextlib.suppress(Exception):  # two steps are our idea, not the exercise's
                self._pairing = roles.find_pairing(
                    leaves, case["features"], case["units"], lambda: np.array(built.model(few_steps))
                )
        candidates, _ = self._candidates(leaves, _sizes(case))
        weights = self._weights(case)
        for candidate in candidates:
            roles.inject(candidate, weights)
            arrays, description = describe(built.model(x))
            answers.append(arrays)
            places = description.get("inside", [])
        self._tried = True
        alike = len({tuple((name, array.shape) for name, array in answer.items()) for answer in answers}) == 1
        stacked = {name: np.stack([answer[name] for answer in answers]) for name in answers[0]} if alike else {}
        self._channel.send("trial", stacked, case=case["id"], pairing=self._pairing, inside=places, repeats=repeats)

    @staticmethod
    def _repeats(built: Built, x: tf.Tensor) -> bool:
        """Return whether two calls give the same answer, bit for bit, as they do where nothing is random."""
        first, second = (describe(built.model(x))[0] for _ in range(2))
        return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)

    def _differentiate(self, recorded: Recorded) -> None:
        self._measured = True
        if recorded.assignment is None:
            return
        self._phases.begin("gradients")
        try:
            told, arrays = recorded.gradients(recorded.assignment)
        except Exception as exc:
            if student_module.student_frames(exc):  # else the student's code had no part in it
                self._phases.report(exc, recorded.case["id"])
            return
        self._channel.send("gradients", arrays, case=recorded.case["id"], **told)
