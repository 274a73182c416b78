"""Ports for servers that tests start, and start again at the same address."""

from __future__ import annotations

import random
import socket


def free_port() -> int:
    """A port that nothing listens on.

    The kernel's own choice would do until the server is started: any connection that somebody opens meanwhile may get
    it as its own end. So this one lies below those it gives out.
    """
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as given_out:
        lowest = int(given_out.read().split()[0])
    for port in random.sample(range(10_000, lowest), 100):
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
    raise OSError("no port is free")
