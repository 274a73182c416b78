"""Pauses the garbage collector while a process starts.

Imports and a new application create objects that live as long as the process. The collector would scan them again and
again, which takes a quarter of the start.
"""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def not_collecting() -> Iterator[None]:
    """Pause the collector in this block, and exempt the objects created in it for good."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
