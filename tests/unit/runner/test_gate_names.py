"""The gate that a weight's name says, alone and beside the names of the three others."""

from dataclasses import dataclass
from itertools import permutations

import pytest


@dataclass
class Named:
    path: str


def gates(*paths: str, unbuilt: tuple[str, ...] = ()) -> str:
    """The gates of some weights in the order of their names, with ``-`` for what a name does not say."""
    from driver.weights.gate_names import gates_by_name

    leaves, others = [Named(path) for path in paths], [Named(path) for path in unbuilt]
    of_path = {leaf.path: gate for gate, leaf in gates_by_name(leaves, others).items()}
    return "".join(of_path.get(path, "-") for path in paths + unbuilt)


@pytest.mark.parametrize(
    "paths",
    [
        ("cell.fcXI.kernel", "cell.fcXF.kernel", "cell.fcXC.kernel", "cell.fcXO.kernel"),
        ("cell.Wi", "cell.Wf", "cell.Wg", "cell.Wo"),
        ("cell.W_xi", "cell.W_xf", "cell.W_xc", "cell.W_xo"),
        ("cell.input_gate", "cell.forget_gate", "cell.candidate", "cell.output_gate"),
        ("gates['in'].wx", "gates['forget'].wx", "gates['new'].wx", "gates['out'].wx"),
        ("cell.вход", "cell.забывание", "cell.кандидат", "cell.выход"),
        ("vhod_x.kernel", "zabyt_x.kernel", "kandidat_x.kernel", "vyhod_x.kernel"),
        ("cell.gi_wx", "cell.gf_wx", "cell.gc_wx", "cell.go_wx"),
    ],
    ids=lambda paths: paths[0],
)
def test_names_of_one_manner_give_each_gate_once(paths):
    assert gates(*paths) == "IFCO"
    assert gates(*reversed(paths)) == "OCFI"


def test_the_fourth_is_the_one_that_is_left():
    assert gates("lstm.Wi", "lstm.Wf", "lstm.Wc", "lstm.extra") == "IFCO"


@pytest.mark.parametrize("paths", [("w.1", "w.2", "w.3", "w.4"), ("cell.a", "cell.b", "cell.q", "cell.z")])
def test_names_that_say_nothing_are_not_read_into(paths):
    assert gates(*paths) == "----"


def test_two_weights_of_one_name_are_no_pair_of_gates():
    assert gates("one.Wi", "two.Wi", "one.Wf", "two.Wf") == "----"


def test_a_layer_that_was_never_called_has_a_name_still():
    assert gates("cell.fcHI", "cell.fcHC", "cell.fcHO", unbuilt=("cell.fcHF",)) == "ICOF"


@pytest.mark.parametrize(
    ("names", "orders"),
    [
        ("i f g o", {"IFCO"}),
        ("i j f o", {"ICFO", "CIFO"}),  # either book
        ("a i f o", {"CIFO", "ICFO"}),
        ("f g o x", {"FCOI", "FIOC"}),
        ("input_gate j f o", {"ICFO"}),
        ("in write keep out", set(map("".join, permutations("IFCO")))),
        ("zc zi zf zo", {"CIFO"}),
        ("i u f o", {"ICFO", "CIFO"}),
        ("inp in_gate forget_gate out_gate", {"ICFO", "CIFO"}),  # either may be the candidate
        ("i g_i f o", {"ICFO", "CIFO"}),
        ("ai af ao ag", {"IFOC"}),
        ("forget a out b", {"FIOC", "FCOI"}),
        ("i f a g_b", {"IFOC"}),
        ("update_gate forget_gate output_gate memory", {"IFOC", "CFOI"}),  # some books call the input gate so
        ("update_gate forget_gate output_gate candidate", {"IFOC"}),
    ],
)
def test_names_of_parts_bind_what_they_name_and_leave_the_rest_open(names, orders):
    from driver.weights import gate_names

    assert set(gate_names.orders(names.split())) == orders


def test_a_name_beside_four_that_say_nothing_says_nothing_either():
    assert gates("h[0]", "h[1]", "h[2]", "h[3]", "out") == "-----"


@pytest.mark.parametrize(
    "names",
    [
        *("q0 q1 q2 q3", "a b c d", "i ig fg og", "new keep write show"),
        *("o e c s", "o e c_new s", "W_g W_i W_u W_k", "Wi Wo Wu Wc"),
    ],
)
def test_one_clear_name_or_a_letter_of_another_language_says_nothing(names):
    from driver.weights import gate_names

    possible = gate_names.orders(names.split())
    assert len(set(possible)) == 24
    assert possible[0] == "IFCO"


def test_a_leftover_layer_takes_no_gate_from_four_others():
    assert gates("Wi", "Wf", "Wg", "Wog", unbuilt=("Wo",)) == "IF---"


@pytest.mark.parametrize(
    ("one", "other"),
    [("cell.fcHO", "cell.fcHI"), ("Uo", "Ug"), ("cell.output_h", "cell.input_h"), ("W_xi", "W_xf")],
)
def test_names_of_one_manner_differ_by_their_gate_alone(one, other):
    from driver.weights.gate_names import manner

    assert manner(one) == manner(other)
    assert manner("cell.fcHO") != manner("cell.fcXO")
