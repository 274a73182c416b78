"""A course of Open edX without Open edX: its LTI consumer, `lti-consumer-xblock`, with a page that begins launches.

It runs in an environment of its own (`make peers`), because it locks other versions than we do:

    .venv-peers/bin/python tests/peers/openedx.py TOOL FOLDER

TOOL is the address of the service, FOLDER an empty one. The first line of the output is what an administrator of Open
edX sees, as JSON. All answers are the consumer's own. A few functions stand in for the platform around it: they find
the exercise in the course, the accounts of people, and the members; and they keep what the consumer writes into the
grade book.

* ``/course?who=NAME&role=ROLE&link=LINK`` opens a link as a person, whose role is ``staff`` or ``student``.
* ``/author?who=NAME&link=LINK`` lets an author choose where a link leads to (Deep Linking).
* ``/grade-book`` is the grade book.
"""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from socketserver import ThreadingMixIn
from types import SimpleNamespace
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from django.conf import settings

# The consumer looks for a package of this file's name, which is Open edX.
del sys.path[0]
TOOL, FOLDER = sys.argv[1], Path(sys.argv[2])
COURSE = "course-v1:Example+RNN+2026"
#: One whose column is made when it is opened, one whose column the tool makes, one whose assignment an author chooses.
LINKS = {"declarative": "declarative", "programmatic": "programmatic", "chosen": "declarative"}
#: The members of the course, by name.
MEMBERS = {"teacher": "staff", "assistant": "Community TA", "somebody": "student", "somebody-else": "student"}


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Handler(WSGIRequestHandler):
    def log_message(self, *parts: object) -> None:
        print(datetime.now(UTC).isoformat(), parts[0] % parts[1:], file=sys.stderr)


server = make_server("127.0.0.1", 0, None, server_class=Server, handler_class=Handler)
SITE = f"http://127.0.0.1:{server.server_port}"

settings.configure(
    SECRET_KEY="of a platform that lives for one test",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF="__main__",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework", "lti_consumer"],
    MIDDLEWARE=["__main__.signed_in"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "openedx.sqlite3"}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    USE_TZ=True,
    LMS_ROOT_URL=SITE,
    PLATFORM_NAME="Example edX",
    USAGE_ID_PATTERN=r"(?P<usage_id>block-v1:[^/]+)",
)
django.setup()

from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.http import HttpRequest, HttpResponse, JsonResponse  # noqa: E402
from django.shortcuts import redirect  # noqa: E402
from django.urls import include, path  # noqa: E402
from lti_consumer.api import (  # noqa: E402
    get_lti_1p3_content_url,
    get_lti_1p3_launch_info,
    get_lti_1p3_launch_start_url,
)
from lti_consumer.data import Lti1p3LaunchData  # noqa: E402
from lti_consumer.models import (  # noqa: E402
    CourseAllowPIISharingInLTIFlag,
    Lti1p3Passport,
    LtiAgsLineItem,
    LtiAgsScore,
    LtiConfiguration,
)
from lti_consumer.plugin import compat  # noqa: E402
from opaque_keys.edx.keys import CourseKey, UsageKey  # noqa: E402

grade_book: list[dict[str, object]] = []


class Exercise:
    """The exercise in the course, as far as the consumer asks it."""

    display_name, weight, has_score, accept_grades_past_due = "LSTM by hand", 100, True, True

    def __init__(self, location: UsageKey) -> None:
        self.location = location
        self.scope_ids = SimpleNamespace(usage_id=location, user_id=None)

    def is_past_due(self) -> bool:
        return False

    def max_score(self) -> int:
        return self.weight

    def set_user_module_score(self, user: str, score: float, most: float, comment: str = "") -> None:
        grade_book.append({"who": user, "link": self.location.block_id, "score": score, "comment": comment})


compat.load_enough_xblock = compat.load_block_as_user = Exercise
compat.get_user_from_external_user_id = lambda user_id: user_id
compat.user_has_studio_write_access = lambda user, course_key: True
compat.batch_get_or_create_externalids = lambda users: {
    number: SimpleNamespace(external_user_id=who) for number, who in enumerate(MEMBERS)
}
compat.get_course_members = lambda course_key: {
    number: {"id": number, "name": who.title(), "email": f"{who}@example.edu", "roles": [role]}
    for number, (who, role) in enumerate(MEMBERS.items())
}


def signed_in(answer: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Sign everybody in, as a middleware of Django."""

    def answer_to_somebody(request: HttpRequest) -> HttpResponse:
        request.user = SimpleNamespace(id=1)
        return answer(request)

    return answer_to_somebody


def course(request: HttpRequest) -> HttpResponse:
    """Begin a launch, as the page of the exercise does."""
    who, link = request.GET["who"], request.GET.get("link", "declarative")
    return redirect(get_lti_1p3_content_url(launch(link, who, request.GET.get("role", "student"))))


def author(request: HttpRequest) -> HttpResponse:
    """Let an author choose where a link leads to, as Studio does."""
    asked = launch(request.GET["link"], request.GET["who"], "staff")
    return redirect(get_lti_1p3_launch_start_url(asked, deep_link_launch=True))


def launch(link: str, who: str, role: str) -> Lti1p3LaunchData:
    configuration = configurations[link]
    return Lti1p3LaunchData(
        user_id=who,
        external_user_id=who,
        user_role=role,
        name=who,
        config_id=configuration.config_id,
        resource_link_id=str(configuration.location),
        launch_presentation_document_target="iframe",
        context_id=COURSE,
        context_type=["course_offering"],
        context_title="Recurrent networks",
        context_label="RNN",
        custom_parameters={} if link == "chosen" else {"assignment": "lstm-layer"},
    )


def written(request: HttpRequest) -> HttpResponse:
    """Show the grade book, the columns, and the scores as they came."""
    scores = LtiAgsScore.objects.order_by("id").values(
        "line_item", "user_id", "score_given", "score_maximum", "comment"
    )
    columns = [
        {"id": each.id, "link": each.lti_configuration.location.block_id}
        for each in LtiAgsLineItem.objects.order_by("id").select_related("lti_configuration")
    ]
    return JsonResponse({"grade_book": grade_book, "scores": list(scores), "columns": columns})


urlpatterns = [
    path("course", course),
    path("author", author),
    path("grade-book", written),
    path("api/", include("lti_consumer.plugin.urls", namespace="lti_consumer")),
]

call_command("migrate", verbosity=0)
passport = Lti1p3Passport.objects.create(name="lstm-grader", lti_1p3_tool_keyset_url=f"{TOOL}/lti/keys")
configurations = {
    link: LtiConfiguration.objects.create(
        version=LtiConfiguration.LTI_1P3,
        config_store=LtiConfiguration.CONFIG_ON_DB,
        location=UsageKey.from_string(f"block-v1:Example+RNN+2026+type@lti_consumer+block@{link}"),
        lti_1p3_passport=passport,
        lti_1p3_oidc_url=f"{TOOL}/lti/login",
        lti_1p3_launch_url=f"{TOOL}/lti/open",
        lti_1p3_redirect_uris=[f"{TOOL}/lti/launch"],
        lti_advantage_ags_mode=mode,
        lti_advantage_enable_nrps=True,
        lti_advantage_deep_linking_enabled=link == "chosen",
        lti_advantage_deep_linking_launch_url=f"{TOOL}/lti/open",
    )
    for link, mode in LINKS.items()
}
CourseAllowPIISharingInLTIFlag.objects.create(course_id=CourseKey.from_string(COURSE), enabled=True)
shown = get_lti_1p3_launch_info(launch("declarative", "administrator", "staff"))
print(json.dumps({"issuer": SITE, **shown}), flush=True)
server.set_app(WSGIHandler())
server.serve_forever()
