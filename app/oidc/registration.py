"""The registration of this service at the issuer."""

from __future__ import annotations

from dataclasses import dataclass, field

START_PATH = "/oidc/start"
#: On this service; the issuer knows the whole address, and sends browsers to no other.
CALLBACK_PATH = "/oidc/callback"


@dataclass(frozen=True)
class Registration:
    """This service as the issuer knows it."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str
