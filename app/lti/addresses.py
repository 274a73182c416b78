"""Addresses that platforms name, and the check whether one may receive a platform's token.

We trust a platform about its own services. But in Moodle an editing teacher can write claims of a launch: the
parameter `lineitem_url=https://evil.example/x` of a link becomes the claim of its column (`mod/lti/locallib.php`,
`lti_get_launch_data` and `lti_sign_jwt`), unless Moodle itself names one. This must not send a token to
another site, a grade to the column of another course, or another course's list of people to a teacher of this one.
"""

import re
from collections.abc import Mapping
from urllib.parse import SplitResult, urlencode, urlsplit, urlunsplit

import httpx

from app.errors import TargetRefused
from app.lti.registration.kinds import is_for_many_schools, is_moodle
from app.storage.models import LtiPlatform

#: Spellings that another program may read as the parent folder.
UP = re.compile(r"\.\.|%2e|%2f|%5c|\\", re.IGNORECASE)


def is_of_platform(platform: LtiPlatform, address: str) -> bool:
    """Tell whether the platform's token may be sent to an address that the platform names.

    It must be at a site of the platform's own addresses, or at one that an admin has added. The services of Canvas,
    Blackboard and Brightspace are at each school's address, which need not be among these; in their launches, nobody
    else can write addresses.
    """
    if is_for_many_schools(platform):
        return True
    own = platform.issuer, platform.login_url, platform.token_url, platform.keys_url, *platform.origins.split()
    return any(is_same_site(address, each) for each in own)


def is_same_site(address: str, other: str) -> bool:
    """Tell whether two addresses share scheme, host and port."""
    site = _site(address)
    return site is not None and site == _site(other)


def is_below(address: str, list_url: str) -> bool:
    """Tell whether an address lies below that of its list, at the same site.

    It does in Canvas, Blackboard, Brightspace, Open edX, and in Moodle, where the first number is the course:
    `.../services.php/2/lineitems/4/lineitem?type_id=1` and `.../services.php/2/lineitems?type_id=1`.
    """
    if not is_same_site(address, list_url):
        return False
    path, above = urlsplit(address).path, urlsplit(list_url).path.rstrip("/") + "/"
    return path.startswith(above) and path != above and not UP.search(path)


def is_of_course(platform: LtiPlatform, address: str, course: str) -> bool:
    """Tell whether a list or a line item of the platform may belong to this course of the platform.

    Moodle writes the course into their addresses, `.../services.php/2/lineitems?type_id=1` and
    `.../services.php/CourseSection/2/bindings/1/memberships`, and would show a teacher the course of another one.
    """
    below = urlsplit(address).path.partition("/services.php/")[2].removeprefix("CourseSection/")
    return not (is_moodle(platform) and below) or below.split("/")[0] == course


def _site(address: str) -> tuple[str, str, int | None] | None:
    try:
        url = httpx.URL(address)
        return url.scheme, url.host, url.port
    except (ValueError, httpx.InvalidURL):
        return None


def parts_of(address: str) -> SplitResult:
    """Take an address apart. Raises: TargetRefused: it is none."""
    try:
        return urlsplit(address)
    except ValueError as exc:
        raise TargetRefused(reason=f"{address[:100]!a} is no address") from exc


def with_query(address: str, parameters: Mapping[str, str]) -> str:
    """Add parameters to an address that may have some. Raises: TargetRefused: it is no address."""
    parts = parts_of(address)
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, urlencode(parameters))))))
