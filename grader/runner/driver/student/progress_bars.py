"""Stands in for `tqdm` where that is missing: the loop over timesteps may have a progress bar, as in Colab."""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

MODULES = ("tqdm", "tqdm.auto", "tqdm.notebook")


class ProgressBar:
    """Gives the items of what it is made of; all else that a bar can do has no effect."""

    def __init__(self, iterable: Iterable[Any] = (), *_: Any, **settings: Any) -> None:  # noqa: ARG002
        self._iterable = iterable

    def __iter__(self) -> Iterator[Any]:
        return iter(self._iterable)

    def __len__(self) -> int:
        return len(self._iterable)  # type: ignore[arg-type]  # else it raises, as tqdm does

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **kwargs: None


def supply() -> None:
    """Let it be imported."""
    if importlib.util.find_spec("tqdm") is not None:
        return
    for name in MODULES:
        bars: dict[str, Any] = {"tqdm": ProgressBar, "trange": lambda *steps, **named: ProgressBar(range(*steps))}
        module = sys.modules[name] = types.ModuleType(name)
        vars(module).update(bars, tqdm_notebook=bars["tqdm"], tnrange=bars["trange"])
    vars(sys.modules["tqdm"]).update({name.removeprefix("tqdm."): sys.modules[name] for name in MODULES[1:]})
