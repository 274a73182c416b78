"""The garbage collector rests while a process starts.

What imports and a new application make stays until the process ends. The collector looks at all of it again and
again, which takes a quarter of the start.
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
