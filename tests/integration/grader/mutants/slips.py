"""Mistakes as students write them: texts for the slots of `styles`.

Nothing here knows the bank that has to find these mistakes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Slip:
    """One mistake: the code that names it, and slot -> text."""

    code: str
    changes: Mapping[str, str]

    @property
    def name(self) -> str:
        return f"{self.code}: " + "; ".join(f"{slot} = {text}" for slot, text in self.changes.items())


SWAPS = {"if": "gates_swapped_if", "io": "gates_swapped_io", "fo": "gates_swapped_fo", "go": "gates_swapped_co"}


def _sum(gate: str) -> str:
    return f"{{x{gate}}} + {{h{gate}}}"


def _gate(gate: str, value: str, function: str | None = None) -> dict[str, str]:
    function = function or ("{tanh}" if gate == "g" else "{sigmoid}")
    return {f"gate_{gate}": f"{gate} = {function}({value})"}


def slips() -> Iterator[Slip]:
    yield from _layers()
    yield from _activations()
    yield from _sums()
    yield from _biases()
    yield from _updates()
    yield from _outputs()
    yield from _states()
    yield from _steps()
    yield from _answers()


def _layers() -> Iterator[Slip]:
    for one, other in itertools.combinations("ifgo", 2):
        code = SWAPS.get(one + other, "gate_layers_mixed")
        yield Slip(code, {**_gate(one, _sum(other)), **_gate(other, _sum(one))})
        # Only one half of each sum is the other gate's.
        yield Slip(
            "gate_layers_mixed",
            {**_gate(one, f"{{x{one}}} + {{h{other}}}"), **_gate(other, f"{{x{other}}} + {{h{one}}}")},
        )
        yield Slip("gate_layers_mixed", _gate(one, f"{{x{other}}} + {{h{one}}}"))
        yield Slip("gate_layers_mixed", _gate(other, f"{{x{other}}} + {{h{one}}}"))
        yield Slip("gate_layers_mixed", _gate(one, _sum(other)))
    for order in ("fogi", "oifg", "foig", "gifo"):
        changes = {
            slot: text
            for gate, source in zip("ifgo", order, strict=True)
            if gate != source
            for slot, text in _gate(gate, _sum(source)).items()
        }
        yield Slip("gate_layers_mixed", changes)
    yield Slip("gates_swapped_if", {"update": "c_new = i * c + f * g"})
    yield Slip("gates_swapped_co", {"update": "c_new = f * c + i * o", "show": "h_new = g * {tanh}(c_new)"})
    yield Slip("gates_swapped_io", {"update": "c_new = f * c + o * g", "show": "h_new = i * {tanh}(c_new)"})
    yield Slip("gates_swapped_fo", {"update": "c_new = o * c + i * g", "show": "h_new = f * {tanh}(c_new)"})


def _activations() -> Iterator[Slip]:
    functions = (
        "tf.nn.relu",
        "tf.tanh",
        "tf.nn.softmax",
        "tf.nn.softsign",
        "tf.keras.activations.hard_sigmoid",
        "tf.nn.softplus",
        "tf.nn.elu",
        "tf.nn.swish",
    )
    for number, (gate, function) in enumerate(itertools.product("ifo", functions)):
        if number % 2 == 0 or gate == "f":
            yield Slip("wrong_gate_activation", _gate(gate, _sum(gate), function))
    for function in (
        "tf.tanh",
        "tf.nn.relu",
        "tf.nn.softmax",
        "tf.keras.activations.hard_sigmoid",
        "tf.keras.activations.softsign",
    ):
        yield Slip("wrong_gate_activation", {k: v for g in "ifo" for k, v in _gate(g, _sum(g), function).items()})
    old = {f"gate_{g}": f"{g} = tf.clip_by_value(0.2 * ({_sum(g)}) + 0.5, 0., 1.)" for g in "ifo"}
    yield Slip("wrong_gate_activation", old)
    for gate in "ifo":
        yield Slip("missing_gate_activation", {f"gate_{gate}": f"{gate} = {_sum(gate)}"})
    yield Slip("missing_gate_activation", {f"gate_{g}": f"{g} = {_sum(g)}" for g in "ifo"})
    yield Slip("missing_gate_activation", {f"gate_{g}": f"{g} = {_sum(g)}" for g in "if"})
    yield Slip("no_tanh_candidate", {"gate_g": f"g = {_sum('g')}"})
    yield Slip("sigmoid_candidate", _gate("g", _sum("g"), "{sigmoid}"))
    for function in ("tf.nn.relu", "tf.nn.softmax", "tf.nn.softsign", "tf.nn.elu", "tf.nn.leaky_relu", "tf.sin"):
        yield Slip("wrong_candidate_activation", _gate("g", _sum("g"), function))
    for gate in "ifgo":
        function = "{tanh}" if gate == "g" else "{sigmoid}"
        yield Slip("double_activation", _gate(gate, f"{function}({_sum(gate)})"))
        yield Slip(
            "activation_before_sum", {f"gate_{gate}": f"{gate} = {function}({{x{gate}}}) + {function}({{h{gate}}})"}
        )
    yield Slip("double_activation", {k: v for g in "ifo" for k, v in _gate(g, f"{{sigmoid}}({_sum(g)})").items()})
    yield Slip("double_activation", _gate("g", f"{{sigmoid}}({_sum('g')})"))
    yield Slip(
        "activation_before_sum", {f"gate_{g}": f"{g} = {{sigmoid}}({{x{g}}}) + {{sigmoid}}({{h{g}}})" for g in "ifo"}
    )
    yield Slip("double_activation", {"update": "c_new = f * c + i * {tanh}(g)"})


def _sums() -> Iterator[Slip]:
    for gate in "ifgo":
        if gate != "g":  # it would be 0 for ever, and so would the answer
            yield Slip("x_not_used", _gate(gate, f"{{h{gate}}}"))
        yield Slip("recurrent_missing", _gate(gate, f"{{x{gate}}}"))
        yield Slip("gates_use_c_not_h", _gate(gate, f"{{x{gate}}} + {{c{gate}}}"))
    yield Slip("recurrent_missing", {k: v for g in "ifgo" for k, v in _gate(g, f"{{x{g}}}").items()})
    for gate in "ifo":
        yield Slip("gate_product_not_sum", _gate(gate, f"{{x{gate}}} * {{h{gate}}}"))
        yield Slip("peephole", _gate(gate, f"{_sum(gate)} + c"))
    yield Slip("gate_product_not_sum", {k: v for g in "ifo" for k, v in _gate(g, f"{{x{g}}} * {{h{g}}}").items()})
    for gates in ("if", "fo", "ifo"):
        yield Slip("peephole", {k: v for g in gates for k, v in _gate(g, f"{_sum(g)} + c").items()})
    for gates in ("", "i", "if"):
        early = {k: v for g in gates for k, v in _gate(g, f"{_sum(g)} + c").items()}
        yield Slip("peephole", {**early, "late_o": "o = {sigmoid}({xo} + {ho} + c_new)"})
    yield Slip("peephole", {"seen": "h + c"})
    yield Slip("gates_use_c_not_h", {"seen": "c"})
    yield Slip("hc_swapped", {"step": "h, c = self.cell(x[:, t, :], c, h)"})
    yield Slip("gate_layers_mixed", {"gate_f": "f = i"})
    yield Slip("gate_layers_mixed", {"gate_o": "o = f"})
    for change in (
        "2 * x",
        "-x",
        "x / 255.0",
        "tf.tanh(x)",
        "tf.nn.relu(x)",
        "{sigmoid}(x)",
        "x / 10.0",
        "x * 0.5",
        "tf.abs(x)",
        "tf.nn.l2_normalize(x, axis=-1)",
        "tf.nn.softmax(x)",
        "tf.clip_by_value(x, -1.0, 1.0)",
        "(x - tf.reduce_mean(x)) / tf.math.reduce_std(x)",
        "x ** 2",
        "x[:, :, ::-1]",
        "x + 1",
        "x - tf.reduce_mean(x, axis=1, keepdims=True)",
    ):
        yield Slip("input_transformed", {"prepare": f"x = {change}"})
    yield Slip("x_not_used", {"prepare": "x = tf.zeros_like(x)"})
    yield Slip("x_not_used", {"prepare": "x = tf.ones_like(x)"})
    yield Slip("int_cast", {"prepare": "x = tf.cast(tf.cast(x, tf.int32), tf.float32)"})
    yield Slip("rounded", {"prepare": "x = tf.round(x)"})
    yield Slip("low_precision", {"prepare": "x = tf.cast(tf.cast(x, tf.float16), tf.float32)"})
    yield Slip("low_precision", {"prepare": "x = tf.cast(tf.cast(x, tf.bfloat16), tf.float32)"})


def _biases() -> Iterator[Slip]:
    for gates in ("i", "f", "g", "o", "ifgo", "if", "ifo"):
        yield Slip("bias_missing", {f"bias_{g}": "{no_bias}" for g in gates})
    yield Slip("bias_missing", {"from_x": "tf.matmul(x, self.kernel)"})
    yield Slip("bias_twice", {"from_h": "tf.matmul(h, self.recurrent_kernel) + self.bias"})
    for gates in ("i", "f", "g", "o", "ifgo"):
        yield Slip("bias_twice", {k: v for g in gates for k, v in _gate(g, f"{_sum(g)} + {{b{g}}}").items()})
    for value in ("1.0", "1", "0.5", "2.0", "-1.0"):
        yield Slip("forget_bias_extra", _gate("f", f"{_sum('f')} + {value}"))


def _updates() -> Iterator[Slip]:
    for code, formula in (
        ("c_grouping", "f * (c + i * g)"),
        ("c_grouping", "i * (f * c + g)"),
        ("c_grouping", "(f * c + i) * g"),
        ("c_grouping", "f * (c + i) * g"),
        ("c_grouping", "(f + i) * (c + g)"),
        ("c_grouping", "f * c * i + g"),
        ("c_grouping", "f * i * (c + g)"),
        ("c_sign", "f * c - i * g"),
        ("c_sign", "i * g - f * c"),
        ("coupled_gate", "f * c + (1 - f) * g"),
        ("coupled_gate", "(1 - i) * c + i * g"),
        ("coupled_gate", "f * c + (1.0 - i) * g"),
        ("coupled_gate", "(1 - f) * c + i * g"),
        ("coupled_gate", "(1 - f) * c + f * g"),
        ("c_sum_not_product", "(f + c) * (i + g)"),
        ("c_sum_not_product", "f + c + i * g"),
        ("c_sum_not_product", "f * c + i + g"),
        ("c_sum_not_product", "(f + c) + (i + g)"),
        ("forget_term_missing", "i * g"),
        ("forget_term_missing", "c + i * g"),
        ("input_gate_missing", "f * c + g"),
        ("input_gate_missing", "c + g"),
        ("c_as_candidate", "f * c + i * c + g"),
        ("c_as_candidate", "f * g + i * g"),
        ("hc_swapped", "f * h + i * g"),
        ("tanh_on_state", "{tanh}(f * c + i * g)"),
        ("extra_activation", "{sigmoid}(f * c + i * g)"),
        ("tanh_on_state", "f * {tanh}(c) + i * g"),
        ("state_clipped", "tf.clip_by_value(f * c + i * g, -1.0, 1.0)"),
        ("state_clipped", "tf.clip_by_value(f * c + i * g, -0.5, 0.5)"),
        ("state_clipped", "tf.clip_by_value(f * c + i * g, -2.0, 2.0)"),
        ("extra_activation", "tf.nn.relu(f * c + i * g)"),
        ("state_clipped", "tf.clip_by_value(f * c + i * g, 0.0, 1.0)"),
        ("scaled", "0.5 * (f * c + i * g)"),
        ("scaled", "2.0 * (f * c + i * g)"),
        ("matmul_instead_of_elementwise", "tf.matmul(f, c, transpose_b=True) @ c + i * g"),
        ("matmul_instead_of_elementwise", "f * c + tf.matmul(i, g, transpose_b=True) @ g"),
        ("matmul_instead_of_elementwise", "tf.matmul(f, tf.matmul(f, c, transpose_a=True)) + i * g"),
        ("matmul_instead_of_elementwise", "f * c + tf.matmul(i, tf.matmul(i, g, transpose_a=True))"),
        ("matmul_instead_of_elementwise", "tf.reduce_sum(f * c, axis=1, keepdims=True) + i * g"),
        ("low_precision", "tf.cast(tf.cast(f * c + i * g, tf.float16), tf.float32)"),
        ("low_precision", "tf.cast(tf.cast(f * c + i * g, tf.bfloat16), tf.float32)"),
        ("rounded", "tf.round((f * c + i * g) * 100) / 100"),
        ("rounded", "tf.round((f * c + i * g) * 10) / 10"),
        ("gate_layers_mixed", "f * c + f * g"),
        ("gate_layers_mixed", "i * c + i * g"),
        ("gate_layers_mixed", "f * c + o * g"),
        ("extra_activation", "f * c + {tanh}(i * g)"),
        ("layer_norm", "tf.nn.l2_normalize(f * c + i * g, axis=-1)"),
    ):
        yield Slip(code, {"update": f"c_new = {formula}"})


def _outputs() -> Iterator[Slip]:
    for code, formula in (
        ("no_tanh_output", "o * c_new"),
        ("sigmoid_output", "o * {sigmoid}(c_new)"),
        ("double_tanh", "o * {tanh}({tanh}(c_new))"),
        ("tanh_of_product", "{tanh}(o * c_new)"),
        ("extra_activation", "{tanh}(o * {tanh}(c_new))"),
        ("extra_activation", "{sigmoid}(o * {tanh}(c_new))"),
        ("extra_activation", "tf.nn.relu(o * {tanh}(c_new))"),
        ("no_tanh_output", "o * tf.nn.relu(c_new)"),
        ("output_gate_missing", "{tanh}(c_new)"),
        ("output_gate_missing", "c_new"),
        ("old_c_in_output", "o * {tanh}(c)"),
        ("c_as_candidate", "o * {tanh}(g)"),
        ("c_sum_not_product", "o + {tanh}(c_new)"),
        ("coupled_gate", "(1 - o) * {tanh}(c_new)"),
        ("c_sign", "-o * {tanh}(c_new)"),
        ("gate_layers_mixed", "i * {tanh}(c_new)"),
        ("gate_layers_mixed", "f * {tanh}(c_new)"),
        ("matmul_instead_of_elementwise", "tf.matmul(o, {tanh}(c_new), transpose_b=True) @ {tanh}(c_new)"),
        ("low_precision", "tf.cast(tf.cast(o * {tanh}(c_new), tf.float16), tf.float32)"),
        ("scaled", "0.5 * o * {tanh}(c_new)"),
        ("residual", "o * {tanh}(c_new) + h"),
        ("rounded", "tf.round(o * {tanh}(c_new) * 100) / 100"),
        ("sigmoid_output", "{sigmoid}(o * c_new)"),
        ("layer_norm", "tf.nn.l2_normalize(o * {tanh}(c_new), axis=-1)"),
    ):
        yield Slip(code, {"show": f"h_new = {formula}"})
    yield Slip("gate_from_new_h", {"late_o": "c = {tanh}(c_new); o = {sigmoid}({xo} + {co})", "gate_o": ""})
    yield Slip("gate_from_new_h", {"late_o": "c = c_new; o = {sigmoid}({xo} + {co})", "gate_o": ""})
    yield Slip("hc_swapped", {"returned": "return c_new, h_new"})
    yield Slip("c_not_updated", {"returned": "return h_new, c"})


def _states() -> Iterator[Slip]:
    for code, h, c in (
        ("state_init_ones", "ones", "zeros"),
        ("state_init_ones", "zeros", "ones"),
        ("state_init_ones", "ones", "ones"),
    ):
        changes = {
            f"{state}0": f"{state} = tf.{kind}((x.shape[0], self.h_size))"
            for state, kind in (("h", h), ("c", c))
            if kind != "zeros"
        }
        yield Slip(code, changes)
    for value in ("0.1", "0.01", "0.5"):
        for state in "hc":
            yield Slip("state_init_not_zero", {f"{state}0": f"{state} = tf.fill((x.shape[0], self.h_size), {value})"})
    yield Slip(
        "state_init_not_zero",
        {"h0": "h = 0.1 * tf.ones((x.shape[0], self.h_size))", "c0": "c = 0.1 * tf.ones((x.shape[0], self.h_size))"},
    )
    yield Slip("state_init_random", {"h0": "h = tf.random.normal((x.shape[0], self.h_size))"})
    yield Slip("state_init_random", {"c0": "c = tf.random.uniform((x.shape[0], self.h_size))"})
    yield Slip("state_init_random", {"h0": "h = tf.random.stateless_normal((x.shape[0], self.h_size), [1, 2])"})
    yield Slip("h_not_updated", {"step": "out, c = self.cell(x[:, t, :], h, c)", "collect": "outputs.append(out)"})
    yield Slip("c_not_updated", {"step": "h, _ = self.cell(x[:, t, :], h, c)"})
    yield Slip(
        "state_reset_each_step", {"step": "out, _ = self.cell(x[:, t, :], h, c)", "collect": "outputs.append(out)"}
    )
    yield Slip("state_reset_each_step", {"before_step": "h, c = tf.zeros_like(h), tf.zeros_like(c)"})
    yield Slip("c_not_updated", {"before_step": "c = tf.zeros_like(c)"})
    yield Slip("h_not_updated", {"before_step": "h = tf.zeros_like(h)"})
    yield Slip("hc_swapped", {"step": "c, h = self.cell(x[:, t, :], h, c)"})
    yield Slip("hc_swapped", {"after_step": "c = h"})
    yield Slip("tanh_on_state", {"after_step": "c = tf.tanh(c)"})
    yield Slip("extra_activation", {"after_step": "h = tf.tanh(h)"})
    yield Slip("state_clipped", {"after_step": "c = tf.clip_by_value(c, -1, 1)"})
    yield Slip("state_clipped", {"after_step": "h = tf.clip_by_value(h, -0.5, 0.5)"})
    yield Slip(
        "residual",
        {"step": "h_prev = h\n            h, c = self.cell(x[:, t, :], h, c)", "after_step": "h = h + h_prev"},
    )
    yield Slip("scaled", {"after_step": "h = h * 0.5"})
    for state in "hc":
        yield Slip("low_precision", {"after_step": f"{state} = tf.cast(tf.cast({state}, tf.float16), tf.float32)"})


def _steps() -> Iterator[Slip]:
    for code, changes in (
        ("time_reversed", {"loop": "for t in reversed(range(x.shape[1])):"}),
        ("time_reversed", {"prepare": "x = tf.reverse(x, axis=[1])"}),
        ("time_reversed", {"prepare": "x = x[:, ::-1]"}),
        ("time_reversed", {"after_loop": "y = tf.reverse(y, [1])"}),
        ("time_reversed", {"collect": "outputs.insert(0, h)"}),
        ("time_reversed", {"loop": "for t in range(x.shape[1] - 1, -1, -1):", "collect": "outputs.insert(0, h)"}),
        ("off_by_one", {"step": "h, c = self.cell(x[:, t - 1, :], h, c)"}),
        ("off_by_one", {"step": "h, c = self.cell(x[:, min(t + 1, x.shape[1] - 1), :], h, c)"}),
        ("off_by_one", {"step": "h, c = self.cell(x[:, (t + 1) % x.shape[1], :], h, c)"}),
        ("off_by_one", {"step": "h, c = self.cell(x[:, max(t - 1, 0), :], h, c)"}),
        ("off_by_one", {"step": "outputs.append(h)\n            h, c = self.cell(x[:, t, :], h, c)", "collect": ""}),
        ("always_first_step", {"step": "h, c = self.cell(x[:, 0, :], h, c)"}),
        ("always_same_step", {"step": "h, c = self.cell(x[:, -1, :], h, c)"}),
        ("always_same_step", {"step": "h, c = self.cell(x[:, 1, :], h, c)"}),
        ("step_two", {"step": "h, c = self.cell(x[:, t // 2 * 2, :], h, c)"}),
        ("step_two", {"loop": "for t in range(0, x.shape[1], 2):"}),
        ("missing_step", {"loop": "for t in range(1, x.shape[1]):"}),
        ("missing_step", {"loop": "for t in range(x.shape[1] - 1):"}),
        ("missing_step", {"answer": "y = tf.stack(outputs[1:], axis=1)"}),
        ("cell_called_twice", {"after_step": "h, c = self.cell(x[:, t, :], h, c)"}),
        (
            "cell_called_twice",
            {"step": "h = self.cell(x[:, t, :], h, c)[0]\n            c = self.cell(x[:, t, :], h, c)[1]"},
        ),
        (
            "cell_called_twice",
            {"step": "c = self.cell(x[:, t, :], h, c)[1]\n            h = self.cell(x[:, t, :], h, c)[0]"},
        ),
        ("return_inside_loop", {"collect": "outputs.append(h)\n            return tf.stack(outputs, axis=1)"}),
        ("batch_zero_only", {"step": "h, c = self.cell(x[:1, t, :], h, c)"}),
        ("batch_zero_only", {"prepare": "x = tf.repeat(x[:1], x.shape[0], axis=0)"}),
        ("batch_mixed", {"prepare": "x = tf.zeros_like(x) + tf.reduce_mean(x, axis=0, keepdims=True)"}),
        ("batch_mixed", {"prepare": "x = x - tf.reduce_mean(x, axis=0, keepdims=True)"}),
        ("batch_mixed", {"prepare": "x = tf.reverse(x, axis=[0])"}),
        ("batch_mixed", {"after_step": "h = tf.zeros_like(h) + tf.reduce_mean(h, 0, keepdims=True)"}),
        (
            "reshape_not_transpose",
            {"prepare": "n, m, k = x.shape\n        x = tf.transpose(tf.reshape(x, (m, n, k)), [1, 0, 2])"},
        ),
    ):
        yield Slip(code, changes)


def _answers() -> Iterator[Slip]:
    for code, changes in (
        ("returns_c", {"collect": "outputs.append(c)"}),
        ("returns_c", {"collect": "outputs.append(tf.tanh(c))"}),
        ("residual", {"collect": "outputs.append(h + c)"}),
        ("residual", {"after_loop": "y = y + tf.tile(x, [1, 1, y.shape[2] // x.shape[2]])"}),
        ("returns_last_only", {"last_line": "return h"}),
        ("returns_last_only", {"last_line": "return y[:, -1]"}),
        ("returns_last_only", {"last_line": "return tf.repeat(h[:, None, :], x.shape[1], axis=1)"}),
        ("returns_tuple", {"last_line": "return y, h, c"}),
        ("returns_tuple", {"last_line": "return y, h"}),
        ("returns_list", {"last_line": "return outputs"}),
        ("returns_dict", {"last_line": "return dict(output=y)"}),
        ("returns_list", {"last_line": "return [y, h, c]"}),
        ("returns_none", {"last_line": ""}),
        ("returns_numpy", {"last_line": "return y.numpy()"}),
        ("time_major", {"answer": "y = tf.stack(outputs)"}),
        ("time_major", {"answer": "y = tf.stack(outputs, axis=0)"}),
        ("wrong_stack_axis", {"answer": "y = tf.stack(outputs, axis=2)"}),
        ("wrong_stack_axis", {"answer": "y = tf.stack(outputs, axis=-1)"}),
        (
            "reshape_not_transpose",
            {"answer": "y = tf.reshape(tf.stack(outputs), (x.shape[0], x.shape[1], self.h_size))"},
        ),
        (
            "reshape_not_transpose",
            {"answer": "y = tf.reshape(tf.stack(outputs, 2), (x.shape[0], x.shape[1], self.h_size))"},
        ),
        ("concat_not_stack", {"answer": "y = tf.concat(outputs, axis=1)"}),
        ("concat_not_stack", {"answer": "y = tf.concat(outputs, axis=0)"}),
        ("wrong_transpose", {"answer": "y = tf.transpose(tf.stack(outputs))"}),
        ("wrong_transpose", {"answer": "y = tf.transpose(tf.stack(outputs), [0, 2, 1])"}),
        ("dtype_float64", {"last_line": "return tf.cast(y, tf.float64)"}),
        ("extra_activation", {"last_line": "return tf.nn.relu(y)"}),
        ("extra_activation", {"last_line": "return tf.nn.softmax(y)"}),
        ("extra_activation", {"last_line": "return tf.sigmoid(y)"}),
        ("extra_activation", {"last_line": "return tf.tanh(y)"}),
        ("scaled", {"last_line": "return 2 * y"}),
        ("scaled", {"last_line": "return y / 2"}),
        ("scaled", {"last_line": "return -y"}),
        ("scaled", {"last_line": "return y * 1.1"}),
        ("epsilon_added", {"last_line": "return y + 1"}),
        ("epsilon_added", {"last_line": "return y + 1e-3"}),
        ("rounded", {"last_line": "return tf.round(y * 1000) / 1000"}),
        ("rounded", {"last_line": "return tf.round(y)"}),
        ("rounded", {"last_line": "return tf.math.floor(y * 100) / 100"}),
        ("low_precision", {"last_line": "return tf.cast(tf.cast(y, tf.float16), tf.float32)"}),
        ("low_precision", {"last_line": "return tf.cast(tf.cast(y, tf.bfloat16), tf.float32)"}),
        ("layer_norm", {"last_line": "return tf.keras.layers.LayerNormalization()(y)"}),
        ("layer_norm", {"last_line": "return tf.math.l2_normalize(y, axis=-1)"}),
        ("layer_norm", {"last_line": "return y - tf.reduce_mean(y, axis=-1, keepdims=True)"}),
        ("batch_mixed", {"last_line": "return tf.zeros_like(y) + tf.reduce_mean(y, axis=0, keepdims=True)"}),
        ("batch_zero_only", {"last_line": "return tf.concat([y[:1], tf.zeros_like(y[1:])], axis=0)"}),
        ("dropout_active", {"last_line": "return tf.nn.dropout(y, 0.5)"}),
        ("constant_output", {"last_line": "return tf.zeros_like(y)"}),
        ("nan", {"last_line": "return tf.math.log(y)"}),
        ("nan", {"last_line": "return tf.sqrt(y)"}),
        ("simple_rnn", {"update": "c_new = c", "show": "h_new = g"}),
        ("gru", {"update": "c_new = c", "show": "h_new = f * h + (1 - f) * g"}),
        ("gru", {"update": "c_new = c", "show": "h_new = (1 - i) * h + i * g"}),
    ):
        yield Slip(code, changes)


ALL = tuple(slips())
