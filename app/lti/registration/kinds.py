"""Kinds of platforms, whose addresses follow from the site's address; `kinds.toml` lists these."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from app.storage.models import LtiPlatform

KINDS: Mapping[str, Mapping[str, str]] = tomllib.loads((Path(__file__).parent / "kinds.toml").read_text("utf-8"))
#: The address for tokens, and the audience of our requests for them.
BRIGHTSPACE = KINDS["d2l"]["token_url"], KINDS["d2l"]["token_audience"]
#: The issuer of all schools, and the site that publishes its configuration.
BLACKBOARD = KINDS["blackboard"]["issuer"], "https://developer.blackboard.com"


def addresses_of(kind: str, site: str, client_id: str) -> dict[str, str]:
    """Return the addresses of a platform of this kind, by the names of `Registration`.

    Args:
        kind: a key of `KINDS`.
        site: the platform's address, as its users know it.
    """
    given = {"{site}": site.rstrip("/"), "{client_id}": client_id}
    return {
        name: re.sub("{site}|{client_id}", lambda match: given[match[0]], address)
        for name, address in KINDS[kind].items()
        if name != "name"
    }


def is_canvas(platform: LtiPlatform) -> bool:
    """Tell whether a platform is Canvas, whose issuer is Instructure's on every host."""
    return (urlsplit(platform.issuer).hostname or "").endswith(".instructure.com")


def is_for_many_schools(platform: LtiPlatform) -> bool:
    """Tell whether a platform's addresses are shared by many schools, each of which also has one of its own."""
    return is_canvas(platform) or platform.issuer == BLACKBOARD[0] or platform.token_url == BRIGHTSPACE[0]


def is_moodle(platform: LtiPlatform) -> bool:
    """Tell whether a platform is Moodle, whose address for tokens has the same path on every host."""
    return urlsplit(platform.token_url).path.endswith("/mod/lti/token.php")
