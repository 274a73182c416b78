"""Resolves the names of a module by its imports: ``tf`` is ``tensorflow``."""

import ast
import re
import sys
from collections.abc import Iterable

# The packages of the box that code of this exercise configures. Others (plots, tables) may be missing.
CORE = frozenset({"tensorflow", "keras", "tf_keras", "numpy", "absl", *sys.stdlib_module_names})
# Star imports that can only bring other names.
WITHOUT_LSTM = frozenset(
    {
        *("numpy", "scipy", "matplotlib", "pandas", "seaborn", "sklearn", "IPython", "google", "tqdm"),
        *sys.stdlib_module_names,
    }
)
KERAS = re.compile(r"(?:tensorflow(?:\.python)?\.)?(?:tf_)?keras(?:\.|$)|tensorflow$")


class Imports:
    """Dotted names by alias, over all imports of a file; `np` and `tf` are supplied."""

    def __init__(self, nodes: Iterable[ast.AST]) -> None:
        self._dotted = {"np": "numpy", "tf": "tensorflow"}
        for node in nodes:
            for alias in node.names if isinstance(node, ast.Import | ast.ImportFrom) else ():
                if isinstance(node, ast.ImportFrom):
                    self._dotted[alias.asname or alias.name] = f"{node.module or ''}.{alias.name}"
                else:
                    top = alias.name.partition(".")[0]
                    self._dotted[alias.asname or top] = alias.name if alias.asname else top

    def __contains__(self, name: str) -> bool:
        return name in self._dotted

    def dotted(self, node: ast.AST) -> str | None:
        """Return ``tensorflow.config.set_visible_devices`` for ``tf.config.set_visible_devices``."""
        attributes = []
        while isinstance(node, ast.Attribute):
            attributes.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self._dotted:
            return None
        return ".".join([self._dotted[node.id], *reversed(attributes)])

    def is_core(self, name: str) -> bool:
        return self._dotted.get(name, "").partition(".")[0] in CORE


def may_bring(node: ast.AST, name: str) -> bool:
    """Return whether an import can bind `name`: by listing it, or by a star."""
    if not isinstance(node, ast.ImportFrom):
        return False
    module = node.module or ""
    star = module != "tensorflow" and module.partition(".")[0] not in WITHOUT_LSTM
    return any(star if alias.name == "*" else (alias.asname or alias.name) == name for alias in node.names)


def is_from_keras(node: ast.AST) -> bool:
    return isinstance(node, ast.ImportFrom) and KERAS.match(node.module or "") is not None
