"""An issuer in memory that says whatever a test wants it to say, signed or not."""

import asyncio
import hmac
import json
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from app.oidc.registration import CALLBACK_PATH, Registration

URL = "https://id.example.edu/realms/main"
CLIENT_ID, CLIENT_SECRET = "grader", "secret-of-the-client"
SERVICE = "http://grader.test"
REGISTRATION = Registration(URL, CLIENT_ID, CLIENT_SECRET, f"{SERVICE}{CALLBACK_PATH}")
# Making one takes a moment.
KEY = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "second", "use": "sig"})
EC_KEY = ECKey.generate_key("P-256", {"kid": "curve", "use": "sig"})

Claims = dict[str, Any]


class FakeIssuer:
    """Answers as an issuer does; the attributes spoil it.

    Attributes:
        person: claims about whoever signs in.
        change: makes the claims of the id token wrong.
        sign: makes an id token of claims.
        keys: what the issuer publishes.
        in_userinfo: address and name stand there, and not in the id token.
        away: how requests fail, by the last part of their path.
        asked: the last part of the path of each request.
    """

    def __init__(self) -> None:
        self.person: Claims = {
            "sub": "248289761001",
            "email": "ivanov@example.edu",
            "email_verified": True,
            "name": "Ivan Ivanov",
        }
        self.change: Callable[[Claims], Claims] = lambda claims: claims
        self.sign: Callable[[Claims], str] = signed
        self.keys: list[RSAKey | ECKey] = [KEY]
        self.metadata: dict[str, Any] = {
            "issuer": URL,
            "authorization_endpoint": f"{URL}/authorize",
            "token_endpoint": f"{URL}/token",
            "userinfo_endpoint": f"{URL}/userinfo",
            "jwks_uri": f"{URL}/jwks",
        }
        self.in_userinfo = False
        self.userinfo: Claims = {}
        self.tokens: dict[str, Any] = {}
        self.away: dict[str, Callable[[], httpx.Response]] = {}
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}

    def transport(self) -> httpx.MockTransport:
        async def answer(request: httpx.Request) -> httpx.Response:
            await asyncio.sleep(0)  # Others go on meanwhile, as with a real issuer.
            return self._answer(request)

        return httpx.MockTransport(answer)

    def authorize(self, address: str) -> dict[str, str]:
        """Sign the person in, and return the parameters with which the browser comes back."""
        asked = dict(parse_qsl(urlsplit(address).query))
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT_ID
        assert asked["redirect_uri"] == REGISTRATION.redirect_uri
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = f"code-{len(self._codes)}"
        self._codes[code] = asked
        return {"code": code, "state": asked["state"]}

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.rpartition("/")[2]
        self.asked.append(path)
        if path in self.away:
            return self.away[path]()
        match path:
            case "openid-configuration":
                assert request.url.path == "/realms/main/.well-known/openid-configuration"
                return httpx.Response(200, json=self.metadata)
            case "jwks":
                return httpx.Response(200, json={"keys": [key.as_dict(private=False) for key in self.keys]})
            case "token":
                return self._tokens(request)
            case "userinfo":
                assert request.headers["authorization"] == "Bearer access"
                return httpx.Response(200, json={**self.person, **self.userinfo})
        raise AssertionError(path)

    def _tokens(self, request: httpx.Request) -> httpx.Response:
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        given = request.headers.get("authorization", "").removeprefix("Basic ")
        account = b64decode(given).decode() if given else f"{form.get('client_id')}:{form.get('client_secret')}"
        if account != f"{CLIENT_ID}:{CLIENT_SECRET}":
            return httpx.Response(401, json={"error": "invalid_client"})
        asked = self._codes.pop(form["code"], None)
        challenge = _in_base64(sha256(form["code_verifier"].encode()).digest())
        if asked is None or asked["code_challenge"] != challenge or form["redirect_uri"] != asked["redirect_uri"]:
            return httpx.Response(400, json={"error": "invalid_grant"})
        now = int(time.time())
        claims = {"iss": URL, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        claims |= {"sub": self.person["sub"]} if self.in_userinfo else self.person
        answer = {"access_token": "access", "token_type": "Bearer", "id_token": self.sign(self.change(claims))}
        return httpx.Response(200, json=answer | self.tokens)


def signed(claims: Claims, key: RSAKey | ECKey = KEY, **header: Any) -> str:
    alg = "ES256" if isinstance(key, ECKey) else "RS256"
    return jwt.encode({"alg": alg, "kid": key.kid, **header}, claims, key, algorithms=[header.get("alg", alg)])


def unsigned(claims: Claims) -> str:
    return f"{_part({'alg': 'none', 'kid': KEY.kid})}.{_part(claims)}."


def signed_with_a_text(claims: Claims, secret: bytes) -> str:
    """Sign by HS256, whose secret may be one that everybody knows: the public key."""
    text = f"{_part({'alg': 'HS256', 'kid': KEY.kid})}.{_part(claims)}"
    return f"{text}.{_in_base64(hmac.digest(secret, text.encode(), 'sha256'))}"


def _part(value: Claims) -> str:
    return _in_base64(json.dumps(value).encode())


def _in_base64(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")
