"""Things of another course, named below the own one: in addresses, in queries and in forms of all pages."""

import re
from collections.abc import Iterator

from fastapi.routing import iter_route_contexts

from app.http.auth.proof import mask
from app.http.fields import new_key
from app.lti import platforms
from app.lti.platforms import Registration
from app.main import create_app
from app.settings import Settings
from app.storage.models import BatchFile, LtiContext, LtiLink, LtiSelection, Membership, new_id, utc_now
from tests.unit.app.access.test_access import filled, of_somebody_else, without_ids
from tests.unit.app.access.test_pages import FORMS, stored
from tests.unit.app.conftest import OTHER, Service, form_secret

HERE = f"/courses/{OTHER}"
#: Names of things that the course has, too.
SHARED = {"course_id", "assignment_id", "form"}
#: The forms of the remaining pages, as far as they need a field before they look for what they are about.
FIELDS = {
    "/courses/{course_id}/members/{member_id}/edit": {"external_id": "mine", "role": "student"},
    "/courses/{course_id}/members/{member_id}/join": {"other": "z" * 26},
    "/courses/{course_id}/lms/select/{selection_id}": {"assignment": "lstm-layer"},
    "/courses/{course_id}/lms/links/{link_id}": {"assignment": "lstm-layer"},
    "/courses/{course_id}/lms/contexts/{context_id}/disconnect": {"sure": "on"},
    **FORMS,
}


def routes() -> Iterator[tuple[str, str, set[str]]]:
    """Yield the method and the path of each page or form below a course, and the names of what is the course's own."""
    for context in iter_route_contexts(create_app(Settings()).routes):
        names = set(re.findall(r"{(\w+)", context.path)) - SHARED
        if context.path.startswith("/courses/{course_id}"):
            yield from ((method, context.path, names) for method in context.methods or () if names)


async def values_of_default(service: Service) -> dict[str, str]:
    """Ids of everything that the course Default has, its link to a platform included."""
    values = await of_somebody_else(service)
    url = "https://lms.example.edu"
    async with service.services.database.write() as session:
        registration = Registration("LMS", url, "client", f"{url}/auth", f"{url}/token", f"{url}/keys", ("1",))
        platform = await platforms.add(session, registration, made_by="owner", confirmed=True)
        context = LtiContext(
            id=new_id(),
            platform_id=platform.id,
            deployment_id="1",
            context_id="7",
            course_id=values["course_id"],
            made_by="LMS",
        )
        session.add(context)
        await session.flush()
        link = LtiLink(id=new_id(), lti_context_id=context.id, resource_link_id="1", scopes={})
        selection = LtiSelection(
            id=new_id(),
            lti_context_id=context.id,
            membership_id=values["member_id"],
            return_url=f"{url}/back",
            takes_lineitem=False,
            expires_at=utc_now().replace(year=2100),
        )
        session.add_all([link, selection])
    return {**values, "context_id": context.id, "link_id": link.id, "selection_id": selection.id}


async def named(service: Service, values: dict[str, str]) -> str:
    """Give the student of Default a name to look for, and add one to the other course; return that one's id."""
    async with service.client() as owner:
        path = f"/api/v1/courses/{values['course_id']}/members/{values['member_id']}"
        changed = await owner.patch(path, json={"name": "Hidden Person", "group": "HiddenGroup"})
        assert changed.status_code == 200
        return str((await owner.post(f"/api/v1{HERE}/members", json={"external_id": "own"})).json()["id"])


async def test_nothing_of_another_course_is_there_below_the_own_one(two):
    values = {**await values_of_default(two), "course_id": OTHER}
    before, kinds = await stored(two), set()
    async with two.browser("teacher-there") as browser:
        secret = form_secret((await browser.get("/link")).text)
        for method, path, names in routes():
            nothing = values | dict.fromkeys(names, new_id())
            answers = []
            for ids in (values, nothing):
                sent = {"form_secret": secret, "form_key": mask(new_key()), **FIELDS.get(path, {})}
                data = sent if method == "POST" else None
                answers.append(await browser.request(method, filled(path, ids), data=data))
            # Deleting is for admins; the answer is the same for everything.
            expected = 403 if path.endswith("/delete") and "comments" not in path else 404
            assert [each.status_code for each in answers] == [expected, expected], f"{method} {path}"
            texts = [
                without_ids(answer, *(ids[name] for name in names))
                for answer, ids in zip(answers, (values, nothing), strict=True)
            ]
            assert texts[0] == texts[1], f"{method} {path}"
            assert "ivanov" not in texts[0]
            kinds |= names
    assert kinds >= {"member_id", "submission_id", "review_id", "join_id", "token_id", "regrade_id", "batch_id"}
    assert await stored(two) == before


async def test_queries_and_exports_of_the_own_course_hold_nothing_of_another_one(two):
    values = await of_somebody_else(two)
    own = await named(two, values)
    member = values["member_id"]
    queries = (
        f"?search=ivanov&group=HiddenGroup&state=handed_in&assignment=lstm-notebook&sort={member}",
        "/members?search=ivanov&state=all&group=HiddenGroup",
        f"/members/{own}/join?search=ivanov",
        f"/changes?member={member}",
        f"/changes?subject=member&made_by=owner&page_from={'z' * 26}",
        f"/regrades?before={'z' * 26}&student=ivanov",
        f"/joins?page_from={'z' * 26}",
        f"/tokens?page_from={'z' * 26}",
        "/reviews?show=answered",
        "/reviews",
        "/batch",
        "/extensions",
        "/adjustments",
        "/links",
        "/lms",
        "/grade-book?format=canvas&unconfirmed=true&missing=zero",
        "/grade-book/file?format=plain&unconfirmed=true",
        "/grade-book/file?format=moodle&assignment=lstm-layer&unconfirmed=true",
        "/assignments/lstm-layer/overview",
        "/assignments/lstm-layer/attempts",
    )
    async with two.browser("teacher-there") as browser:
        for query in queries:
            page = await browser.get(f"{HERE}{query}")
            assert page.status_code in (200, 303), f"{query}: {page.status_code}"
            # The form has again what was asked for.
            text = re.sub(r'(?:value|href)="[^"]*"', "", page.text)
            for word in ("Hidden Person", "HiddenGroup", values["submission_id"]):
                assert word not in text, f"{query}: {word}"
        other = await browser.get(f"{HERE}/members/{own}/join?other={member}")
        assert other.status_code == 404
        book = await browser.get(f"{HERE}/grade-book?assignment=lstm-notebook")
        assert book.status_code == 404


async def test_forms_of_the_own_course_reach_nobody_of_another_one(two):
    values = await of_somebody_else(two)
    own, member = await named(two, values), values["member_id"]
    before = await stored(two)
    (file,) = await two.rows(BatchFile)
    async with two.browser("teacher-there") as browser:
        secret = form_secret((await browser.get("/link")).text)
        for action, fields in {
            f"members/{own}/join": {"other": member},
            "members/confirm": {"member": member},
            "links": {"member": member, "form_key": "0" * 172},
            "regrades": {"student": "ivanov", "assignment": "lstm-notebook", "mode": "now"},
            f"batch/{values['batch_id']}/owners": {f"owner-{file.id}": "own"},
            "failed/regrade": {},
            "links/revoke": {"sure": "on"},
        }.items():
            answer = await browser.post(f"{HERE}/{action}", data={"form_secret": secret, **fields})
            assert answer.status_code in (200, 303, 404), f"{action}: {answer.status_code}"
            assert "Hidden" not in answer.text, action
    (membership,) = await two.rows(Membership, Membership.id == member)
    assert (membership.confirmed_at, membership.removed_at) == (None, None)
    after = await stored(two)
    # The regrade that was begun is of the own course, and of nothing.
    assert [after[place] for place in (0, 1, 2, 4, 5)] == [before[place] for place in (0, 1, 2, 4, 5)]
