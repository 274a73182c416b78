"""The sentence of a code that fits a mistake of the bank, where mistakes with one code differ in what they do."""

from __future__ import annotations

from collections.abc import Sequence

from reference.misconceptions import Mistake

#: Name of a mistake -> variant of its code.
VARIANTS = {
    "last step everywhere": "everywhere",
    "first step everywhere": "answer",
    "units backwards": "units",
    "x cut anew": "input",
    "(batch, units, timesteps) cut anew": "other",
    "(units, timesteps, batch) cut anew": "other",
    "last row for all": "last",
    "states of the first row": "states",
    "rows backwards": "order",
    "rows moved on": "order",
    "answers in another order": "order",
    "c = c + i*g": "full",
    "c = c + f*c + i*g": "full",
    "h = o + tanh(c)": "output",
    "h = o*tanh(g)": "output",
    "h = o*g": "output",
    "h = (1 - o)*tanh(c)": "output",
    "c = (1 - f)*c + i*g": "itself",
    "c = f*c + (1 - i)*g": "itself",
    "h = o*relu(c)": "other",
    "h = o*softsign(c)": "other",
    "h = c": "bare",
    "tanh(c) collected": "tanh",
    "-h from step to step": "h",
}


def variant(mistakes: Sequence[Mistake]) -> str | None:
    """Return the variant of mistakes with one code, if they all have the same one."""
    found = {VARIANTS.get(mistake.name) for mistake in mistakes}
    return found.pop() if len(found) == 1 else None
