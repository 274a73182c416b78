"""Bodies about the service itself: its health, and a refusal."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.api.schemas.base import Body


class Health(Body):
    status: Literal["ok"]
    version: str = Field(examples=["1.0.0"])


class Readiness(Body):
    status: Literal["ready", "not_ready"]
    checks: dict[Literal["database", "queue", "box", "workers"], Literal["ok", "failed", "elsewhere", "none"]] = Field(
        description="`database`: a write succeeded a moment ago; `box`: a known answer recently got all its points, or "
        "`elsewhere`: other processes grade; `workers`: whether there are such processes, or `none`"
    )


class Problem(BaseModel):
    """A refusal: the fault, what was expected and what to do (RFC 9457). `type` is stable; texts may be reworded."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"required": ["type", "title", "status", "detail"]})

    type: str = Field(examples=["urn:lstm-grader:problem:unknown-assignment"])
    title: str
    status: int
    detail: str
