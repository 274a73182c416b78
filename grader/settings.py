"""The operator's settings for everything that grades, from environment variables named ``LSTM_GRADER_...``.

The command line reads these; the service has more of them (`app.settings`).
"""

from pathlib import Path

from platformdirs import user_cache_path
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from grader.sandbox import CAN_BE_MISSING, DeviceChoice

ENV_PREFIX = "LSTM_GRADER_"


class GradingSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    cache_dir: Path = Field(
        default_factory=lambda: user_cache_path("lstm-grader", appauthor=False),
        description="the folder that holds reference answers; can be deleted at any time",
    )
    assignments_dir: Path | None = Field(None, description="folder with assignment files besides the built-in ones")
    accept_missing: str = Field(
        "",
        description=f"parts of the sandbox that may be missing: of {', '.join(CAN_BE_MISSING)}, separated by commas",
    )
    device: DeviceChoice = Field(
        "cpu", description="device for submissions: cpu, gpu, or auto, which takes a GPU if the box can use one"
    )

    @field_validator("accept_missing")
    @classmethod
    def _accepted_parts_exist(cls, accepted: str) -> str:
        if unknown := set(_names(accepted)) - set(CAN_BE_MISSING):
            raise ValueError(f"expected names out of {', '.join(CAN_BE_MISSING)}, not {', '.join(sorted(unknown))}")
        return accepted

    @property
    def missing_parts(self) -> list[str]:
        """`accept_missing` as the sandbox takes it."""
        return _names(self.accept_missing)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def variable(setting: str) -> str:
    """Return the name of a setting's environment variable."""
    return f"{ENV_PREFIX}{setting}".upper()
