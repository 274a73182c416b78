"""Composes messages. No value that comes from people can add a header or a second recipient."""

from __future__ import annotations

from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from enum import StrEnum

from app.mail.addresses import domain_of, is_address
from app.texts import text


class MailKind(StrEnum):
    """The kind of a message. Its texts and their parameters are in app/locale."""

    #: A personal link for somebody in a roster. params: course (title), link
    INVITATION = "invitation"
    #: A new personal link, asked for on the page. params: course (title), link
    NEW_LINK = "new-link"


def compose(sender: str, to: str, language: str, kind: MailKind, **params: object) -> EmailMessage:
    """Write a message of plain text.

    Args:
        sender: an e-mail address.
        language: one of `LANGUAGES`.
    Raises:
        ValueError: `to` is not an address.
    """
    if not is_address(to):
        raise ValueError("expected one e-mail address")
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(addr_spec=sender)
    message["To"] = Address(addr_spec=to)
    # The catalogue replaces line breaks in values; those in the text would be ours.
    message["Subject"] = " ".join(text(f"mail.{kind}.subject", language, **params).split())
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = make_msgid(domain=domain_of(sender))
    # Prevents automatic replies such as holiday notices (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text(f"mail.{kind}.body", language, **params))
    message["Content-Language"] = language  # `set_content` drops those headers.
    return message
