"""This service as a tool of platforms: its addresses and scopes, in the formats that platforms read.

Source: 1EdTech Dynamic Registration 1.0; OpenID Connect Dynamic Client Registration 1.0; Canvas, "LTI Developer Key
JSON" (developerdocs.instructure.com, file.lti_dev_key_config).
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from app.lti.launch.login import KEYS_PATH, LAUNCH_PATH, LOGIN_PATH, TARGET_PATH
from app.lti.launch.message import DEEP_LINKING, RESOURCE_LINK, REVIEW
from app.lti.platform_services import LINEITEM_READ_SCOPE, LINEITEM_SCOPE, MEMBERSHIP_SCOPE, RESULT_SCOPE, SCORE_SCOPE

SCOPES = (LINEITEM_SCOPE, LINEITEM_READ_SCOPE, RESULT_SCOPE, SCORE_SCOPE, MEMBERSHIP_SCOPE)
CLAIMS = ("iss", "sub", "name", "given_name", "family_name", "email")
MESSAGES = (RESOURCE_LINK, DEEP_LINKING, REVIEW)
TOOL_CONFIGURATION = "https://purl.imsglobal.org/spec/lti-tool-configuration"
#: The level at which a platform passes on names, with or without addresses.
PRIVACY = "public"
CANVAS = "canvas.instructure.com"
#: The menus in Canvas from which teachers add assignments and links.
CANVAS_PLACEMENTS = ("assignment_selection", "link_selection")
#: The same for other platforms (Dynamic Registration 1.0, "placements").
PLACEMENTS = ("ContentArea",)
#: The JSON configuration that Canvas reads.
CANVAS_PATH = "/lti/canvas.json"
ICON_PATH = "/static/icon.svg"


@dataclass(frozen=True)
class Tool:
    """The service as its users know it.

    Attributes:
        url: without a trailing slash.
        name, description: for administrators and teachers.
    """

    url: str
    name: str
    description: str

    @property
    def addresses(self) -> Mapping[str, str]:
        return addresses_of(self.url)

    @property
    def values(self) -> Mapping[str, str]:
        """The values that administrators enter into platforms' forms (`lti/parts.html`)."""
        addresses = self.addresses
        return {
            **addresses,
            "launches": json.dumps([addresses["launch"]]),
            "canvas": f"{self.url}{CANVAS_PATH}",
            "domain": self._domain,
            "site": self.url,
        }

    @property
    def _domain(self) -> str:
        return urlsplit(self.url).netloc

    def registration(self, *, scopes: Collection[str], messages: Collection[str], is_canvas: bool) -> dict[str, Any]:
        """Return the document for a platform's registration endpoint.

        Args:
            scopes, messages: those that the platform offers; Canvas refuses a registration with others.
        """
        addresses = self.addresses
        placements = CANVAS_PLACEMENTS if is_canvas else PLACEMENTS
        configuration = {
            "domain": self._domain,
            "description": self.description,
            "target_link_uri": addresses["target"],
            "custom_parameters": {},
            "claims": list(CLAIMS),
            "messages": [
                {
                    "type": each,
                    "target_link_uri": addresses["target"],
                    "label": self.name,
                    **({"placements": list(placements)} if each == DEEP_LINKING else {}),
                }
                for each in MESSAGES
                if each in messages
            ],
            **({f"https://{CANVAS}/lti/privacy_level": PRIVACY} if is_canvas else {}),
        }
        return {
            "application_type": "web",
            "response_types": ["id_token"],
            "grant_types": ["client_credentials", "implicit"],
            "client_name": self.name,
            "client_uri": self.url,
            "logo_uri": f"{self.url}{ICON_PATH}",
            "initiate_login_uri": addresses["login"],
            "redirect_uris": [addresses["launch"]],
            "jwks_uri": addresses["keys"],
            "token_endpoint_auth_method": "private_key_jwt",
            "scope": " ".join(each for each in SCOPES if each in scopes),
            TOOL_CONFIGURATION: configuration,
        }

    def canvas(self) -> dict[str, Any]:
        """Return the JSON that an administrator of Canvas pastes as an LTI key, or lets Canvas fetch."""
        addresses = self.addresses
        placements = [
            {
                "placement": each,
                "message_type": DEEP_LINKING,
                "target_link_uri": addresses["target"],
                "text": self.name,
            }
            for each in CANVAS_PLACEMENTS
        ]
        return {
            "title": self.name,
            "description": self.description,
            "target_link_uri": addresses["target"],
            "oidc_initiation_url": addresses["login"],
            "public_jwk_url": addresses["keys"],
            "scopes": list(SCOPES),
            "custom_fields": {},
            "extensions": [
                {
                    "platform": CANVAS,
                    "domain": self._domain,
                    "tool_id": "lstm-grader",
                    "privacy_level": PRIVACY,
                    "settings": {
                        "text": self.name,
                        "icon_url": f"{self.url}{ICON_PATH}",
                        "placements": placements,
                    },
                }
            ],
        }


def addresses_of(url: str) -> Mapping[str, str]:
    """Return the addresses that every platform needs, for a service at this address."""
    paths = {"target": TARGET_PATH, "login": LOGIN_PATH, "launch": LAUNCH_PATH, "keys": KEYS_PATH}
    return {name: f"{url}{path}" for name, path in paths.items()}
