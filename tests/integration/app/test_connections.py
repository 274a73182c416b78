"""Connections that begin a request and do not end it, on a real server; and a stop that hangs."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request

from app.http import serving as limits
from app.http.serving import Server, UnfinishedConnections, listen
from app.settings import Settings
from app.stopping import connection_seconds, grading_seconds
from tests.waiting import SECONDS, until

HALF = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 4\r\nX-Slow: "


@contextlib.asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[tuple[int, UnfinishedConnections | None]]:
    """A server whose answer is the length of the body; its port, and what it knows of unfinished headers."""
    app = FastAPI()

    @app.post("/")
    async def length(request: Request) -> int:
        return len(await request.body())

    @app.post("/refused")
    async def refused() -> int:
        return 0

    server = Server(app, settings)
    unfinished = getattr(server.config.http, "keywords", {}).get("unfinished")
    with listen("127.0.0.1", 0) as listener:
        task = asyncio.create_task(server.serve([listener]))
        try:
            yield listener.getsockname()[1], unfinished
        finally:
            server.should_exit = True
            await task


OPENED: list[asyncio.StreamWriter] = []


@pytest.fixture(autouse=True)
async def close(anyio_backend: str) -> AsyncIterator[None]:
    yield
    while OPENED:
        writer = OPENED.pop()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def begin(port: int, sent: bytes = HALF) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    OPENED.append(writer)
    writer.write(sent)
    return reader, writer


async def finish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: bytes) -> bytes:
    """Send the rest; returns the answer."""
    writer.write(sent)
    head = await reader.readuntil(b"\r\n\r\n")
    return head + await reader.readexactly(1)


@contextlib.asynccontextmanager
async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    """Send byte by byte meanwhile. A byte after the end is answered with a reset, which can overtake the answer."""

    async def drip() -> None:
        while not reader.at_eof():
            writer.write(b"x")
            await asyncio.sleep(0.01)  # Sleeps: a client that sends slowly is refused here.

    sending = asyncio.create_task(drip())
    with contextlib.suppress(ConnectionResetError):
        yield
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


@pytest.mark.parametrize(
    ("sent", "drips"), [(b"", False), (HALF, False), (HALF, True)], ids=["nothing", "half a header", "byte by byte"]
)
async def test_a_header_that_does_not_end_in_time_is_given_up(tmp_path, monkeypatch, sent, drips):
    monkeypatch.setattr(limits, "HEADER_SECONDS", 0.3)
    async with serving(Settings(data_dir=tmp_path)) as (port, unfinished):
        reader, writer = await begin(port, sent)
        async with dripping(reader, writer) if drips else contextlib.nullcontext():
            assert (await asyncio.wait_for(reader.read(), SECONDS)).startswith(b"HTTP/1.1 408 ")
        assert len(unfinished) == 0


async def test_the_rest_of_a_body_that_was_answered_has_a_deadline(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "REST_SECONDS", 0.3)
    async with serving(Settings(data_dir=tmp_path)) as (port, _):
        reader, writer = await begin(port, HALF.replace(b"/ ", b"/refused ").replace(b"4", b"60000") + b"1\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        async with dripping(reader, writer):
            await asyncio.wait_for(reader.read(), SECONDS)


async def test_a_body_and_the_time_between_requests_owe_no_header(tmp_path):
    async with serving(Settings(data_dir=tmp_path)) as (port, unfinished):
        reader, writer = await begin(port)
        await until(lambda: len(unfinished) == 1)
        writer.write(b"1\r\n\r\n12")
        await until(lambda: not len(unfinished))
        assert (await finish(reader, writer, b"34")).endswith(b"4")
        assert len(unfinished) == 0
        # On the same connection again.
        writer.write(HALF)
        await until(lambda: len(unfinished) == 1)
        assert (await finish(reader, writer, b"1\r\n\r\n1234")).endswith(b"4")
        assert len(unfinished) == 0


async def test_oldest_of_too_many_connections_is_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "MOST_UNFINISHED", 20)
    monkeypatch.setattr(limits, "YOUNG_SECONDS", 0)
    async with serving(Settings(data_dir=tmp_path)) as (port, unfinished):
        half = [await begin(port) for _ in range(20)]
        await until(lambda: len(unfinished) == 20)
        answers = [await finish(*(await begin(port)), b"1\r\n\r\n1234") for _ in range(3)]
        assert {answer[-1:] for answer in answers} == {b"4"}
        for reader, _ in half[:1]:
            assert (await asyncio.wait_for(reader.read(), SECONDS)).startswith(b"HTTP/1.1 408 ")
        assert (await finish(*half[-1], b"1\r\n\r\n1234")).endswith(b"4")


async def test_many_that_come_at_once_are_not_too_many(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "MOST_UNFINISHED", 5)
    monkeypatch.setattr(limits, "YOUNG_SECONDS", SECONDS)
    async with serving(Settings(data_dir=tmp_path)) as (port, _):
        clients = await asyncio.gather(*(begin(port) for _ in range(100)))
        answers = await asyncio.gather(*(finish(*each, b"1\r\n\r\n1234") for each in clients))
        assert {answer[-1:] for answer in answers} == {b"4"}


async def test_behind_a_proxy_nothing_is_timed(tmp_path):
    async with serving(Settings(data_dir=tmp_path, behind_proxy=True)) as (port, unfinished):
        assert unfinished is None
        assert (await finish(*(await begin(port)), b"1\r\n\r\n1234")).endswith(b"4")


@pytest.mark.parametrize(
    ("behind_proxy", "seen"), [(True, "https 203.0.113.7"), (False, "http 172.18.0.5")], ids=["proxy", "nobody"]
)
async def test_only_a_proxy_is_believed_from_another_address(tmp_path, behind_proxy, seen):
    """A proxy in a container of its own does not come from 127.0.0.1."""
    app = FastAPI()

    @app.get("/")
    async def asked(request: Request) -> str:
        return f"{request.url.scheme} {request.client.host}"

    config = Server(app, Settings(data_dir=tmp_path, behind_proxy=behind_proxy)).config
    config.load()
    transport = httpx.ASGITransport(config.loaded_app, client=("172.18.0.5", 4711))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://grader.test") as client:
        answer = await client.get("/", headers={"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"})
    assert answer.json() == seen


def test_a_proxy_ends_idle_connections_before_the_service_does(tmp_path):
    """A request that meets a connection just being closed is answered 502 by the proxy."""
    config = Server(FastAPI(), Settings(data_dir=tmp_path, behind_proxy=True)).config
    assert config.timeout_keep_alive > 60  # nginx' own `keepalive_timeout`


HANGING = """
import logging, threading
from app import stopping
logging.basicConfig()
stopping.LEAST_SECONDS = 0
threading.Thread(target=threading.Event().wait).start()
stopping.end_in_time(0.2)
"""


def test_a_process_that_does_not_end_by_itself_is_ended():
    ended = subprocess.run(
        [sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert (ended.returncode, "stop_cut_short" in ended.stderr) == (0, True)


@pytest.mark.parametrize("stop_seconds", [0.5, 4, 60])
def test_open_requests_end_before_the_stop_does(stop_seconds):
    assert (
        0 < connection_seconds(stop_seconds) <= grading_seconds(stop_seconds) <= stop_seconds - min(2, stop_seconds / 2)
    )
