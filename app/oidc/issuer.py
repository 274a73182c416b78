"""The client of the issuer: its discovery, the exchange of a code, and the check of the claims."""

from __future__ import annotations

import asyncio
import logging
import math
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import get_well_known_url
from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey, import_key

from app.errors import IssuerUnavailable, SignOnRefused
from app.mail.addresses import address_of
from app.oidc.flow import Flow
from app.oidc.registration import Registration
from app.oidc.urls import is_safe_url
from app.texts import one_line

logger = logging.getLogger(__name__)

#: Signatures that need the issuer's private key. HS256 would need only the client's secret, and `none` nothing.
ALGORITHMS = ("RS256", "ES256")
SCOPE = "openid email profile"
REQUEST_SECONDS = 10.0
# The time for which keys are cached; an issuer may withdraw one.
KEPT_SECONDS = 3600.0
#: Tolerance between the issuer's clock and ours.
LEEWAY_SECONDS = 60
SUBJECT_CHARACTERS = 255
NAME_CHARACTERS = 200
#: Errors that mean a temporary problem at the issuer: RFC 6749, section 4.1.2.1.
PASSING = frozenset({"server_error", "temporarily_unavailable"})


@dataclass(frozen=True)
class Claims:
    """The issuer's claims about the person who has signed in. Only issuer and subject never change.

    Attributes:
        email: None: the issuer gives none, or an invalid one.
        email_verified: the issuer vouches that the address belongs to the person.
    """

    issuer: str
    subject: str
    email: str | None
    email_verified: bool
    name: str | None


@dataclass(frozen=True)
class _Discovery:
    """The issuer's addresses and keys, as discovered."""

    metadata: Mapping[str, Any]
    keys: KeySet
    at: float


class Issuer:
    """A client of one issuer.

    Args:
        transport: makes the connections; tests pass their own.
    """

    def __init__(self, registration: Registration, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._registration = registration
        self._client = httpx.AsyncClient(
            transport=transport,
            timeout=REQUEST_SECONDS,
            follow_redirects=False,
            trust_env=False,
            verify=ssl.create_default_context(),  # Trusts the system's authorities, and those in SSL_CERT_FILE.
            headers={"Accept": "application/json", "User-Agent": "lstm-grader"},
        )
        self._cached: _Discovery | None = None
        self._discovering = asyncio.Lock()
        self._failed_at = -math.inf

    @property
    def is_known(self) -> bool | None:
        """Whether the last request to the issuer was answered; None: there was none."""
        if self._failed_at > -math.inf and (self._cached is None or self._cached.at < self._failed_at):
            return False
        return True if self._cached else None

    async def __aenter__(self) -> Issuer:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._client.aclose()

    async def address(self, flow: Flow) -> str:
        """Return the issuer's address at which the browser signs in.

        Raises:
            IssuerUnavailable: the issuer does not answer, or not as an issuer does.
        """
        discovery = await self._discover()
        client = self._oauth(discovery.metadata)
        address, _ = client.create_authorization_url(
            discovery.metadata["authorization_endpoint"],
            state=flow.state,
            code_verifier=flow.verifier,
            nonce=flow.nonce,
            redirect_uri=self._registration.redirect_uri,
            scope=SCOPE,
        )
        return str(address)

    async def claims(self, flow: Flow, answer: Mapping[str, str]) -> Claims:
        """Return the claims about the person in the issuer's answer.

        Args:
            answer: the parameters of the callback.
        Raises:
            IssuerUnavailable: the issuer does not answer, or not as an issuer does.
            SignOnRefused: the answer does not belong to this sign-in.
        """
        if not flow.fits(answer.get("state", "")):
            raise log_refusal("state")
        discovery = await self._discover()
        must_name = discovery.metadata.get("authorization_response_iss_parameter_supported") is True
        if answer.get("iss", None if must_name else self._registration.issuer) != self._registration.issuer:
            raise log_refusal("iss")
        if error := answer.get("error"):
            if error in PASSING:
                raise log_unavailable(error)
            raise log_refusal("access_denied" if error == "access_denied" else "error")
        if not answer.get("code"):
            raise log_refusal("code")
        tokens = await self._fetch_tokens(discovery.metadata, flow, answer["code"])
        id_token = await self._read(discovery, tokens, flow)
        profile: Mapping[str, Any] = id_token
        if "email" not in id_token:
            profile = await self._userinfo(discovery.metadata, tokens, id_token["sub"])
        return Claims(
            self._registration.issuer,
            id_token["sub"],
            address_of(profile.get("email")),
            profile.get("email_verified") is True,
            _a_name(profile.get("name")) or _a_name(id_token.get("name")),
        )

    def _oauth(self, metadata: Mapping[str, Any]) -> _OAuth:
        # Discovery 1.0, section 3: the default is client_secret_basic.
        methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        basic = "client_secret_basic" in methods or "client_secret_post" not in methods
        return _OAuth(
            self._client,
            self._registration.client_id,
            self._registration.client_secret,
            token_endpoint_auth_method="client_secret_basic" if basic else "client_secret_post",
            code_challenge_method="S256",
        )

    async def _fetch_tokens(self, metadata: Mapping[str, Any], flow: Flow, code: str) -> Mapping[str, Any]:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                tokens = await self._oauth(metadata).fetch_token(
                    metadata["token_endpoint"],
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=flow.verifier,
                    redirect_uri=self._registration.redirect_uri,
                )
        except OAuth2Error as exc:
            if exc.error in PASSING:
                raise log_unavailable(exc.error) from exc
            # A used or foreign code, or our own secret is wrong; the log tells which.
            raise log_refusal(f"token_endpoint_{_a_word(exc.error)}") from exc
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError) as exc:
            raise log_unavailable("token_endpoint", exc) from exc
        answer: Mapping[str, Any] = tokens
        return answer

    async def _read(self, discovery: _Discovery, tokens: Mapping[str, Any], flow: Flow) -> CodeIDToken:
        """Check the id token and return its claims."""
        text = tokens.get("id_token")
        if not isinstance(text, str):
            raise log_refusal("id_token_missing")
        try:
            try:
                token = jwt.decode(text, discovery.keys, algorithms=ALGORITHMS)
            except (InvalidKeyIdError, BadSignatureError):  # The issuer may have new keys.
                discovery = await self._discover(again=discovery)
                token = jwt.decode(text, discovery.keys, algorithms=ALGORITHMS)
            options = {
                "iss": {"essential": True, "value": self._registration.issuer},
                "aud": {"essential": True, "value": self._registration.client_id},
                "sub": {"essential": True},
                "nonce": {"essential": True, "value": flow.nonce},
            }
            params = {
                "nonce": flow.nonce,
                "client_id": self._registration.client_id,
                "access_token": tokens.get("access_token"),
            }
            claims = CodeIDToken(token.claims, token.header, options, params)
            claims.validate(leeway=LEEWAY_SECONDS)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as exc:
            claim = getattr(exc, "claim", None)
            raise log_refusal("id_token", error=type(exc).__name__, claim=claim and _a_word(claim)) from exc
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_CHARACTERS or not subject.isprintable():
            raise log_refusal("id_token", error="InvalidClaimError", claim="sub")
        return claims

    async def _userinfo(
        self, metadata: Mapping[str, Any], tokens: Mapping[str, Any], subject: str
    ) -> Mapping[str, Any]:
        """Request address and name, if the id token lacks them. An answer about another subject is ignored."""
        address, access_token = metadata.get("userinfo_endpoint"), tokens.get("access_token")
        if not isinstance(address, str) or not is_safe_url(address) or not isinstance(access_token, str):
            return {}
        try:
            document = await self._get(address, headers={"Authorization": f"Bearer {access_token}"})
        except IssuerUnavailable:
            return {}  # The person can still sign in; a teacher confirms the member.
        if document.get("sub") != subject:
            # OpenID Connect Core 1.0, section 5.3.2.
            logger.warning("userinfo_of_another_subject")
            return {}
        return document

    async def _discover(self, again: _Discovery | None = None) -> _Discovery:
        """Discover the issuer's addresses and keys, which are cached for an hour.

        Args:
            again: the cached facts that have proved outdated.
        """
        if (discovery := self._current(again)) is not None:
            return discovery
        asked_at = time.monotonic()
        async with self._discovering:
            if (discovery := self._current(again)) is None:
                if self._failed_at >= asked_at:
                    # Everybody who waited for this answer shares it; otherwise each would ask and wait in turn.
                    raise IssuerUnavailable
                try:
                    discovery = self._cached = await self._look_up()
                except IssuerUnavailable:
                    self._failed_at = time.monotonic()
                    raise
        return discovery

    def _current(self, again: _Discovery | None) -> _Discovery | None:
        discovery = self._cached
        is_old = discovery is None or discovery is again or time.monotonic() - discovery.at > KEPT_SECONDS
        return None if is_old else discovery

    async def _look_up(self) -> _Discovery:
        metadata = await self._get(get_well_known_url(self._registration.issuer, external=True))
        if metadata.get("issuer") != self._registration.issuer:
            raise log_unavailable("discovery_of_another_issuer")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not isinstance(metadata.get(name), str) or not is_safe_url(metadata[name]):
                raise log_unavailable(f"discovery_{name}")
        document = await self._get(metadata["jwks_uri"])
        return _Discovery(metadata, _keys(document), time.monotonic())

    async def _get(self, address: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                response = await self._client.get(address, headers=headers)
            if response.status_code != HTTPStatus.OK:
                raise log_unavailable(f"answered_{response.status_code}")
            document = response.json()
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError) as exc:
            raise log_unavailable("no_answer", exc) from exc
        if not isinstance(document, dict):
            raise log_unavailable("no_json_object")
        return document


class _OAuth(OAuth2Client):  # type: ignore[misc]
    """Authlib's client on top of our HTTP client; its own needs another library."""

    async def _fetch_token(
        self,
        url: str,
        body: str = "",
        headers: Mapping[str, str] | None = None,
        auth: ClientAuth | None = None,
        method: str = "POST",
        **kwargs: object,  # noqa: ARG002
    ) -> object:
        assert auth is not None
        url, signed, body = auth.prepare(method, url, dict(headers or {}), body)
        return self.parse_response_token(await self.session.post(url, content=body, headers=signed))


def _keys(document: Mapping[str, Any]) -> KeySet:
    """Return the readable signing keys of a key set."""
    listed = document.get("keys")
    keys: list[RSAKey | ECKey] = []
    for each in listed if isinstance(listed, list) else []:
        if not isinstance(each, dict) or each.get("kty") not in ("RSA", "EC") or each.get("use", "sig") != "sig":
            continue
        try:
            key = import_key(each)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        if isinstance(key, RSAKey | ECKey):
            keys.append(key)
    if not keys:
        raise log_unavailable("no_keys")
    return KeySet(list(keys))


def _a_name(value: object) -> str | None:
    return one_line(value, NAME_CHARACTERS) if isinstance(value, str) else None


def _a_word(value: object) -> str:
    """Return an error code of the issuer in a form that is safe for the log."""
    return "".join(char for char in str(value)[:40] if char.isascii() and (char.isalnum() or char == "_"))


def log_refusal(reason: str, **facts: object) -> SignOnRefused:
    """Log the reason and return the refusal, whose page says little."""
    logger.warning("sign_on_refused", extra={"reason": reason, **facts})
    return SignOnRefused()


def log_unavailable(reason: str, cause: Exception | None = None) -> IssuerUnavailable:
    """Log the reason and return the error."""
    facts = {"error": type(cause).__name__} if cause else {}
    logger.warning("issuer_unavailable", extra={"reason": reason, **facts})
    return IssuerUnavailable()
