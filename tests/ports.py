"""Ports for servers that tests start, and start again at the same address; and a thread for those of Python."""

import contextlib
import random
import socket
import threading
from collections.abc import Iterator
from socketserver import BaseServer
from typing import TypeVar

AnyServer = TypeVar("AnyServer", bound=BaseServer)


def free_port() -> int:
    """A port that nothing listens on, and that is given out once.

    The kernel's own choice would do until the server is started: any connection that somebody opens meanwhile may get
    it as its own end. So this one lies below those it gives out.
    """
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as given_out:
        lowest = int(given_out.read().split()[0])
    for port in random.sample(range(10_000, lowest), 100):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0port {port} of the tests of lstm-grader")
            with socket.create_server(("127.0.0.1", port)):
                claim.detach()  # The name is in this process's hands until it ends, and others of these tests see it.
                return port
        except OSError:
            claim.close()
    raise OSError("no port is free")


@contextlib.contextmanager
def answering(server: AnyServer) -> Iterator[AnyServer]:
    """Let a server answer until the block ends."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
