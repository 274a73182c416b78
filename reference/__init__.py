"""What a correct answer is. Importing this package does not import TensorFlow."""

from reference.cases import Case, CaseSpec, search_case
from reference.errors import ReferenceMismatch, ReferenceUnavailable
from reference.oracle import LSTMTrace, lstm_forward
from reference.store import ReferenceStore
from reference.weights import GATES, DenseWeights, LSTMWeights, dense_layers, split_gates

__all__ = [
    "GATES",
    "Case",
    "CaseSpec",
    "DenseWeights",
    "LSTMTrace",
    "LSTMWeights",
    "ReferenceMismatch",
    "ReferenceStore",
    "ReferenceUnavailable",
    "dense_layers",
    "lstm_forward",
    "search_case",
    "split_gates",
]
