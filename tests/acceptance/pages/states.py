"""All pages, each in its states: found by the service's routes, so that nobody forgets one. Others answer a form."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from http import HTTPStatus

import httpx
from fastapi.routing import iter_route_contexts

from app.http.auth.guard import PUBLIC
from app.main import create_app
from app.settings import Settings
from tests.acceptance.pages.filling import OTHERS, Filled

#: A page gets these for what its path names, where no state says otherwise.
PARAMETERS = {
    "assignment_id": "lstm-layer",
    "batch_id": "{batches[done]}",
    "check_id": "{checks[done]}",
    "course_id": "{courses[main]}",
    "invitation": "{invitations[open]}",
    "member_id": "{members[student]}",
    "other_id": "{submissions[partly]}",
    "person_id": "{people[student]}",
    "platform_id": "{platforms[active]}",
    "regrade_id": "{regrades[preview]}",
    "review_id": "{reviews[wrong]}",
    "secret": "{join}",
    "selection_id": "{platforms[selection]}",
    "submission_id": "{submissions[wrong]}",
}
#: Files and streams, which no reader opens as a page.
NOT_PAGES = re.compile(r"/(events|export|file)$|\.[\w{}]+$|^/oidc/|^/lti/(login|keys)$|^/openapi")
#: Pages of a course that no teacher opens.
OF_ADMINS = {"/courses/{course_id}/delete"}


@dataclass(frozen=True)
class Form:
    """A form that a page answers.

    Attributes:
        at: the page on which it stands.
        fields: what its reader fills in.
        file: its name and content, in the field ``file``.
    """

    at: str
    fields: tuple[tuple[str, str], ...] = ()
    file: tuple[str, str] | None = None

    def sent(self, address: str, html: str) -> httpx.Request:
        """Return the request that sends it from its page. Raises: AssertionError: it is not there."""
        path = re.escape(httpx.URL(address).path)
        form = re.search(rf'<form [^>]*action="{path}(?:#\w+)?".*?</form>', html, re.DOTALL)
        assert form, f"{self.at} has no form to {path}"
        hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form[0])
        data = {name: unescape(value) for name, value in hidden} | dict(self.fields)
        files = {"file": self.file} if self.file else None
        request = httpx.Request("POST", address, data=data, files=files)
        request.read()
        return request


@dataclass(frozen=True)
class State:
    """A page as somebody opens it.

    Attributes:
        address: with names of `Filled` in braces.
        who: a name in `Filled.tokens`; `nobody` is not signed in, and a `stranger` is not yet.
        is_light: it has no pictures, and so may weigh little.
        form: what is sent to the address; None: it is only opened.
    """

    address: str
    who: str = "teacher"
    status: int = HTTPStatus.OK
    is_light: bool = True
    form: Form | None = None

    def __str__(self) -> str:
        return f"{self.who} {'sends to ' if self.form else ''}{self.address}"

    @property
    def is_real(self) -> bool:
        """Whether it shows what the real box has graded."""
        return "[real_" in self.address

    def path(self, filled: Filled) -> str:
        return self.address.format_map(vars(filled))


COURSE = "/courses/{courses[main]}"
ROSTER = f"""id,name,email,group
s000,Renamed Student,s000@example.edu,B-10
s001,{OTHERS[1]},s001@example.edu,B-11
new1,{OTHERS[0]},new1@example.edu,B-12
new2,Without An Address,nothing at all,B-12
new1,Twice,new1@example.edu,B-12
s044,Taken Back,s044@example.edu,B-12
"""
CANVAS = f"""Student,ID,SIS User ID,SIS Login ID,Section,"The class LSTM, equal to tf.keras.layers.LSTM (1)"
Points Possible,,,,,10
"{OTHERS[1]}",1,s001,s001,1,
"Lebedev, Alexander",2,s020,s020,1,7
"Nobody, Known",3,x,x,1,
"""
#: Pages that answer a form.
FORMS = (
    State(f"{COURSE}/grade-book/filled", form=Form(f"{COURSE}/grade-book", file=("grades.csv", CANVAS))),
    State(f"{COURSE}/roster", form=Form(f"{COURSE}/roster", file=("students.csv", ROSTER))),
    State(
        f"{COURSE}/roster",
        status=HTTPStatus.UNPROCESSABLE_ENTITY,
        form=Form(f"{COURSE}/roster", file=("students.csv", "nothing\n")),
    ),
    State(f"{COURSE}/tokens", form=Form(f"{COURSE}/tokens", (("name", OTHERS[0]),))),
    State(f"{COURSE}/links/join", form=Form(f"{COURSE}/links", (("group", OTHERS[1]),))),
    State(f"{COURSE}/members/{{members[student]}}/link", form=Form(f"{COURSE}/members/{{members[student]}}/edit")),
    State(
        f"{COURSE}/submissions/{{submissions[held]}}/decision",
        status=HTTPStatus.UNPROCESSABLE_ENTITY,
        form=Form("/submissions/{submissions[held]}", (("decision", "accepted"),)),
    ),
    State(f"{COURSE}/assignments/lstm-layer/code", "student", form=Form(f"{COURSE}/assignments/lstm-layer")),
    State("/join/{join}", "stranger", form=Form("/join/{join}", (("name", OTHERS[0]),))),
    State(
        "/courses/{courses[main]}/lms/select/{platforms[selection]}",
        form=Form("/courses/{courses[main]}/lms/select/{platforms[selection]}", (("assignment", "lstm-layer"),)),
    ),
)

#: States of pages besides the first: other readers, other data, refusals.
STATES = (
    State("/", "admin"),
    State("/", "student"),
    State("/", "newcomer"),
    State("/", "beginner"),
    State("/", "nobody", HTTPStatus.UNAUTHORIZED),
    State("/enter?token={tokens[student]}", "nobody"),
    State("/enter?token={tokens[student]}", "teacher"),
    State("/join/{join}", "student"),
    State("/courses/{courses[main]}", "student"),
    State("/courses/{courses[main]}?state=look"),
    State("/courses/{courses[empty]}", "beginner"),
    State("/courses/{courses[archived]}", "emeritus"),
    State("/courses/{courses[main]}", "foreign", HTTPStatus.NOT_FOUND),
    State("/courses/{courses[main]}/assignments/lstm-layer", "student"),
    State("/courses/{courses[main]}/assignments/lstm-layer", "newcomer"),
    State("/courses/{courses[main]}/assignments/lstm-layer/attempts", "student"),
    State("/courses/{courses[main]}/assignments/lstm-layer/checks/{checks[waiting]}", "student"),
    State("/leave/everywhere", "student"),
    State("/submissions/{submissions[wrong]}/beside/{submissions[partly]}", "student"),
    State("/submissions/{submissions[real_wrong]}/beside/{submissions[real_right]}"),
    State("/courses/{courses[main]}/members?search=s0", "assistant"),
    State("/courses/{courses[main]}/members?state=unconfirmed"),
    State("/courses/{courses[main]}/assignments/lstm-layer/overview?group=Б-10"),
    State("/courses/{courses[main]}/members/{members[hostile]}"),
    State("/courses/{courses[main]}/regrades/{regrades[over]}"),
    State("/courses/{courses[main]}/reviews?show=answered"),
    State("/courses/{courses[main]}/reviews/{reviews[hostile]}", "assistant"),
    State("/platforms/{platforms[unconfirmed]}", "admin"),
    State("/lti/register/{invitations[open]}?openid_configuration=https://moodle.example.edu/openid", "nobody"),
    State("/lti/register/{invitations[used]}", "nobody", HTTPStatus.GONE),
    State("/courses/{courses[main]}/assignments/lstm-layer/letter?below=60&language=ru"),
    State("/courses/{courses[main]}/lms", "assistant"),
    State("/courses/{courses[empty]}/lms", "beginner"),
    State("/nothing", "nobody", HTTPStatus.NOT_FOUND),
    State("/submissions/{submissions[wrong]}", "student", is_light=False),
    State("/submissions/{submissions[right]}", "student"),
    State("/submissions/{submissions[invalid]}", "student"),
    State("/submissions/{submissions[partly]}", "student", is_light=False),
    State("/submissions/{submissions[late]}", "student"),
    State("/submissions/{submissions[wrong]}?as=student", "teacher", is_light=False),
    State("/submissions/{submissions[hostile]}", "teacher", is_light=False),
    State("/submissions/{submissions[held]}", "teacher"),
    State("/submissions/{submissions[decided]}", "assistant"),
    State("/submissions/{submissions[internal_error]}", "teacher"),
    State("/submissions/{submissions[queued]}", "teacher"),
    State("/submissions/{submissions[cancelled]}", "teacher"),
    State("/submissions/{submissions[archived]}", "emeritus", is_light=False),
    State("/submissions/{submissions[real_wrong]}", "teacher", is_light=False),
    State("/submissions/{submissions[wrong]}", "foreign", HTTPStatus.NOT_FOUND),
    *FORMS,
)


def page_routes() -> Iterator[str]:
    """Yield the paths of all pages."""
    for context in iter_route_contexts(create_app(Settings()).routes):
        path, module = str(context.path), getattr(context.endpoint, "__module__", "")
        is_page = (module.startswith("app.web") or path == "/docs") and not NOT_PAGES.search(path)
        if is_page and "GET" in (context.methods or ()):
            yield path


def first_state(path: str) -> State:
    """The state of a page that nobody wrote down. Raises: KeyError: `PARAMETERS` lacks a name in its path."""
    address = re.sub(r"{(\w+)(?::\w+)?}", lambda name: PARAMETERS[name[1]], path)
    is_of_course = path.startswith(("/courses/{", "/submissions/{")) and path not in OF_ADMINS
    who = "nobody" if path in PUBLIC else "teacher" if is_of_course else "admin"
    if "{check_id}" in path:  # For its student alone.
        who = "student"
    return State(address, who, is_light=not path.startswith("/submissions/{") and path != "/docs")


def all_states() -> list[State]:
    firsts = [first_state(path) for path in page_routes()]
    return list(dict.fromkeys([*firsts, *STATES]))


#: Pages that people open on a phone.
PHONES = tuple(
    State(address, who)
    for who, address in (
        ("student", "/"),
        ("student", "/courses/{courses[main]}/assignments/lstm-layer"),
        ("student", "/courses/{courses[main]}/assignments/lstm-layer/attempts"),
        ("student", "/submissions/{submissions[wrong]}"),
        ("teacher", "/submissions/{submissions[real_wrong]}"),
        ("teacher", "/courses/{courses[main]}"),
        ("teacher", "/courses/{courses[main]}/members"),
        ("teacher", "/courses/{courses[main]}/assignments/lstm-layer/overview"),
        ("admin", "/status"),
    )
)
