"""Wakes the watchers of a submission when it has changed."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterator


class Watchers:
    """This process's watchers. They look again after each wake-up, so a spurious one is harmless."""

    def __init__(self) -> None:
        self._events: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self.stopping = False

    @contextlib.contextmanager
    def watch(self, submission_id: str) -> Iterator[asyncio.Event]:
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
        self.stopping = True
        self.tell_all()
