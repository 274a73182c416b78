"""The sites that may embed our pages in a frame."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Self

from app.background import Background
from app.lti import platforms
from app.storage.database import Database

LOOK_SECONDS = 30.0


class FrameSites(Background):
    """The sites of confirmed platforms, refreshed every half minute."""

    NAME = "lti-frames"

    def __init__(self) -> None:
        self._of_platforms: tuple[str, ...] = ()
        self._database: Database | None = None

    def __call__(self) -> Sequence[str]:
        return self._of_platforms

    def of(self, database: Database) -> FrameSites:
        """Set the database to read the platforms from."""
        self._database = database
        return self

    async def __aenter__(self) -> Self:
        await self.read()
        return await super().__aenter__()

    async def read(self) -> None:
        assert self._database is not None
        async with self._database.read() as session:
            self._of_platforms = tuple(await platforms.origins(session))

    async def _work(self) -> None:
        assert self._database is not None
        while True:
            with self._database.outage.watch(self.NAME):
                await self.read()
            await asyncio.sleep(LOOK_SECONDS)
