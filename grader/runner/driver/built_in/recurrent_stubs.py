"""Stubs for recurrent code: NaN, in the structure and of the shapes that the code itself would give.

NaN rather than an exception, so that code around a built-in layer, which may be honest (it may ask for a shape), runs
on. For gradients the result depends on the inputs and weights.
"""

import types
from collections.abc import Callable
from typing import Any

import tensorflow as tf

Arguments = dict[str, Any]
#: Takes a function's arguments, by the names of its parameters.
Behaviour = Callable[[Arguments], Any]

NAN = float("nan")


def _flat(structure: Any) -> list[tf.Tensor]:
    return [tf.convert_to_tensor(part) for part in tf.nest.flatten(structure) if part is not None]


def _nan(like: Any, *sources: Any) -> tf.Tensor:
    """Return NaN of the shape and type of `like`, which for gradients depends on `sources`."""
    value = tf.convert_to_tensor(like)
    if not value.dtype.is_floating:
        return value
    for source in sources:
        value += tf.cast(tf.reduce_sum(tf.cast(source, tf.float32)), value.dtype)
    return value * tf.constant(NAN, value.dtype)


def _nan_structure(structure: Any, *sources: Any) -> Any:
    return tf.nest.map_structure(lambda part: _nan(part, *sources), structure)


def step(arguments: Arguments) -> Any:
    """Stand in for a cell's step: the output, which is its first state (of old cells the last), and the new states."""
    is_old = "state" in arguments
    states = arguments["state" if is_old else "states"]
    inputs = arguments.get("inputs", arguments.get("sequence"))
    weights = [getattr(w, "value", w) if not isinstance(w, tf.Variable) else w for w in arguments["self"].weights]
    sources = [*_flat(inputs), *(tf.convert_to_tensor(w() if callable(w) else w) for w in weights)]
    output = _nan(_flat(states)[-1 if is_old else 0], *(s for s in sources if s.dtype.is_floating))
    new = _nan_structure(states, output)
    return output, list(new) if isinstance(new, tuple) and not is_old else new


def carry(arguments: Arguments) -> Any:
    """Stand in for the inner step of Keras' cell, which gives c and o."""
    return _nan(arguments["c_tm1"]), _nan(arguments["c_tm1"])


def repeats(arguments: Arguments) -> bool:
    """Return whether a call of `backend.rnn` carries a state. Without one it maps, as TimeDistributed needs."""
    return bool(tf.nest.flatten(arguments["initial_states"]))


def repeat(arguments: Arguments) -> Any:
    """Stand in for `backend.rnn`: the first step for all of them; where it only maps, every step as it is."""
    step_function, inputs = arguments["step_function"], arguments["inputs"]
    axis = 0 if arguments.get("time_major") else 1
    constants = tuple(arguments.get("constants") or ())
    first = _flat(inputs)[0]
    length = first.shape[axis]

    def at(t: int) -> Any:
        return tf.nest.map_structure(lambda part: tf.gather(tf.convert_to_tensor(part), t, axis=axis), inputs)

    if not repeats(arguments):
        # Runs the step function at each step. A graph traced without a length needs TensorFlow's own loop.
        if length is None:
            steps = tf.range(tf.shape(first)[axis])
            dtypes = tf.nest.map_structure(lambda part: part.dtype, step_function(at(0), constants)[0])
            outputs = tf.map_fn(lambda t: step_function(at(t), constants)[0], steps, fn_output_signature=dtypes)
            if axis:
                outputs = tf.nest.map_structure(
                    lambda part: tf.transpose(part, [1, 0, *range(2, part.shape.rank)]), outputs
                )
        else:
            order = range(length - 1, -1, -1) if arguments.get("go_backwards") else range(length)
            each = [step_function(at(t), constants)[0] for t in order]
            outputs = tf.nest.map_structure(lambda *parts: tf.stack(parts, axis), *each)
        last = tf.nest.map_structure(lambda part: tf.gather(part, tf.shape(part)[axis] - 1, axis=axis), outputs)
        return last, outputs, []
    output, states = step_function(at(0), (*arguments["initial_states"], *constants))
    sources = [part for part in _flat(inputs) if part.dtype.is_floating]
    last = _nan_structure(output, *sources)
    times = _length(first, axis) if arguments.get("return_all_outputs", True) else 1
    outputs = tf.nest.map_structure(lambda part: _tiled(part, axis, times), last)
    return last, outputs, [_nan_structure(state) for state in states]


def _length(inputs: tf.Tensor, axis: int) -> Any:
    return inputs.shape[axis] if inputs.shape[axis] is not None else tf.shape(inputs)[axis]


def _tiled(step: tf.Tensor, axis: int, times: Any) -> tf.Tensor:
    tiled = tf.repeat(tf.expand_dims(step, axis), times, axis)
    shape = tf.expand_dims(step, axis).shape.as_list()
    shape[axis] = times if isinstance(times, int) else None
    tiled.set_shape(shape)
    return tiled


def _whole(arguments: Arguments, state: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the last output, like a state, and all outputs of a function that takes a whole sequence."""
    given = [arguments.get(name) for name in ("inputs", "kernel", "recurrent_kernel", "bias")]
    inputs, *weights = (tf.convert_to_tensor(each) for each in given if each is not None)
    last = _nan(state, inputs, *weights)
    axis = 0 if arguments["time_major"] else 1
    return last, _tiled(last, axis, _length(inputs, axis) if arguments.get("return_sequences", True) else 1)


def whole_sequence(arguments: Arguments) -> Any:
    """Stand in for `standard_lstm` of Keras 2 and its kin: last output, outputs, the states, where it ran."""
    (last, outputs), c = _whole(arguments, arguments["init_h"]), arguments.get("init_c")
    return (last, outputs, last, *(() if c is None else (_nan(c),)), tf.constant(0.0))


def fused(arguments: Arguments) -> Any:
    """Stand in for a whole sequence in one kernel, as Keras 3 calls it: last output, outputs, the states."""
    states = [value for name, value in arguments.items() if name.startswith("initial_state")]
    return *_whole(arguments, states[0]), [*map(_nan, states)]


def process_batch(arguments: Arguments) -> Any:
    """Stand in for a layer that has only cuDNN's kernel: the answer and the states."""
    layer, inputs = arguments["self"], tf.convert_to_tensor(arguments["inputs"])
    states = [_nan(state) for state in arguments["initial_state"]]
    last = _nan(states[0], inputs)
    return (_tiled(last, 1, inputs.shape[1]) if layer.return_sequences else last), states


def dynamic_rnn(arguments: Arguments) -> Any:
    """Stand in for the loops of `tf.compat.v1` over a tensor: outputs and the last state."""
    inputs, state = arguments["inputs"], arguments.get("initial_state")
    is_major = arguments.get("time_major", True)  # the inner loop has no other way
    first = tf.nest.map_structure(lambda part: part[0] if is_major else part[:, 0], inputs)
    cell = arguments["cell"]
    if state is None:
        batch = tf.shape(_flat(first)[0])[0]
        state = cell.zero_state(batch, arguments.get("dtype") or tf.float32)
    output, new = cell(first, state)
    axis = 0 if is_major else 1
    steps = _length(_flat(inputs)[0], axis)
    outputs = tf.nest.map_structure(lambda part: _tiled(_nan(part), axis, steps), output)
    return outputs, _nan_structure(new)


def static_rnn(arguments: Arguments) -> Any:
    """Stand in for the loop of `tf.compat.v1` over a list: a list of outputs and the last state."""
    cell, inputs, state = arguments["cell"], arguments["inputs"], arguments.get("initial_state")
    if state is None:
        state = cell.zero_state(tf.shape(_flat(inputs[0])[0])[0], arguments.get("dtype") or tf.float32)
    output, new = cell(inputs[0], state)
    return [_nan_structure(output) for _ in inputs], _nan_structure(new)


def operation(module: types.ModuleType, name: str) -> Behaviour:
    """Stand in for a kernel: its outputs, each of the shape that the kernel would give it."""
    plain = name.lower().replace("_eager_fallback", "").replace("_", "")
    output = next((t for n, t in vars(module).items() if n.lower() == f"_{plain}output"), None)
    if output is None or "grad" in plain or "backprop" in plain or "params" in plain:
        return not_here
    count = len(output._fields)

    def sequence(arguments: Arguments) -> Any:
        state = tf.convert_to_tensor(arguments["cs_prev"])
        return output._make([_tiled(_nan(state), 0, arguments["x"].shape[0])] * count)

    def one_step(arguments: Arguments) -> Any:
        return output._make([_nan(arguments["h_prev"])] * count)

    def cudnn(arguments: Arguments) -> Any:
        x, h, c = (tf.convert_to_tensor(arguments[key]) for key in ("input", "input_h", "input_c"))
        directions = 2 if arguments["direction"] in ("bidirectional", b"bidirectional") else 1
        width = (h.shape[2] or 1) * directions
        outputs = [tf.fill((*x.shape[:2], width), tf.constant(NAN, x.dtype)), _nan(h), _nan(c), tf.zeros((0,), x.dtype)]
        return output._make([*outputs, tf.zeros((0,), tf.int8)][:count])

    if plain.startswith("cudnn"):
        return cudnn
    return sequence if plain.startswith("block") else one_step


def not_here(_arguments: Arguments) -> Any:
    """Stand in for code that only recurrent code calls. Raises: NotImplementedError: always."""
    raise NotImplementedError("TensorFlow's own recurrent code is not there while the exercise is graded")
