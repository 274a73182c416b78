"""The signing keys of this service: their publication, and the rotation to the next one.

Platforms cache our keys for hours. So a key is published long before it signs, and stays published for a while after
its last signature.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.storage.database import Database
from app.storage.models import LtiKey, new_id, utc_now
from app.storage.passback import key_changed
from app.storage.turns import take_turns

ALGORITHM = "RS256"
BITS = 2048
#: Tolerance for clocks that disagree: Moodle refuses a token issued even a second ahead of its own clock.
CLOCK_SECONDS = 60
#: A retired key stays published while somebody may still check its signatures.
PUBLISHED_AFTER = timedelta(days=7)


async def public_key_set(database: Database) -> dict[str, Any]:
    """Return the public keys as a JSON Web Key Set (RFC 7517); the signing key comes first."""
    return {"keys": [_public(key) for key in await _published_keys(database)]}


async def sign(database: Database, claims: Mapping[str, Any], *, now: float, lifetime_seconds: int) -> str:
    """Sign these claims as a JWT, with an `iat` and `exp` that are valid even for a clock a minute ahead or behind.

    Args:
        now: the time by the receiver's clock, or by ours if the receiver's is unknown.
    """
    key = (await _published_keys(database))[0]
    header = {"alg": ALGORITHM, "typ": "JWT", "kid": key.id}
    moments = {"iat": int(now) - CLOCK_SECONDS, "exp": int(now) + lifetime_seconds + CLOCK_SECONDS}
    payload = {**claims, **moments}
    return jwt.encode(header, payload, _load(key.private_key), algorithms=[ALGORITHM])


async def signing_id(database: Database) -> str:
    """Return the id of the signing key."""
    return (await _published_keys(database))[0].id


async def _published_keys(database: Database) -> Sequence[LtiKey]:
    """List the published keys. The first call makes them, because a service without platforms needs none."""
    async with database.read() as session:
        if keys := await list_published(session):
            return keys
    async with database.write() as session:
        await prepare(session)
        return await list_published(session)


async def prepare(session: AsyncSession) -> None:
    """Make the signing key and its successor, where they are missing."""
    await take_turns(session, ["lti-keys"])
    there = await list_published(session)
    if not any(key.signs_since is not None and key.signed_until is None for key in there):
        session.add(_new(signs=True))
    if not any(key.signs_since is None for key in there):
        session.add(_new(signs=False))
    await session.flush()


async def rotate(session: AsyncSession) -> LtiKey:
    """Make the next key the signing key, and prepare its successor. Return the new signing key.

    The old key stays published for `PUBLISHED_AFTER`. Grades that a platform has refused are sent again.
    """
    await prepare(session)
    now = utc_now()
    there = await list_published(session)
    for key in there:
        if key.signs_since is not None and key.signed_until is None:
            key.signed_until = now
    following = next(key for key in there if key.signs_since is None)
    following.signs_since = now
    session.add(_new(signs=False))
    await session.flush()
    await key_changed(session)
    return following


async def list_published(session: AsyncSession) -> Sequence[LtiKey]:
    """List the published keys: the signing key, its successor, and those that signed until recently."""
    lately = or_(LtiKey.signed_until.is_(None), LtiKey.signed_until > utc_now() - PUBLISHED_AFTER)
    keys = (await session.scalars(select(LtiKey).where(lately).order_by(LtiKey.id))).all()
    return sorted(keys, key=lambda key: (key.signed_until is not None, key.signs_since is None, key.id))


def _new(*, signs: bool) -> LtiKey:
    private = RSAKey.generate_key(BITS).as_pem(private=True).decode()
    return LtiKey(id=new_id(), private_key=private, signs_since=utc_now() if signs else None)


@lru_cache(maxsize=16)
def _load(private_key: str) -> RSAKey:
    """Read a key, which takes 60 ms of a core. The PEM of a key never changes."""
    return RSAKey.import_key(private_key)


def _public(key: LtiKey) -> dict[str, Any]:
    public = _load(key.private_key).as_dict(private=False)
    return {"kty": "RSA", "n": public["n"], "e": public["e"], "kid": key.id, "alg": ALGORITHM, "use": "sig"}
