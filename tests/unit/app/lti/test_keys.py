"""The keys that this service signs with: made, published, and followed by the next one."""

from base64 import urlsafe_b64decode

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from app.lti import keys
from app.storage.models import LtiKey, utc_now
from tests.platforms import CLIENT_ID


async def test_our_keys_are_published_without_their_private_parts_which_are_read_once(client, monkeypatch):
    """Reading one takes 60 ms of a core, and anybody may ask for our keys."""
    published_keys = (await client.get("/lti/keys")).json()["keys"]
    monkeypatch.setattr("app.lti.keys.RSAKey", None)
    again = (await client.get("/lti/keys")).json()["keys"]
    assert published_keys == again
    assert len({key["kid"] for key in published_keys}) == 2
    assert {frozenset(key) for key in published_keys} == {frozenset({"kty", "n", "e", "kid", "alg", "use"})}


def test_key_of_ours_is_new_and_of_2048_bits():
    new = [RSAKey.import_key(keys._new(signs=True).private_key) for _ in range(2)]
    assert [len(urlsafe_b64decode(f"{key.as_dict()['n']}==")) * 8 for key in new] == [2048] * 2
    assert new[0].as_dict()["n"] != new[1].as_dict()["n"]


async def test_next_key_takes_over_and_the_one_before_stays_published_for_a_week(service):
    """Platforms keep what they have read for hours, so they know the key that signs before it does."""
    database = service.services.database

    async def published() -> list[str]:
        return [key["kid"] for key in (await keys.public_key_set(database))["keys"]]

    read_before = KeySet.import_key_set(await keys.public_key_set(database))
    first, second = await published()
    assert await keys.signing_id(database) == first
    async with database.write() as session:
        await keys.rotate(session)
    assert await keys.signing_id(database) == second
    token = await keys.sign(database, {"iss": CLIENT_ID}, now=utc_now().timestamp(), lifetime_seconds=60)
    assert jwt.decode(token, read_before, algorithms=["RS256"]).header["kid"] == second
    signs, following, old = await published()
    assert (signs, old, following in (first, second)) == (second, first, False)
    await service.store(LtiKey, LtiKey.id == first, signed_until=utc_now() - keys.PUBLISHED_AFTER)
    assert await published() == [second, following]
