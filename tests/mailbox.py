"""A mail server that listens on this machine and keeps what comes."""

import contextlib
import ipaddress
import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.mail.mailer import MailServer
from tests.waiting import SECONDS

LINK = re.compile(r"https?://\S+")
USER, PASSWORD = "grader", "password-at-the-mail-server"


class Mailbox:
    """Messages as they came, and the answers of the server.

    Attributes:
        answers: of the next messages, such as ``451 later``; then it takes everything.
        unknown: addresses that it refuses before it reads the message.
        tries: how often a message came, refused or not.
        encrypted: whether each message that was taken came by TLS.
    """

    def __init__(self) -> None:
        self.port = 0
        self.messages: list[EmailMessage] = []
        self.envelopes: list[Envelope] = []
        self.encrypted: list[bool] = []
        self.answers: list[str] = []
        self.unknown: set[str] = set()
        self.tries = 0

    @property
    def server(self) -> MailServer:
        """This server, as the settings of a service name it."""
        return MailServer("127.0.0.1", self.port, "none", "grader@example.org")

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        if address in self.unknown:
            self.tries += 1
            return f"550 no such user {address}"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.tries += 1
        if self.answers:
            return self.answers.pop(0)
        content = envelope.content
        assert isinstance(content, bytes)
        assert server.transport is not None
        self.encrypted.append(server.transport.get_extra_info("sslcontext") is not None)
        self.envelopes.append(envelope)
        message = message_from_bytes(content, policy=default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        return "250 OK"

    def to(self, address: str) -> list[EmailMessage]:
        return [message for message in list(self.messages) if message["To"] == address]


def link_in(message: EmailMessage) -> str:
    link = LINK.search(str(message.get_content()))
    assert link
    return link[0]


@contextlib.contextmanager
def receiving(tls: ssl.SSLContext | None = None, *, at_once: bool = False) -> Iterator[Mailbox]:
    """Listen for mail.

    Args:
        tls: the server's own; then it takes mail by TLS only, and from its account only.
        at_once: TLS begins with the connection, not by STARTTLS.
    """
    box = Mailbox()

    def authenticate(
        server: SMTP, session: Session, envelope: Envelope, mechanism: str, auth_data: LoginPassword
    ) -> AuthResult:
        return AuthResult(success=(auth_data.login, auth_data.password) == (USER.encode(), PASSWORD.encode()))

    class OnAnyPort(Controller):
        def _trigger_server(self) -> None:
            # It connects to its own port, which was 0 until now.
            assert self.server is not None
            self.port = self.server.sockets[0].getsockname()[1]
            super()._trigger_server()

    kwargs: dict[str, Any] = {"hostname": "127.0.0.1", "port": 0, "ready_timeout": SECONDS}
    if tls is not None:
        kwargs |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": not at_once}
        kwargs |= {"ssl_context": tls} if at_once else {"tls_context": tls, "require_starttls": True}
    controller = OnAnyPort(box, **kwargs)
    controller.start()
    box.port = controller.port
    try:
        yield box
    finally:
        controller.stop()


def certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make a certificate of 127.0.0.1. Returns: the server's TLS, and that of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "certificate.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=str(pem))
