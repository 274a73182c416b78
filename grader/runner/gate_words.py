"""The gates, and what they are called in students' code: in names of weights, of layers and of variables.

``fcXI``, ``W_hf``, ``forget_gate``, ``кандидат``. Both programs of the box read names by this one list.
"""

import re
from functools import lru_cache

GATES = "IFCO"  # columns of a Keras kernel, in order
#: Their names in formulas.
NAMES = {"I": "i", "F": "f", "C": "g", "O": "o"}

WORDS = {
    "I": ("i", "in", "ingate", "и"),
    "F": ("f", "fgate", "ф"),
    "C": ("c", "g", "cell", "new", "tilde", "ch", "ct", "hat", "cc", "к", "ц"),
    "O": ("o", "out", "outgate"),
}
GATE_OF_WORD = {word: gate for gate, words in WORDS.items() for word in words}
# Beginnings of words, whatever their ending.
STEMS = {"inp": "I", "forg": "F", "cand": "C", "outp": "O"}
# The same in Russian, and in the Latin letters that Russian is written with.
STEMS |= {"вход": "I", "забы": "F", "канд": "C", "выход": "O"}
STEMS |= {"vhod": "I", "vkhod": "I", "zaby": "F", "kand": "C", "vyhod": "O", "vykhod": "O", "vihod": "O"}
# Letters that stand beside the gate's letter in short names such as Wi, U_f, fcXO, x2c, whi, bo.
GLUED = re.compile(
    r"(?:fc|w|u|v|b|d|k|r|x|h|l|lin|dense|gate|t)*(?:2|to)?([ifcgo])(?:x|h|w|u|b|t|gate)?", re.IGNORECASE
)


def words_of(name: str) -> list[str]:
    """Split a name at its underscores and capitals."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\dA-Z_]+", name)]


@lru_cache(maxsize=1000)
def gate_of_name(name: str) -> str | None:
    """Return the gate that a name says, if it says one."""
    words = words_of(name)
    gates = {gate for word in words if (gate := gate_of_word(word))}
    if len(gates) == 1:
        return gates.pop()
    if not gates:
        letters = {match[1].lower() for word in words if (match := GLUED.fullmatch(word))}
        gates = {GATE_OF_WORD[letter] for letter in letters}
        if len(gates) == 1:
            return gates.pop()
    return None


def gate_of_word(word: str) -> str | None:
    """Return the gate that a word in small letters stands for."""
    stem = next((stem for stem in STEMS if word.startswith(stem)), None)
    return GATE_OF_WORD.get(word) or (STEMS[stem] if stem else None)
