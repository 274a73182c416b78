"""Clients that cost little: they share the cores with the service that they measure.

One thread speaks for all of them, over sockets, with requests that were made before: 0.1 ms of CPU for an upload.
"""

import json
import selectors
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

from tests.acceptance.installation import CORRECT, TOKEN

SUBMISSIONS = "/api/v1/submissions"
BOUNDARY = "a-boundary-that-no-file-holds"
ANSWER_SECONDS = 90.0
#: The server closes a connection that has been idle for five seconds.
IDLE_SECONDS = 3.0


@dataclass
class Answers:
    """The outcome of many uploads: the ids in the order of the answers, and the time of each."""

    seconds: list[float] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    elapsed: float = 0.0


class Client:
    """One that uploads, one file after the other."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None
        self._used_at = 0.0
        self._received = b""

    def fileno(self) -> int:
        assert self._socket is not None
        return self._socket.fileno()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def send(self, request: bytes) -> None:
        if self._socket is None or time.monotonic() > self._used_at + IDLE_SECONDS:
            self.close()
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=ANSWER_SECONDS)
        self._received = b""
        self._socket.sendall(request)

    def receive(self) -> str | None:
        """Take in the next bytes. Returns the submission's id when the answer is whole, and 202."""
        assert self._socket is not None
        more = self._socket.recv(65536)
        self._received += more
        head, _, body = self._received.partition(b"\r\n\r\n")
        assert more, "the server has closed the connection"
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), None
        )
        if length is None or len(body) < length:
            return None
        assert head.startswith(b"HTTP/1.1 202"), self._received
        self._used_at = time.monotonic()
        return str(json.loads(body)["id"])


def form(student: str, content: bytes = CORRECT) -> bytes:
    """The request of an upload."""
    parts = {'name="file"; filename="LSTM.py"': content, 'name="student"': student.encode()}
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; "
    body = (
        b"".join(f"{head}{name}\r\n\r\n".encode() + value + b"\r\n" for name, value in parts.items())
        + f"--{BOUNDARY}--\r\n".encode()
    )
    return (
        f"POST {SUBMISSIONS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def arriving(clients: Sequence[Client], students: Sequence[str], a_second: float) -> Answers:
    """Uploads that come at a steady rate, whether those before are answered or not; timed from when each was due."""
    return _uploading(clients, students, 1 / a_second)


def at_once(clients: Sequence[Client], students: Sequence[str]) -> Answers:
    """Each client sends the next as soon as its last is answered."""
    return _uploading(clients, students, 0.0)


def _uploading(clients: Sequence[Client], students: Sequence[str], every_seconds: float) -> Answers:
    answers = Answers()
    requests = deque(map(form, students))
    idle = deque(clients)
    # Whose answer is awaited, and since when: since it was due, or else since it was sent.
    sent: dict[Client, float] = {}
    began = time.monotonic()
    with selectors.DefaultSelector() as selector:
        while requests or sent:
            due = began + every_seconds * (len(students) - len(requests))
            while requests and idle and time.monotonic() >= due:
                client = idle.popleft()
                sent[client] = due if every_seconds else time.monotonic()
                client.send(requests.popleft())
                selector.register(client, selectors.EVENT_READ)
                due += every_seconds
            wait = max(0.0, due - time.monotonic()) if requests and idle else ANSWER_SECONDS
            ready = selector.select(wait)
            assert ready or wait < ANSWER_SECONDS, f"no answer within {ANSWER_SECONDS} s"
            for key, _ in ready:
                client = key.fileobj
                assert isinstance(client, Client)
                if (id := client.receive()) is not None:
                    answers.ids.append(id)
                    answers.seconds.append(time.monotonic() - sent.pop(client))
                    selector.unregister(client)
                    idle.append(client)
    answers.elapsed = time.monotonic() - began
    return answers


@contextmanager
def watching(port: int, streams: list[str], polls: list[str]) -> Iterator[None]:
    """Watch these submissions by event streams and by polls that wait; none of them is turned away or cut off."""
    paths = [f"{SUBMISSIONS}/{id}/events" for id in streams] + [f"{SUBMISSIONS}/{id}?wait=120" for id in polls]
    with ExitStack() as stack:
        watchers = [stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60)) for _ in paths]
        for watcher, path in zip(watchers, paths, strict=True):
            watcher.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
        for watcher in watchers[: len(streams)]:
            # A stream begins at once; a poll is answered when there is something to tell.
            assert watcher.recv(12) == b"HTTP/1.1 200"
        yield
        for watcher in watchers[len(streams) :]:
            watcher.setblocking(False)
            with suppress(BlockingIOError):  # Not answered yet.
                assert watcher.recv(12) == b"HTTP/1.1 200"
