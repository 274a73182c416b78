"""The one map from causes to places in the student's source: the parts of a class that each cause concerns.

The reader child says of each part what stands there, in words (`grader/runner/reader/parts/part.py`). A cause looks
for the words that would explain it: a sum with a product in it, a loop that runs backwards. Where they are not found,
there is no mark.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grader.execution.reading import Part
from grader.report.finding import Finding
from grader.sandbox.requests import ACTIVATIONS

STATES = ("passed_on", "collected", "returned", "stacking", "update_c", "update_h")


@dataclass(frozen=True)
class Look:
    """A part to look for.

    Attributes:
        words: it has at least one of these; empty for any.
        without: and none of these.
        gates: only that of the finding's own gates, or of these.
        is_certain: such a line is wrong whatever else is.
    """

    parts: tuple[str, ...]
    words: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    gates: bool | str = False
    is_certain: bool = False

    def describes(self, part: Part) -> bool:
        """Return whether a part is one to look for, whatever gates a finding has."""
        words = set(part.what)
        is_said = not self.words or bool(words & self.words)
        of_gate = not isinstance(self.gates, str) or (part.gate is not None and part.gate in self.gates)
        return part.part in self.parts and of_gate and is_said and not words & self.without


def _look(parts: str, words: str = "", *, without: str = "", gates: bool | str = False) -> Look:
    return Look(tuple(parts.split()), frozenset(words.split()), frozenset(without.split()), gates)


def _gate(part: str, words: str = "", *, without: str = "") -> Look:
    return _look(part, words, without=without, gates=True)


#: Where nothing in it explains the form of an answer, its return statement is the place.
_ANSWER = _look("returned", "answer")
_UPDATE_C, _UPDATE_H = _look("update_c", "odd"), _look("update_h", "odd")
_TREATED = " ".join(STATES)
_NORMS = "layernormalization layer_norm layer_normalization moments batchnormalization batch_norm l2_normalize"
_BY_HAND = "reduce_mean mean reduce_std std reduce_variance var"
_SWAPPED = (
    _look("update_c update_h", "swapped"),
    _gate("sum", "other_name"),
    _look("sum", "split"),
)

_ODD_GATE = " ".join(
    [
        *sorted(ACTIVATIONS - {"sigmoid", "tanh"}),
        "pow product sub number factor inner sees_c new_state mixed no_x no_h twice",
    ]
)
_WRITTEN = (_look("update_c update_h", "odd swapped"), _gate("sum activation", _ODD_GATE), _gate("sum"))

#: Operations on a state that are no mistake with a code of its own.
_OTHER_OPERATIONS = "sort argsort reduce_mean mean reduce_max reduce_sum roll cumsum norm pow sub mod gather where"
#: Operations that change the numbers of the outputs after the loop. Layers of Keras have their names in small letters.
_AFTER_LOOP = _look(
    "returned",
    f"{_OTHER_OPERATIONS} softmax matmul tensordot apply mul div add"
    " conv1d attention additiveattention multiheadattention",
    without="answer",
)

#: Code -> places to look in. The first that finds something is taken.
CONCERNS: Mapping[str, tuple[Look, ...]] = {
    # Gates
    **dict.fromkeys(("gates_swapped_if", "gates_swapped_io", "gates_swapped_fo", "gates_swapped_co"), _SWAPPED),
    "gate_layers_mixed": (_gate("sum", "mixed"), _gate("sum", "other_name"), _gate("sum", "shared")),
    "wrong_gate_activation": (_gate("activation", without="sigmoid none"), _gate("sum", "number")),
    "missing_gate_activation": (_gate("activation", "none"),),
    "double_activation": (
        _gate("weights", "activation"),
        _gate("activation", "twice"),
        _gate("sum", "inner"),
    ),
    "other_formula": (_look("update_c", "odd swapped"),),
    "activation_before_sum": (_gate("weights", "activation"), _gate("sum", "inner")),
    "gate_product_not_sum": (_gate("sum", "product"),),
    "no_tanh_candidate": (_look("activation", "none", gates="C"),),
    "sigmoid_candidate": (_look("activation", "sigmoid", gates="C"),),
    "wrong_candidate_activation": (_look("activation", without="tanh none", gates="C"),),
    # A gate that sees the new c is written in the formula of h.
    "peephole": (_gate("sum", "peephole"), _look("update_h", "add"), _look("sum", "sees_c")),
    "gate_from_new_h": (_gate("sum", "new_state"),),
    "gates_use_c_not_h": (_look("passed_on", "swapped"), _gate("sum", "sees_c")),
    "recurrent_missing": (_look("passed_on", "reset h_lost"), _gate("sum", "no_h")),
    "x_not_used": (_look("step_input", "zeros_like ones_like not_x zeros ones"), _gate("sum", "no_x")),
    "bias_missing": (
        _gate("weights", "no_bias", without="of_h"),
        _gate("sum", "no_bias_added"),
    ),
    "bias_twice": (_gate("sum", "bias"), _gate("weights", "dense", without="no_bias of_x")),
    "forget_bias_extra": (_look("sum", "number", gates="F"),),
    "gate_arithmetic": (
        _gate("sum", "product sub number factor inner clip_by_value clip round"),
        _gate("activation", "sqrt square pow"),
    ),
    "gate_hears_other": (_gate("sum", "mixed sees_c new_state hears_gate"),),
    # Updates
    "no_tanh_output": (_UPDATE_H,),
    "sigmoid_output": (_UPDATE_H,),
    "double_tanh": (_UPDATE_H,),
    "tanh_of_product": (_UPDATE_H,),
    "old_c_in_output": (_UPDATE_H,),
    "output_gate_missing": (_UPDATE_H,),
    "tanh_on_state": (_look("passed_on", "tanh"), _UPDATE_C),
    "c_sum_not_product": (_UPDATE_C,),
    "c_grouping": (_UPDATE_C,),
    "c_sign": (_look("update_c", "sub neg"), _UPDATE_C),
    "coupled_gate": (_look("update_c", "sub"), _UPDATE_C),
    "matmul_instead_of_elementwise": (_look("update_c update_h", "matmul tensordot reduce_sum"),),
    "forget_term_missing": (_UPDATE_C,),
    "input_gate_missing": (_UPDATE_C,),
    "c_as_candidate": (_UPDATE_C,),
    "gru": (_UPDATE_H,),
    "simple_rnn": (_UPDATE_H,),
    # States from step to step
    "hc_swapped": (_look("passed_on", "swapped"), _UPDATE_C),
    "h_not_updated": (_look("passed_on", "reset"), _look("passed_on", "h_lost")),
    "c_not_updated": (_look("passed_on", "reset"), _look("passed_on", "c_lost")),
    "state_reset_each_step": (_look("passed_on", "reset"), _look("passed_on", "h_lost c_lost")),
    "state_kept_between_calls": (_look("passed_on", "kept"),),
    "state_init_ones": (_look("initial_state", "ones"),),
    "state_init_random": (_look("initial_state", "random"),),
    "state_init_not_zero": (_look("initial_state", "number ones from_x"),),
    "cell_called_twice": (_look("passed_on", "twice"),),
    "third_state": (_look("passed_on", "third"),),
    # Steps and the loop
    "time_reversed": (_look("loop stacking step_input collected passed_on returned", "reversed"),),
    "off_by_one": (_look("collected", "old_state"), _look("step_input", "other_step"), _look("loop", "late short")),
    "missing_step": (_look("loop", "late short every_second other_axis"), _look("stacking", "item", without="number")),
    "zero_steps": (_look("loop", "choice"), _look("passed_on collected returned", "mul where")),
    "step_two": (_look("loop", "every_second"), _look("step_input", "other_step cut"), _look("stacking", "item")),
    "always_first_step": (_look("step_input", "fixed_step"),),
    "always_same_step": (_look("step_input", "fixed_step"),),
    "loops_over_batch": (_look("loop", "other_axis"),),
    "timeout": (_look("loop", "endless"),),
    "hardcoded_length": (_look("loop", "fixed_length"),),
    "hardcoded_batch": (_look("line", "fixed_batch"),),
    "hardcoded_units": (_look("line", "fixed_units"),),
    "hardcoded_features": (_look("line", "fixed_features"),),
    # The answer
    "return_inside_loop": (Look(("returned",), frozenset({"in_loop"}), is_certain=True),),
    "returns_last_only": (
        _look("collected", "begun_anew"),
        _look("returned", "last"),
        _look("stacking", "item"),
        _ANSWER,
    ),
    "returns_c": (_look("collected", "c gate"),),
    "returns_none": (_look("returned", "none print"),),
    "returns_tuple": (_look("returned", "sequence"), _ANSWER),
    "returns_list": (_look("returned", "sequence list zip"), _ANSWER),
    "returns_dict": (_look("returned", "dict"), _ANSWER),
    "returns_numpy": (_look("returned", "array numpy transpose asarray stack"), _ANSWER),
    "wrong_kind": (_look("returned", "yield"), _ANSWER),
    "constant_output": (_look("returned", "zeros ones zeros_like ones_like fill"),),
    **dict.fromkeys(
        ("time_major", "wrong_transpose", "wrong_stack_axis", "extra_axis"),
        (_look("stacking", without="reversed item"),),
    ),
    "reshape_not_transpose": (_look("stacking", "reshape"),),
    "concat_not_stack": (_look("stacking", "concat hstack vstack"),),
    # Other treatment of values
    "extra_dense": (_look(f"{_TREATED} step_input", "apply"), _look("passed_on collected", "apply matmul")),
    "extra_activation": (
        _look("passed_on collected returned stacking update_c", " ".join(ACTIVATIONS)),
        _look("activation", "twice", gates="C"),
    ),
    "residual": (_look("passed_on collected returned", "add"),),
    # A mean of x may also be over the timesteps.
    "layer_norm": (_look(f"{_TREATED} step_input sum", _NORMS), _look(f"{_TREATED} sum", _BY_HAND)),
    "dropout_active": (_look("line", "dropout"),),
    "state_clipped": (_look(f"{_TREATED} sum", "clip_by_value clip minimum maximum clip_by_norm"),),
    "scaled": (_look("passed_on collected returned stacking", "mul div neg"), _UPDATE_H),
    "epsilon_added": (_look("passed_on collected returned stacking", "add sub"),),
    "rounded": (_look(f"{_TREATED} step_input sum", "round floor ceil rint around"),),
    "low_precision": (_look("line", "short"), _look(f"{_TREATED} step_input", "cast astype")),
    "int_cast": (_look(f"{_TREATED} step_input", "cast astype floor"),),
    "extra_operation": (
        _look(
            "passed_on collected update_c update_h",
            f"{_OTHER_OPERATIONS} reversed either",
            without="usual",
        ),
    ),
    "nan": (_look("passed_on collected returned stacking", "log sqrt div pow"),),
    "input_transformed": (_look("step_input", without="usual fixed_step other_step cut"),),
    "batch_mixed": (
        _look(f"{_TREATED} step_input", "reduce_mean mean roll gather shuffle sort reversed reduce_sum cumsum"),
    ),
    "batch_zero_only": (_look("step_input", "repeat tile broadcast_to cut"), _look("passed_on", "repeat tile item")),
    "new_cell_each_step": (_look("line", "made"),),
    "cell_per_step": (_look("line", "made_often"),),
    "two_layers": (_look("passed_on", "second_layer"),),
    "gate_weights_misshapen": (_gate("weights"),),
    # Checks, where no known mistake explains a failure
    **dict.fromkeys(("wrong_values", "wrong_values_and_form"), (_gate("sum activation", _ODD_GATE),)),
    "gradient_truncated": (_look("line", "stop_gradient"),),
    "gradient_missing": (_look("line", "stop_gradient"),),
    "gradient_differs": (_look("line", "stop_gradient"),),
}

#: Variants of a code whose mistake stands elsewhere.
VARIANTS: Mapping[tuple[str, str], tuple[Look, ...]] = {
    **{(code, "output"): (_UPDATE_H,) for code in ("c_sum_not_product", "coupled_gate", "c_as_candidate")},
    ("no_tanh_output", "gate"): (_look("passed_on", "gate"), _UPDATE_H),
    ("other_formula", "h"): (_UPDATE_H, _look("passed_on collected", "add sub mul"), _look("update_h")),
    ("other_formula", "gate"): (_gate("sum activation", _ODD_GATE), _gate("sum")),
    **{("other_formula", variant): _WRITTEN for variant in ("several", "read")},
    ("activation_before_sum", "bias"): (_gate("sum", "no_bias_added"),),
    ("c_sign", "h"): (_look("passed_on", "neg sub mul"),),
    ("reshape_not_transpose", "input"): (_look("step_input", "reshape"),),
    ("reshape_not_transpose", "gates"): (_look("sum", "reshape"),),
    ("other_formula", "answer"): (_look("collected passed_on", "either add div mul reduce_mean reduce_max cumsum"),),
    ("gate_arithmetic", "kept"): (_look("passed_on", "mul"), _UPDATE_C),
    ("gate_hears_other", "passed_on"): (_look("passed_on", "tanh gate h_lost reduce_mean mean reduce_max add div"),),
    ("raises_in_call", "rows_units"): (_look("initial_state", "turned"),),
    ("time_reversed", "both"): (_look("returned", "add average mean reduce_mean div mul"),),
    ("always_first_step", "answer"): (_look("stacking", "item"),),
    ("returns_last_only", "everywhere"): (_look("stacking", "item"), _ANSWER),
    ("returns_last_only", "overwritten"): (_look("collected"),),
    ("dropout_active", "random"): (_look("line", "random"),),
    ("extra_operation", "after"): (_AFTER_LOOP,),
    **dict.fromkeys(
        (("batch_mixed", "carried"), ("batch_mixed", "handed_on"), ("cell_called_twice", "passes")),
        (_look("initial_state", "carried"),),
    ),
    ("returns_tuple", "states"): (_look("returned", "states"),),
    **{("wrong_shape", f"loop_{axis}"): (_look("loop", "other_axis"),) for axis in ("features", "batch")},
    ("wrong_shape", "one_more"): (_look("collected", "begun"), _look("loop", "long")),
    ("wrong_shape", "pairs"): (_look("collected", "several"),),
    ("wrong_shape", "scalar"): (_look("returned", "reduce_mean reduce_sum mean sum"),),
    ("wrong_shape", "like_x"): (_look("returned", "x"),),
}


#: A condition in the loop may leave out a step or a state, where nothing else explains that.
LEFT_OUT = frozenset(
    {"missing_step", "step_two", "off_by_one", "h_not_updated", "c_not_updated", "state_reset_each_step"}
)

_NO_GATE = " ".join(sorted(ACTIVATIONS - {"sigmoid", "tanh", "exp", "abs", "square", "sqrt"}))
#: Treatments that no formula of the cell has: they can be told of where they stand, although no numbers name them.
ODD_ANYWHERE: Mapping[str, Look] = {
    **{code: CONCERNS[code][0] for code in ("state_init_random", "layer_norm", "state_clipped", "rounded")},
    "state_init_not_zero": _look("initial_state", "from_x"),
    # A term added then may be its bias.
    "extra_dense": CONCERNS["extra_dense"][1],
    "residual": _look("passed_on collected", "add", without="number"),
    "input_transformed": _look("step_input", "add sub mul div apply"),
    **{code: CONCERNS[code][0] for code in ("third_state", "low_precision")},
    "wrong_gate_activation": _look("activation", _NO_GATE, gates="IFO"),
    "wrong_candidate_activation": _look("activation", _NO_GATE, gates="C"),
    "scaled": _look("passed_on collected", "mul div neg"),
    "extra_operation": CONCERNS["extra_operation"][0],
    "extra_operation/after": _AFTER_LOOP,
}
#: Treatments that the update itself may be taken for.
_OF_STATES = frozenset({"residual", "scaled", "extra_operation", "extra_operation/after"})


def first_oddity(parts: Sequence[Part]) -> Finding | None:
    """Return the first such treatment, with its gates."""
    updates = [part for part in parts if part.part == "update_c"]
    is_collected = any(part.part == "collected" and "h" in part.what for part in parts)
    has_update = any({"add", "mul"} <= {*part.what} for part in updates) or (is_collected and not updates)
    for name, look in ODD_ANYWHERE.items():
        found = [part for part in parts if look.describes(part)]
        if found and (has_update or name not in _OF_STATES):
            code, _, variant = name.partition("/")
            gates = {part.gate: None for part in found if part.part == "activation"}
            return Finding.of(code, {"gates": list(gates)} if gates else {}, variant=variant or None)
    return None


def has_no_loop(parts: Iterable[Part]) -> bool:
    return any("no_loop" in part.what for part in parts)


def looks_of(code: str, params: Mapping[str, Any]) -> tuple[Look, ...]:
    """Return the places to look in for a cause."""
    variant = str(params.get("variant"))
    if variant in ("several", "read") and not re.search(r"\b[ch] = ", str(params.get("formula"))):
        variant = "gate"
    looks = VARIANTS.get((code, variant), CONCERNS.get(code, ()))
    return (*looks, _look("loop", "choice")) if code in LEFT_OUT else looks
