"""The settings: what they take from the environment and files, and what they refuse by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings, unknown_variables
from grader.sandbox.host.cores import available_cores

SECRET = "the-secret-that-nobody-sees"


def test_defaults_need_nothing_and_are_not_open_to_the_network() -> None:
    settings = Settings()
    assert settings.host == "127.0.0.1"
    assert settings.upload_bytes == 20_000_000
    assert settings.slots == available_cores()
    assert settings.database_url == f"sqlite:///{settings.data_dir}/lstm-grader.sqlite3"


def test_environment_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LSTM_GRADER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LSTM_GRADER_PORT", "9000")
    monkeypatch.setenv("LSTM_GRADER_ASSIGNMENTS_DIR", "")
    settings = Settings()
    assert (settings.data_dir, settings.port, settings.assignments_dir) == (tmp_path, 9000, None)


def test_misspelt_variable_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSTM_GRADER_PROT", "9000")
    monkeypatch.setenv("LSTM_GRADER_PORT", "9000")
    assert unknown_variables() == ["LSTM_GRADER_PROT"]


@pytest.mark.parametrize("token", ["short", "with spaces in it, and long", "owner" * 200])
def test_owner_token_that_is_weak_or_no_token_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(owner_token=token)
    assert token not in str(caught.value.errors(include_input=False))


def test_secrets_are_not_shown() -> None:
    signing_in = {"oidc_issuer": "https://id.example.org", "oidc_client_id": "grader", "oidc_client_secret": SECRET}
    mail = {"smtp_host": "mail.example.org", "smtp_sender": "a@example.org", "smtp_user": "a", "smtp_password": SECRET}
    settings = Settings(owner_token=SECRET, public_url="https://grader.example.org", **signing_in, **mail)
    assert settings.registration
    assert settings.mail_server
    assert SECRET not in repr((settings, settings.registration, settings.mail_server))


@pytest.mark.parametrize("name", ["slots", "upload_bytes", "session_seconds", "shutdown_seconds"])
def test_a_number_that_means_nothing_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for value in ("0", "-1", "nan", "inf", "many"):
        monkeypatch.setenv(f"LSTM_GRADER_{name.upper()}", value)
        with pytest.raises(ValidationError, match=name):
            Settings()


@pytest.mark.parametrize(
    ("host", "public_url", "expected"),
    [
        ("127.0.0.1", None, "http://127.0.0.1:8001"),
        ("0.0.0.0", None, "http://127.0.0.1:8001"),
        ("::", None, "http://127.0.0.1:8001"),
        ("::1", None, "http://[::1]:8001"),
        ("grader.local", None, "http://grader.local:8001"),
        ("0.0.0.0", "https://grader.example.org/", "https://grader.example.org"),
    ],
)
def test_url_is_one_that_a_browser_can_open(host: str, public_url: str | None, expected: str) -> None:
    assert Settings(host=host, public_url=public_url).url(8001) == expected


def test_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1  # type: ignore[misc]


def test_known_device_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for device in ("cpu", "gpu", "auto"):
        monkeypatch.setenv("LSTM_GRADER_DEVICE", device)
        assert Settings().device == device


def test_unknown_device_is_refused() -> None:
    with pytest.raises(ValidationError, match="'cpu', 'gpu' or 'auto'"):
        Settings(device="tpu")  # type: ignore[arg-type]


def test_submissions_run_on_the_cpu_unless_the_operator_says_otherwise() -> None:
    assert Settings().device == "cpu"


@pytest.mark.parametrize("token", ["aaaaaaaaaaaaaaaa", "secretsecretsecret"])
def test_owner_token_that_repeats_itself_is_refused(token: str) -> None:
    with pytest.raises(ValidationError, match="guessed"):
        Settings(owner_token=token)


def test_secret_is_read_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("token-out-of-a-file\n")
    monkeypatch.setenv("LSTM_GRADER_OWNER_TOKEN_FILE", str(tmp_path / "token"))
    token = Settings().owner_token
    assert token is not None
    assert token.get_secret_value() == "token-out-of-a-file"
    assert unknown_variables() == []


def test_secret_in_a_file_and_in_a_variable_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LSTM_GRADER_OWNER_TOKEN", "token-of-the-variable")
    monkeypatch.setenv("LSTM_GRADER_OWNER_TOKEN_FILE", str(tmp_path / "token"))
    with pytest.raises(ValueError, match="both set") as caught:
        Settings()
    assert "token-of-the-variable" not in str(caught.value)


def test_file_of_a_secret_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LSTM_GRADER_DATABASE_URL_FILE", str(tmp_path / "url"))
    with pytest.raises(ValueError, match=r"LSTM_GRADER_DATABASE_URL_FILE: .*url: No such file"):
        Settings()


OIDC = {
    "public_url": "https://grader.example.org",
    "oidc_issuer": "https://id.example.edu/realms/main",
    "oidc_client_id": "grader",
    "oidc_client_secret": "secret-of-the-client",
}
MAIL = {"public_url": "https://grader.example.org", "smtp_host": "mail.example.org", "smtp_sender": "g@example.org"}


@pytest.mark.parametrize("missing", OIDC)
def test_single_sign_on_that_is_half_set_is_refused_and_says_what_is_missing(missing: str) -> None:
    with pytest.raises(ValidationError, match=f"single sign-on also needs LSTM_GRADER_{missing.upper()}") as caught:
        Settings(**{name: value for name, value in OIDC.items() if name != missing})
    assert "secret-of-the-client" not in str(caught.value.errors(include_input=False))


@pytest.mark.parametrize("missing", MAIL)
def test_mail_that_is_half_set_is_refused_and_says_what_is_missing(missing: str) -> None:
    with pytest.raises(ValidationError, match=f"mail also needs LSTM_GRADER_{missing.upper()}"):
        Settings(**{name: value for name, value in MAIL.items() if name != missing})


def test_domains_alone_set_no_single_sign_on() -> None:
    with pytest.raises(ValidationError, match="OIDC_ISSUER, LSTM_GRADER_OIDC_CLIENT_ID"):
        Settings(oidc_email_domains="example.edu")


@pytest.mark.parametrize(
    "issuer",
    ["http://id.example.edu", "id.example.edu", "https://id.example.edu/?x", "https://a@b.org", "https://a.org#x", ""],
)
def test_issuer_that_cannot_be_trusted_with_secrets_is_refused(issuer: str) -> None:
    with pytest.raises(ValidationError, match=r"https://|also needs"):
        Settings(**OIDC | {"oidc_issuer": issuer})


def test_issuer_on_this_machine_needs_no_tls() -> None:
    assert Settings(**OIDC | {"oidc_issuer": "http://localhost:9400"}).oidc_issuer == "http://localhost:9400"


def test_domains_of_the_issuer_are_listed_in_small_letters() -> None:
    settings = Settings(**OIDC, oidc_email_domains="Example.EDU, students.example.edu,")
    assert settings.issuer_domains == {"example.edu", "students.example.edu"}
    assert Settings(**OIDC).issuer_domains == set()


@pytest.mark.parametrize("domains", ["*.example.edu", "@example.edu", "example", "example.edu;example.org"])
def test_domain_that_is_none_is_refused(domains: str) -> None:
    with pytest.raises(ValidationError, match="expected domains"):
        Settings(**OIDC, oidc_email_domains=domains)


@pytest.mark.parametrize(("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_port_of_the_mail_server_follows_from_its_security(security: str, port: int) -> None:
    server = Settings(**MAIL, smtp_security=security).mail_server
    assert server is not None
    assert server.port == port
    assert Settings().mail_server is None


@pytest.mark.parametrize("alone", ["smtp_user", "smtp_password"])
def test_account_at_the_mail_server_needs_both_parts(alone: str) -> None:
    with pytest.raises(ValidationError, match="expected both"):
        Settings(**MAIL, **{alone: "x"})


def test_password_does_not_travel_unencrypted() -> None:
    account = {"smtp_user": "x", "smtp_password": "y", "smtp_security": "none"}
    with pytest.raises(ValidationError, match="unencrypted"):
        Settings(**MAIL, **account)
    assert Settings(**MAIL | account | {"smtp_host": "localhost"}).mail_server is not None


@pytest.mark.parametrize("sender", ["grader", "Grader <g@example.org>", "g@example.org\nBcc: x@example.org"])
def test_sender_is_one_address(sender: str) -> None:
    with pytest.raises(ValidationError, match="expected an address"):
        Settings(**MAIL | {"smtp_sender": sender})
