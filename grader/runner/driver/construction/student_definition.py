"""The student's class, or a function that builds one, and the module around it."""

import ast
from dataclasses import dataclass
from typing import Any

from box_requests import SIZES, Sizes

from driver.construction.plans import constant
from driver.construction.settings_objects import resized


@dataclass(frozen=True)
class StudentDefinition:
    """A definition of the student's that is to be called.

    Args:
        canonical: the exercise's own sizes; a number in the student's own call that equals one means that size.
        names: the module's namespace.
    """

    definition: Any
    canonical: Sizes
    names: dict[str, Any]

    def is_own(self, kind: type) -> bool:
        """Return whether the student wrote this class, and it is another than the one to be called."""
        return kind.__module__ == self.names.get("__name__") and kind is not self.definition

    def as_function(self, value: Any) -> Any:
        """Return the function of TensorFlow that a text such as ``function:tanh`` stands for; else the value."""
        if isinstance(value, str) and value.startswith("function:"):
            return constant(getattr(self.names.get("tf"), value.removeprefix("function:"), value))
        return value

    def evaluated(self, source: str, sizes: Sizes) -> list[Any]:
        """Return the value that the student's own call gives, for the sizes of a case; none where it is unknown."""
        replacement = {self.canonical[role]: sizes[role] for role in SIZES}
        try:
            tree = ast.fix_missing_locations(_Sizes(replacement).visit(ast.parse(source, mode="eval")))
            code = compile(tree, "call of LSTM", "eval")
            value = eval(code, dict(self.names))
        except Exception:  # a name defined only in a part of the notebook that was not run
            return []
        if type(value) is int and value not in sizes.values():
            return [resized(value, sizes, self.canonical)]
        if isinstance(value, str):
            return [resized(value, sizes, self.canonical)]
        if type(value) in (int, bool, float) or value is None:
            return [value]
        return [lambda: resized(eval(code, dict(self.names)), sizes, self.canonical)]


class _Sizes(ast.NodeTransformer):
    """Replaces the exercise's own numbers by those of the case at hand."""

    def __init__(self, replacement: dict[int, int]) -> None:
        self._replacement = replacement

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if type(node.value) is int and node.value in self._replacement:
            return ast.copy_location(ast.Constant(self._replacement[node.value]), node)
        return node
