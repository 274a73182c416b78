"""Tells from a weight's name which gate it belongs to, read against the names of its siblings.

``fcXI fcXF fcXC fcXO``, ``Wi Wf Wg Wo``, ``gates["forget"].wx``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it imports TensorFlow, which names do not need
    from driver.weights.leaves import Leaf

GATES = "IFCO"  # columns of a Keras kernel, in order

WORDS = {
    "I": ("i", "in", "ingate", "и"),
    "F": ("f", "fgate", "ф"),
    "C": ("c", "g", "cell", "new", "tilde", "ch", "ct", "hat", "cc", "update", "к", "ц"),
    "O": ("o", "out", "outgate"),
}
GATE_OF_WORD = {word: gate for gate, words in WORDS.items() for word in words}
# Beginnings of words, whatever their ending.
STEMS = {"inp": "I", "вход": "I", "forg": "F", "забы": "F", "cand": "C", "канд": "C", "outp": "O", "выход": "O"}
# Letters that stand beside the gate's letter in short names such as Wi, U_f, fcXO, x2c, whi, bo.
GLUED = re.compile(
    r"(?:fc|w|u|v|b|d|k|r|x|h|l|lin|dense|gate|t)*(?:2|to)?([ifcgo])(?:x|h|w|u|b|t|gate)?", re.IGNORECASE
)


def gates_by_name(leaves: list[Leaf], unbuilt: list[Leaf]) -> dict[str, Leaf]:
    """Map gate -> leaf as far as names say; four of them when they give each gate exactly once."""
    gates = _read_names(leaves)
    # A gate that `call` leaves out: only the name of its layer exists.
    return {**_read_names(unbuilt), **gates} if unbuilt and len(gates) < 4 else gates


def _read_names(leaves: list[Leaf]) -> dict[str, Leaf]:
    found: dict[str, list[Leaf]] = {}
    for leaf in leaves:
        gate = gate_of_path(leaf.path)
        if gate:
            found.setdefault(gate, []).append(leaf)
    if set(map(len, found.values())) == {1} and len(found) == min(4, len(leaves)):
        return {gate: leaves[0] for gate, leaves in found.items()}
    if len(leaves) == 4:
        different = _strip_common([re.sub(r"\W+", "_", leaf.path) for leaf in leaves])
        gates = [gate_of_name(part) for part in different]
        if sorted(filter(None, gates)) == sorted(GATES):
            return {gate: leaf for gate, leaf in zip(gates, leaves, strict=True) if gate}
    told = {gate: group[0] for gate, group in found.items() if len(group) == 1}
    if len(leaves) == 4 and len(told) == len(found) == 3:
        (missing,) = set(GATES) - told.keys()
        (told[missing],) = (leaf for leaf in leaves if leaf not in told.values())
    return told


def _strip_common(names: list[str]) -> list[str]:
    """Strip common parts: ``gi_wx gf_wx gc_wx go_wx`` -> ``i f c o``."""
    for _ in range(2):
        while len(set(map(len, names)) - {0}) and all(len(n) > 1 for n in names) and len({n[0] for n in names}) == 1:
            names = [name[1:] for name in names]
        names = [name[::-1] for name in names]
    return names


def gate_of_path(path: str) -> str | None:
    """Return the gate that the last telling part of a path names."""
    for part in reversed(re.findall(r"[^\W_]\w*|_\w+", path)):
        if part in ("kernel", "bias", "_kernel", "w", "x", "h"):
            continue
        if gate := gate_of_name(part):
            return gate
    return None


def gate_of_name(name: str) -> str | None:
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\dA-Z_]+", name)]
    gates = {gate for word in words if (gate := _gate_of_word(word))}
    if len(gates) == 1:
        return gates.pop()
    if not gates:
        letters = {match[1].lower() for word in words if (match := GLUED.fullmatch(word))}
        gates = {GATE_OF_WORD[letter] for letter in letters}
        if len(gates) == 1:
            return gates.pop()
    return None


def _gate_of_word(word: str) -> str | None:
    stem = next((stem for stem in STEMS if word.startswith(stem)), None)
    return GATE_OF_WORD.get(word) or (STEMS[stem] if stem else None)
