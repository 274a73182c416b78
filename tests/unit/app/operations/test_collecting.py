"""The collector rests in a block, and works after it, whatever the block does."""

from __future__ import annotations

import gc
import weakref

import pytest

from app.operations.collecting import not_collecting


class Ring:
    """Refers to itself, so that only the collector ends it."""

    def __init__(self) -> None:
        self.me = self


def test_collector_rests_in_the_block_only() -> None:
    with not_collecting():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_collector_works_after_a_failure() -> None:
    with pytest.raises(OSError, match="no such port"), not_collecting():
        raise OSError("no such port")
    assert gc.isenabled()


def test_only_what_the_block_made_is_kept() -> None:
    with not_collecting():
        kept = weakref.ref(Ring())
    later = weakref.ref(Ring())
    gc.collect()
    assert kept() is not None
    assert later() is None
    gc.unfreeze()
    gc.collect()
    assert kept() is None
