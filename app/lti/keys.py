"""The keys of this service: which one signs, which ones are published, and how the next one takes over.

Platforms keep what they have read of our keys for hours. So a key is published long before it signs, and for a while
after it has signed last.
"""

from __future__ import annotations

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
#: How far two clocks may differ: Moodle takes no token that is issued a second ahead of its own clock.
CLOCK_SECONDS = 60
#: A key that signs no more is published as long as somebody may still check what it has signed.
PUBLISHED_AFTER = timedelta(days=7)


async def published(database: Database) -> dict[str, Any]:
    """Return the public keys as a JSON Web Key Set (RFC 7517); the one that signs stands first."""
    return {"keys": [_public(key) for key in await _made(database)]}


async def sign(database: Database, claims: Mapping[str, Any], *, now: float, lifetime_seconds: int) -> str:
    """Sign these claims as a JWT, with an `iat` and `exp` that also hold by a clock a minute ahead or behind.

    Args:
        now: by the clock of whoever reads it, as far as we know that.
    """
    key = (await _made(database))[0]
    header = {"alg": ALGORITHM, "typ": "JWT", "kid": key.id}
    moments = {"iat": int(now) - CLOCK_SECONDS, "exp": int(now) + lifetime_seconds + CLOCK_SECONDS}
    signed = {**claims, **moments}
    return jwt.encode(header, signed, _read(key.private_key), algorithms=[ALGORITHM])


async def signing_id(database: Database) -> str:
    """Return the id of the key that signs."""
    return (await _made(database))[0].id


async def _made(database: Database) -> Sequence[LtiKey]:
    """List the published keys, after making the first ones: a service without platforms needs none."""
    async with database.read() as session:
        if found := await known(session):
            return found
    async with database.write() as session:
        await prepare(session)
        return await known(session)


async def prepare(session: AsyncSession) -> None:
    """Make the key that signs, and the next one, if they are not there."""
    await take_turns(session, ["lti-keys"])
    there = await known(session)
    if not any(key.signs_since is not None and key.signed_until is None for key in there):
        session.add(_new(signs=True))
    if not any(key.signs_since is None for key in there):
        session.add(_new(signs=False))
    await session.flush()


async def rotate(session: AsyncSession) -> LtiKey:
    """Let the next key sign from now on, and make one for the next time. Return the key that signs.

    The key that signed before is published for `PUBLISHED_AFTER`. Grades that a platform has refused are sent again.
    """
    await prepare(session)
    now = utc_now()
    there = await known(session)
    for key in there:
        if key.signs_since is not None and key.signed_until is None:
            key.signed_until = now
    following = next(key for key in there if key.signs_since is None)
    following.signs_since = now
    session.add(_new(signs=False))
    await session.flush()
    await key_changed(session)
    return following


async def known(session: AsyncSession) -> Sequence[LtiKey]:
    """List the keys that are published: the one that signs, the next one, those that have signed lately."""
    lately = or_(LtiKey.signed_until.is_(None), LtiKey.signed_until > utc_now() - PUBLISHED_AFTER)
    found = (await session.scalars(select(LtiKey).where(lately).order_by(LtiKey.id))).all()
    return sorted(found, key=lambda key: (key.signed_until is not None, key.signs_since is None, key.id))


def _new(*, signs: bool) -> LtiKey:
    private = RSAKey.generate_key(BITS).as_pem(private=True).decode()
    return LtiKey(id=new_id(), private_key=private, signs_since=utc_now() if signs else None)


@lru_cache(maxsize=16)
def _read(private_key: str) -> RSAKey:
    """Read a key, which takes 60 ms of a core. The PEM of a key never changes."""
    return RSAKey.import_key(private_key)


def _public(key: LtiKey) -> dict[str, Any]:
    public = _read(key.private_key).as_dict(private=False)
    return {"kty": "RSA", "n": public["n"], "e": public["e"], "kid": key.id, "alg": ALGORITHM, "use": "sig"}
