"""A learning platform in memory that says whatever a test wants it to say, signed or not."""

import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from joserfc import jws, jwt
from joserfc.jwk import RSAKey

from app.lti.platforms import Registration
from tests.platforms.gradebooks import GradeBook, MoodleGradeBook
from tests.platforms.registrar import moodle

SERVICE = "http://grader.test"
ISSUER, CLIENT_ID, DEPLOYMENT = "https://lms.example.edu", "client-7", "deployment-1"
REGISTRATION = Registration(
    name="Moodle of the university",
    issuer=ISSUER,
    client_id=CLIENT_ID,
    login_url=f"{ISSUER}/auth?from=lti",
    token_url=f"{ISSUER}/token",
    keys_url=f"{ISSUER}/keys",
    deployments=(DEPLOYMENT,),
)
# Making one takes a moment.
KEY = RSAKey.generate_key(2048, {"kid": "first"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "second"})

LTI = "https://purl.imsglobal.org/spec/lti/claim/"
ROLE = "http://purl.imsglobal.org/vocab/lis/v2/membership#"
AGS = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
NRPS = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"

Claims = dict[str, Any]


class FakePlatform:
    """Answers as a platform does; the attributes spoil it.

    Attributes:
        keys: as it publishes them.
        change: makes the claims of a message wrong.
        sign: makes a token of claims.
        answers: to requests at these paths, instead of its own, also awaited; None: its own.
        asked: the paths of all requests.
        sent: all requests.
        book: takes scores and shows grades as Moodle does, or another platform.
        registrar: registers tools.
        people: its list of members, each as the claims of the service say it.
        clock: of its machine, in seconds.
    """

    def __init__(self) -> None:
        self.keys: list[RSAKey] = [KEY]
        self.change: Callable[[Claims], Claims] = lambda claims: claims
        self.sign: Callable[[Claims], str] = signed
        self.answers: dict[str, Callable[[], Any]] = {}
        self.asked: list[str] = []
        self.sent: list[httpx.Request] = []
        self.book: GradeBook = MoodleGradeBook(ISSUER)
        self.registrar = moodle()
        self.keys_path, self.token_path = "/keys", "/token"
        self.audience: str | None = None
        self.people: list[dict[str, Any]] = []
        self.clock: Callable[[], float] = time.time

    @property
    def grades(self) -> dict[str, dict[str, Any]]:
        """The newest score of each person."""
        return self.book.grades

    @property
    def items(self) -> dict[str, dict[str, Any]]:
        """The line items that were made, by their address."""
        return self.book.items

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.answer)

    def answer(self, request: httpx.Request) -> Any:
        path = request.url.path
        self.asked.append(path)
        self.sent.append(request)
        if (given := self.answers.get(path)) is not None and (answer := given()) is not None:
            return answer
        if (registering := self.registrar.answer(request)) is not None:
            return registering
        if path == self.keys_path:
            return httpx.Response(200, json=published(*self.keys))
        if path == self.token_path:
            assertion = _assertion_of(request)
            if self.audience not in (None, assertion["aud"]):
                return httpx.Response(400, json={"error": "invalid_client", "error_description": "wrong audience"})
            if (words := untimely(assertion, self.clock())) is not None:
                # Moodle's own error, with the content type that PHP adds.
                page = {"Content-Type": "text/html; charset=utf-8"}
                return httpx.Response(400, headers=page, text=json.dumps({"error": words}))
            return httpx.Response(200, json={"access_token": "token-of-the-platform", "expires_in": 3600})
        if request.headers.get("authorization") != "Bearer token-of-the-platform":
            return httpx.Response(401)
        if path == "/items":
            return self._line_items(request)
        item, _, last = path.rpartition("/")
        if last == "scores" and item in self.book.deleted:
            return httpx.Response(404, json={"message": "the column is gone"})
        if last == "scores":
            if request.headers["content-type"] != "application/vnd.ims.lis.v1.score+json":
                return httpx.Response(400)
            return self.book.take(item, json.loads(request.content))
        if last == "results":
            user = request.url.params.get("user_id")
            return _page(request, [each for each in self.book.results(item) if user in (None, each["userId"])])
        if path == "/members":
            page = _page(request, self.people)
            return httpx.Response(200, headers={"Link": page.headers.get("link", "")}, json={"members": page.json()})
        if item == "/items":
            if path in self.book.deleted:
                return httpx.Response(404)
            return httpx.Response(200, json={**self.book.column(path).item, "id": str(request.url)})
        return httpx.Response(404, json={"message": "nothing here"})

    def _line_items(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json=self.book.listed(dict(request.url.params)))
        item = json.loads(request.content)
        if len(item["label"]) > 100:  # As Open edX does.
            return httpx.Response(400, json={"label": ["Ensure this field has no more than 100 characters."]})
        if item.get("resourceLinkId") in self.book.deleted_links:
            return httpx.Response(403, json={"status": 403, "reason": "Forbidden"})
        return httpx.Response(201, json=self.book.add(item).item)

    def message(self, address: str, **claims: Any) -> dict[str, str]:
        """Sign the person in, and return the fields that the browser posts to us."""
        asked = dict(parse_qsl(urlsplit(address).query))
        assert asked["response_mode"] == "form_post"
        return {"state": asked["state"], "id_token": self.sign(self.change(claims_of(asked["nonce"], **claims)))}


def _page(request: httpx.Request, listed: list[dict[str, Any]]) -> httpx.Response:
    """Answer with a page of two, and where the next one is."""
    begin = int(request.url.params.get("from", 0))
    following = f"{ISSUER}{request.url.path}?{request.url.params.set('from', begin + 2)}"
    more = {"Link": f'<{following}>; rel="next"'} if len(listed) > begin + 2 else {}
    return httpx.Response(200, headers=more, json=listed[begin : begin + 2])


def _assertion_of(request: httpx.Request) -> Claims:
    """Return the claims of the assertion in a request for a token, whose signature nobody has checked."""
    assertion = dict(parse_qsl(request.content.decode()))["client_assertion"]
    claims: Claims = json.loads(jws.extract_compact(assertion.encode()).payload)
    return claims


def untimely(claims: Claims, now: float) -> str | None:
    """Return why php-jwt, which Moodle uses without leeway, takes no token of these moments (`JWT::decode`)."""
    if claims["iat"] > int(now):
        return "Cannot handle token with iat prior to " + datetime.fromtimestamp(claims["iat"], UTC).isoformat()
    return "Expired token" if int(now) >= claims["exp"] else None


def login_parameters(**changed: str) -> dict[str, str]:
    return {
        "iss": ISSUER,
        "login_hint": "person 5",
        "target_link_uri": f"{SERVICE}/lti/open",
        "client_id": CLIENT_ID,
        "lti_message_hint": "link 9",
        "lti_deployment_id": DEPLOYMENT,
        **changed,
    }


def claims_of(nonce: str, /, *, sub: str | None = "user-5", role: str = "Learner", **changed: Any) -> Claims:
    """The claims of a launch of a link in a course.

    Args:
        changed: a duration is a moment so long from now; None takes the claim away.
    """
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": CLIENT_ID,
        "sub": sub,
        "nonce": nonce,
        "iat": now,
        "exp": now + 300,
        "name": "Анна Петрова",
        "email": "anna@example.edu",
        f"{LTI}message_type": "LtiResourceLinkRequest",
        f"{LTI}version": "1.3.0",
        f"{LTI}deployment_id": DEPLOYMENT,
        f"{LTI}target_link_uri": f"{SERVICE}/lti/open",
        f"{LTI}roles": [f"{ROLE}{role}"],
        f"{LTI}context": {"id": "course-3", "title": "Recurrent networks", "label": "RNN"},
        f"{LTI}custom": {"assignment": "lstm-layer"},
        f"{LTI}resource_link": {"id": "link-9", "title": "LSTM by hand"},
        AGS: {
            "scope": ["https://purl.imsglobal.org/spec/lti-ags/scope/score"],
            "lineitem": f"{ISSUER}/items/4?type=7",
            "lineitems": f"{ISSUER}/items",
        },
        **changed,
    }
    moments = {name: now + value.total_seconds() for name, value in claims.items() if isinstance(value, timedelta)}
    return {name: value for name, value in (claims | moments).items() if value is not None}


def published(*keys: RSAKey) -> Claims:
    return {"keys": [{**key.as_dict(private=False), "alg": "RS256", "use": "sig", "kid": key.kid} for key in keys]}


def signed(claims: Claims, key: RSAKey = KEY, **header: Any) -> str:
    return jwt.encode({"alg": "RS256", "kid": key.kid, **header}, claims, key, algorithms=["RS256", "RS384", "PS256"])


def signed_text(claims: Claims, *, text: str) -> str:
    """This text, signed in the place of the claims."""
    return jws.serialize_compact({"alg": "RS256", "kid": KEY.kid}, text.encode(), KEY)


def without_key_id(claims: Claims) -> str:
    return jws.serialize_compact({"alg": "RS256"}, json.dumps(claims).encode(), KEY)


def unsigned(claims: Claims) -> str:
    return f"{_part({'alg': 'none', 'kid': KEY.kid})}.{_part(claims)}."


def signed_with_the_public_key(claims: Claims) -> str:
    """HS256 with the public key as the secret, which a reader believes that takes the algorithm from the token."""
    text = f"{_part({'alg': 'HS256', 'kid': KEY.kid})}.{_part(claims)}"
    mac = hmac.new(KEY.as_pem(private=False), text.encode(), sha256).digest()
    return f"{text}.{encoded(mac)}"


def altered(claims: Claims) -> str:
    """A message whose claims were changed after it was signed."""
    header, _, signature = signed(claims).split(".")
    return f"{header}.{_part({**claims, 'sub': 'somebody else'})}.{signature}"


def with_its_own_key(claims: Claims) -> str:
    """A message that brings the key to check it with, of the same id."""
    key = RSAKey.import_key({**OTHER_KEY.as_dict(private=True), "kid": KEY.kid})
    return jws.serialize_compact(
        {"alg": "RS256", "kid": KEY.kid, "jwk": OTHER_KEY.as_dict(private=False)}, json.dumps(claims).encode(), key
    )


def _part(value: object) -> str:
    return encoded(json.dumps(value).encode())


def encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()
