"""The operator's settings, read only from environment variables named ``LSTM_GRADER_...``.

A secret can be in a file instead, as container platforms provide them: ``LSTM_GRADER_..._FILE`` names it. No other
module of the service reads the environment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from platformdirs import user_data_path
from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt, SecretStr, model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource

from app.client.notebook import in_ascii
from app.mail.addresses import address_of, comparable, domain_of
from app.oidc.registration import CALLBACK_PATH, Registration
from app.oidc.urls import is_loopback, is_safe_url
from grader.sandbox.host.cores import available_cores
from grader.settings import ENV_PREFIX, GradingSettings, variable

if TYPE_CHECKING:
    from app.mail.mailer import MailServer

# The characters of a bearer token (RFC 6750), and enough of them that it cannot be guessed.
OWNER_TOKEN_PATTERN = re.compile(r"[A-Za-z0-9._~+/-]{16,512}=*")
DIFFERENT_CHARACTERS = 8
#: Settings that can be in a file, which the variable ending in ``_FILE`` names.
SECRETS = ("owner_token", "metrics_token", "database_url", "oidc_client_secret", "smtp_password")
# A domain, in the letters that DNS takes.
DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}", re.IGNORECASE)
#: Usual ports of a mail server, by `smtp_security` (RFC 6409, RFC 8314).
SMTP_PORTS = {"starttls": 587, "tls": 465, "none": 25}


def _strong(token: SecretStr) -> SecretStr:
    if not OWNER_TOKEN_PATTERN.fullmatch(token.get_secret_value()):
        raise ValueError("expected at least 16 characters out of A-Z a-z 0-9 . _ ~ + / -")
    if len(set(token.get_secret_value())) < DIFFERENT_CHARACTERS:
        raise ValueError("can be guessed; make one with: openssl rand -hex 32")
    return token


def _known_database(url: str) -> str:
    if url:
        # Imported here, because SQLAlchemy takes a fifth of the time until the sandbox can start.
        from app.storage.urls import database_url

        database_url(url)
    return url


def _public_url(url: str) -> str:
    if not re.fullmatch(r"https?://[^/\s?#]+(/[^\s?#]*)?", url):
        raise ValueError("expected an address such as https://grader.example.org")
    # Browsers and headers have an international host as DNS writes it.
    return in_ascii(url).rstrip("/")


def _issuer(url: str) -> str:
    # OpenID Connect Discovery 1.0, section 3. A trailing slash is part of the issuer.
    if "?" in url or not is_safe_url(url):
        raise ValueError("expected an address that begins with https://, without ? and #")
    return url


def _printable(secret: SecretStr) -> SecretStr:
    # RFC 6749, appendix A.2; it travels in a header.
    if not re.fullmatch("[ -~]+", secret.get_secret_value()):
        raise ValueError("expected printable ASCII characters")
    return secret


def _domain_names(domains: str) -> str:
    if wrong := [name for name in _domains(domains) if not DOMAIN.fullmatch(name)]:
        raise ValueError(f"expected domains such as example.org, separated by commas, not {', '.join(wrong)}")
    return domains


def _address(sender: str) -> str:
    address = address_of(sender)
    if address is None:
        raise ValueError("expected an address such as grader@example.org")
    return address


StrongToken = Annotated[SecretStr, AfterValidator(_strong)]


class Settings(GradingSettings):
    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 in a container")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 takes any free one")
    public_url: Annotated[str, AfterValidator(_public_url)] | None = Field(
        None, description="address of the service as its users see it, when it is behind a proxy"
    )
    data_dir: Path = Field(
        default_factory=lambda: user_data_path("lstm-grader", appauthor=False),
        description="the folder that holds the database; only one service can use it at a time",
    )
    database_url: Annotated[str, AfterValidator(_known_database)] = Field(
        "",
        description="postgresql://user:password@host/name for more than one process; empty: an SQLite file in data_dir",
    )
    upload_bytes: PositiveInt = Field(20_000_000, description="largest accepted file")
    batch_bytes: PositiveInt = Field(300_000_000, description="largest accepted archive of a whole course")
    slots: PositiveInt = Field(
        default_factory=available_cores, description="submissions graded at the same time; by default one per core"
    )
    language: Literal["en", "ru"] | None = Field(
        None,
        description="language for readers who ask for none that we have; by default the assignment's for its reports, "
        "English for the rest",
    )
    owner_token: StrongToken | None = Field(
        None, description="the owner's token, at least 16 characters; without it a new one is made at each start"
    )
    token_requests_per_minute: PositiveInt = Field(6000, description="requests to the API with one token")
    student_uploads_per_minute: PositiveInt = Field(30, description="uploads of one student")
    webhook_private_targets: bool = Field(
        False, description="whether webhooks may go to private networks, and by HTTP without TLS"
    )
    lti_private_targets: bool = Field(
        False, description="whether LTI platforms may be in private networks, and be reached by HTTP without TLS"
    )
    behind_proxy: bool = Field(
        False,
        description="whether all connections come from a proxy that waits for whole requests; slow ones are then "
        "neither timed nor counted, and X-Forwarded-For and X-Forwarded-Proto are believed from any address",
    )
    session_seconds: PositiveInt = Field(7 * 24 * 3600, description="how long a browser stays signed in")
    shutdown_seconds: PositiveFloat = Field(
        8.0,
        allow_inf_nan=False,
        description="how long a stop may take, at least 3; running grades have until 2 seconds before its end, and are "
        "then queued again",
    )
    retention_days: PositiveFloat | None = Field(
        None,
        allow_inf_nan=False,
        le=36500,
        description="age at which submissions and their reports are deleted; by default never",
    )
    queue_seconds: PositiveFloat = Field(
        3600.0,
        allow_inf_nan=False,
        description="uploads are refused with 503 while another one has waited longer than this",
    )
    self_test_seconds: PositiveFloat = Field(
        600.0,
        allow_inf_nan=False,
        description="how often a known answer is graded when no student's grade shows that grading works",
    )
    metrics_token: StrongToken | None = Field(
        None, description="opens /metrics and nothing else; a teacher's or an admin's token opens it as well"
    )
    oidc_issuer: Annotated[str, Field(max_length=500), AfterValidator(_issuer)] | None = Field(
        None,
        description="address of the OpenID Connect issuer whose people may sign in, as it writes it in its tokens",
    )
    oidc_client_id: str | None = Field(None, description="id of this service at the issuer")
    oidc_client_secret: Annotated[SecretStr, AfterValidator(_printable)] | None = Field(
        None, description="secret of this service at the issuer"
    )
    oidc_email_domains: Annotated[str, AfterValidator(_domain_names)] = Field(
        "",
        description="domains, separated by commas, whose addresses the issuer itself gives out; only by such an "
        "address is a person found in a roster",
    )
    smtp_host: str | None = Field(None, description="mail server; without it no mail is sent")
    smtp_port: int | None = Field(
        None, ge=1, le=65535, description="its port; by default 587 for starttls, 465 for tls, 25 for none"
    )
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="how the connection is encrypted; none is for a server on the same machine or network"
    )
    smtp_user: str | None = Field(None, description="account at the mail server, if it wants one")
    smtp_password: SecretStr | None = Field(None, description="password of that account")
    smtp_sender: Annotated[str, AfterValidator(_address)] | None = Field(
        None, description="address that mail comes from"
    )
    worker_port: int | None = Field(
        None, ge=0, le=65535, description="port of a worker's /healthz, /readyz and /metrics; by default none"
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, InitSettingsSource(settings_cls, _secrets_in_files())

    @model_validator(mode="after")
    def _check_sign_on(self) -> Self:
        names = ("oidc_issuer", "oidc_client_id", "oidc_client_secret")
        self._check_together("single sign-on", names, others=("oidc_email_domains",))
        return self

    @model_validator(mode="after")
    def _check_mail(self) -> Self:
        self._check_together("mail", ("smtp_host", "smtp_sender"), others=("smtp_port", "smtp_user", "smtp_password"))
        if (self.smtp_user is None) != (self.smtp_password is None):
            raise ValueError(f"expected both {variable('smtp_user')} and {variable('smtp_password')}, or neither")
        if self.smtp_user is not None and self.smtp_security == "none" and not is_loopback(self.smtp_host or ""):
            raise ValueError(
                f"{variable('smtp_password')} would be sent unencrypted; set {variable('smtp_security')} to starttls "
                "or tls"
            )
        return self

    def _check_together(self, what: str, names: Sequence[str], *, others: Sequence[str]) -> None:
        """Raises: ValueError: something of the feature is set, and one of `names`, or the public address, is not."""
        if not any(getattr(self, name) for name in (*names, *others)):
            return
        # Not from the request's Host header, which the sender chooses.
        missing = [name for name in (*names, "public_url") if not getattr(self, name)]
        if missing:
            raise ValueError(f"{what} also needs {', '.join(map(variable, missing))}")

    @property
    def registration(self) -> Registration | None:
        """This service at the issuer; None: no issuer is set."""
        if self.oidc_issuer is None or self.oidc_client_id is None or self.oidc_client_secret is None:
            return None
        secret = self.oidc_client_secret.get_secret_value()
        return Registration(self.oidc_issuer, self.oidc_client_id, secret, f"{self.public_url}{CALLBACK_PATH}")

    @property
    def issuer_domains(self) -> frozenset[str]:
        """The domains in `oidc_email_domains`, in small letters, as DNS writes them."""
        return frozenset(_domains(self.oidc_email_domains))

    @property
    def mail_server(self) -> MailServer | None:
        if self.smtp_host is None or self.smtp_sender is None:
            return None
        from app.mail.mailer import MailServer

        port = self.smtp_port or SMTP_PORTS[self.smtp_security]
        password = self.smtp_password.get_secret_value() if self.smtp_password else None
        return MailServer(self.smtp_host, port, self.smtp_security, self.smtp_sender, self.smtp_user, password)

    @model_validator(mode="after")
    def _fill_database_url(self) -> Self:
        if not self.database_url:
            object.__setattr__(self, "database_url", f"sqlite:///{self.data_dir / 'lstm-grader.sqlite3'}")
        return self

    def url(self, port: int | None = None) -> str:
        """Return the service's address for users of this machine or of the proxy, without a trailing slash."""
        if self.public_url:
            return self.public_url
        host = self.host
        try:
            address = ip_address(host)
        except ValueError:
            pass
        else:
            if address.is_unspecified:
                host = "127.0.0.1"
            elif address.version == 6:
                host = f"[{host}]"
        return f"http://{host}:{port or self.port}"


def _domains(text: str) -> list[str]:
    return [domain_of(comparable(f"x@{name.strip()}")) for name in text.split(",") if name.strip()]


def unknown_variables() -> list[str]:
    """List environment variables that look like ours but are no settings, such as misspelt ones."""
    known = {variable(name) for name in Settings.model_fields} | {variable(f"{name}_file") for name in SECRETS}
    return sorted(name for name in os.environ if name.upper().startswith(ENV_PREFIX) and name.upper() not in known)


def _secrets_in_files() -> dict[str, str]:
    """Read the secrets in files. Raises: ValueError: a file cannot be read, or its secret is also set directly."""
    secrets = {}
    for name in SECRETS:
        if path := os.environ.get(variable(f"{name}_file")):
            if os.environ.get(variable(name)):
                raise ValueError(f"{variable(name)} and {variable(name)}_FILE are both set; expected one of them")
            try:
                secrets[name] = Path(path).read_text(encoding="utf-8").strip()
            except OSError as exc:
                raise ValueError(f"{variable(name)}_FILE: {path}: {exc.strerror or exc}") from exc
            except UnicodeDecodeError as exc:
                raise ValueError(f"{variable(name)}_FILE: {path} is not text in UTF-8") from exc
    return secrets
