"""Certificates that requests of ours believe: of the system's authorities, and those that SSL_CERT_FILE adds."""

from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from app.errors import AnswerUnusable, IssuerUnavailable
from app.oidc.flow import begin
from app.oidc.issuer import Issuer
from app.outgoing.client import Outgoing
from tests.issuers import REGISTRATION
from tests.mailbox import certificate
from tests.ports import answering


class _Answers(BaseHTTPRequestHandler):
    paths: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.paths.append(self.path)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """The address of a platform whose certificate no public authority has signed: `certificate.pem` has."""
    tls, _ = certificate(tmp_path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    with answering(server):
        yield f"https://127.0.0.1:{server.server_port}"


@pytest.fixture(params=[True, False], ids=["known", "unknown"])
def is_known(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(_Answers, "paths", [])
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    if request.param:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    return bool(request.param)


async def test_platform_and_webhook_are_believed_by_the_authorities_of_the_system(url, is_known, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")  # It would look up names by itself.
    async with Outgoing(private=True) as client:
        if is_known:
            assert (await client.send("GET", url)).status == 204
        else:
            with pytest.raises(AnswerUnusable) as caught:
                await client.send("GET", url)
            assert "certificate" in caught.value.params["reason"]


async def test_issuer_is_believed_by_the_authorities_of_the_system(url, is_known):
    async with Issuer(replace(REGISTRATION, issuer=url)) as issuer:
        with pytest.raises(IssuerUnavailable):  # It answers with nothing.
            await issuer.address(begin("/"))
    assert bool(_Answers.paths) == is_known
