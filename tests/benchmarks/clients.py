"""Clients that cost little: they share the cores with the service that they measure."""

from __future__ import annotations

import itertools
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection

from tests.acceptance.installation import CORRECT, TOKEN

SUBMISSIONS = "/api/v1/submissions"
BOUNDARY = "a-boundary-that-no-file-holds"
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
#: The server closes a connection that has been idle for five seconds.
IDLE_SECONDS = 3.0


class Client:
    """One that uploads, one file after the other."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=90)
        self._used_at = 0.0
        self._turn = threading.Lock()

    def close(self) -> None:
        self._connection.close()

    def upload(self, student: str, content: bytes = CORRECT) -> str:
        """Returns the submission's id when it was answered 202."""
        with self._turn:
            if time.monotonic() > self._used_at + IDLE_SECONDS:
                self._connection.close()
            self._connection.request("POST", SUBMISSIONS, _form(student, content), HEADERS)
            response = self._connection.getresponse()
            body = response.read()
            self._used_at = time.monotonic()
        assert response.status == 202, body
        return str(json.loads(body)["id"])


def _form(student: str, content: bytes) -> bytes:
    parts = {'name="file"; filename="LSTM.py"': content, 'name="student"': student.encode()}
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; "
    return (
        b"".join(f"{head}{name}\r\n\r\n".encode() + value + b"\r\n" for name, value in parts.items())
        + f"--{BOUNDARY}--\r\n".encode()
    )


@dataclass
class Answers:
    """What came of many uploads: the ids in the order of the answers, and what each took."""

    seconds: list[float] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    elapsed: float = 0.0


def arriving(clients: list[Client], students: Iterator[str], uploads: int, a_second: float) -> Answers:
    """Uploads that come at a steady rate, whether those before are answered or not; timed from when each was due."""
    answers = Answers()
    began = time.monotonic()

    def upload(number: int, student: str) -> None:
        due = began + number / a_second
        time.sleep(max(0.0, due - time.monotonic()))
        answers.ids.append(clients[number % len(clients)].upload(student))
        answers.seconds.append(time.monotonic() - due)

    with ThreadPoolExecutor(2 * len(clients)) as threads:
        list(threads.map(upload, range(uploads), itertools.islice(students, uploads)))
    answers.elapsed = time.monotonic() - began
    return answers


def at_once(clients: list[Client], students: Iterator[str], uploads: int) -> Answers:
    """Each client sends the next as soon as its last is answered."""
    answers = Answers()
    began = time.monotonic()
    waiting = list(itertools.islice(students, uploads))

    def upload_all(client: Client) -> None:
        while waiting:
            try:
                student = waiting.pop()
            except IndexError:
                return
            started = time.monotonic()
            answers.ids.append(client.upload(student))
            answers.seconds.append(time.monotonic() - started)

    with ThreadPoolExecutor(len(clients)) as threads:
        list(threads.map(upload_all, clients))
    answers.elapsed = time.monotonic() - began
    return answers


@contextmanager
def watching(port: int, streams: list[str], polls: list[str]) -> Iterator[None]:
    """Watch these submissions by event streams and by polls that wait; none of them is turned away or cut off."""
    paths = [f"{SUBMISSIONS}/{id}/events" for id in streams] + [f"{SUBMISSIONS}/{id}?wait=120" for id in polls]
    with ExitStack() as stack:
        watchers = [stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60)) for _ in paths]
        for watcher, path in zip(watchers, paths, strict=True):
            watcher.sendall(
                f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {HEADERS['Authorization']}\r\n\r\n".encode()
            )
        for watcher in watchers[: len(streams)]:
            # A stream begins at once; a poll is answered when there is something to tell.
            assert watcher.recv(12) == b"HTTP/1.1 200"
        yield
        for watcher in watchers[len(streams) :]:
            watcher.setblocking(False)
            with suppress(BlockingIOError):  # Not answered yet.
                assert watcher.recv(12) == b"HTTP/1.1 200"
