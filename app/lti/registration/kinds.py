"""Kinds of platforms, whose addresses follow from the site's address.

Source: Moodle, "LTI and Moodle" (docs.moodle.org); Canvas, "LTI 1.3 configuration" (canvas.instructure.com/doc/api);
Anthology Blackboard, "LTI 1.3" (docs.anthology.com); D2L Brightspace, "LTI Advantage" (community.d2l.com).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from app.storage.models import LtiPlatform

CANVAS = "https://sso.canvaslms.com"
#: The address for tokens, and the audience of our requests for them.
BRIGHTSPACE = "https://auth.brightspace.com/core/connect/token", "https://api.brightspace.com/auth/token"
#: The issuer of all schools, and the site that publishes its configuration.
BLACKBOARD = "https://blackboard.com", "https://developer.blackboard.com"


@dataclass(frozen=True)
class Addresses:
    """A platform's addresses. Attributes: token_audience: None: the same as the token's address."""

    issuer: str
    login_url: str
    token_url: str
    keys_url: str
    token_audience: str | None = None


#: The name of each kind, by its id, and its addresses in the order of `Addresses`.
KINDS: Mapping[str, tuple[str, Sequence[str]]] = {
    "moodle": (
        "Moodle",
        ("{site}", "{site}/mod/lti/auth.php", "{site}/mod/lti/token.php", "{site}/mod/lti/certs.php"),
    ),
    "canvas": (
        "Canvas",
        (
            "https://canvas.instructure.com",
            f"{CANVAS}/api/lti/authorize_redirect",
            f"{CANVAS}/login/oauth2/token",
            f"{CANVAS}/api/lti/security/jwks",
        ),
    ),
    "blackboard": (
        "Blackboard",
        (
            BLACKBOARD[0],
            f"{BLACKBOARD[1]}/api/v1/gateway/oidcauth",
            f"{BLACKBOARD[1]}/api/v1/gateway/oauth2/jwttoken",
            f"{BLACKBOARD[1]}/api/v1/management/applications/{{client_id}}/jwks.json",
        ),
    ),
    "d2l": (
        "D2L Brightspace",
        ("{site}", "{site}/d2l/lti/authenticate", BRIGHTSPACE[0], "{site}/d2l/.well-known/jwks", BRIGHTSPACE[1]),
    ),
}


def addresses_of(kind: str, site: str, client_id: str) -> Addresses:
    """Return the addresses of a platform of this kind.

    Args:
        kind: a key of `KINDS`.
        site: the platform's address, as its users know it.
    """
    site = site.rstrip("/")
    return Addresses(*(each.replace("{site}", site).replace("{client_id}", client_id) for each in KINDS[kind][1]))


def is_canvas(platform: LtiPlatform) -> bool:
    """Tell whether a platform is Canvas, whose issuer is Instructure's on every host."""
    return (urlsplit(platform.issuer).hostname or "").endswith(".instructure.com")


def is_for_many_schools(platform: LtiPlatform) -> bool:
    """Tell whether a platform's addresses are shared by many schools, each of which also has one of its own."""
    return is_canvas(platform) or platform.issuer == BLACKBOARD[0] or platform.token_url == BRIGHTSPACE[0]


def is_moodle(platform: LtiPlatform) -> bool:
    """Tell whether a platform is Moodle, whose address for tokens has the same path on every host."""
    return urlsplit(platform.token_url).path.endswith("/mod/lti/token.php")
