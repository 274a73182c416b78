"""People across courses, for the operator: find, merge, export and delete them."""

from fastapi import Response

from app.access import persons
from app.access.rights import Right
from app.actions import members as actions
from app.courses import people
from app.errors import JoinUndone, PersonNotFound
from app.http.archives import send_archive_of_person
from app.http.forms import see_other
from app.http.visits import Pages, Visit, one_page, search_of
from app.storage.paging import Paging

#: The most people that a search for a merge offers.
OFFERED = 20
#: The page of a person.
ONE = "/{person_id}"

router = Pages("/people")


@router.page("", Right.SEE_PEOPLE)
async def list_people(visit: Visit, search: str = "") -> Response:
    text, paging = search_of(search), visit.paging()
    rows = await people.list_people(visit.session, paging, text=text)
    courses = await people.courses_of(visit.session, rows)
    return visit.page(
        "manage/people.html",
        courses=courses,
        search=text,
        **one_page("people", paging, rows, lambda row: row.person.id),
    )


@router.page(ONE, Right.SEE_PEOPLE)
async def person_page(visit: Visit, person_id: str, search: str = "") -> Response:
    search = search_of(search)
    known = await people.find(visit.session, person_id)
    offered = await people.list_people(visit.session, Paging(OFFERED), text=search) if search else []
    others = [each for each in offered if each.person.id != person_id][:OFFERED]
    merges = await persons.merges_of(visit.session, person_id)
    courses = await people.courses_of(visit.session, [known, *others])
    return visit.page(
        "manage/person.html",
        known=known,
        called=known.display_name,
        courses=courses,
        merges=merges,
        others=others,
        search=search,
    )


@router.page("/{person_id}/export", Right.SEE_PEOPLE)
async def export_person(visit: Visit, person_id: str) -> Response:
    return await send_archive_of_person(visit.parts, person_id)


_NAMES = {"person": "other"}
_MISSING = [PersonNotFound]
router.act(f"{ONE}/merge", actions.merge_people, ONE, "person.merged", names=_NAMES, again=person_page, on=_MISSING)
router.act(
    f"{ONE}/merges/{{merge_id}}/undo", actions.undo_merge, ONE, "person.unmerged", twice=[JoinUndone], again=person_page
)
router.act(f"{ONE}/identities/{{identity_id}}/detach", actions.detach_identity, ONE, "person.detached")


@router.form("/{person_id}/delete", actions.delete_person, again=person_page)
async def delete(visit: Visit, person_id: str) -> Response:
    await actions.delete_person(visit, person_id, confirmation=visit.fields.typed.get("confirmation", ""))
    return see_other("/people", said="person.deleted")
