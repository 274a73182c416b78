"""The members of a course and their ways in, in pages."""

import csv
import io
import re

import httpx

from app.storage.models import Identity, JoinLink, Membership, Person, Role, Token
from tests.unit.app.calls import COURSE, hand_in, hidden, post, said, send
from tests.unit.app.conftest import OWNER_TOKEN, Browser, Service

MEMBERS, ROSTER, LINKS, TOKENS = (f"{COURSE}/{part}" for part in ("members", "roster", "links", "tokens"))


async def add(service: Service, external_id: str, **values: object) -> str:
    answer = await post(service, OWNER_TOKEN, f"/api/v1{MEMBERS}", {"external_id": external_id, **values})
    return str(answer.json()["id"])


async def test_member_is_added_changed_removed_and_taken_back(browser):
    added = await send(browser, f"{MEMBERS}/new", external_id="ivanov", name="Иван", role="student")
    assert said(added) == "member.added"
    edit = added.headers["location"].partition("?")[0]
    twice = await send(browser, f"{MEMBERS}/new", external_id="ivanov", name="Иван", role="student")
    assert twice.headers["location"] == added.headers["location"]
    again = await send(browser, f"{MEMBERS}/new", external_id="ivanov", name="Другой", role="student")
    assert again.status_code == 409
    assert 'id="external_id-error"' in again.text
    assert "Другой" in again.text
    fields = {"external_id": "ivanov", "name": "Иван Иванов", "email": "i@example.org", "role": "assistant"}
    assert said(await send(browser, edit, **fields)) == "member.changed"
    assert "Иван Иванов" in (await browser.get(MEMBERS, params={"role": "assistant"})).text
    member = edit.removesuffix("/edit")
    assert said(await send(browser, edit, f"{member}/remove")) == "member.removed"
    assert "Иван Иванов" not in (await browser.get(MEMBERS)).text
    assert "Иван Иванов" in (await browser.get(MEMBERS, params={"state": "removed"})).text
    assert said(await send(browser, edit, f"{member}/restore")) == "member.restored"


async def test_teacher_changes_the_group_of_one_who_signs_on_and_not_the_address(service):
    email, name = "Anna.Petrova@uni.edu", "Zo\u0065\u0308"  # As an issuer writes them.
    edit = f"{MEMBERS}/{(id := await add(service, 'anna', name=name))}/edit"
    async with service.services.database.write() as session:
        person = await session.get_one(Person, (await session.get_one(Membership, id)).person_id)
        person.name, person.email = name, email
        session.add(Identity(person_id=person.id, issuer="https://id.example.edu", subject="7", email=email))
    await service.add_token("teacher", Role.TEACHER)
    async with service.browser("teacher") as browser:
        shown = re.search(r'name="email"[^>]*value="([^"]*)"', (await browser.get(edit)).text)
        fields = {"external_id": "anna", "name": name, "role": "student", "group": "201"}
        assert said(await send(browser, edit, email=shown[1], **fields)) == "member.changed"
        assert (await send(browser, edit, email="other@uni.edu", **fields)).status_code == 409
    assert [(each.name, each.email) for each in await service.rows(Person)] == [(name, email)]
    assert (await service.member("anna")).group == "201"


async def test_list_has_search_filters_and_pages(service, browser):
    for number in range(3):
        await add(service, f"st{number}", name=f"Student {number}", group=f"G{number % 2}")
    page = (await browser.get(MEMBERS, params={"search": "dent 1"})).text
    assert ("Student 1" in page, "Student 2" in page) == (True, False)
    page = (await browser.get(MEMBERS, params={"group": "G0"})).text
    assert ("Student 1" in page, "Student 2" in page) == (False, True)
    for odd in ({"page": "x"}, {"page": "99999"}, {"role": "king"}, {"state": "odd"}, {"search": "\x00"}):
        assert (await browser.get(MEMBERS, params=odd)).status_code == 200


async def test_newcomer_who_claims_an_id_is_not_ticked_and_can_be_joined(service, browser):
    """Confirming all ticked ones would keep both entries of one student."""
    listed = await add(service, "ivanov", name="Ivan Ivanov")
    for name in ("plain", "claiming"):
        await service.add_token(name, student=name)
    claiming = await service.member("claiming")
    await service.store(Membership, Membership.id == claiming.id, claimed_id="ivanov")
    page = (await browser.get(MEMBERS, params={"state": "unconfirmed"})).text
    ticks = re.findall(r'<input class="tick"[^>]*>', page)
    assert sorted(("checked" in tick, "claiming" in tick) for tick in ticks) == [(False, True), (True, False)]
    join = re.search(f'href="({MEMBERS}/{claiming.id}/join)"', page)
    assert f'href="{MEMBERS}/{listed}/join?other={claiming.id}"' in (await browser.get(join[1])).text


async def test_newcomer_is_confirmed_or_joined_with_entries(service, browser, owner):
    listed = await add(service, "ivanov", name="Ivan Ivanov")
    await service.add_token("first", student="newcomer")
    unconfirmed = (await owner.get(f"/api/v1{MEMBERS}", params={"confirmed": False})).json()["items"]
    (newcomer,) = [each["id"] for each in unconfirmed]
    await hand_in(service, "newcomer")
    edit = f"{MEMBERS}/{newcomer}/edit"
    assert "Is this a student of yours?" in (await browser.get(edit)).text
    assert said(await send(browser, edit, f"{MEMBERS}/{newcomer}/confirm")) == "member.confirmed"
    join = f"{MEMBERS}/{listed}/join"
    assert "newcomer" in (await browser.get(join, params={"search": "newcom"})).text
    preview = (await browser.get(join, params={"other": newcomer})).text
    assert re.search(r"<dt>attempts</dt><dd>1</dd>", preview)
    for _ in range(2):
        assert said(await send(browser, join, other=newcomer)) == "member.joined"
    assert (await send(browser, join, other=listed)).status_code == 422
    gone = f"{MEMBERS}/{newcomer}"
    assert "Take back" not in (await browser.get(f"{gone}/edit")).text
    assert (await send(browser, f"{gone}/edit", f"{gone}/restore")).status_code == 409
    listing = (await browser.get(f"{COURSE}/joins")).text
    undo = re.search(r'action="([^"]+/undo)"', listing)
    assert said(await send(browser, f"{COURSE}/joins", undo[1])) == "member.unjoined"
    assert said(await send(browser, MEMBERS, undo[1])) == "member.unjoined"


async def test_ticked_newcomers_are_confirmed_together_but_for_one_with_a_taken_address(service, browser):
    await add(service, "listed", email="a@example.org")
    for student in ("first", "second", "third"):
        await service.add_token(student, student=student)
    third = await service.member("third")
    await service.store(Person, Person.id == third.person_id, email="a@example.org")
    page = f"{MEMBERS}?state=unconfirmed"
    ticked = re.findall(r'name="member" value="(\w+)"', (await browser.get(page)).text)
    assert len(ticked) == 3
    answer = await send(browser, page, f"{MEMBERS}/confirm", member=[*ticked, "nobody", "0" * 26])
    assert said(answer) == "members.confirmed_some"
    left = (await browser.get(page)).text
    assert ("third" in left, "second" in left) == (True, False)


async def roster(browser: Browser, file: tuple[str, bytes] = ("", b""), **sent: str) -> httpx.Response:
    return await send(browser, ROSTER, files={"file": file}, **{"table": "", **sent})


async def test_roster_shows_first_and_then_does_what_it_has_shown(service, browser):
    content = b"id;name;email\nst1;Anna <b>;a@example.org\nst2;;wrong\n"
    shown = await roster(browser, file=("list.csv", content))
    assert shown.status_code == 200
    assert "Anna &lt;b&gt;" in shown.text
    assert "“wrong” is not an e-mail address" in shown.text
    assert len(await service.rows(Membership)) == 0
    preview = {name: hidden(shown.text, name) for name in ("packed", "plan")}
    assert said(await roster(browser, **preview)) == "roster.imported_in_part"
    assert len(await service.rows(Membership)) == 1
    assert said(await roster(browser, **preview)) == "roster.imported_in_part"
    (member,) = re.findall(r"/members/(\w+)/edit", (await browser.get(MEMBERS)).text)
    await send(browser, f"{MEMBERS}/{member}/edit", external_id="st1", name="Other", role="student")
    changed = await roster(browser, **preview)
    assert changed.status_code == 409
    assert hidden(changed.text, "plan") != preview["plan"]


async def test_pasted_table_is_read_and_kept_when_it_is_refused(browser):
    shown = (await roster(browser, table="id\tname\nst1\tAnna\nst2\tGarc?a\n")).text
    assert "Anna" in shown
    assert "The letters of 1 name seem to have been damaged before the file came here (line 3)." in shown
    beside_empty_file = await roster(browser, file=("empty.csv", b""), table="id\tname\nst1\tAnna\n")
    assert (beside_empty_file.status_code, "Anna" in beside_empty_file.text) == (200, True)
    refused = await roster(browser, table="colour\tsize\r\nred\t1")  # As browsers send lines.
    assert refused.status_code == 422
    assert ">\ncolour\tsize\nred\t1</textarea>" in refused.text
    assert (await roster(browser)).status_code == 422
    for packed in ("%%%", "é", "AAAA"):
        assert (await roster(browser, packed=packed)).status_code == 403
    assert (await roster(browser, file=("x.csv", b"id\n" + b"a\n" * 600_000))).status_code == 422


async def test_personal_link_is_shown_once_and_made_once(service, visitor, browser):
    member = await add(service, "ivanov", name="Ivan")
    edit, make = f"{MEMBERS}/{member}/edit", f"{MEMBERS}/{member}/link"
    key = hidden((await browser.get(edit)).text, "form_key")
    before = len(await service.rows(Token))
    first, second = [await send(browser, edit, make, form_key=key) for _ in range(2)]
    (secret,) = set(re.findall(r"/enter\?token=([\w-]+)", first.text + second.text))
    assert len(await service.rows(Token)) == before + 1
    assert secret not in (await browser.get(edit)).text
    assert "nobody has used" in (await browser.get(edit)).text
    assert (await send(browser, edit, make, mail="on")).status_code == 409
    assert said(await send(browser, edit, f"{make}/revoke")) == "link.revoked"
    (another,) = set(re.findall(r"/enter\?token=([\w-]+)", (await send(browser, edit, make, form_key=key)).text))
    assert (await visitor.get("/enter", params={"token": secret})).status_code == 401
    assert (await visitor.get("/enter", params={"token": another})).status_code == 200


async def test_links_that_open_on_this_machine_alone_are_told_beforehand(service, browser):
    member = await add(service, "anna", name="Anna")
    assert "LSTM_GRADER_PUBLIC_URL" not in (await browser.get(LINKS)).text
    browser.headers["Host"] = "127.0.0.1:8000"
    assert "LSTM_GRADER_PUBLIC_URL" in (await browser.get(LINKS)).text
    for page in (
        await browser.get(LINKS),
        await send(browser, f"{COURSE}/members/{member}/edit", f"{COURSE}/members/{member}/link"),
        await send(browser, LINKS, f"{LINKS}/join", limit="30"),
    ):
        assert "Links lead to http://127.0.0.1:8000" in page.text
    await service.add_token("of-a-teacher", Role.TEACHER)
    async with service.browser("of-a-teacher") as teacher:
        teacher.headers["Host"] = "127.0.0.1:8000"
        shown = (await teacher.get(LINKS)).text
        assert "Ask whoever runs the service" in shown
        assert "LSTM_GRADER_" not in shown


async def test_links_of_all_who_never_came_are_one_table(service, visitor, browser):
    for number in range(3):
        await add(service, f"st{number}", name=f"Student {number}", email=f"st{number}@example.org")
    await add(service, "signs-on", name="Student")
    person = (await service.member("signs-on")).person_id
    await service.add(Identity(person_id=person, issuer="https://id.example.edu", subject="7"))
    answer = await send(browser, LINKS, **{"for": "never_used"})
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [row["id"] for row in rows] == ["st0", "st1", "st2"]
    secret = rows[0]["link"].partition("token=")[2]
    assert (await visitor.post("/enter", data={"token": secret})).status_code == 303
    shown = (await browser.get(LINKS)).text
    # The browser that downloads stays at its page, which therefore counts again by itself.
    counts = shown[shown.index('data-refresh="5"') :].partition("</ul>")[0]
    assert re.findall(r"<strong>(\d+)</strong>", counts) == ["2", "2", "0"]
    assert 'src="/static/refresh.js"' in shown
    assert said(await send(browser, LINKS, f"{LINKS}/revoke")) == "not_sure"
    assert said(await send(browser, LINKS, f"{LINKS}/revoke", sure="on")) == "links.revoked"


async def test_join_link_has_a_code_and_lets_a_student_in(service, visitor, browser):
    key = hidden((await browser.get(LINKS)).text, "form_key")
    fields = {"group": "201", "limit": "10", "expires_at": "2030-01-01T00:00"}
    first, second = [await send(browser, LINKS, f"{LINKS}/join", form_key=key, **fields) for _ in range(2)]
    (path,) = set(re.findall(r"http://grader\.test(/join/[\w-]+)", first.text + second.text))
    assert "<svg" in first.text
    assert len(await service.rows(JoinLink)) == 1
    page = (await visitor.get(path)).text
    joined = await visitor.post(path, data={"form_key": hidden(page, "form_key"), "name": "Newcomer"})
    assert joined.status_code == 200
    assert "Newcomer" in (await browser.get(MEMBERS, params={"state": "unconfirmed"})).text
    revoke = re.search(r'action="([^"]+/revoke)"', (await browser.get(LINKS)).text)
    assert said(await send(browser, LINKS, revoke[1])) == "join_link.revoked"
    again = await send(browser, LINKS, f"{LINKS}/join", form_key=key, **fields)
    (another,) = set(re.findall(r"http://grader\.test(/join/[\w-]+)", again.text))
    async with service.client(None, Accept="text/html") as student:
        assert [(await student.get(each)).status_code for each in (path, another)] == [410, 200]


async def test_token_is_shown_once_and_revoked(service, browser):
    key = hidden((await browser.get(TOKENS)).text, "form_key")
    answers = [await send(browser, TOKENS, form_key=key, name="Moodle", role="submitter") for _ in range(2)]
    (secret,) = {re.findall(r'data-copy="(lstmg_[\w-]+)"', each.text)[0] for each in answers}
    assert f'href="{TOKENS}?lang=ru"' in answers[0].text
    async with service.client(secret) as program:
        assert (await program.get("/api/v1/submissions")).status_code == 200
        listing = (await browser.get(TOKENS)).text
        assert secret not in listing
        row = re.search(r"Moodle.*?action=\"([^\"]+/revoke)\"", listing, re.DOTALL)
        assert said(await send(browser, TOKENS, row[1])) == "token.revoked"
        assert (await program.get("/api/v1/submissions")).status_code == 401
    again = await send(browser, TOKENS, form_key=key, name="Moodle", role="submitter")
    async with service.client(re.findall(r'data-copy="(lstmg_[\w-]+)"', again.text)[0]) as program:
        assert (await program.get("/api/v1/submissions")).status_code == 200
    assert 'id="name-error"' in (await send(browser, TOKENS, name="owner", role="submitter")).text


async def test_exceptions_of_the_course_are_listed(service, browser, owner):
    member = await add(service, "ivanov", name="Ivan")
    place = f"/api/v1{MEMBERS}/{member}/assignments/lstm-layer"
    await owner.post(f"{place}/adjustments", json={"delta": 5.0, "reason": "a <plot>"})
    await owner.put(f"{place}/extension", json={"more_attempts": 2, "reason": "ill"})
    gone = f"{MEMBERS}/{await add(service, 'ivashkin')}"
    await owner.post(f"/api/v1{gone}/remove")
    await hand_in(service, "ivanov")
    adjusted = (await browser.get(f"{COURSE}/adjustments")).text
    assert "a &lt;plot&gt;" in adjusted
    assert "grade changed since the adjustment" in adjusted
    extended = (await browser.get(f"{COURSE}/extensions", params={"search": "iva"})).text
    assert "2 more attempts" in extended
    assert f'href="{MEMBERS}/{member}"' in extended
    assert gone not in extended
    remove = f"{COURSE}/extensions/{member}/lstm-layer/remove"
    assert said(await send(browser, f"{COURSE}/extensions", remove)) == "extension.removed"
    assert said(await send(browser, f"{COURSE}/extensions", remove)) == "extension.removed"
    assert "Nobody has an extension." in (await browser.get(f"{COURSE}/extensions")).text


async def test_people_are_found_merged_and_deleted(service, browser, owner):
    kept, other = [await add(service, id, name=f"Person {id}") for id in ("one", "two")]
    course = (await owner.post("/api/v1/courses", json={"title": "Second"})).json()["id"]
    third = (await owner.post(f"/api/v1/courses/{course}/members", json={"external_id": "x", "name": "Third"})).json()
    ids = {each: (await owner.get(f"/api/v1{MEMBERS}/{each}")).json()["person"] for each in (kept, other)}
    person = f"/people/{ids[kept]}"
    people = (await browser.get("/people", params={"search": "TWO"})).text
    assert ("Person two" in people, "Person one" in people) == (True, False)
    offered = (await browser.get(person, params={"search": "Third"})).text
    assert ("<bdi>Third</bdi>" in offered, "Second" in offered) == (True, True)
    both_here = await send(browser, person, f"{person}/merge", other=ids[other])
    assert both_here.status_code == 409
    assert said(await send(browser, person, f"{person}/merge", other=third["person"])) == "person.merged"
    page = (await browser.get(person)).text
    assert "Second" in page
    undo = re.search(r'action="([^"]+/undo)"', page)
    assert said(await send(browser, person, undo[1])) == "person.unmerged"
    archive = await browser.get(f"{person}/export")
    assert archive.content.startswith(b"PK")
    assert (await send(browser, person, f"{person}/delete", confirmation="Person")).status_code == 409
    assert said(await send(browser, person, f"{person}/delete", confirmation="Person one")) == "person.deleted"
    assert (await browser.get(person)).status_code == 404
