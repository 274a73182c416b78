"""The queue as the rest of the service sees it. It wakes the watchers of a submission when that has changed."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator


class Jobs(ABC):
    """A queue of submissions, and this process's watchers. They look again after each wake-up, so a spurious one is
    harmless.

    Attributes:
        stopping: whether the service is about to stop.
    """

    def __init__(self) -> None:
        self._events: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self.stopping = False

    @abstractmethod
    def wake(self) -> None:
        """Look for work now. Call this after committing a transaction that has queued something."""

    @property
    @abstractmethod
    def is_working(self) -> bool:
        """Whether this process does its part of the work."""

    @contextlib.contextmanager
    def watch(self, submission_id: str) -> Iterator[asyncio.Event]:
        """Yield an event that is set when the submission may have changed. Read the submission before you wait."""
        event = asyncio.Event()
        if self.stopping:
            event.set()
        self._events[submission_id].add(event)
        try:
            yield event
        finally:
            self._events[submission_id].discard(event)
            if not self._events[submission_id]:
                del self._events[submission_id]

    def tell(self, submission_id: str) -> None:
        for event in self._events.get(submission_id, ()):
            event.set()

    def tell_all(self) -> None:
        for submission_id in list(self._events):
            self.tell(submission_id)

    def stop_watching(self) -> None:
        """Set all events, because the service is about to stop."""
        self.stopping = True
        self.tell_all()
