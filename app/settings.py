"""What an operator can set, from environment variables named ``LSTM_GRADER_...`` and from nowhere else.

A secret can stand in a file instead, as container platforms hand them out: ``LSTM_GRADER_..._FILE`` names it. This is
the only file of the service that reads the environment.
"""

from __future__ import annotations

import os
import re
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self

from platformdirs import user_cache_path, user_data_path
from pydantic import Field, PositiveFloat, PositiveInt, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from app.storage.database import database_url
from grader.sandbox import CAN_BE_MISSING, DeviceChoice
from grader.sandbox.cores import available_cores

ENV_PREFIX = "LSTM_GRADER_"
# What a bearer token may be made of (RFC 6750), and long enough not to be guessed.
OWNER_TOKEN_PATTERN = re.compile(r"[A-Za-z0-9._~+/-]{16,512}=*")
DIFFERENT_CHARACTERS = 8
#: Settings that can come in a file, whose name stands in the variable with ``_FILE`` at its end.
SECRETS = ("owner_token", "metrics_token", "database_url")


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 in a container")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 takes any free one")
    public_url: str | None = Field(
        None, description="address of the service as its users see it, when a proxy stands before it"
    )
    data_dir: Path = Field(
        default_factory=lambda: user_data_path("lstm-grader", appauthor=False),
        description="the folder that holds the database; only one service can use it at a time",
    )
    cache_dir: Path = Field(
        default_factory=lambda: user_cache_path("lstm-grader", appauthor=False),
        description="the folder that holds reference answers; can be deleted at any time",
    )
    database_url: str = Field(
        "",
        description="postgresql://user:password@host/name for more than one process; empty: an SQLite file in data_dir",
    )
    assignments_dir: Path | None = Field(None, description="folder with assignment files besides the built-in ones")
    upload_bytes: PositiveInt = Field(20_000_000, description="largest accepted file")
    accept_missing: str = Field(
        "",
        description=f"parts of the wall around submissions to run without: of {', '.join(CAN_BE_MISSING)}, with commas",
    )
    device: DeviceChoice = Field(
        "cpu", description="what submissions run on: cpu, gpu, or auto: a GPU where there is one that the box can use"
    )
    slots: PositiveInt = Field(
        default_factory=available_cores, description="submissions graded at the same time; by default one per core"
    )
    language: Literal["en", "ru"] | None = Field(
        None,
        description="where a reader asks for no language that we have; by default the assignment's for its reports, "
        "English for the rest",
    )
    owner_token: SecretStr | None = Field(
        None, description="the owner's token, at least 16 characters; without it a new one is made at each start"
    )
    token_requests_per_minute: PositiveInt = Field(6000, description="requests to the API with one token")
    student_uploads_per_minute: PositiveInt = Field(30, description="uploads of one student")
    webhook_private_targets: bool = Field(
        False, description="whether webhooks may lead into private networks, and by HTTP without TLS"
    )
    behind_proxy: bool = Field(
        False,
        description="whether only a proxy connects, which waits for whole requests itself; connections that owe us a "
        "header are then neither timed nor counted",
    )
    session_seconds: PositiveInt = Field(7 * 24 * 3600, description="how long a browser stays signed in")
    shutdown_seconds: PositiveFloat = Field(
        8.0,
        allow_inf_nan=False,
        description="how long a stop may take, at least 3; running grades may go on for all but its last 2 seconds, "
        "and what is not done by then is queued again",
    )
    retention_days: PositiveFloat | None = Field(
        None,
        allow_inf_nan=False,
        le=36500,
        description="submissions and their reports are deleted when they are older than this; by default never",
    )
    queue_seconds: PositiveFloat = Field(
        3600.0,
        allow_inf_nan=False,
        description="uploads are refused with 503 while the one that waits longest has waited longer than this",
    )
    self_test_seconds: PositiveFloat = Field(
        600.0,
        allow_inf_nan=False,
        description="how often a known answer is graded when nothing else shows that grading works",
    )
    metrics_token: SecretStr | None = Field(
        None, description="opens /metrics and nothing else; without it a teacher's or an admin's token does"
    )
    worker_port: int | None = Field(
        None, ge=0, le=65535, description="where a worker answers /healthz, /readyz and /metrics; by default nowhere"
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

    @field_validator("accept_missing")
    @classmethod
    def _accepted_parts_exist(cls, accepted: str) -> str:
        if unknown := {name.strip() for name in accepted.split(",") if name.strip()} - set(CAN_BE_MISSING):
            raise ValueError(f"expected names out of {', '.join(CAN_BE_MISSING)}, not {', '.join(sorted(unknown))}")
        return accepted

    @property
    def missing_parts(self) -> list[str]:
        """`accept_missing` as the sandbox takes it."""
        return [name.strip() for name in self.accept_missing.split(",") if name.strip()]

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
        """Where a user of this machine, or of the proxy before it, finds the service; without a slash at the end."""
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
    """Names of environment variables that look like ours and set nothing, such as a misspelt one."""
    known = {_variable(name) for name in Settings.model_fields} | {_variable(f"{name}_file") for name in SECRETS}
    return sorted(name for name in os.environ if name.upper().startswith(ENV_PREFIX) and name.upper() not in known)


def _variable(name: str) -> str:
    return f"{ENV_PREFIX}{name}".upper()


def _secrets_in_files() -> dict[str, str]:
    """Raises: OSError: a file cannot be read; ValueError: a secret stands in a variable as well."""
    found = {}
    for name in SECRETS:
        if path := os.environ.get(_variable(f"{name}_file")):
            if os.environ.get(_variable(name)):
                raise ValueError(f"{_variable(name)} and {_variable(name)}_FILE are both set; expected one of them")
            try:
                found[name] = Path(path).read_text(encoding="utf-8").strip()
            except UnicodeDecodeError as exc:
                raise ValueError(f"{path} is not text in UTF-8") from exc
    return found
