"""Requests whose end nobody knows: PostgreSQL commits, and its answer does not arrive."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import make_url

from app.settings import Settings
from app.storage import database as database_module
from tests.postgresql import PostgreSQL
from tests.unit.app.calls import PAGE
from tests.unit.app.conftest import OWNER_TOKEN, FakeGrader, form_secret, running
from tests.waiting import until

SUBMISSIONS = "/api/v1/submissions"
STORES = re.compile(rb"INSERT INTO (submissions|webhooks)\b")
FILE = {"file": ("LSTM.py", b"class LSTM: ...")}


class Proxy:
    """Stands between the service and PostgreSQL.

    Attributes:
        loses: "commit": the answer to the COMMIT of a request, not of a background task, and with it the connection;
            "all": from there on every connection too; "silence": the answer, while the connection stays open.
    """

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self.loses: str | None = None
        self.lost = 0
        self.refuses = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._open = 0

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        yield server.sockets[0].getsockname()[1]
        server.close()
        for writer in self._writers:
            writer.close()
        await until(lambda: not self._open)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuses:
            writer.close()
            return
        up_reader, up_writer = await asyncio.open_connection(*self._address)
        self._writers |= {writer, up_writer}
        self._open += 1
        mute = False

        async def answers() -> None:
            while data := await up_reader.read(65536):
                if not mute:
                    writer.write(data)
                elif self.loses != "silence":
                    writer.transport.abort()
            writer.close()

        async def questions() -> None:
            nonlocal mute
            stores = False
            while data := await reader.read(65536):
                stores |= STORES.search(data) is not None
                if self.refuses:
                    writer.transport.abort()
                elif b"COMMIT\0" in data:
                    if stores and self.loses:
                        mute = True
                        self.lost += 1
                        self.refuses = self.loses == "all"
                    stores = False
                up_writer.write(data)
            up_writer.close()

        await asyncio.gather(answers(), questions(), return_exceptions=True)
        self._writers -= {writer, up_writer}
        self._open -= 1

    def heal(self) -> None:
        self.loses, self.refuses = None, False


@pytest.fixture
async def proxy(anyio_backend: str, postgresql: PostgreSQL) -> Proxy:
    url = make_url(postgresql.url())
    assert url.host is not None
    assert url.port is not None
    return Proxy(url.host, url.port)


@pytest.fixture
async def client(
    anyio_backend: str, tmp_path: Path, url_on_postgresql: str, proxy: Proxy
) -> AsyncIterator[httpx.AsyncClient]:
    url = make_url(url_on_postgresql)
    async with proxy.listening() as port:
        settings = Settings(
            data_dir=tmp_path,
            database_url=url.set(port=port).render_as_string(hide_password=False),
            owner_token=OWNER_TOKEN,
        )
        async with running(settings, FakeGrader()) as service, service.client(None) as client:
            yield client
            proxy.heal()


BEARER = {"Authorization": f"Bearer {OWNER_TOKEN}"}


async def submit(client: httpx.AsyncClient, key: str = "k") -> httpx.Response:
    headers = BEARER | {"Idempotency-Key": key, "Accept-Language": "en"}
    return await client.post(SUBMISSIONS, files=FILE, data={"student": "ivanov"}, headers=headers)


async def attempts(client: httpx.AsyncClient) -> list[int]:
    items = (await client.get(SUBMISSIONS, headers=BEARER)).json()["items"]
    return [item["attempt"] for item in items]


async def test_upload_that_was_stored_is_answered_202_though_the_commit_was_not_answered(client, proxy):
    proxy.loses = "commit"
    assert (await submit(client)).status_code == 202
    assert proxy.lost == 1
    proxy.heal()
    assert await attempts(client) == [1]


@pytest.mark.parametrize("loses", ["all", "silence"])
async def test_nothing_is_claimed_of_a_request_whose_end_is_not_known(client, proxy, loses, monkeypatch):
    monkeypatch.setattr(database_module, "COMMIT_SECONDS", 0.5)
    proxy.loses = loses
    answer = await client.post("/api/v1/webhooks", json={"url": "https://example.org/"}, headers=BEARER)
    await until(lambda: proxy.lost == 1)  # On a busy machine the service may lose patience before it has come here.
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (503, "outcome-unknown")
    assert answer.headers["retry-after"]
    assert "changed nothing" not in answer.json()["detail"]
    proxy.heal()

    async def stored() -> list[object]:
        return (await client.get("/api/v1/webhooks", headers=BEARER)).json()["items"]

    assert len(await until(stored)) == 1


async def test_request_that_fails_has_changed_nothing_and_says_so(client, proxy):
    proxy.refuses = True
    for answer in (await submit(client), await client.get(SUBMISSIONS, headers=BEARER | {"Accept-Language": "en"})):
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (503, "storage-unavailable")
        assert "changed nothing" in answer.json()["detail"]
    proxy.heal()
    assert await attempts(client) == []


@pytest.mark.parametrize("page", ["the same", "loaded again"])
async def test_form_that_is_sent_again_after_an_unknown_end_costs_no_second_attempt(client, proxy, page):
    client.headers.update({"Accept": "text/html", "Accept-Language": "en"})
    await client.post("/enter", data={"token": OWNER_TOKEN})

    def fields(html: str) -> dict[str, str]:
        key = re.search(r'name="idempotency_key" value="([^"]+)"', html)
        return {"form_secret": form_secret(html), "idempotency_key": key[1], "student": "ivanov"}

    form = fields((await client.get(PAGE)).text)
    proxy.loses = "all"
    broken = await client.post(PAGE, files=FILE, data=form)
    assert broken.status_code == 503
    assert "not known" in broken.text
    proxy.heal()
    if page == "loaded again":
        form = fields((await client.get(PAGE)).text)
    sent = [await client.post(PAGE, files=FILE, data=form) for _ in range(3)]
    assert {answer.status_code for answer in sent} == {303}
    assert await attempts(client) == [1]
