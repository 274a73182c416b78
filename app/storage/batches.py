"""Batches of work that costs as much for many items as for one, such as a transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

BATCH_ITEMS = 50


class Batcher(Generic[Item, Result]):
    """Collects items into batches. It never waits for more items: those that arrive during one batch form the next.

    Args:
        work: returns one result for each item, in order. An exception in the list is raised to that item's caller; a
            raised exception goes to all callers of the batch.
        fits: tells whether an item may join a batch that holds these items.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        fits: Callable[[Sequence[Item], Item], bool] = lambda batch, item: True,
    ) -> None:
        self._work = work
        self._fits = fits
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._task: asyncio.Task[None] | None = None

    async def do(self, item: Item) -> Result:
        """Return the item's result. Raises: the item's or the batch's exception."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._task is None:
            self._task = asyncio.create_task(self._work_off(), name="batches")
        return await future

    async def _work_off(self) -> None:
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        try:
            while self._waiting:
                batch = self._next_batch()
                try:
                    results = await self._work([item for item, _ in batch])
                except Exception as exc:
                    results = [exc] * len(batch)
                for (_, future), result in zip(batch, results, strict=True):
                    if future.done():
                        continue  # The caller was cancelled.
                    if isinstance(result, Exception):
                        future.set_exception(result)
                    else:
                        future.set_result(result)
        finally:
            self._task = None
            for _, future in (*batch, *self._waiting):  # Empty, unless the process is stopping.
                future.cancel()
            self._waiting.clear()

    def _next_batch(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        later: list[tuple[Item, asyncio.Future[Result]]] = []
        for each in self._waiting:
            fits = len(batch) < BATCH_ITEMS and self._fits([item for item, _ in batch], each[0])
            (batch if fits else later).append(each)
        self._waiting = later
        return batch
