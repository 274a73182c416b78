"""Messages: whatever people write, a message goes to one address and has our headers only."""

from email import message_from_bytes
from email.policy import SMTP, default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.mail.addresses import address_of, comparable, domain_of, is_address
from app.mail.mailer import MailServer
from app.mail.messages import MailKind, compose

LINK = "https://grader.example.org/enter?token=lstmg_" + "x" * 43
OURS = {
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Content-Language",
    "Auto-Submitted",
    "Content-Type",
    "Content-Transfer-Encoding",
    "MIME-Version",
}


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("kind", MailKind)
def test_message_says_what_it_is_about_in_the_language_of_the_course(kind, language):
    message = compose("grader@example.org", "ivanov@example.edu", language, kind, course="Сети 2026", link=LINK)
    read = message_from_bytes(message.as_bytes(), policy=default)
    assert "Сети 2026" in read["Subject"]
    assert LINK in read.get_content().splitlines()
    assert read["Content-Language"] == language
    assert read["Message-ID"].endswith("@example.org>")


@pytest.mark.parametrize(
    "to",
    [
        "",
        "a@b, c@d",
        "a@b\r\nBcc: c@d",
        "A <a@b>",
        '"a b"@c',
        "а@example.edu",
        "a@-b.org",
        "a" * 65 + "@b.org",
        "a@" + "b." * 130 + "org",
    ],
)
def test_text_that_is_not_one_address_gets_no_mail(to):
    assert not is_address(to)
    with pytest.raises(ValueError, match="address"):
        compose("grader@example.org", to, "en", MailKind.NEW_LINK, course="x", link=LINK)


@given(course=st.text(max_size=300), to=st.text(max_size=30) | st.just("ivanov@example.edu"))
def test_values_add_no_header_and_no_recipient(course, to):
    try:
        message = compose("grader@example.org", to, "en", MailKind.INVITATION, course=course, link=LINK)
    except ValueError:
        return
    read = message_from_bytes(message.as_bytes(policy=SMTP), policy=default)
    assert set(read.keys()) == OURS
    assert [address.addr_spec for address in read["To"].addresses] == [to]
    assert LINK in read.get_content()


def test_addresses_are_compared_in_small_letters_and_nothing_else_is_folded():
    assert comparable("Ivan.Ivanov@Example.EDU ") == "ivan.ivanov@example.edu"
    assert comparable("ivan+x@example.edu") != comparable("ivan@example.edu")
    assert domain_of("ivan@Example.EDU") == "example.edu"


def test_domain_of_another_alphabet_is_written_as_mail_travels():
    assert comparable("Ivan@Почта.рф") == "ivan@xn--80a1acny.xn--p1ai"
    assert address_of("Ivan@почта.рф") == "Ivan@xn--80a1acny.xn--p1ai"
    assert comparable("Не почта") == "не почта"
    assert address_of("Иван@почта.рф") is address_of("ivan@почта..рф") is address_of(None) is None


def test_password_of_the_mail_server_is_not_shown():
    assert "secret" not in repr(MailServer("localhost", 25, "none", "grader@example.org", "user", "secret"))
