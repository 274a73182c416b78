"""A call of the student's model that was recorded on a tape, and the gradients of its answer."""

import contextlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from box_requests import Question

from driver.student.contents import last_step
from driver.student.observations import MAX_NAME, largest, to_array, watchable
from driver.weights.placements import Placement, collect

# Where weights or a gradient are missing, it is tried again on this many steps: a loop may begin late, and a path
# through an old c or an older h needs more than the three of the shortest case.
STEPS_OF_ALL_PATHS = 8
# Gradients smaller than this share of the largest count as none: adding 1e-9 times the sum of all weights to the answer
# is no use of them. Wrong answers of honest code have at least 3e-3 in each part of the layer, but less in one neuron
# of a part. Gradients fade over many steps.
LEAST, LEAST_OF_ONE, LEAST_AFTER_STEPS = 1e-3, 1e-6, 1e-6


@dataclass
class RecordedCall:
    """One call, with the data needed for its gradients."""

    case: Question
    x: tf.Tensor
    model: Any
    placement: Placement | None
    tape: tf.GradientTape
    output: Any
    factors: np.ndarray | None

    def gradients(self, placement: Placement) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Take the gradients: how far they reach, and numbers.

        Gradients of the last step's output should reach every weight, and back to the first input. Gradients of the
        whole answer times given factors are numbers for the trusted side.
        """
        arrays: dict[str, np.ndarray] = {}
        if self.factors is not None and tf.is_tensor(self.output) and self.output.shape == self.factors.shape:
            arrays = self._numbers(self.factors, placement)
        try:
            reach, first = _reach(self.tape, self.x, self.output, placement)
        except Exception:
            if not arrays:
                raise
            # Some operations are forgotten once their gradient was taken, such as tf.py_function.
            reach, first = self._reach_anew(self.x, placement)
        steps = self.x.shape[1]
        if steps != STEPS_OF_ALL_PATHS and not (first and all(reach.values())):
            # Fewer steps do not show all paths, and over a hundred a wrong answer's gradient may become too small.
            other = tf.concat([self.x] * -(-STEPS_OF_ALL_PATHS // steps), axis=1)[:, :STEPS_OF_ALL_PATHS]
            with contextlib.suppress(Exception):  # this number of steps is our idea, not the exercise's
                reach, first = self._reach_anew(other, placement)
        return {"reach": reach, "first_timestep": first}, arrays

    def _reach_anew(self, x: tf.Tensor, placement: Placement) -> tuple[dict[str, float | None], float | None]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            output = self.model(x)
        return _reach(tape, x, output, placement)

    def _numbers(self, factors: np.ndarray, placement: Placement) -> dict[str, np.ndarray]:
        """Return the gradients of the answer times factors, laid out as the Keras layer has its weights."""
        variables = [watchable(slot.leaf.variable) for slot in placement.slots]
        with self.tape:
            answer = tf.cast(self.output, tf.float32)
        found = self.tape.gradient(answer, [self.x, *variables], output_gradients=tf.constant(factors))
        of_x, *of_weights = (
            np.zeros(like.shape, np.float32) if each is None else to_array(each)
            for each, like in zip(found, [self.x, *variables], strict=True)
        )
        return collect(placement, self.x.shape[-1], self.output.shape[-1], of_weights) | {"x": of_x}


def _reach(
    tape: tf.GradientTape, x: tf.Tensor, output: Any, placement: Placement
) -> tuple[dict[str, float | None], float | None]:
    """Return the largest gradient of each weight, and of the input's first step; 0 where it counts as none."""
    slots = placement.slots
    with tape:
        parts = last_step(output, x.shape[1])
    if not parts:
        raise ValueError("there is no tensor in the answer")
    # Unequal factors: equal ones could cancel. NumPy makes them, since each operation of TensorFlow would cost a kernel
    # used once.
    unequal = [np.linspace(0.5, 1.5, math.prod(part.shape), dtype=np.float32).reshape(part.shape) for part in parts]
    of_x, *of_weights = tape.gradient(
        parts,
        [x, *(watchable(slot.leaf.variable) for slot in slots)],
        output_gradients=[tf.constant(each) for each in unequal],
    )
    sizes = [None if gradient is None else largest(to_array(gradient)) for gradient in of_weights]
    most_of: dict[tuple[str, str], float] = {}
    for slot, size in zip(slots, sizes, strict=True):
        most_of[slot.array, slot.gates] = max(size or 0.0, most_of.get((slot.array, slot.gates), 0.0))
    most = max(most_of.values(), default=0.0)
    reach = {
        f"{slot.leaf.path[:MAX_NAME]} ({slot.array} {slot.gates})": 0.0
        if size is not None and (size < LEAST_OF_ONE * most or most_of[slot.array, slot.gates] < LEAST * most)
        else size
        for slot, size in zip(slots, sizes, strict=True)
    }
    first = None if of_x is None else largest(to_array(of_x)[:, 0])
    is_short = x.shape[1] <= STEPS_OF_ALL_PATHS  # after a hundred steps nothing may be left
    return reach, 0.0 if is_short and first is not None and first < LEAST_AFTER_STEPS * most else first
