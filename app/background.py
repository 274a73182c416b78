"""Background tasks of the service."""

import asyncio
from abc import ABC, abstractmethod
from typing import ClassVar, Self


class Background(ABC):
    """Work that runs while the async context is entered, and is cancelled when it is left.

    Attributes:
        NAME: the task's name, shown when a running process is inspected.
    """

    NAME: ClassVar[str]
    _task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._work(), name=self.NAME)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    @abstractmethod
    async def _work(self) -> None: ...
