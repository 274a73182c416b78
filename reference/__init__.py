"""Correct answers and the ways to miss them. Importing this package does not import TensorFlow."""

from reference.cases import Case, CaseSpec, search_case
from reference.errors import ReferenceMismatch, ReferenceUnavailable
from reference.oracle import LSTMGradients, LSTMTrace, lstm_forward, lstm_gradients
from reference.store import ReferenceStore
from reference.weights import GATES, DenseWeights, LSTMWeights, dense_layers, split_gates

__all__ = [
    "GATES",
    "Case",
    "CaseSpec",
    "DenseWeights",
    "LSTMGradients",
    "LSTMTrace",
    "LSTMWeights",
    "ReferenceMismatch",
    "ReferenceStore",
    "ReferenceUnavailable",
    "dense_layers",
    "lstm_forward",
    "lstm_gradients",
    "search_case",
    "split_gates",
]
