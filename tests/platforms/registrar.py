"""A platform's side of a registration that the tool finishes, by the rules of real platforms.

Source: Moodle 4.5, mod/lti/openid-configuration.php and classes/local/ltiopenid/registration_helper.php; Canvas,
doc/api/registration.md and lib/schemas/lti/ims/lti_tool_configuration.rb; D2L, "Tool Registration, Deployment, and
Links" (community.d2l.com), whose registrations open a tab without a token; Blackboard, "Issues with Dynamic
Registration for LTI in the Developer Portal" (article 000090618).
"""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx

AGS = "https://purl.imsglobal.org/spec/lti-ags/scope/"
NRPS = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
SCOPES = [*(f"{AGS}{name}" for name in ("lineitem", "lineitem.readonly", "result.readonly", "score")), NRPS]
CONFIGURATION = "https://purl.imsglobal.org/spec/lti-platform-configuration"
TOOL = "https://purl.imsglobal.org/spec/lti-tool-configuration"
RESOURCE_LINK, DEEP_LINKING = "LtiResourceLinkRequest", "LtiDeepLinkingRequest"
#: What RFC 7591 and the specification ask of every tool.
NEEDED = (
    "application_type",
    "response_types",
    "grant_types",
    "initiate_login_uri",
    "redirect_uris",
    "client_name",
    "jwks_uri",
    "token_endpoint_auth_method",
    "scope",
    TOOL,
)


@dataclass
class Registrar:
    """Answers `/openid-configuration` and `/register`.

    Attributes:
        issuer: of the platform, which is also where the configuration is.
        says: what the configuration says besides addresses.
        token: that the platform sends along; None: it sends none.
        reads_with_token: Canvas shows its configuration only to the token.
        deployment: that the answer names; None: an administrator deploys the tool later.
        messages: that a tool may name.
        registered: what tools have sent.
    """

    issuer: str
    says: dict[str, Any] = field(default_factory=dict)
    token: str | None = "registration-token.1"
    reads_with_token: bool = False
    deployment: str | None = None
    client_id: str = "client-of-the-registration"
    messages: frozenset[str] = frozenset({RESOURCE_LINK, DEEP_LINKING})
    registered: list[dict[str, Any]] = field(default_factory=list)

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters that the platform adds to the address of an invitation."""
        given = {"openid_configuration": f"{self.issuer}/openid-configuration"}
        return given if self.token is None else {**given, "registration_token": self.token}

    @property
    def configuration(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/auth",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "registration_endpoint": f"{self.issuer}/register",
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "scopes_supported": SCOPES,
            **self.says,
        }

    def answer(self, request: httpx.Request) -> httpx.Response | None:
        knows = self.token is None or request.headers.get("authorization") == f"Bearer {self.token}"
        if request.url.path == "/openid-configuration":
            if self.reads_with_token and not knows:
                return httpx.Response(401, json={"errorMessage": "Unauthorized"})
            return httpx.Response(200, json=self.configuration)
        if request.url.path != "/register":
            return None
        if not knows:
            return httpx.Response(401, text="missing_registration_token")
        if self.token is not None and self.registered:
            return httpx.Response(401, text="token_already_used")
        return self._register(json.loads(request.content))

    def _register(self, tool: dict[str, Any]) -> httpx.Response:
        configuration = tool.get(TOOL, {})
        wrong = [name for name in NEEDED if not tool.get(name)]
        wrong += [name for name in ("domain", "target_link_uri", "claims", "messages") if not configuration.get(name)]
        wrong += [each["type"] for each in configuration.get("messages", []) if each["type"] not in self.messages]
        wrong += [scope for scope in tool.get("scope", "").split() if scope not in SCOPES]
        fixed = (tool.get("response_types"), tool.get("token_endpoint_auth_method"), tool.get("application_type"))
        if wrong or fixed != (["id_token"], "private_key_jwt", "web"):
            return httpx.Response(400, json={"error": "invalid_client_metadata", "error_description": str(wrong)})
        self.registered.append(tool)
        deployed = {} if self.deployment is None else {"deployment_id": self.deployment}
        answer = {**tool, "client_id": self.client_id, TOOL: {**configuration, **deployed}}
        return httpx.Response(200, json=answer)


def moodle() -> Registrar:
    said = {"product_family_code": "moodle", "version": "4.5", "messages_supported": [RESOURCE_LINK, DEEP_LINKING]}
    return Registrar("https://moodle.example.edu", {CONFIGURATION: said}, deployment="17")


def canvas() -> Registrar:
    said = {
        "product_family_code": "canvas",
        "messages_supported": [{"type": RESOURCE_LINK, "placements": ["course_navigation"]}, {"type": DEEP_LINKING}],
        "https://canvas.instructure.com/lti/account_name": "Test University",
    }
    # A bare host, which is not the audience that Canvas wants.
    says = {CONFIGURATION: said, "authorization_server": "canvas.instructure.com"}
    return Registrar("https://canvas.instructure.com", says, reads_with_token=True)


def brightspace() -> Registrar:
    says = {
        "token_endpoint": "https://auth.brightspace.com/core/connect/token",
        "authorization_server": "https://api.brightspace.com/auth/token",
        CONFIGURATION: {"product_family_code": "desire2learn", "messages_supported": [{"type": RESOURCE_LINK}]},
    }
    return Registrar("https://school.brightspace.com", says, token=None, messages=frozenset({RESOURCE_LINK}))


def blackboard() -> Registrar:
    """The portal of all schools, which speaks for their issuer, and names no list of members among its scopes."""
    said = {"product_family_code": "BlackboardLearn", "messages_supported": [{"type": RESOURCE_LINK}]}
    says = {"issuer": "https://blackboard.com", "scopes_supported": SCOPES[:-1], CONFIGURATION: said}
    return Registrar("https://developer.blackboard.com", says, messages=frozenset({RESOURCE_LINK}))


REGISTRARS = {"moodle": moodle, "canvas": canvas, "brightspace": brightspace}
