"""The operator's settings, from environment variables named ``LSTM_GRADER_...`` and from nowhere else.

A secret can come in a file instead, as container platforms provide them: ``LSTM_GRADER_..._FILE`` names it. No other
module of the service reads the environment.
"""

from __future__ import annotations

import os
import re
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self

from platformdirs import user_data_path
from pydantic import Field, PositiveFloat, PositiveInt, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource

from app.storage.engines import database_url
from grader.sandbox.host.cores import available_cores
from grader.settings import ENV_PREFIX, GradingSettings, variable

# The characters of a bearer token (RFC 6750), and enough of them that nobody can guess it.
OWNER_TOKEN_PATTERN = re.compile(r"[A-Za-z0-9._~+/-]{16,512}=*")
DIFFERENT_CHARACTERS = 8
#: Settings that can come in a file, which the variable ending in ``_FILE`` names.
SECRETS = ("owner_token", "metrics_token", "database_url")


class Settings(GradingSettings):
    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 in a container")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 takes any free one")
    public_url: str | None = Field(
        None, description="address of the service as its users see it, when it is behind a proxy"
    )
    data_dir: Path = Field(
        default_factory=lambda: user_data_path("lstm-grader", appauthor=False),
        description="the folder that holds the database; only one service can use it at a time",
    )
    database_url: str = Field(
        "",
        description="postgresql://user:password@host/name for more than one process; empty: an SQLite file in data_dir",
    )
    upload_bytes: PositiveInt = Field(20_000_000, description="largest accepted file")
    slots: PositiveInt = Field(
        default_factory=available_cores, description="submissions graded at the same time; by default one per core"
    )
    language: Literal["en", "ru"] | None = Field(
        None,
        description="language for readers who ask for none that we have; by default the assignment's for its reports, "
        "English for the rest",
    )
    owner_token: SecretStr | None = Field(
        None, description="the owner's token, at least 16 characters; without it a new one is made at each start"
    )
    token_requests_per_minute: PositiveInt = Field(6000, description="requests to the API with one token")
    student_uploads_per_minute: PositiveInt = Field(30, description="uploads of one student")
    webhook_private_targets: bool = Field(
        False, description="whether webhooks may go to private networks, and by HTTP without TLS"
    )
    behind_proxy: bool = Field(
        False,
        description="whether all connections come from a proxy that waits for whole requests; slow ones are then "
        "neither timed nor counted",
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
    metrics_token: SecretStr | None = Field(
        None, description="opens /metrics and nothing else; a teacher's or an admin's token opens it as well"
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

    @field_validator("owner_token", "metrics_token")
    @classmethod
    def _token_is_strong(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None:
            if not OWNER_TOKEN_PATTERN.fullmatch(token.get_secret_value()):
                raise ValueError("expected at least 16 characters out of A-Z a-z 0-9 . _ ~ + / -")
            if len(set(token.get_secret_value())) < DIFFERENT_CHARACTERS:
                raise ValueError("can be guessed; make one with: openssl rand -hex 32")
        return token

    @field_validator("database_url")
    @classmethod
    def _database_is_known(cls, url: str) -> str:
        if url:
            database_url(url)
        return url

    @field_validator("public_url")
    @classmethod
    def _public_url_is_a_url(cls, url: str | None) -> str | None:
        if url is not None and not re.fullmatch(r"https?://[^/\s?#]+(/[^\s?#]*)?", url):
            raise ValueError("expected an address such as https://grader.example.org")
        return url.rstrip("/") if url else url

    @model_validator(mode="after")
    def _fill_database_url(self) -> Self:
        if not self.database_url:
            object.__setattr__(self, "database_url", f"sqlite:///{self.data_dir / 'lstm-grader.sqlite3'}")
        return self

    def url(self, port: int | None = None) -> str:
        """Return the service's address for users of this machine or of the proxy, without a slash at the end."""
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


def unknown_variables() -> list[str]:
    """List environment variables that look like ours and set nothing, such as a misspelt one."""
    known = {variable(name) for name in Settings.model_fields} | {variable(f"{name}_file") for name in SECRETS}
    return sorted(name for name in os.environ if name.upper().startswith(ENV_PREFIX) and name.upper() not in known)


def _secrets_in_files() -> dict[str, str]:
    """Raises: OSError: a file cannot be read; ValueError: a secret is set by a variable as well."""
    found = {}
    for name in SECRETS:
        if path := os.environ.get(variable(f"{name}_file")):
            if os.environ.get(variable(name)):
                raise ValueError(f"{variable(name)} and {variable(name)}_FILE are both set; expected one of them")
            try:
                found[name] = Path(path).read_text(encoding="utf-8").strip()
            except UnicodeDecodeError as exc:
                raise ValueError(f"{path} is not text in UTF-8") from exc
    return found
