"""The client of addresses that others have chosen: what it reads of an answer, and what it takes from the service."""

import asyncio
import gc
import socket
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from app.errors import AnswerUnusable
from app.outgoing import client as outgoing
from app.outgoing import targets
from app.outgoing.client import Answer, Outgoing
from app.outgoing.targets import look_up
from tests.waiting import SECONDS, until


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    async def public(host: str, port: int, *, private: bool) -> list[str]:
        return ["203.0.113.9"]

    monkeypatch.setattr(outgoing, "look_up", public)


async def get(answer: Callable[[], httpx.Response], seconds: float = 10.0) -> Answer:
    """Get an answer of 1000 bytes at most."""
    transport = httpx.MockTransport(lambda _: answer())
    async with Outgoing(private=False, transport=transport, seconds=seconds) as client:
        return await client.send("GET", "https://lms.example.edu/", most_bytes=1000)


async def refusal(answer: Callable[[], httpx.Response], seconds: float = 10.0) -> str:
    with pytest.raises(AnswerUnusable) as caught:
        await get(answer, seconds)
    return str(caught.value.params["reason"])


async def test_each_request_asks_for_plain_bytes_and_takes_no_cookie_along(known):
    asked: list[tuple[str | None, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.headers.get("cookie"), request.headers["Accept-Encoding"]))
        return httpx.Response(200, headers={"Set-Cookie": "session=x"})

    async with Outgoing(private=False, transport=httpx.MockTransport(answer)) as client:
        for _ in range(2):
            await client.send("GET", "https://lms.example.edu/")
    assert asked == [(None, "identity")] * 2


class Packed(httpx.AsyncByteStream):
    """A body that must not be unpacked: a hundred bytes, packed twice, can be a hundred megabytes at once."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        raise AssertionError("it was read")
        yield b""


@pytest.mark.parametrize("encoding", ["gzip", "GZIP, gzip", "x"])
async def test_packed_answer_is_refused_before_it_is_read(known, encoding):
    packed = httpx.Response(200, headers={"Content-Encoding": encoding}, stream=Packed())
    assert "compressed" in await refusal(lambda: packed)


class Drip(httpx.AsyncByteStream):
    """Gives one byte after the other, each of them soon enough, for longer than is waited."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b" "
            await asyncio.sleep(0.0075)  # Sleeps: this is what is slow


async def test_slow_endless_and_broken_answers_are_not_waited_for(known):
    def breaks() -> httpx.Response:
        raise httpx.RemoteProtocolError("cut")

    assert await refusal(lambda: httpx.Response(200, stream=Drip()), seconds=0.05) == "no answer in time"
    assert await refusal(lambda: httpx.Response(200, content=b"x" * 1001)) == "the answer is longer than 1000 bytes"
    assert await refusal(breaks) == "RemoteProtocolError: cut"


async def test_answer_may_be_as_long_as_was_said_and_a_redirect_is_one(known):
    moved = httpx.Response(302, headers={"Location": "http://169.254.169.254/"}, content=b"x" * 1000)
    answer = await get(lambda: moved)
    assert (answer.status, len(answer.body)) == (302, 1000)


async def test_international_name_is_looked_up_and_certified_as_it_is_asked(monkeypatch):
    """By its older rules, the system would look up `strasse`, which is somebody else."""
    name, asked = "xn--strae-oqa.example", []

    async def look_up(host: str, port: int, *, private: bool) -> list[str]:
        asked.append(host)
        return ["203.0.113.9"]

    def answer(request: httpx.Request) -> httpx.Response:
        asked.extend([request.extensions["sni_hostname"], request.headers["Host"]])
        return httpx.Response(204)

    monkeypatch.setattr(outgoing, "look_up", look_up)
    async with Outgoing(private=False, transport=httpx.MockTransport(answer)) as client:
        await client.send("POST", "https://straße.example/")
    assert asked == [name] * 3


async def test_names_whose_servers_are_silent_keep_no_other_work_waiting(monkeypatch):
    """The threads that wait for them are not those that store uploads."""
    released = threading.Event()

    def silent(*_: object, **__: object) -> list[Any]:
        released.wait()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 443))]

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    hosts = [f"{number}.example.edu" for number in range(100)]
    waiting = [asyncio.create_task(look_up(host, 443, private=False)) for host in hosts]
    try:
        assert await until(lambda: asyncio.to_thread(lambda: True))
    finally:
        released.set()
    assert await asyncio.gather(*waiting) == [["8.8.8.8"]] * 100


async def test_names_of_one_host_that_are_silent_leave_threads_for_others(monkeypatch):
    released = threading.Event()

    def found(host: str, port: int, **_: object) -> list[Any]:
        if host == "silent.example.edu":
            released.wait()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", port))]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    ports = range(443, 543)
    waiting = [asyncio.create_task(look_up("silent.example.edu", port, private=False)) for port in ports]
    await asyncio.sleep(0)  # All of them begin.
    try:
        async with asyncio.timeout(SECONDS):
            assert await look_up("lms.example.edu", 443, private=False) == ["8.8.8.8"]
        waiting.pop(0).cancel()  # A request whose time is over.
    finally:
        released.set()
    assert await asyncio.gather(*waiting) == [["8.8.8.8"]] * 99


async def test_lookup_that_fails_when_nobody_waits_any_more_is_no_fault(monkeypatch):
    begun, released = threading.Event(), threading.Event()
    faults: list[Any] = []

    def unknown(*_: object, **__: object) -> None:
        begun.set()
        released.wait()
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr(asyncio.get_running_loop(), "call_exception_handler", faults.append)
    waiting = asyncio.create_task(look_up("gone.example.edu", 443, private=False))
    await until(begun.is_set)
    waiting.cancel()
    await asyncio.wait([waiting])
    del waiting  # It would keep what it waited for.
    last = threading.Event()  # Last of all who asked to be told.
    targets._running["gone.example.edu"].add_done_callback(lambda _: last.set())
    released.set()
    await until(last.is_set)
    for _ in range(3):  # What the thread has told this loop is heard.
        await asyncio.sleep(0)
    gc.collect()
    assert faults == []


@pytest.mark.parametrize(
    ("body", "document"),
    [(b"\xef\xbb\xbf[1]", [1]), (b' {"a": "\xc3\xa9"}\n', {"a": "\N{LATIN SMALL LETTER E WITH ACUTE}"})],
    ids=["with a mark of the byte order", "as it should be"],
)
def test_json_is_read(body, document):
    assert Answer(200, httpx.Headers(), body).json() == document


@pytest.mark.parametrize(
    "body",
    [b"", b"<p>", b"[1", b"[" * 100_000, b'"\\ud800"', b"\xff", b"[NaN]", b"1" * 10_000],
    ids=lambda body: str(body[:9]),
)
def test_anything_else_is_no_json(body):
    with pytest.raises(AnswerUnusable):
        Answer(200, httpx.Headers(), body).json()
