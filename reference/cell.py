"""The definition of a recurrent cell: a few formulas, from which its numbers, its gradients and their text follow.

A formula is Python. The names in it stand for arrays ``(batch, units)`` of one timestep::

    x_i, h_i      the input and the previous hidden state, each through the layer of a gate i: x @ W_i + b_i, h @ U_i
    h, c          the previous states; h_new and c_new are those after the step
    i, f, ...     what an earlier formula gives

Gradients follow by the chain rule, formula by formula from the last to the first (`Cell.gradients`).
"""

from __future__ import annotations

import ast
import operator
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Float32Array = NDArray[np.float32]
# A saturated value is inverted as if it were this far from the limit.
EDGE = 1e-6


def sigmoid(z: Array) -> Array:
    """Return 1 / (1 + exp(-z)), written with tanh because exp overflows for a very negative z."""
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * z))


def _undo_tanh(y: Array) -> Array:
    return np.asarray(np.arctanh(np.clip(y, EDGE - 1, 1 - EDGE)))


#: Functions in formulas, each with its derivative and its inverse as functions of its value.
FUNCTIONS: Mapping[str, tuple[Callable[[Array], Array], ...]] = {
    "sigmoid": (sigmoid, lambda y: y * (1 - y), lambda y: 2 * _undo_tanh(2 * y - 1)),
    "tanh": (np.tanh, lambda y: 1 - y**2, _undo_tanh),
}
OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    # In formulas that are not differentiated.
    ast.Div: operator.truediv,
    ast.MatMult: operator.matmul,
}
#: Functions of two values, in formulas that are not differentiated.
OF_TWO: Mapping[str, Callable[[Any, Any], Any]] = {"maximum": np.maximum, "minimum": np.minimum}


class Values(Protocol):
    """Arrays by the names in a formula."""

    def __getitem__(self, name: str, /) -> Array: ...


Function = Callable[[Values], Any]


class Formula:
    """One formula of a cell. Attributes: text: as it is written."""

    def __init__(self, node: ast.expr, more: Mapping[str, Callable[[Array], Any]] | None = None) -> None:
        """Args: more: functions beside `FUNCTIONS`, in formulas that are not differentiated."""
        self.node = node
        self.text = ast.unparse(node).replace(" * ", "*")
        self._function = _function(node, {**{name: each[0] for name, each in FUNCTIONS.items()}, **(more or {})})

    @cached_property
    def names(self) -> frozenset[str]:
        """The names that it reads."""
        functions = {id(each.func) for each in ast.walk(self.node) if isinstance(each, ast.Call)}
        named = (each for each in ast.walk(self.node) if isinstance(each, ast.Name))
        return frozenset(each.id for each in named if id(each) not in functions)

    @property
    def activation(self) -> Callable[[Array], Array]:
        """The function around all of it, as in a gate."""
        assert isinstance(self.node, ast.Call)
        assert isinstance(self.node.func, ast.Name)
        return FUNCTIONS[self.node.func.id][0]

    def __call__(self, values: Values) -> Array:
        return np.asarray(self._function(values))

    def slopes(self, values: Values) -> dict[str, Array]:
        """Return the derivative of its value with respect to each name."""
        found: dict[str, Any] = defaultdict(float)
        for name, slope in _slopes(self.node, values):
            found[name] = found[name] + slope
        return dict(found)

    def solved(self, name: str, result: Array, values: Values) -> Array:
        """Return the values of a name, which it reads once, that give this result beside those of the others."""
        return _solved(self.node, name, result, values)


def _function(node: ast.expr, functions: Mapping[str, Callable[[Any], Any]]) -> Function:
    """Raises: ValueError: it is more than a formula of a cell may be."""
    match node:
        case ast.Name(id=name):
            return operator.itemgetter(name)
        case ast.Constant(value=int() | float() as number):
            return lambda values: number
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in OPERATORS:
            first, join, second = _function(left, functions), OPERATORS[type(sign)], _function(right, functions)
            return lambda values: join(first(values), second(values))
        case ast.Call(func=ast.Name(id=name), args=[left, right]) if name in OF_TWO:
            first, join, second = _function(left, functions), OF_TWO[name], _function(right, functions)
            return lambda values: join(first(values), second(values))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            positive = _function(operand, functions)
            return lambda values: -positive(values)
        case ast.Attribute(value=value, attr="T"):
            matrix = _function(value, functions)
            return lambda values: matrix(values).swapaxes(-1, -2)
        case ast.Call(func=ast.Name(id=name), args=[argument]) if name in functions:
            function, inner = functions[name], _function(argument, functions)
            return lambda values: function(inner(values))
    raise ValueError(f"no formula of a cell: {ast.unparse(node)}")


def _slopes(node: ast.expr, values: Values) -> Iterator[tuple[str, Any]]:
    """Yield the derivative with respect to each name, once per occurrence."""
    match node:
        case ast.Name(id=name):
            yield name, 1.0
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() as sign, right=right):
            is_product = isinstance(sign, ast.Mult)
            first = Formula(right)(values) if is_product else 1.0
            second = Formula(left)(values) if is_product else -1.0 if isinstance(sign, ast.Sub) else 1.0
            yield from ((name, slope * first) for name, slope in _slopes(left, values))
            yield from ((name, slope * second) for name, slope in _slopes(right, values))
        case ast.Call(func=ast.Name(id=name), args=[argument]):
            outer = FUNCTIONS[name][1](Formula(node)(values))
            yield from ((needed, slope * outer) for needed, slope in _slopes(argument, values))
        case ast.Constant():
            pass
        case _:
            raise ValueError(f"no derivative is known: {ast.unparse(node)}")


def _solved(node: ast.expr, name: str, result: Array, values: Values) -> Array:
    match node:
        case ast.BinOp(left=left, op=ast.Add() | ast.Mult() as sign, right=right):
            inner, other = (left, right) if name in Formula(left).names else (right, left)
            known = Formula(other)(values)
            return _solved(inner, name, result - known if isinstance(sign, ast.Add) else result / known, values)
        case ast.Call(func=ast.Name(id=function), args=[argument]):
            return _solved(argument, name, FUNCTIONS[function][2](result), values)
        case ast.Name():
            return result
    raise ValueError(f"not solved for {name}: {ast.unparse(node)}")


@dataclass(frozen=True, eq=False)
class Layers:
    """The weights of a cell in float64, its gates side by side.

    Args:
        kernel: ``(features, gates * units)``.
        recurrent_kernel: ``(units, gates * units)``.
        bias, recurrent_bias: ``(gates * units,)``.
    """

    kernel: Array
    recurrent_kernel: Array
    bias: Array
    recurrent_bias: Array | None = None

    @property
    def units(self) -> int:
        return int(self.recurrent_kernel.shape[0])

    def of_x(self, x: Array) -> Array:
        return np.asarray(x @ self.kernel + self.bias)

    def of_h(self, h: Array) -> Array:
        through = h @ self.recurrent_kernel
        return np.asarray(through if self.recurrent_bias is None else through + self.recurrent_bias)


@dataclass(frozen=True)
class Cell:
    """A recurrent cell.

    Attributes:
        formulas: by the name of what they give, in the order in which they are computed.
        gates: in the order of their columns in the weights.
        states: each has a formula with ``_new`` behind its name.
    """

    formulas: Mapping[str, Formula]
    gates: tuple[str, ...]
    states: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Cell:
        """Read the formulas of a cell, one in a line. Raises: ValueError: there is something else."""
        formulas = {}
        for line in ast.parse(text).body:
            match line:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    formulas[name] = Formula(value)
                case _:
                    raise ValueError(f"no formula of a cell: {ast.unparse(line)}")
        needed = [name for formula in formulas.values() for name in sorted(formula.names)]
        gates = dict.fromkeys(name.removeprefix("x_") for name in needed if name.startswith("x_"))
        states = [name.removesuffix("_new") for name in formulas if name.endswith("_new")]
        return cls(formulas, tuple(gates), tuple(states))

    def step(self, from_x: Array, from_h: Array, states: Mapping[str, Array]) -> dict[str, Array]:
        """Work out one step.

        Args:
            from_x, from_h: ``(..., gates * units)``, what `Layers` make of the input and of h.
            states: the previous ones, ``(..., units)``.
        Returns:
            Everything that the formulas name.
        """
        values = {**states, **self._columns("x", from_x), **self._columns("h", from_h)}
        for name, formula in self.formulas.items():
            values[name] = formula(values)
        return values

    def forward(self, x: Array, layers: Layers) -> dict[str, Array]:
        """Run the cell over `x`, ``(batch, timesteps, features)``, from zero states.

        Returns:
            Everything that the formulas name, and the previous states, each ``(batch, timesteps, units)``.
        """
        from_x, units = layers.of_x(x), layers.units
        states = {state: np.zeros((len(x), units)) for state in self.states}
        found = {name: np.empty((*x.shape[:2], units)) for name in (*self.states, *self.formulas)}
        for t in range(x.shape[1]):
            step = self.step(from_x[:, t], layers.of_h(states["h"]), states)
            for name, array in found.items():
                array[:, t] = step[name]
            states = {state: step[f"{state}_new"] for state in self.states}
        return found

    def gradients(self, x: Array, layers: Layers, factors: Array, *, through: str | None = None) -> Gradients:
        """Differentiate ``sum(y * factors)`` by backpropagation through time, `y` being the hidden state.

        Args:
            factors: ``(batch, timesteps, units)``.
            through: the states that gradients go back through from step to step; None: all. Leaving one out gives the
                gradients of a layer that stops them there.
        """
        values = self.forward(x, layers)
        sums = {**self._columns("x", layers.of_x(x)), **self._columns("h", layers.of_h(values["h"]))}
        slopes = {name: formula.slopes({**sums, **values}) for name, formula in self.formulas.items()}
        back: dict[str, Array] = {part: np.zeros((*x.shape[:2], layers.kernel.shape[1])) for part in "xh"}
        columns = {part: self._columns(part, back[part]) for part in back}
        carried = {state: np.zeros_like(factors[:, 0]) for state in self.states}
        for t in reversed(range(x.shape[1])):
            found: dict[str, Any] = defaultdict(float, {f"{state}_new": carried[state] for state in self.states})
            found["h_new"] = found["h_new"] + factors[:, t]
            for name in reversed(tuple(self.formulas)):
                for needed, slope in slopes[name].items():
                    found[needed] = found[needed] + found[name] * slope[:, t]
            for of_gates in columns.values():
                for name, column in of_gates.items():
                    column[:, t] = found[name]
            found["h"] = found["h"] + back["h"][:, t] @ layers.recurrent_kernel.T
            carried = {state: found[state] * (through is None or state in through) for state in self.states}
        return Gradients(
            x=back["x"] @ layers.kernel.T,
            kernel=np.einsum("btf,btz->fz", x, back["x"]),
            recurrent_kernel=np.einsum("btu,btz->uz", values["h"], back["h"]),
            bias=back["x"].sum(axis=(0, 1)),
            recurrent_bias=back["h"].sum(axis=(0, 1)),
        )

    def _columns(self, part: str, sums: Array) -> dict[str, Array]:
        units = sums.shape[-1] // len(self.gates)
        return {f"{part}_{gate}": sums[..., at * units : (at + 1) * units] for at, gate in enumerate(self.gates)}


@dataclass(frozen=True, eq=False, kw_only=True)
class Gradients(Layers):
    """Gradients of one number with respect to the weights, and to the input ``(batch, timesteps, features)``."""

    x: Array


@dataclass(frozen=True, eq=False)
class Weights:
    """Fused weights as the ``get_weights`` of a Keras layer returns them, in float32. Each cell has a class of them.

    Args:
        kernel: ``(features, gates * units)``, multiplies the input.
        recurrent_kernel: ``(units, gates * units)``, multiplies the previous hidden state.
        bias: ``(gates * units,)``.
    Raises:
        ValueError: the three shapes do not belong to one layer, or an array is not float32.
    """

    cell: ClassVar[Cell]

    kernel: Float32Array
    recurrent_kernel: Float32Array
    bias: Float32Array

    def __post_init__(self) -> None:
        columns = len(self.cell.gates) * self.recurrent_kernel.shape[0]
        shapes = (self.kernel.shape, self.recurrent_kernel.shape, self.bias.shape)
        if shapes != ((self.kernel.shape[0], columns), (self.units, columns), (columns,)):
            raise ValueError(f"kernel, recurrent_kernel and bias of shapes {shapes} are not of one layer")
        if {self.kernel.dtype, self.recurrent_kernel.dtype, self.bias.dtype} != {np.dtype(np.float32)}:
            raise ValueError("weights must be float32")

    @property
    def features(self) -> int:
        """Size of the input at one timestep."""
        return int(self.kernel.shape[0])

    @property
    def units(self) -> int:
        """Size of the hidden state."""
        return int(self.recurrent_kernel.shape[0])

    @property
    def columns(self) -> int:
        """Columns of a kernel: those of all gates."""
        return int(self.bias.size)

    def scaled(self, factor: float) -> Self:
        """Return all weights multiplied by `factor`, in float32."""
        by = np.float32(factor)
        return type(self)(self.kernel * by, self.recurrent_kernel * by, self.bias * by)

    def layers(self) -> Layers:
        return Layers(*(array.astype(np.float64) for array in (self.kernel, self.recurrent_kernel, self.bias)))

    def answer(self, x: Float32Array) -> Array:
        """Return the answer of a layer with these weights, ``(batch, timesteps, units)``, in float64."""
        return self.cell.forward(x.astype(np.float64), self.layers())["h_new"]

    def gradients(self, x: Float32Array, factors: Float32Array, *, through: str | None = None) -> Gradients:
        """Differentiate ``sum(y * factors)``, `y` being that answer. Args: see `Cell.gradients`."""
        return self.cell.gradients(x.astype(np.float64), self.layers(), factors.astype(np.float64), through=through)
