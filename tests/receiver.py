"""A receiver of webhooks that listens on this machine, as an integrator writes one after reading docs/api.md."""

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook

from tests.ports import answering


@dataclass(frozen=True)
class Message:
    """One delivery as it came; the names of headers are in small letters."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


class Receiver(ThreadingHTTPServer):
    """Keeps every message that came whole, answered or not.

    Attributes:
        answering: while it is not set, no answer is given.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.came: list[Message] = []
        self.answering = threading.Event()
        self.answering.set()

    @property
    def url(self) -> str:
        return f"http://localhost:{self.server_port}/hook"

    def told(self, secret: str) -> list[int]:
        """The report that each message tells of; a repeated one, which its id shows, counts once.

        Raises:
            AssertionError: a message has no signature of its moment, or came with another body than before.
        """
        bodies: dict[str, bytes] = {}
        for message in list(self.came):
            # Not `Webhook.verify`: it refuses what came minutes ago, or from a service whose clock is wrong.
            moment = datetime.fromtimestamp(int(message.headers["webhook-timestamp"]), UTC)
            signature = Webhook(secret).sign(message.id, moment, message.body.decode())
            assert signature in message.headers["webhook-signature"].split()
            assert bodies.setdefault(message.id, message.body) == message.body
        return [json.loads(body)["data"]["report"]["id"] for body in bodies.values()]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        body = self.rfile.read(length)
        if len(body) == length:
            self.server.came.append(Message({name.lower(): value for name, value in self.headers.items()}, body))
            self.server.answering.wait()
            with contextlib.suppress(OSError):  # The sender may be gone.
                self.send_response(204)
                self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


@contextlib.contextmanager
def listening() -> Iterator[Receiver]:
    with answering(Receiver()) as receiver:
        try:
            yield receiver
        finally:
            receiver.answering.set()
