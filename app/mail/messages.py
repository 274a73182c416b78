"""Composes messages. No value that comes from people can add a header or a second recipient."""

from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, make_msgid
from enum import StrEnum

from app.mail.addresses import domain_of, is_address
from app.texts import text

UNSUBSCRIBE = "List-Unsubscribe"
# Stands for the words in the catalogue's text, which replaces line breaks in values.
WORDS = "\N{OBJECT REPLACEMENT CHARACTER}"


class MailKind(StrEnum):
    """The kind of a message. Its texts and their parameters are in app/locale."""

    #: A personal link for somebody in a roster. params: course (title), link
    INVITATION = "invitation"
    #: A new personal link, asked for on the page. params: course (title), link
    NEW_LINK = "new-link"
    #: News about somebody's work. params: course (titles), words (an entry for each), link, off (link)
    NEWS = "news"
    #: A teacher's letter. params: subject, words, course (title), link
    LETTER = "letter"


class MessagePolicy(EmailPolicy):
    """Folds headers, but no links in them: they would be encoded, and mail programs find none then."""

    def fold(self, name: str, value: str) -> str:
        return f"{name}: {value}{self.linesep}" if name == UNSUBSCRIBE else super().fold(name, value)

    def fold_binary(self, name: str, value: str) -> bytes:
        return self.fold(name, value).encode("ascii") if name == UNSUBSCRIBE else super().fold_binary(name, value)


# As every server takes it.
POLICY = MessagePolicy(linesep="\r\n", cte_type="7bit")


def compose(
    sender: str,
    to: str,
    language: str,
    kind: MailKind,
    *,
    words: str = "",
    key: str | None = None,
    off: str | None = None,
    **params: object,
) -> EmailMessage:
    """Write a message of plain text.

    Args:
        sender: an e-mail address.
        language: one of `LANGUAGES`.
        words: lines of the text, as they are.
        key: the same in each try; by it, a mail program knows a message that came twice. None: there is one try.
        off: the link that switches such mail off (RFC 2369, RFC 8058).
    Raises:
        ValueError: `to` is not an address.
    """
    if not is_address(to):
        raise ValueError("expected one e-mail address")
    message = EmailMessage(policy=POLICY)
    message["From"] = Address(addr_spec=sender)
    message["To"] = Address(addr_spec=to)
    # The catalogue replaces line breaks in values; those in the text would be ours.
    message["Subject"] = " ".join(text(f"mail.{kind}.subject", language, **params).split())
    message["Date"] = format_datetime(datetime.now(UTC))
    domain = domain_of(sender)
    message["Message-ID"] = f"<{key}@{domain}>" if key else make_msgid(domain=domain)
    if off is not None:
        message[UNSUBSCRIBE] = f"<{off}>"
        message[f"{UNSUBSCRIBE}-Post"] = "List-Unsubscribe=One-Click"
    # Prevents automatic replies such as holiday notices (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    body = text(f"mail.{kind}.body", language, words=WORDS, off=off, **params)
    message.set_content(body.replace(WORDS, words))
    message["Content-Language"] = language  # `set_content` drops those headers.
    return message
