"""As much of TensorFlow and Keras as the styles and slips use, by NumPy: no process has to start for an answer."""

from types import SimpleNamespace
from typing import Any

import ml_dtypes
import numpy as np

from reference import Case, split_gates
from reference.cell import sigmoid

Array = np.ndarray[Any, Any]


def answer(source: str, case: Case) -> Any:
    """The answer of the class in the source with the weights of the case. Its layers ask for weights by their names."""

    class Layer:
        built = False

        def __call__(self, x: Array, *states: Array) -> Any:
            if not self.built:
                self.built = True
                self.build(x.shape)
            return self.call(x, *states)

        def build(self, shape: tuple[int, ...]) -> None: ...

        def call(self, x: Array, *states: Array) -> Any: ...

        def add_weight(self, *, name: str, shape: object, initializer: str = "") -> Array:
            weights = case.weights
            if name in vars(weights):
                return vars(weights)[name]
            array, gate = name.split("_")
            return split_gates({"W": weights.kernel, "U": weights.recurrent_kernel, "b": weights.bias}[array])[gate]

    tensorflow = SimpleNamespace(
        **FUNCTIONS,
        nn=SimpleNamespace(**FUNCTIONS),
        math=SimpleNamespace(**FUNCTIONS),
        keras=SimpleNamespace(
            Model=Layer,
            layers=SimpleNamespace(Layer=Layer, LayerNormalization=lambda: _layer_norm),
            activations=SimpleNamespace(**FUNCTIONS),
        ),
    )
    names: dict[str, Any] = {"tf": tensorflow}
    exec(source, names)
    with np.errstate(all="ignore"):
        return names["LSTM"](case.spec.units)(case.x)


def _l2_normalize(x: Array, axis: int) -> Array:
    return x / np.sqrt((x**2).sum(axis=axis, keepdims=True))


def _layer_norm(x: Array) -> Array:
    return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-3)


def _softmax(x: Array) -> Array:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _matmul(a: Array, b: Array, transpose_a: bool = False, transpose_b: bool = False) -> Array:
    return (a.T if transpose_a else a) @ (b.T if transpose_b else b)


#: NumPy has these under the same name.
SAME = [
    *("tanh", "sin", "abs", "round", "sqrt", "log", "floor", "tile", "repeat", "stack", "split", "reshape"),
    *("zeros_like", "ones_like", "float16", "float32", "float64", "int32"),
]
FUNCTIONS: dict[str, Any] = {
    **{name: getattr(np, name) for name in SAME},
    "bfloat16": ml_dtypes.bfloat16,
    "sigmoid": sigmoid,
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "swish": lambda x: x * sigmoid(x),
    "softplus": lambda x: np.logaddexp(0, x),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "softmax": _softmax,
    "cumsum": lambda x, axis: np.cumsum(x, axis, x.dtype),
    "l2_normalize": _l2_normalize,
    "matmul": _matmul,
    "transpose": lambda x, perm=None: np.transpose(x, perm),
    "clip_by_value": np.clip,
    "reduce_mean": np.mean,
    "reduce_sum": np.sum,
    "reduce_std": np.std,
    "cast": lambda x, kind: x.astype(kind),
    "convert_to_tensor": np.array,
    "concat": np.concatenate,
    "reverse": np.flip,
    "zeros": lambda shape: np.zeros(shape, np.float32),
    "ones": lambda shape: np.ones(shape, np.float32),
    "fill": lambda shape, value: np.full(shape, value, np.float32),
}
