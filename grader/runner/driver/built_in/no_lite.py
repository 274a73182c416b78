"""Keeps TensorFlow Lite out of a warm process: it has recurrent kernels of its own, and nothing here needs it.

TensorFlow imports it by itself. It gets a stand-in that has every name asked for, none of which does anything.
"""

import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Sequence
from typing import Any

PACKAGE = "tensorflow.lite"


class Absent:
    """A stand-in for a class or function that is not there."""

    def __init__(self, *_args: object, **_kwargs: object) -> None:
        raise NotImplementedError("TensorFlow Lite is not there while the exercise is graded")

    def __init_subclass__(cls, **_kwargs: object) -> None:
        pass


class _AbsentModule(types.ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name[:2] == "__":
            raise AttributeError(name)
        return Absent


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        del path, target
        if name == PACKAGE or name.startswith(f"{PACKAGE}."):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return _AbsentModule(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        pass


def install() -> None:
    """Install the stand-in. Called once, in the warm process, before TensorFlow is imported."""
    sys.meta_path.insert(0, _Finder())
