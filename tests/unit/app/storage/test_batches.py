"""The batcher, which does at once what many ask for at the same time."""

import asyncio
from collections.abc import Sequence

import pytest

from app.storage.batches import BATCH_ITEMS, Batcher


class Work:
    """Doubles numbers, batch by batch, as soon as it may."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.may = asyncio.Event()
        self.may.set()

    async def __call__(self, items: Sequence[int]) -> Sequence[int | Exception]:
        self.batches.append(list(items))
        await self.may.wait()
        if 1000 in items:
            raise ZeroDivisionError
        return [ValueError(item) if item < 0 else 2 * item for item in items]


@pytest.fixture
def work() -> Work:
    return Work()


async def test_one_alone_waits_for_nobody_and_those_that_come_meanwhile_go_together(work):
    batcher = Batcher(work)
    assert await batcher.do(1) == 2
    work.may.clear()
    doing = [asyncio.create_task(batcher.do(item)) for item in (2, 3, 4)]
    await asyncio.sleep(0)
    doing += [asyncio.create_task(batcher.do(item)) for item in range(5, 6 + BATCH_ITEMS)]
    await asyncio.sleep(0)
    work.may.set()
    assert await asyncio.gather(*doing) == [2 * item for item in (2, 3, 4, *range(5, 6 + BATCH_ITEMS))]
    assert work.batches == [[1], [2, 3, 4], [*range(5, 5 + BATCH_ITEMS)], [5 + BATCH_ITEMS]]


async def test_an_error_of_one_is_raised_to_that_one(work):
    batcher = Batcher(work)
    results = await asyncio.gather(*(batcher.do(item) for item in (1, -1, 2)), return_exceptions=True)
    assert [str(result) for result in results] == ["2", "-1", "4"]
    assert isinstance(results[1], ValueError)
    assert work.batches == [[1, -1, 2]]


async def test_an_error_of_the_whole_batch_is_raised_to_all_of_it_and_to_none_after_it(work):
    batcher = Batcher(work)
    results = await asyncio.gather(*(batcher.do(item) for item in (1, 1000)), return_exceptions=True)
    assert [type(result) for result in results] == [ZeroDivisionError] * 2
    assert await batcher.do(2) == 4


async def test_items_that_do_not_fit_together_go_one_after_the_other_in_their_order(work):
    batcher = Batcher(work, fits=lambda batch, new: all(item % 2 != new % 2 for item in batch))
    await asyncio.gather(*(batcher.do(item) for item in (1, 3, 2, 5)))
    assert work.batches == [[1, 2], [3], [5]]


async def test_a_caller_that_gives_up_holds_up_nobody(work):
    batcher = Batcher(work)
    work.may.clear()
    gone, there = asyncio.create_task(batcher.do(1)), asyncio.create_task(batcher.do(2))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    work.may.set()
    assert await there == 4
    assert gone.cancelled()


async def test_when_the_work_is_cancelled_nobody_waits_for_ever(work):
    batcher = Batcher(work)
    work.may.clear()
    waiting = asyncio.create_task(batcher.do(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    (task,) = (task for task in asyncio.all_tasks() if task.get_name() == "batches")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
