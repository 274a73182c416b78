"""Lets a notebook's threads run one after another: whose call it is, and its number, follow from the order of calls."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

#: A thread that waits for what comes after it is left to run beside.
SECONDS = 5.0


def run_in_turn() -> None:
    """Let `Thread.start` wait for the thread's end, and `ThreadPoolExecutor.submit` compute before it returns."""
    thread_class: Any = threading.Thread
    pool: Any = ThreadPoolExecutor
    start = thread_class.start

    def start_and_wait(thread: threading.Thread) -> None:
        start(thread)
        if not thread.daemon:
            thread.join(SECONDS)

    thread_class.start, pool.submit = start_and_wait, _computed


def _computed(_pool: ThreadPoolExecutor, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
    future: Future[Any] = Future()
    try:
        future.set_result(function(*args, **kwargs))
    except Exception as exc:
        future.set_exception(exc)
    return future
