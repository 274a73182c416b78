"""Addresses of people who sign on: a teacher of one course never gets the links of another one by changing them."""

from typing import Any

import pytest

from app.storage.models import DEFAULT_COURSE, Identity, Role
from tests.unit.app.calls import assert_problem
from tests.unit.app.conftest import Service

MEMBERS = f"/api/v1/courses/{DEFAULT_COURSE}/members"
OWN, OF_TEACHER = "ivanov@example.edu", "teacher@example.net"


async def ivanov(service: Service, **values: Any) -> str:
    """Add a student who signs on and is in one course; return the member's id."""
    async with service.client() as admin:
        body = {"external_id": "ivanov", "email": OWN, **values}
        member = (await admin.post(MEMBERS, json=body)).json()
    async with service.services.database.write() as session:
        session.add(Identity(person_id=member["person"], issuer="https://id.example.edu", subject="1", email=OWN))
    id: str = member["id"]
    return id


@pytest.mark.parametrize("email", [OWN, None])
async def test_address_of_one_who_signs_on_is_not_a_teachers_to_change(service: Service, email: str | None) -> None:
    id = await ivanov(service, email=email)
    await service.add_token("teacher", Role.TEACHER)
    async with service.client("teacher") as teacher:
        answer = await teacher.patch(f"{MEMBERS}/{id}", json={"email": OF_TEACHER})
        assert_problem(answer, 409, "person-shared")
        assert (await teacher.patch(f"{MEMBERS}/{id}", json={"name": "Ivan"})).json()["name"] == "Ivan"
        roster = f"id,name,email\nivanov,Иван,{OF_TEACHER}\n".encode()
        (row,) = (await teacher.post(f"/api/v1/courses/{DEFAULT_COURSE}/roster", content=roster)).json()["rows"]
        assert (row["outcome"], row["kept"]) == ("changed", ["email"])
        member = (await teacher.get(f"{MEMBERS}/{id}")).json()
    assert (member["name"], member["email"]) == ("Иван", email)


async def test_join_leaves_the_address_of_somebody_who_signs_on(service: Service) -> None:
    id = await ivanov(service, external_id="new-1")
    await service.add_token("teacher", Role.TEACHER)
    async with service.client("teacher") as teacher:
        entry = (
            await teacher.post(MEMBERS, json={"external_id": "ivanov", "email": OF_TEACHER, "name": "Иван"})
        ).json()
        joined = await teacher.post(f"{MEMBERS}/{entry['id']}/join", json={"member": id})
        assert joined.json()["signs_on"] is True
        kept = (await teacher.get(f"{MEMBERS}/{entry['id']}")).json()
    assert (kept["name"], kept["email"]) == ("Иван", OWN)
