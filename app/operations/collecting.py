"""The garbage collector rests while a process starts.

Imports and a new application make objects that stay until the process ends. The collector looks at all of them again
and again, which takes a quarter of the start.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def not_collecting() -> Iterator[None]:
    """Collect nothing in this block, and later nothing that it has made."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
