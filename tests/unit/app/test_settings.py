"""The settings: what they take from the environment and files, and what they refuse by name."""

from typing import Any

import pytest
from pydantic import ValidationError

from app.settings import Settings, unknown_variables
from grader.sandbox.host.cores import available_cores

SECRET = "the-secret-that-nobody-sees"
OIDC: dict[str, Any] = {
    "public_url": "https://grader.example.org",
    "oidc_issuer": "https://id.example.edu/realms/main",
    "oidc_client_id": "grader",
    "oidc_client_secret": SECRET,
}
MAIL: dict[str, Any] = {
    "public_url": "https://grader.example.org",
    "smtp_host": "mail.example.org",
    "smtp_sender": "g@example.org",
}
ACCOUNT = {"smtp_user": "x", "smtp_password": SECRET}


def test_defaults_need_nothing_and_are_not_open_to_the_network():
    settings = Settings()
    assert settings.host == "127.0.0.1"
    assert settings.upload_bytes == 20_000_000
    assert settings.slots == available_cores()
    assert settings.device == "cpu"
    assert settings.database_url == f"sqlite:///{settings.data_dir}/lstm-grader.sqlite3"
    assert (settings.mail_server, settings.registration) == (None, None)


def test_environment_is_read_and_a_misspelt_variable_found(monkeypatch, tmp_path):
    monkeypatch.setenv("LSTM_GRADER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LSTM_GRADER_PORT", "9000")
    monkeypatch.setenv("LSTM_GRADER_ASSIGNMENTS_DIR", "")
    monkeypatch.setenv("LSTM_GRADER_PROT", "9000")
    settings = Settings()
    assert (settings.data_dir, settings.port, settings.assignments_dir) == (tmp_path, 9000, None)
    assert unknown_variables() == ["LSTM_GRADER_PROT"]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"owner_token": "short"}, "at least 16 characters"),
        ({"owner_token": "with spaces in it, and long"}, "at least 16 characters"),
        ({"owner_token": "owner" * 200}, "at least 16 characters"),
        ({"owner_token": "secretsecretsecret"}, "guessed"),
        ({"metrics_token": "aaaaaaaaaaaaaaaa"}, "guessed"),
        ({"device": "tpu"}, "'cpu', 'gpu' or 'auto'"),
        (OIDC | {"oidc_issuer": "http://id.example.edu"}, "https://"),
        (OIDC | {"oidc_issuer": "https://id.example.edu/?x"}, "https://"),
        (OIDC | {"oidc_issuer": "https://a@b.org"}, "https://"),
        (OIDC | {"oidc_email_domains": "example"}, "expected domains"),
        (OIDC | {"oidc_email_domains": "example.edu;example.org"}, "expected domains"),
        ({"oidc_email_domains": "example.edu"}, "OIDC_ISSUER, LSTM_GRADER_OIDC_CLIENT_ID"),
        *(({**OIDC, missing: None}, f"single sign-on also needs LSTM_GRADER_{missing.upper()}") for missing in OIDC),
        *(({**MAIL, missing: None}, f"mail also needs LSTM_GRADER_{missing.upper()}") for missing in MAIL),
        (MAIL | {"smtp_user": "x"}, "expected both"),
        (MAIL | {"smtp_password": SECRET}, "expected both"),
        (MAIL | ACCOUNT | {"smtp_security": "none"}, "unencrypted"),
        (MAIL | {"smtp_sender": "Grader <g@example.org>"}, "expected an address"),
        (MAIL | {"smtp_sender": "g@example.org\nBcc: x@example.org"}, "expected an address"),
    ],
)
def test_values_that_cannot_be_are_refused_with_reason_without_secrets(values, reason):
    with pytest.raises(ValidationError, match=reason) as caught:
        Settings(**values)
    errors = str(caught.value.errors(include_input=False))
    assert SECRET not in errors
    assert values.get("owner_token", SECRET) not in errors


@pytest.mark.parametrize("name", ["slots", "upload_bytes", "session_seconds", "shutdown_seconds"])
def test_number_that_means_nothing_is_refused_by_name(monkeypatch, name):
    for value in ("0", "nan", "inf"):
        monkeypatch.setenv(f"LSTM_GRADER_{name.upper()}", value)
        with pytest.raises(ValidationError, match=name):
            Settings()


@pytest.mark.parametrize(
    ("host", "public_url", "expected"),
    [
        ("127.0.0.1", None, "http://127.0.0.1:8001"),
        ("::", None, "http://127.0.0.1:8001"),
        ("::1", None, "http://[::1]:8001"),
        ("grader.local", None, "http://grader.local:8001"),
        ("0.0.0.0", "https://grader.example.org/", "https://grader.example.org"),
        ("0.0.0.0", "https://Школа.рф:8443/lstm", "https://xn--80atdl2c.xn--p1ai:8443/lstm"),
    ],
)
def test_url_is_one_that_a_browser_can_open(host, public_url, expected):
    assert Settings(host=host, public_url=public_url).url(8001) == expected


def test_secrets_are_not_shown():
    settings = Settings(owner_token=SECRET, **OIDC | MAIL | ACCOUNT)
    assert settings.registration
    assert settings.mail_server
    assert SECRET not in repr((settings, settings.registration, settings.mail_server))


def test_secret_is_read_from_a_file(monkeypatch, tmp_path):
    (tmp_path / "token").write_text("token-out-of-a-file\n")
    monkeypatch.setenv("LSTM_GRADER_OWNER_TOKEN_FILE", str(tmp_path / "token"))
    token = Settings().owner_token
    assert token.get_secret_value() == "token-out-of-a-file"
    assert unknown_variables() == []
    monkeypatch.setenv("LSTM_GRADER_OWNER_TOKEN", "token-of-the-variable")
    with pytest.raises(ValueError, match="both set") as caught:
        Settings()
    assert "token-of-the-variable" not in str(caught.value)


def test_file_of_a_secret_that_is_not_there_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("LSTM_GRADER_DATABASE_URL_FILE", str(tmp_path / "url"))
    with pytest.raises(ValueError, match=r"LSTM_GRADER_DATABASE_URL_FILE: .*url: No such file"):
        Settings()


def test_services_on_this_machine_need_no_encryption():
    assert Settings(**OIDC | {"oidc_issuer": "http://localhost:9400"}).oidc_issuer == "http://localhost:9400"
    assert Settings(**MAIL | ACCOUNT | {"smtp_security": "none", "smtp_host": "localhost"}).mail_server is not None


def test_domains_of_the_issuer_are_listed_as_dns_writes_them():
    settings = Settings(**OIDC, oidc_email_domains="Example.EDU, students.example.edu, Вуз.рф,")
    assert settings.issuer_domains == {"example.edu", "students.example.edu", "xn--b1ak9a.xn--p1ai"}
    assert Settings(**OIDC).issuer_domains == set()


def test_sender_of_mail_has_its_host_as_dns_writes_it():
    assert Settings(**MAIL | {"smtp_sender": "g@вуз.рф"}).smtp_sender == "g@xn--b1ak9a.xn--p1ai"


@pytest.mark.parametrize(("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_port_of_the_mail_server_follows_from_its_security(security, port):
    server = Settings(**MAIL, smtp_security=security).mail_server
    assert server.port == port
