"""The objects that request handlers work with, one of each per application, kept in `app.state`."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection

from app.access.limits import RateLimit
from app.access.lost_links import LostLinks
from app.access.tokens import Principal
from app.courses.assignments import Assignments
from app.lti.frames import FrameSites
from app.lti.platform_keys import PlatformKeys
from app.lti.platform_services import PlatformServices
from app.mail.mailer import Mailer
from app.oidc.issuer import Issuer
from app.operations.about import About
from app.operations.charts import Charts
from app.operations.metrics import Metrics
from app.operations.probe import WriteProbe
from app.operations.selftest import SelfTest
from app.operations.status import ERRORS_LISTED, Failure
from app.outgoing.client import Outgoing
from app.queue import Jobs
from app.queue.backlog import Backlog
from app.queue.inbox import Inbox
from app.settings import Settings
from app.storage.batches import Batcher
from app.storage.database import Database

WATCHERS_LOOKING = 4
# A whole class may share one client address: that of its school, or of a proxy.
LINKS_PER_MINUTE = 60
LINKS_OF_ADDRESS_PER_MINUTE = 5
# Archives of a course or of one's own data. Each reads all of it.
ARCHIVES_PER_MINUTE = 6
# A whole lecture hall scans the code at once. A higher rate is a program that floods the course with fake members.
JOINS_PER_MINUTE = 300
# Each makes the earlier one useless.
CODES_PER_MINUTE = 5
# Wrong codes. Those of a whole class may come from one address; all of a minute find one of 300 codes among 31^8 once
# in ten million minutes.
WRONG_CODES_PER_MINUTE = 300
WRONG_CODES_OF_CLIENT_PER_MINUTE = 20
# A whole school may share one address. Each login is a row for ten minutes.
LOGINS_PER_MINUTE = 1200


@dataclass(frozen=True)
class Operations:
    """The state of a process for monitoring, whether it serves or only grades.

    Attributes:
        self_test: None: this process does not grade.
        about: None: this process does not grade, or does not say.
        failed_requests: the newest ones.
    """

    settings: Settings
    database: Database
    is_working: Callable[[], bool]
    self_test: SelfTest | None
    probe: WriteProbe
    metrics: Metrics
    about: About | None = None
    failed_requests: deque[Failure] = field(default_factory=lambda: deque(maxlen=ERRORS_LISTED))


@dataclass(frozen=True)
class Services:
    """The objects that handlers of uploads, pages and the API share.

    Attributes:
        holders: finds the holder of a token by its hash.
        request_limit: for each token, on the API.
        join_limit: for each join link, on its page.
        login_limit: for each client that begins a launch from a learning platform.
        mailer: None: the settings name no mail server.
        issuer: None: the settings name none.
        lost_links: None: the settings name no mail server.
        platform_keys: by which platforms sign (`app.lti`).
        outgoing: for requests to platforms.
        frame_sites: whose pages may show ours in a frame.
        code_limit: for each student who makes codes for notebooks.
        wrong_codes, wrong_codes_of_client: for all who send wrong codes, and for each client.
        client_limit, address_limit: for each client and each address, on the page that sends new links.
        looking: lets a few watchers at a time ask the database. Hundreds want to when a grade ends, and uploads still
            need a free connection.
    """

    settings: Settings
    assignments: Assignments
    database: Database
    jobs: Jobs
    request_limit: RateLimit
    backlog: Backlog
    inbox: Inbox
    holders: Batcher[str, Principal | None]
    charts: Charts
    mailer: Mailer | None
    issuer: Issuer | None
    lost_links: LostLinks | None
    platform_keys: PlatformKeys
    platform_services: PlatformServices
    outgoing: Outgoing
    frame_sites: FrameSites
    client_limit: RateLimit = field(default_factory=lambda: RateLimit(LINKS_PER_MINUTE))
    address_limit: RateLimit = field(default_factory=lambda: RateLimit(LINKS_OF_ADDRESS_PER_MINUTE))
    login_limit: RateLimit = field(default_factory=lambda: RateLimit(LOGINS_PER_MINUTE))
    archive_limit: RateLimit = field(default_factory=lambda: RateLimit(ARCHIVES_PER_MINUTE))
    join_limit: RateLimit = field(default_factory=lambda: RateLimit(JOINS_PER_MINUTE))
    code_limit: RateLimit = field(default_factory=lambda: RateLimit(CODES_PER_MINUTE))
    wrong_codes: RateLimit = field(default_factory=lambda: RateLimit(WRONG_CODES_PER_MINUTE))
    wrong_codes_of_client: RateLimit = field(default_factory=lambda: RateLimit(WRONG_CODES_OF_CLIENT_PER_MINUTE))
    looking: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(WATCHERS_LOOKING))


def services(request: HTTPConnection) -> Services:
    parts: Services = request.app.state.services
    return parts


def service_url(request: HTTPConnection) -> str:
    """Return the address of the service as its users know it, without a slash at the end."""
    return services(request).settings.public_url or str(request.base_url).rstrip("/")


def operations(request: HTTPConnection) -> Operations:
    parts: Operations = request.app.state.operations
    return parts
