"""The collector rests in a block, and works after it, whatever the block does."""

import contextlib
import gc
import weakref

from app.operations.collecting import not_collecting


class Ring:
    """Refers to itself, so that only the collector ends it."""

    def __init__(self) -> None:
        self.me = self


def test_collector_rests_in_the_block_only_even_if_it_fails() -> None:
    with contextlib.suppress(OSError), not_collecting():
        assert not gc.isenabled()
        raise OSError("no such port")
    assert gc.isenabled()


def test_only_objects_of_the_block_are_kept() -> None:
    with not_collecting():
        kept = weakref.ref(Ring())
    later = weakref.ref(Ring())
    gc.collect()
    assert kept() is not None
    assert later() is None
