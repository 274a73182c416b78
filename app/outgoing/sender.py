"""The loop that sends the due items of an outbox; any number of processes may run one.

Subclasses define the outbox and the outcome of a try. An item is claimed for a limited time, its lease, so that other
processes can take over if this one dies.
"""

import asyncio
import logging
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import ClassVar, Generic, TypeVar

from sqlalchemy.exc import NoResultFound, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.background import Background
from app.storage.database import Database

logger = logging.getLogger(__name__)

Item = TypeVar("Item")


class Sender(Background, Generic[Item]):
    """Sends due items while the async context is entered, several at a time.

    Attributes:
        LOOK_SECONDS: the time between two looks for due items.
    """

    LOOK_SECONDS: ClassVar[float] = 1.0

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sending: dict[asyncio.Task[None], str] = {}

    async def __aexit__(self, *exc_info: object) -> None:
        """Stop. Interrupted items are sent again after their lease, by any process."""
        await super().__aexit__(*exc_info)
        tasks = list(self._sending)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            with self._database.outage.watch(self.NAME):
                await self._send_due()
            await asyncio.sleep(self.LOOK_SECONDS)

    async def _send_due(self) -> None:
        async with self._database.read() as session:
            if not await self._is_something_due(session):
                return
        async with self._database.write() as session:
            claimed = await self._claim(session, Counter(self._sending.values()))
        for item in claimed:
            task = asyncio.create_task(self._send_claimed(item))
            self._sending[task] = self._receiver(item)
            task.add_done_callback(self._sending.pop)

    async def _send_claimed(self, item: Item) -> None:
        try:
            await self._send_or_tell(item)
        except NoResultFound:
            # The item, or a row that it belongs to, was deleted meanwhile.
            logger.info("sending_ended", extra={"by": self.NAME, "receiver": self._receiver(item)})
        except SQLAlchemyError as exc:  # It is sent again after the lease.
            self._database.outage.record_failure(self.NAME, exc)

    async def _send_or_tell(self, item: Item) -> None:
        try:
            await self._send(item)
        except SQLAlchemyError:
            raise
        except Exception:
            # Otherwise it would be sent again after each lease, and nobody would notice.
            logger.exception("sending_failed", extra={"by": self.NAME, "receiver": self._receiver(item)})
            await self._fault(item)

    async def _fault(self, item: Item) -> None:
        """Record a fault of ours at an item, already logged. By default it is sent again after its lease."""

    @abstractmethod
    async def _is_something_due(self, session: AsyncSession) -> bool: ...

    @abstractmethod
    async def _claim(self, session: AsyncSession, busy: Mapping[str, int]) -> Iterable[Item]:
        """Claim due items.

        Args:
            busy: the number of items that this process is sending, by receiver.
        """

    @abstractmethod
    def _receiver(self, item: Item) -> str:
        """Return the id of an item's receiver: a webhook, a platform."""

    @abstractmethod
    async def _send(self, item: Item) -> None:
        """Send an item, and record the outcome."""
