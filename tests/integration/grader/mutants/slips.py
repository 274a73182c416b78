"""Mistakes as students write them: texts for the slots of `styles`.

Nothing here knows the bank that has to find these mistakes.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Slip:
    """One mistake: the code that names it, and slot -> text."""

    code: str
    changes: Mapping[str, str]

    @property
    def name(self) -> str:
        return f"{self.code}: " + "; ".join(f"{slot} = {text}" for slot, text in self.changes.items())


CLIPPED = ("-1.0, 1.0", "-0.5, 0.5", "-2.0, 2.0", "0.0, 1.0")
HALVES = ("float16", "bfloat16")
SWAPS = {"if": "gates_swapped_if", "io": "gates_swapped_io", "fo": "gates_swapped_fo", "go": "gates_swapped_co"}


def _sum(gate: str) -> str:
    return f"{{x{gate}}} + {{h{gate}}}"


def _gate(gate: str, value: str, function: str | None = None) -> dict[str, str]:
    function = function or ("{tanh}" if gate == "g" else "{sigmoid}")
    return {f"gate_{gate}": f"{gate} = {function}({value})"}


def _in_slot(slot: str, texts: Mapping[str, Iterable[str]], line: str) -> Iterator[Slip]:
    """Slips that each put a line with one of the texts into a slot."""
    for code, each in texts.items():
        yield from (Slip(code, {slot: line.replace("{}", text)}) for text in each)


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
    functions = [
        *("tf.nn.relu", "tf.tanh", "tf.nn.softmax", "tf.nn.softsign", "tf.keras.activations.hard_sigmoid"),
        *("tf.nn.softplus", "tf.nn.elu", "tf.nn.swish"),
    ]
    for number, (gate, function) in enumerate(itertools.product("ifo", functions)):
        if number % 2 == 0 or gate == "f":
            yield Slip("wrong_gate_activation", _gate(gate, _sum(gate), function))
    for function in functions[:5]:
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
    inputs = {
        "input_transformed": (
            *("2 * x", "-x", "x / 255.0", "x / 10.0", "x * 0.5", "x + 1", "x ** 2", "x[:, :, ::-1]"),
            *("tf.tanh(x)", "tf.nn.relu(x)", "{sigmoid}(x)", "tf.abs(x)", "tf.nn.softmax(x)"),
            *("tf.nn.l2_normalize(x, axis=-1)", "tf.clip_by_value(x, -1.0, 1.0)"),
            "(x - tf.reduce_mean(x)) / tf.math.reduce_std(x)",
            "x - tf.reduce_mean(x, axis=1, keepdims=True)",
            *("tf.cumsum(x, axis=1)", "x * 0.0 + tf.reduce_mean(x, axis=1, keepdims=True)"),
        ),
        "x_not_used": ("tf.zeros_like(x)", "tf.ones_like(x)"),
        "int_cast": ("tf.cast(tf.cast(x, tf.int32), tf.float32)",),
        "rounded": ("tf.round(x)",),
        "low_precision": [f"tf.cast(tf.cast(x, tf.{kind}), tf.float32)" for kind in HALVES],
    }
    yield from _in_slot("prepare", inputs, "x = {}")


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
    formulas = {
        "c_grouping": (
            *("f * (c + i * g)", "i * (f * c + g)", "(f * c + i) * g", "f * (c + i) * g", "(f + i) * (c + g)"),
            *("f * c * i + g", "f * i * (c + g)"),
        ),
        "c_sign": ("f * c - i * g", "i * g - f * c"),
        "coupled_gate": (
            *("f * c + (1 - f) * g", "(1 - i) * c + i * g", "f * c + (1.0 - i) * g", "(1 - f) * c + i * g"),
            "(1 - f) * c + f * g",
        ),
        "c_sum_not_product": ("(f + c) * (i + g)", "f + c + i * g", "f * c + i + g", "(f + c) + (i + g)"),
        "forget_term_missing": ("i * g", "c + i * g"),
        "input_gate_missing": ("f * c + g", "c + g"),
        "c_as_candidate": ("f * c + i * c + g", "f * g + i * g"),
        "hc_swapped": ("f * h + i * g",),
        "tanh_on_state": ("{tanh}(f * c + i * g)", "f * {tanh}(c) + i * g"),
        "extra_activation": ("{sigmoid}(f * c + i * g)", "tf.nn.relu(f * c + i * g)", "f * c + {tanh}(i * g)"),
        "state_clipped": [f"tf.clip_by_value(f * c + i * g, {ends})" for ends in CLIPPED],
        "scaled": ("0.5 * (f * c + i * g)", "2.0 * (f * c + i * g)"),
        "matmul_instead_of_elementwise": (
            "tf.matmul(f, c, transpose_b=True) @ c + i * g",
            "f * c + tf.matmul(i, g, transpose_b=True) @ g",
            "tf.matmul(f, tf.matmul(f, c, transpose_a=True)) + i * g",
            "f * c + tf.matmul(i, tf.matmul(i, g, transpose_a=True))",
            "tf.reduce_sum(f * c, axis=1, keepdims=True) + i * g",
        ),
        "low_precision": [f"tf.cast(tf.cast(f * c + i * g, tf.{kind}), tf.float32)" for kind in HALVES],
        "rounded": ("tf.round((f * c + i * g) * 100) / 100", "tf.round((f * c + i * g) * 10) / 10"),
        "gate_layers_mixed": ("f * c + f * g", "i * c + i * g", "f * c + o * g"),
        "layer_norm": ("tf.nn.l2_normalize(f * c + i * g, axis=-1)",),
        "other_formula": ("(f * c + i * g) / (f + i)", "f * c + i * g * o", "g * c + i * f"),
    }
    yield from _in_slot("update", formulas, "c_new = {}")


def _outputs() -> Iterator[Slip]:
    formulas = {
        "no_tanh_output": ("o * c_new", "o * tf.nn.relu(c_new)", "o * tf.clip_by_value(c_new, -1.0, 1.0)"),
        "other_formula": ("o * i * {tanh}(c_new)", "o * {tanh}(c_new + h)"),
        "sigmoid_output": ("o * {sigmoid}(c_new)", "{sigmoid}(o * c_new)"),
        "double_tanh": ("o * {tanh}({tanh}(c_new))",),
        "tanh_of_product": ("{tanh}(o * c_new)",),
        "extra_activation": (
            *("{tanh}(o * {tanh}(c_new))", "{sigmoid}(o * {tanh}(c_new))", "tf.nn.relu(o * {tanh}(c_new))"),
        ),
        "output_gate_missing": ("{tanh}(c_new)", "c_new"),
        "old_c_in_output": ("o * {tanh}(c)",),
        "c_as_candidate": ("o * {tanh}(g)",),
        "c_sum_not_product": ("o + {tanh}(c_new)",),
        "coupled_gate": ("(1 - o) * {tanh}(c_new)",),
        "c_sign": ("-o * {tanh}(c_new)",),
        "gate_layers_mixed": ("i * {tanh}(c_new)", "f * {tanh}(c_new)"),
        "matmul_instead_of_elementwise": ("tf.matmul(o, {tanh}(c_new), transpose_b=True) @ {tanh}(c_new)",),
        "low_precision": ("tf.cast(tf.cast(o * {tanh}(c_new), tf.float16), tf.float32)",),
        "scaled": ("0.5 * o * {tanh}(c_new)",),
        "residual": ("o * {tanh}(c_new) + h",),
        "rounded": ("tf.round(o * {tanh}(c_new) * 100) / 100",),
        "layer_norm": ("tf.nn.l2_normalize(o * {tanh}(c_new), axis=-1)",),
    }
    yield from _in_slot("show", formulas, "h_new = {}")
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
    steps = {
        "off_by_one": ("t - 1", "min(t + 1, x.shape[1] - 1)", "(t + 1) % x.shape[1]", "max(t - 1, 0)"),
        "always_first_step": ("0",),
        "always_same_step": ("-1", "1"),
        "step_two": ("t // 2 * 2",),
    }
    yield from _in_slot("step", steps, "h, c = self.cell(x[:, {}, :], h, c)")
    loops = {
        "time_reversed": ("reversed(range(x.shape[1]))",),
        "step_two": ("range(0, x.shape[1], 2)",),
        "missing_step": ("range(1, x.shape[1])", "range(x.shape[1] - 1)"),
    }
    yield from _in_slot("loop", loops, "for t in {}:")
    inputs = {
        "time_reversed": ("tf.reverse(x, axis=[1])", "x[:, ::-1]"),
        "batch_zero_only": ("tf.repeat(x[:1], x.shape[0], axis=0)",),
        "batch_mixed": (
            "tf.zeros_like(x) + tf.reduce_mean(x, axis=0, keepdims=True)",
            "x - tf.reduce_mean(x, axis=0, keepdims=True)",
            "tf.reverse(x, axis=[0])",
        ),
    }
    yield from _in_slot("prepare", inputs, "x = {}")
    for code, changes in (
        ("time_reversed", {"after_loop": "y = tf.reverse(y, [1])"}),
        ("time_reversed", {"collect": "outputs.insert(0, h)"}),
        ("time_reversed", {"loop": "for t in range(x.shape[1] - 1, -1, -1):", "collect": "outputs.insert(0, h)"}),
        ("off_by_one", {"step": "outputs.append(h)\n            h, c = self.cell(x[:, t, :], h, c)", "collect": ""}),
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
        ("batch_mixed", {"after_step": "h = tf.zeros_like(h) + tf.reduce_mean(h, 0, keepdims=True)"}),
        (
            "reshape_not_transpose",
            {"prepare": "n, m, k = x.shape\n        x = tf.transpose(tf.reshape(x, (m, n, k)), [1, 0, 2])"},
        ),
    ):
        yield Slip(code, changes)


def _answers() -> Iterator[Slip]:
    yield from _in_slot("collect", {"returns_c": ("c", "tf.tanh(c)"), "residual": ("h + c",)}, "outputs.append({})")
    yield Slip("gate_hears_other", {"collect": "outputs.append(h)\n            h = tf.tanh(c)"})
    yield Slip("residual", {"after_loop": "y = y + tf.tile(x, [1, 1, y.shape[2] // x.shape[2]])"})
    answers = {
        "time_major": ("tf.stack(outputs)", "tf.stack(outputs, axis=0)"),
        "wrong_stack_axis": ("tf.stack(outputs, axis=2)", "tf.stack(outputs, axis=-1)"),
        "reshape_not_transpose": (
            "tf.reshape(tf.stack(outputs), (x.shape[0], x.shape[1], self.h_size))",
            "tf.reshape(tf.stack(outputs, 2), (x.shape[0], x.shape[1], self.h_size))",
        ),
        "concat_not_stack": ("tf.concat(outputs, axis=1)", "tf.concat(outputs, axis=0)"),
        "wrong_transpose": ("tf.transpose(tf.stack(outputs))", "tf.transpose(tf.stack(outputs), [0, 2, 1])"),
    }
    yield from _in_slot("answer", answers, "y = {}")
    returned = {
        "returns_last_only": ("h", "y[:, -1]", "tf.repeat(h[:, None, :], x.shape[1], axis=1)"),
        "returns_tuple": ("y, h, c", "y, h"),
        "returns_list": ("outputs", "[y, h, c]"),
        "returns_dict": ("dict(output=y)",),
        "returns_numpy": ("y.numpy()",),
        "dtype_float64": ("tf.cast(y, tf.float64)",),
        "extra_activation": ("tf.nn.relu(y)", "tf.nn.softmax(y)", "tf.sigmoid(y)", "tf.tanh(y)"),
        "scaled": ("2 * y", "y / 2", "-y", "y * 1.1"),
        "epsilon_added": ("y + 1", "y + 1e-3"),
        "rounded": ("tf.round(y * 1000) / 1000", "tf.round(y)", "tf.math.floor(y * 100) / 100"),
        "low_precision": [f"tf.cast(tf.cast(y, tf.{kind}), tf.float32)" for kind in HALVES],
        "layer_norm": (
            "tf.keras.layers.LayerNormalization()(y)",
            "tf.math.l2_normalize(y, axis=-1)",
            "y - tf.reduce_mean(y, axis=-1, keepdims=True)",
        ),
        "batch_mixed": ("tf.zeros_like(y) + tf.reduce_mean(y, axis=0, keepdims=True)",),
        "batch_zero_only": ("tf.concat([y[:1], tf.zeros_like(y[1:])], axis=0)",),
        "dropout_active": ("tf.nn.dropout(y, 0.5)",),
        "constant_output": ("tf.zeros_like(y)",),
        "nan": ("tf.math.log(y)", "tf.sqrt(y)"),
    }
    yield from _in_slot("last_line", returned, "return {}")
    yield Slip("returns_none", {"last_line": ""})
    yield Slip("simple_rnn", {"update": "c_new = c", "show": "h_new = g"})
    yield Slip("gru", {"update": "c_new = c", "show": "h_new = f * h + (1 - f) * g"})
    yield Slip("gru", {"update": "c_new = c", "show": "h_new = (1 - i) * h + i * g"})


ALL = tuple(slips())
