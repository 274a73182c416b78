"""Asks one submission a list of questions: imports it, builds its models, injects weights, sends what comes out.

The order and names in the list carry no meaning (`execution/questions.py`); `case` in an event is such a name. The
driver answers with raw arrays and never judges: it has no expected value, and its process belongs to the student's
code. Everything is sent as soon as it is known, so that a crash or a timeout keeps what came before.

Order of events: ``phase`` (begins a phase), ``reach`` (see reaches/noticing.py), ``statement_failed``,
``class``, ``constructed``, ``parts``, ``trial``, ``output``, ``gradients``, ``raised``, and ``done`` last.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf
from box_requests import ClassRequest, Question
from channel import Channel

from driver.built_in import no_recurrence
from driver.construction.building import Builder
from driver.construction.construct import Constructor
from driver.importing import find_class, run_statements
from driver.models import BuiltModel, Models
from driver.phases import PhaseFailed, Phases
from driver.recorded import RecordedCall
from driver.student import student_module
from driver.student.contents import drain
from driver.student.observations import MAX_NAME, describe, to_array, watchable
from driver.weights import placements, roles
from driver.weights.weight_shapes import count_gates

SEED = 20
MOST_PATCHES_TOLD = 10


@contextlib.contextmanager
def _created() -> Iterator[list[str]]:
    """Collect the names of variables as they are created. A model that is already built should create none."""
    names: list[str] = []

    def create(next_creator: Callable[..., Any], **arguments: Any) -> Any:
        names.append(str(arguments.get("name")))
        return next_creator(**arguments)

    with tf.variable_creator_scope(create):
        yield names


class Driver:
    """One submission. Questions of equal `features` and `units` share a model, unless `fresh` asks otherwise.

    A question that `follows` another goes to the model that answered that one, and to no other.
    """

    def __init__(
        self, request: ClassRequest, arrays: dict[str, np.ndarray], channel: Channel, lockdown_seconds: float
    ) -> None:
        self._request = request
        self._arrays = arrays
        self._channel = channel
        # The exercise's own question, and the model built for it, until that model is called.
        self._main = next(question for question in request["questions"] if question["main"])
        self._unused: BuiltModel | None = None
        # The model that answered each question.
        self._answered: dict[str, BuiltModel] = {}
        # Cases answered with a wrong shape by a model that had seen another shape.
        self._doubtful: list[Question] = []
        self._shape_right = self._fresh_shape_right = False
        self._measured = False
        # A recorded call with a wrong shape: its gradients are taken when there are no better ones.
        self._recorded: RecordedCall | None = None
        self._tried = False
        self._phases = Phases(channel, {"lockdown": lockdown_seconds})
        # The same submission gives the same numbers every time.
        tf.keras.utils.set_random_seed(SEED)

    def run(self) -> None:
        request = self._request
        self._phases.begin("import")
        self._module, originals = run_statements(request, self._channel)
        found = find_class(self._module, self._channel)
        if found is not None:
            self._builder = Builder(
                found,
                Constructor(found, request["canonical"], request["call_site"], self._module.names),
                self._module.names,
                request["plans_passed_over"],
                only_computes=request["prepared"] and request["only_computes"],
            )
            self._models = Models(request, self._arrays, self._channel, self._phases, self._module, self._builder)
            if self._begin():
                for question in request["questions"]:
                    self._ask_safely(question)
            self._ask_again()
            self._probe()
            self._models.report_gaps()
        self._phases.end()
        self._channel.end(phases=self._phases.seconds, patched=originals.find_replaced()[:MOST_PATCHES_TOLD])

    # --- one question ----------------------------------------------------------------------------------------

    def _begin(self) -> bool:
        """Build the exercise's own model, before any question. False: no question is worth asking."""
        main = self._main
        try:
            self._unused = self._models.build(main, self._input(main))
        except PhaseFailed:
            if not self._builder.constructed:
                return False  # it fails even for the exercise: other questions would only repeat that
            self._models.report_construction()
            self._look_for_hard_coded_size(main)
            self._models.find_gaps(main["sizes"])
        return True

    def _look_for_hard_coded_size(self, case: Question) -> None:
        sizes = case["sizes"] | {"timesteps": 1}
        self._module.follow(sizes)
        if found := self._builder.size_that_works(sizes, self._input(case)[:, :1]):
            self._channel.send("hard_coded", sizes=found)

    def _ask_again(self) -> None:
        """Ask again what the first round left open.

        A case that got a wrong shape from a model that had seen another shape is asked of a fresh model, but only where
        a fresh model was right elsewhere: building on a hundred steps costs seconds. Gradients are taken from the
        exercise's own question when the small one gave no answer to take them from. A trial of candidates works the
        same way.
        """
        if self._fresh_shape_right:
            for case in self._doubtful:
                self._ask_safely({**case, "fresh": True})
        exercise: Question = {**self._main, "fresh": False}
        ambiguous = any(len(built.candidates) > 1 for built in self._models.all())
        if ambiguous and self._request["candidate"] is None and not self._tried:
            self._ask_safely({**exercise, "trial": True}, call=1)
        measured = any(case["measure"] for case in self._request["questions"])
        if measured and not self._measured and self._models.all():
            if self._recorded is not None and not self._shape_right:
                self._differentiate(self._recorded)
            else:
                self._ask_safely({**exercise, "measure": True}, call=1)

    def _ask_safely(self, question: Question, *, call: int = 0) -> None:
        with contextlib.suppress(PhaseFailed):
            self._ask(question, call)

    def _probe(self) -> None:
        """Put short questions to a built model. They are our idea, not the exercise's: exceptions are dropped."""
        self._phases.begin("probe")
        for probe in self._request["probes"]:
            built = self._models.get(probe)
            if built is None or (len(built.candidates) > 1 and self._request["candidate"] is None):
                return
            try:
                self._module.follow(probe["sizes"])
                self._inject(probe, built)
                self._call(probe, self._input(probe), built, call=0)
            except BaseException:
                return

    def _ask(self, case: Question, call: int) -> None:
        x = self._input(case)
        if case["follows"] is not None:
            if case["follows"] in self._answered:
                # It has been called on the same shape before, so an exception now comes from the state that call left
                # behind.
                built = replace(self._answered[case["follows"]], reused=True)
                self._phases.guard(case["id"], lambda: self._answer(case, x, built, call))
            return
        built = self._model_for(case, x)
        try:
            self._answer(case, x, built, call)
        except BaseException as exc:
            if not built.reused:
                self._phases.report(exc, case["id"])
                raise PhaseFailed from exc
            # It has seen another shape before: only a fresh instance shows whether that is the cause.
            fresh = self._models.build({**case, "fresh": True}, x)
            self._phases.guard(case["id"], lambda: self._answer(case, x, fresh, call))

    def _model_for(self, case: Question, x: tf.Tensor) -> BuiltModel:
        built = self._models.get(case)
        unused = self._unused
        if unused is not None and built is not None and built.model is unused.model:
            self._unused = None
            if case is self._main:
                return unused
        if built is None or case["fresh"]:
            built = self._models.build(case, x)
        return built

    def _input(self, case: Question) -> tf.Tensor:
        return tf.constant(self._arrays[f"{case['id']}/x"])

    def _answer(self, case: Question, x: tf.Tensor, built: BuiltModel, call: int) -> None:
        sizes = case["sizes"]
        self._module.follow(sizes)
        self._phases.begin("inject")
        if case["equal"]:
            self._report_gradients_of_equal(case, x, built)
            return
        if len(built.candidates) > 1 and self._request["candidate"] is None:
            self._trial(case, x, built)
            return
        placement = self._inject(case, built)
        self._phases.begin("repeat" if case["measure"] else "call")
        if not case["measure"]:
            output = self._call(case, x, built, call=call)
        else:
            factors = self._arrays.get(f"{case['id']}/factors")
            # Recorded, so that one call serves for the answer and for its gradients.
            with tf.GradientTape(persistent=factors is not None) as tape:
                tape.watch(x)
                output = self._call(case, x, built, call=call)
            recorded = RecordedCall(case, x, built.model, placement, tape, output, factors)
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

    def _inject(self, case: Question, built: BuiltModel) -> placements.Placement | None:
        placement = self._models.placement(built)
        if placement is not None:
            placements.inject(placement, self._weights(case))
        return placement

    def _call(self, case: Question, x: tf.Tensor, built: BuiltModel, call: int) -> Any:
        no_recurrence.ran.clear()
        self._module.caught.clear()
        with _created() as created:
            output = drain(built.model(x))
        for exc in self._module.caught if case["id"] == self._main["id"] else ():
            self._phases.report(exc, case["id"], caught=True)
        arrays, description = describe(output)
        names = self._module.names
        exercise = call == 0 and case["id"] == self._main["id"]
        counted = count_gates(built.model, names, case["sizes"]["features"], case["sizes"]["units"]) if exercise else {}
        self._channel.send(
            "output",
            arrays,
            case=case["id"],
            call=call,
            reused=built.reused,
            built_in=no_recurrence.noted_runs(names),
            global_name=next((name[:MAX_NAME] for name, value in names.items() if value is output is not None), None),
            **counted,
            created=len(created),
            **description,
        )
        return output

    def _trial(self, case: Question, x: tf.Tensor, built: BuiltModel) -> None:
        """Answer under every candidate, because names do not settle the weights, and let the trusted side choose."""
        if self._tried or not case["trial"]:
            return
        self._phases.begin("trial")
        answers: list[dict[str, np.ndarray]] = []
        places: list[list[str]] = []
        leaves, sizes = self._models.leaves(built.model), case["sizes"]
        few_steps = tf.abs(x[:, :2]) + 0.5
        few_steps /= tf.reduce_sum(few_steps, axis=-1, keepdims=True)
        repeats = self._repeats(built, x)
        self._models.pairing = {}
        if repeats:  # else a change cannot be traced to a weight
            with contextlib.suppress(Exception):  # two steps are our idea, not the exercise's
                self._models.pairing = roles.find_pairing(
                    leaves, sizes["features"], sizes["units"], lambda: np.array(built.model(few_steps))
                )
        candidates, _ = self._models.candidates(leaves, sizes)
        weights = self._weights(case)
        for candidate in candidates:
            placements.inject(candidate, weights)
            arrays, description = describe(built.model(x))
            answers.append(arrays)
            places = description.get("inside", [])
        self._tried = True
        alike = len({tuple((name, array.shape) for name, array in answer.items()) for answer in answers}) == 1
        stacked = {name: np.stack([answer[name] for answer in answers]) for name in answers[0]} if alike else {}
        self._channel.send(
            "trial", stacked, case=case["id"], pairing=self._models.pairing, inside=places, repeats=repeats
        )

    def _report_gradients_of_equal(self, case: Question, x: tf.Tensor, built: BuiltModel) -> None:
        """Answer with one value in all weights, and send the gradients of every number of them.

        The trusted side sees from these where the Keras layer has each number.
        """
        value, factors = self._weights(case)["kernel"][0, 0], self._arrays[f"{case['id']}/factors"]
        leaves = self._models.open_weights(built.model, case["sizes"]["units"])
        for leaf in leaves:
            leaf.variable.assign(np.full(leaf.shape or (), value, np.float32))
        with tf.GradientTape(persistent=True) as tape:
            output = self._call(case, x, built, call=0)
            if tuple(getattr(output, "shape", ())) == factors.shape[1:]:
                # Double precision inside a class is no reason not to recognise its weights.
                output = tf.cast(output, tf.float32)
            else:
                # The gradients of an answer in another form would be those of other sums.
                output = tf.zeros(factors.shape[1:])
        watched = [watchable(leaf.variable) for leaf in leaves]
        sums = [
            tape.gradient(output, watched, output_gradients=tf.constant(each), unconnected_gradients="zero")
            for each in factors
        ]
        flat = np.stack([np.concatenate([to_array(each).ravel() for each in of_sum]) for of_sum in sums])
        self._channel.send("equal", {"gradients": flat}, case=case["id"])

    @staticmethod
    def _repeats(built: BuiltModel, x: tf.Tensor) -> bool:
        """Return whether two calls give the same answer, bit for bit, as they do where nothing is random."""
        first, second = (describe(built.model(x))[0] for _ in range(2))
        return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)

    def _differentiate(self, recorded: RecordedCall) -> None:
        self._measured = True
        if recorded.placement is None:
            return
        self._phases.begin("gradients")
        try:
            facts, arrays = recorded.gradients(recorded.placement)
        except Exception as exc:
            if student_module.student_frames(exc):  # else the student's code had no part in it
                self._phases.report(exc, recorded.case["id"])
            return
        self._channel.send("gradients", arrays, case=recorded.case["id"], **facts)
