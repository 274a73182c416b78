"""Submissions that call home: every kind of socket, and listeners that must not hear anything."""

import secrets
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

# family, type: tried by number, so that what Python does not know is tried too.
KINDS = {
    "TCP": (socket.AF_INET, socket.SOCK_STREAM),
    "UDP": (socket.AF_INET, socket.SOCK_DGRAM),
    "TCP over IPv6": (socket.AF_INET6, socket.SOCK_STREAM),
    "raw IP": (socket.AF_INET, socket.SOCK_RAW),
    "packets": (17, socket.SOCK_RAW),
    "Unix": (socket.AF_UNIX, socket.SOCK_STREAM),
    "netlink": (16, socket.SOCK_RAW),
    "netlink, kernel events": (16, socket.SOCK_DGRAM),
    "kernel cryptography": (38, socket.SOCK_SEQPACKET),
    "vsock": (40, socket.SOCK_STREAM),
    "XDP": (44, socket.SOCK_RAW),
    "Bluetooth": (31, socket.SOCK_RAW),
}


class Listeners:
    """Open ears on this machine: TCP, UDP, Unix by path and by abstract name."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "listener")
        self.abstract = secrets.token_hex(8)
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.udp = socket.socket(type=socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.unix = socket.socket(socket.AF_UNIX)
        self.unix.bind(self.path)
        self.hidden = socket.socket(socket.AF_UNIX)
        self.hidden.bind(f"\0{self.abstract}")
        self.all = (self.tcp, self.udp, self.unix, self.hidden)
        for listener in (self.unix, self.hidden):
            listener.listen()

    def heard(self) -> list[socket.socket]:
        """List the sockets that something has come to: on one machine, as soon as the call that sent it has ended."""
        return select.select(self.all, [], [], 0.2)[0]


@pytest.fixture(scope="module")
def listeners(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listeners]:
    ears = Listeners(tmp_path_factory.mktemp("ears"))
    yield ears
    for listener in ears.all:
        listener.close()


def test_the_listeners_hear_what_comes(listeners):
    """The witness itself: without this the silence below would prove nothing."""
    for listener in (listeners.tcp, listeners.unix, listeners.hidden):
        with socket.socket(listener.family) as caller:
            caller.connect(listener.getsockname())
            assert listeners.heard() == [listener]
            listener.accept()[0].close()
    with socket.socket(type=socket.SOCK_DGRAM) as caller:
        caller.sendto(b"x", listeners.udp.getsockname())
    assert listeners.heard() == [listeners.udp]
    listeners.udp.recv(1)


def test_no_kind_of_socket_can_be_made(probe):
    codes = {name: f"syscall('socket', {int(family)}, {int(kind)}, 0)" for name, (family, kind) in KINDS.items()}
    codes["pair"] = "syscall('socketpair', 1, 1, 0, bytes(8))"
    results = probe(codes)
    assert results == dict.fromkeys(results, "EPERM")


def test_nothing_that_calls_out_is_heard(probe, listeners):
    tcp, udp = listeners.tcp.getsockname()[1], listeners.udp.getsockname()[1]
    results = probe(
        {
            "TCP": f"import socket; socket.create_connection(('127.0.0.1', {tcp}))",
            "UDP": f"import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {udp}))",
            "Unix": f"import socket; socket.socket(socket.AF_UNIX).connect({listeners.path!r})",
            "abstract": f"import socket; socket.socket(socket.AF_UNIX).connect('\\0{listeners.abstract}')",
            "HTTP": f"import urllib.request; urllib.request.urlopen('http://127.0.0.1:{tcp}', timeout=2)",
            "a name": "import socket; socket.getaddrinfo('example.org', 80)",
            "keras download": f"tf.keras.utils.get_file('x', 'http://127.0.0.1:{tcp}/x', cache_dir=os.getcwd())",
            "a socket as a file": f"open({listeners.path!r}, 'r+b')",
            "connect on the result pipe": "syscall('connect', 3, bytes(16), 16)",
            "sendto on the result pipe": "syscall('sendto', 3, b'x', 1, 0, 0, 0)",
            "io_uring": "syscall('io_uring_setup', 8, bytes(120))",
        }
    )
    refused = {"keras download": "Exception", "HTTP": "URLError", "a name": "gaierror", "a socket as a file": "EACCES"}
    assert results == dict.fromkeys(results, "EPERM") | refused
    assert listeners.heard() == []
