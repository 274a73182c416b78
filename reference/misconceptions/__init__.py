"""Wrong-on-purpose forward passes: what an LSTM answers when one or two things in it are not what they should be."""

from reference.misconceptions.bank import bank
from reference.misconceptions.mistake import PARTS, RECURRENCE, Mistake, replay
from reference.misconceptions.mutation_score import MutationScore, mutation_score
from reference.misconceptions.table import Table, build_table

__all__ = [
    "PARTS",
    "RECURRENCE",
    "Mistake",
    "MutationScore",
    "Table",
    "bank",
    "build_table",
    "mutation_score",
    "replay",
]
