"""Correct answers and the ways to miss them. Importing this package does not import TensorFlow."""

from reference.cases import Case, CaseSpec, has_table, search_case
from reference.drawing import SEED_BYTES, draw, file_seed, name_of, new_seed, random_for
from reference.errors import ReferenceMismatch, ReferenceUnavailable
from reference.lstm.oracle import LSTMTrace, lstm_forward
from reference.lstm.weights import GATES, LSTMWeights, split_gates
from reference.store import ReferenceStore
