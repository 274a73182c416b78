"""The registration of this service at the issuer."""

from dataclasses import dataclass, field

START_PATH = "/oidc/start"
#: The path of the callback. The issuer knows the whole address, and redirects browsers to no other.
CALLBACK_PATH = "/oidc/callback"


@dataclass(frozen=True)
class Registration:
    """The registration that the issuer knows this service by."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str
