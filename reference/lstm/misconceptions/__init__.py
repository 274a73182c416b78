"""Wrong-on-purpose forward passes: the answer of an LSTM in which one or two things are wrong."""

from reference.lstm.misconceptions.bank import bank
from reference.lstm.misconceptions.mistake import (
    PARTS,
    QUANTITIES_OF_STEP,
    RECURRENCE,
    Mistake,
    merge_changes,
    replay,
    trace_steps,
)
from reference.lstm.misconceptions.mutation_score import MutationScore, mutation_score
from reference.lstm.misconceptions.rare import at_zero_steps, rare, sometimes
from reference.lstm.misconceptions.table import Table, build_table
