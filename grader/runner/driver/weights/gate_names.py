"""Tells from a weight's name which gate it belongs to, read against the names of its siblings.

``fcXI fcXF fcXC fcXO``, ``Wi Wf Wg Wo``, ``gates["forget"].wx``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gate_words import GATE_OF_WORD, GATES, gate_of_name, gate_of_word, words_of

if TYPE_CHECKING:  # it imports TensorFlow, which names do not need
    from driver.weights.leaves import Leaf

# Parts of paths that say nothing about gates.
GENERAL = ("kernel", "bias", "_kernel", "w", "x", "h")
# In a word this short, each letter may be a gate's, and ``in`` may be the new content.
LONGEST_OF_LETTERS = 3


def gates_by_name(leaves: list[Leaf], unbuilt: list[Leaf]) -> dict[str, Leaf]:
    """Map gate -> leaf as far as names say; four of them when they give each gate exactly once."""
    gates = {gate: leaf for gate, leaf in zip(clear_gates([leaf.path for leaf in leaves]), leaves, strict=True) if gate}
    # A gate that `call` leaves out: only the name of its layer exists.
    named = clear_gates([leaf.path for leaf in unbuilt]) if len(leaves) < len(GATES) else []
    return {gate: leaf for gate, leaf in zip(named, unbuilt, strict=False) if gate} | gates


def clear_gates(names: Sequence[str]) -> list[str | None]:
    """Return the gate that each name says, read against the others; None where a name is open.

    A name is clear only where no other could mean the same gate: beside ``ig``, ``i`` may be the input gate or the
    candidate. One clear name among four or more says nothing, as ``c`` in ``a, b, c, d``. Beside names that mean no
    gate, a letter may be of another language, as in ``o, e, c, s``, or in ``i, o, u, c``, where no ``f`` shows that the
    words are English. The fourth beside three is the one that is left; beside ``i`` or ``g`` it may also
    be the other of the two.
    """
    said, possible = [gate_of_path(name) for name in names], [_possible_gates(name) for name in names]
    clear = [
        gate if gate and not any(gate in other for place, other in enumerate(possible) if place != own) else None
        for own, gate in enumerate(said)
    ]
    told = [gate for gate in clear if gate]
    if len(names) == len(GATES) and None in clear:
        different = [gate_of_name(part) for part in _strip_common([re.sub(r"\W+", "_", name) for name in names])]
        if sorted(filter(None, different)) == sorted(GATES):
            return different
    if len(told) == 1 and len(names) >= len(GATES):
        return [None] * len(names)
    if len(names) != len(GATES):
        return clear
    by_letter = {gate: _is_by_letter(name) for name, gate in zip(names, clear, strict=True) if gate}
    is_doubtful = len(told) == 2 or (None in clear and "F" not in told)
    if is_doubtful and len(told) == sum(map(bool, possible)) and all(by_letter.values()):
        return [None] * len(names)
    if len(told) == len(GATES) - 1:
        (missing,) = set(GATES) - set(told)
        # The candidate is multiplied by its gate, and books call either one i or g.
        if missing in "IC" and by_letter["C" if missing == "I" else "I"]:
            return [gate if gate in ("F", "O") else None for gate in clear]
        return [gate or missing for gate in clear]
    return clear


def manner(path: str) -> str:
    """Return a path without the letter or the word of its gate: that of ``fcHO`` is that of ``fcHI``."""
    part = next((part for part in reversed(_telling_parts(path)) if gate_of_name(part)), "")
    gate = gate_of_name(part)
    for word in sorted(re.findall(r"[^\W\d_]+", part), key=len, reverse=True):
        if gate_of_word(word.lower()) == gate:
            return path.replace(word, "*")
    for place in range(len(part) - 1, -1, -1):
        if gate and GATE_OF_WORD.get(part[place].lower()) == gate:
            return path.replace(part, f"{part[:place]}*{part[place + 1 :]}")
    return path


def orders(names: Sequence[str]) -> list[str]:
    """List the orders of gates that four names leave open; all 24, Keras' own first, where they say nothing."""
    clear = clear_gates(names)
    left = [gate for gate in GATES if gate not in clear]
    return ["".join(gate or next(rest) for gate in clear) for rest in map(iter, itertools.permutations(left))]


def _strip_common(names: list[str]) -> list[str]:
    """Strip common parts: ``gi_wx gf_wx gc_wx go_wx`` -> ``i f c o``."""
    for _ in range(2):
        while len(set(map(len, names)) - {0}) and all(len(n) > 1 for n in names) and len({n[0] for n in names}) == 1:
            names = [name[1:] for name in names]
        names = [name[::-1] for name in names]
    return names


def gate_of_path(path: str) -> str | None:
    """Return the gate that the last telling part of a path names."""
    return next((gate for part in reversed(_telling_parts(path)) if (gate := gate_of_name(part))), None)


def _is_by_letter(path: str) -> bool:
    part = next(part for part in reversed(_telling_parts(path)) if gate_of_name(part))
    return not any(gate_of_word(word) for word in words_of(part) if len(word) > LONGEST_OF_LETTERS)


def _telling_parts(path: str) -> list[str]:
    return [part for part in re.findall(r"[^\W_]\w*|_\w+", path) if part not in GENERAL]


def _possible_gates(path: str) -> set[str]:
    """Return the gates that a name could mean, by a letter of a short word: ``ig``, ``c_in``."""
    if gate := gate_of_path(path):
        return {gate}
    words = words_of(next(reversed(_telling_parts(path)), ""))
    return {
        gate
        for word in words
        for gate in ([gate_of_word(word)] if len(word) > LONGEST_OF_LETTERS else map(GATE_OF_WORD.get, word))
        if gate
    }


def possible_orders(unpack_names: Sequence[Sequence[str]]) -> tuple[list[str], bool]:
    """List the orders of gates that the names of parts allow, and tell whether names settle more than one."""
    read = list(map(orders, unpack_names))
    # One order that names settle is not doubted for the sake of another split, of something else.
    settled = list(dict.fromkeys(each[0] for each in read if len(each) == 1))
    possible = settled or list(dict.fromkeys(itertools.chain.from_iterable(read))) or orders([""] * len(GATES))
    return possible, len(settled) > 1
