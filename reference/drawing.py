"""Cases with numbers that nobody can know, drawn from a seed and answered by the oracle.

Keras answers the published cases of an assignment, and tests compare it with the oracle on drawn ones.
"""

import hmac
import secrets

import numpy as np

from reference.cases import Case, CaseSpec
from reference.cell import Weights
from reference.lstm.weights import LSTMWeights

SEED_BYTES = 32


def new_seed() -> bytes:
    """Return a seed that nobody can guess."""
    return secrets.token_bytes(SEED_BYTES)


def random_for(seed: bytes, *purpose: object) -> np.random.Generator:
    """Return the random numbers of a seed for one purpose; they tell nothing about those of another."""
    return np.random.default_rng([*_derived(seed, *purpose)])


def file_seed(seed: bytes, sha256: str) -> bytes:
    """Return the seed of one of the files that share a seed: none can hand another its answers."""
    return _derived(seed, "file", sha256)


def name_of(seed: bytes) -> str:
    """Return a name for a seed that tells nothing about it, 64 hex digits."""
    return _derived(seed, "name").hex()


def _derived(seed: bytes, *purpose: object) -> bytes:
    return hmac.digest(seed, repr(purpose).encode(), "sha256")


def draw(spec: CaseSpec, random: np.random.Generator, kind: type[Weights] = LSTMWeights) -> Case:
    """Return a case with the oracle's answer, its numbers of the kind that `reference.lstm.keras_layer` makes.

    Args:
        spec: the recipe; its seed is not used.
        kind: the weights of the cell that is asked for.
    """
    features, units = spec.features, spec.units
    columns = len(kind.cell.gates) * units
    if spec.values == "wide":
        kernel = random.normal(0, 2 / features**0.5, (features, columns))
        recurrent_kernel = random.normal(0, 2.5 / units**0.5, (units, columns))
    else:
        limit = (6 / (features + columns)) ** 0.5
        kernel = random.uniform(-limit, limit, (features, columns))
        recurrent_kernel = np.linalg.qr(random.standard_normal((columns, units)))[0].T
    bias = random.normal(0, 1.0 if spec.values == "wide" else 0.5, columns)
    # In C order: safetensors writes the bytes as they lie in memory.
    weights = kind(*(np.ascontiguousarray(array, np.float32) for array in (kernel, recurrent_kernel, bias)))
    x = random.standard_normal((spec.batch, spec.timesteps, features)).astype(np.float32)
    return oracle_case(spec, x * np.float32(spec.scale), weights.scaled(spec.scale))


def oracle_case(spec: CaseSpec, x: np.ndarray, weights: Weights) -> Case:
    """Return a question that nobody but us asks, with the oracle's answer."""
    return Case(spec, x, weights, weights.answer(x).astype(np.float32), is_drawn=True)
