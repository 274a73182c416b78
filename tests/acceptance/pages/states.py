"""All pages, each in its states: found by the service's routes, so that nobody forgets one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus

from fastapi.routing import iter_route_contexts

from app.http.auth import PUBLIC
from app.main import create_app
from app.settings import Settings
from tests.acceptance.pages.filling import Filled

#: A page gets these for what its path names, where no state says otherwise.
PARAMETERS = {
    "assignment_id": "lstm-layer",
    "batch_id": "{batches[done]}",
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
class State:
    """A page as somebody opens it.

    Attributes:
        address: with names of `Filled` in braces.
        who: a name in `Filled.tokens`; `nobody` is not signed in.
        is_light: it has no pictures, and so may weigh little.
    """

    address: str
    who: str = "teacher"
    status: int = HTTPStatus.OK
    is_light: bool = True

    def __str__(self) -> str:
        return f"{self.who} {self.address}"

    def path(self, filled: Filled) -> str:
        return self.address.format_map(vars(filled))


#: States of pages besides the first: other readers, other data, refusals.
STATES = (
    State("/", "admin"),
    State("/", "student"),
    State("/", "newcomer"),
    State("/", "assistant"),
    State("/", "beginner"),
    State("/", "nobody", HTTPStatus.UNAUTHORIZED),
    State("/enter?token={tokens[student]}", "nobody"),
    State("/enter?token={tokens[student]}", "teacher"),
    State("/join/{join}", "student"),
    State("/courses/{courses[main]}", "assistant"),
    State("/courses/{courses[main]}", "student"),
    State("/courses/{courses[main]}?state=look"),
    State("/courses/{courses[empty]}", "beginner"),
    State("/courses/{courses[archived]}", "emeritus"),
    State("/courses/{courses[main]}", "foreign", HTTPStatus.NOT_FOUND),
    State("/courses/{courses[main]}/assignments/lstm-layer", "student"),
    State("/courses/{courses[main]}/assignments/lstm-layer", "newcomer"),
    State("/courses/{courses[main]}/assignments/lstm-layer/attempts", "student"),
    State("/submissions/{submissions[wrong]}/beside/{submissions[partly]}", "student"),
    State("/submissions/{submissions[real_wrong]}/beside/{submissions[real_right]}"),
    State("/courses/{courses[main]}?state=late", "assistant"),
    State("/courses/{courses[main]}/members?q=s0", "assistant"),
    State("/courses/{courses[main]}/members/{members[hostile]}"),
    State("/courses/{courses[main]}/members/{members[newcomer]}", "assistant"),
    State("/courses/{courses[main]}/regrades/{regrades[over]}"),
    State("/courses/{courses[main]}/reviews/{reviews[hostile]}", "assistant"),
    State("/platforms/{platforms[unconfirmed]}", "admin"),
    State("/lti/register/{invitations[open]}?openid_configuration=https://moodle.example.edu/openid", "nobody"),
    State("/lti/register/{invitations[used]}", "nobody", HTTPStatus.GONE),
    State("/courses/{courses[main]}/lms", "assistant"),
    State("/courses/{courses[empty]}/lms", "beginner"),
    State("/nothing", "nobody", HTTPStatus.NOT_FOUND),
    State("/nothing", "teacher", HTTPStatus.NOT_FOUND),
    State("/submissions/{submissions[wrong]}", "student", is_light=False),
    State("/submissions/{submissions[right]}", "student"),
    State("/submissions/{submissions[invalid]}", "student"),
    State("/submissions/{submissions[partly]}", "student", is_light=False),
    State("/submissions/{submissions[late]}", "student"),
    State("/submissions/{submissions[hostile]}", "teacher", is_light=False),
    State("/submissions/{submissions[held]}", "teacher"),
    State("/submissions/{submissions[decided]}", "assistant"),
    State("/submissions/{submissions[internal_error]}", "teacher"),
    State("/submissions/{submissions[queued]}", "teacher"),
    State("/submissions/{submissions[cancelled]}", "teacher"),
    State("/submissions/{submissions[archived]}", "emeritus", is_light=False),
    State("/submissions/{submissions[real_wrong]}", "teacher", is_light=False),
    State("/submissions/{submissions[real_right]}", "teacher"),
    State("/submissions/{submissions[real_broken]}", "teacher"),
    State("/submissions/{submissions[wrong]}", "foreign", HTTPStatus.NOT_FOUND),
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
