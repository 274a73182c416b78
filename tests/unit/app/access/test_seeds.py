"""Seeds: each attempt has its own, is always asked by it, and nobody gets to see it."""

import base64
import io
import json
import logging
import re
import zipfile
from collections.abc import Collection, Iterator

import httpx
from fastapi.routing import iter_route_contexts
from sqlalchemy import text

from app.main import create_app
from app.queue import claims
from app.settings import Settings
from app.storage.models import Base
from reference import SEED_BYTES, name_of, new_seed
from tests.unit.app.access.test_access import filled
from tests.unit.app.access.test_other_courses import values_of_default
from tests.unit.app.calls import hand_in
from tests.unit.app.conftest import OWNER_TOKEN, Service
from tests.waiting import until


def holds(content: bytes, seeds: Collection[bytes]) -> bool:
    """Tell whether a seed is in there, as it is or in one of the ways that bytes are written."""
    for seed in seeds:
        in_letters = [encode(seed).rstrip(b"=") for encode in (base64.b64encode, base64.urlsafe_b64encode)]
        written = [seed.hex(), str(seed), json.dumps([*seed])[1:-1]]
        if any(each in content for each in (seed, *in_letters, *map(str.encode, written))):
            return True
    return False


def contents(answer: httpx.Response) -> Iterator[bytes]:
    """Yield what an answer says, and what is in the archive that it is."""
    yield "\n".join(f"{name}: {value}" for name, value in answer.headers.items()).encode()
    yield answer.content
    if answer.content.startswith(b"PK"):
        archive = zipfile.ZipFile(io.BytesIO(answer.content))
        yield from map(archive.read, archive.namelist())


async def rows_holding(service: Service, seeds: Collection[bytes]) -> list[str]:
    """The columns, in all tables, in which a seed is."""
    found = []
    async with service.services.database.read() as session:
        for name in Base.metadata.tables:
            for row in (await session.execute(text(f"SELECT * FROM {name}"))).mappings():
                found += [
                    f"{name}.{column}"
                    for column, value in row.items()
                    if holds(value if isinstance(value, bytes) else str(value).encode(), seeds)
                ]
    return found


async def test_attempts_have_and_keep_seeds_of_their_own(service, owner, grader):
    ids = [await hand_in(service, student) for student in ("ivanov", "ivanov", "petrov")]
    first = list(grader.seeds)
    assert len(set(first)) == 3
    assert {len(seed) for seed in first} == {SEED_BYTES}
    for preview in (False, True):
        begun = await owner.post("/api/v1/regrades", json={"submissions": ids[:1], "preview": preview})
        assert begun.status_code == 202, begun.text
    await until(lambda: len(grader.graded) == 5)
    assert grader.seeds == [*first, first[0], first[0]]


async def test_nobody_gets_to_see_a_seed(service, owner, grader, caplog):
    caplog.set_level(logging.DEBUG)
    values = {**await values_of_default(service), "form": "ipynb", "name": "icon.svg"}
    seeds = set(grader.seeds)
    assert seeds
    await service.add_token("student", student="ivanov")
    asked: set[str] = set()
    names_of_questions = 0
    contexts = iter_route_contexts(create_app(Settings()).routes)
    paths = [
        context.path
        for context in contexts
        if "GET" in (context.methods or ()) and set(re.findall(r"{(\w+)", context.path)) <= values.keys()
    ]
    for token in (OWNER_TOKEN, "student"):
        async with service.client(token) as client, service.browser(token) as browser:
            for path in paths:
                answer = await (client if path.startswith("/api/") else browser).get(filled(path, values))
                for content in contents(answer):
                    assert not holds(content, seeds), f"{token}: {path}"
                    names_of_questions += any(name_of(seed).encode() in content for seed in seeds)
                if answer.status_code == 200:
                    asked.add(path)
    assert len(asked) > 80
    course = await owner.post(f"/api/v1/courses/{values['course_id']}/export")
    found = [holds(content, seeds) for content in contents(course)]
    assert len(found) > 10
    assert not any(found)
    assert names_of_questions > 3  # Reports were among the answers.
    assert not holds(repr([record.__dict__ for record in caplog.records]).encode(), seeds)
    assert set(await rows_holding(service, seeds)) == {"submissions.seed"}


def test_claim_says_nothing_of_its_seed():
    seed = new_seed()
    claim = claims.Claim("id", "submission", "course", "lstm-layer", "LSTM.py", b"class LSTM", seed, tries=1)
    assert claim.seed == seed
    assert not holds(repr(claim).encode(), [seed])
