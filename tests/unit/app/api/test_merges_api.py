"""Persons merged by an admin over the API, and taken apart again."""

from app.storage.models import DEFAULT_COURSE
from tests.unit.app.calls import assert_problem
from tests.unit.app.conftest import Service
from tests.unit.app.two_courses import OTHER

PEOPLE = "/api/v1/people"


async def test_admin_merges_two_people_and_takes_them_apart(two: Service) -> None:
    async with two.client() as owner:

        async def member(course: str) -> dict[str, str]:
            listed = (await owner.get(f"/api/v1/courses/{course}/members")).json()["items"]
            return next(each for each in listed if each["external_id"] == "ivanov")

        here, there = await member(DEFAULT_COURSE), await member(OTHER)
        address = f"{PEOPLE}/{here['person']}/merge"
        answer = await owner.post(address, json={"person": there["person"]})
        merge = answer.json()
        assert (answer.status_code, merge["kept"], merge["merged"]) == (201, here["person"], there["person"])
        assert (merge["members"], merge["identities"], merge["undone_at"]) == ([there["id"]], 0, None)
        assert (await member(OTHER))["person"] == here["person"]
        assert (await owner.post(address, json={"person": there["person"]})).json() == merge
        assert (await owner.get(f"{PEOPLE}/merges")).json() == {"items": [merge], "next_cursor": None}

        undo = f"{PEOPLE}/merges/{merge['id']}/undo"
        assert (await owner.post(undo)).json()["undone_at"] is not None
        assert (await member(OTHER))["person"] == there["person"]
        assert_problem(await owner.post(undo), 409, "join-undone")
