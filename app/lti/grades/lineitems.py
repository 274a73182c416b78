"""The column of a link in the platform's grade book (a line item, AGS 2.0), found or created by one process at a time.

A platform that is asked twice for a line item creates two columns, so we first search for one, in a turn of the link.
The turn is stored in the link's row instead of a database lock, because a platform may take a minute to answer.
"""

import logging
import math
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import AnswerUnusable
from app.errors.lti import PlatformRefused, TokenRefused
from app.lti.addresses import is_below, is_of_course, is_of_platform, with_query
from app.lti.arguments import TAG
from app.lti.pages import pages
from app.lti.platform_services import LINEITEM_READ_SCOPE, LINEITEM_SCOPE, PlatformServices, may_pass, refusal
from app.lti.registration.kinds import is_moodle
from app.storage.database import Database
from app.storage.due import database_now
from app.storage.models import LtiLink, LtiPlatform
from app.storage.models.lti import URL_LENGTH
from app.storage.passback import GONE, column_changed, send_again

logger = logging.getLogger(__name__)

LINEITEM = "application/vnd.ims.lis.v2.lineitem+json"
LINEITEMS = "application/vnd.ims.lis.v2.lineitemcontainer+json"
#: Open edX creates no line item with a longer label.
LABEL_CHARACTERS = 100
#: The largest maximum that a platform may name.
LARGEST = 1e9
#: A process that holds a turn for longer has died, because the sender stops earlier.
TURN = timedelta(seconds=180)
#: The shortest time between two replacements, so that a platform that loses each one does not get a thousand.
REMADE_AFTER = timedelta(days=1)


async def of_link(
    database: Database,
    services: PlatformServices,
    platform: LtiPlatform,
    link: LtiLink,
    *,
    label: str,
    max_points: float,
    resource: str,
) -> str | None:
    """Return the address of the link's line item.

    Args:
        label: the title of the column.
        resource: our id of the course assignment.
    Returns:
        None: another process is finding or creating it.
    Raises:
        PlatformRefused: the platform refuses to list line items, or to create one.
        AnswerUnusable, TargetRefused: see `Outgoing.send`.
    """
    if link.lineitem_url is not None:
        return link.lineitem_url
    if link.lineitems_url is None:
        raise PlatformRefused(status=403, words="the platform has granted no grade book for this link")
    async with database.write() as session:
        now = await database_now(session)
        link = await session.get_one(LtiLink, link.id, with_for_update=True, populate_existing=True)
        if link.lineitem_url is not None:
            return link.lineitem_url
        # A clock that was set back also ends a turn.
        if link.lineitem_at is not None and now - TURN < link.lineitem_at <= now:
            return None
        is_another, link.lineitem_at = link.lineitem_at is not None, now
    lineitem = None
    try:
        lineitem = await _find_or_make(services, platform, link, label, max_points, resource)
    except PlatformRefused as exc:
        if is_another and not isinstance(exc, TokenRefused) and not may_pass(int(exc.params["status"])):
            raise _column_gone(exc) from exc
        raise
    finally:
        async with database.write() as session:
            link = await session.get_one(LtiLink, link.id, with_for_update=True, populate_existing=True)
            link.lineitem_url = link.lineitem_url or lineitem
            if not is_another:
                link.lineitem_at = None
            elif lineitem is None:
                link.lineitem_at = now - TURN
    return link.lineitem_url


def _column_gone(cause: PlatformRefused) -> PlatformRefused:
    """Return the error for a deleted column without a successor: Moodle creates none for a deleted activity."""
    words = f"{cause.params['status']} {cause.params['words']}"
    words = f"the column is gone, and no other one is made for this link: {words}"
    return PlatformRefused(status=HTTPStatus.NOT_FOUND, words=words)


async def take(
    session: AsyncSession, platform: LtiPlatform, link: LtiLink, address: str | None, *, course: str
) -> None:
    """Store the line item that a launch names, if only the platform can have named it (`app.lti.addresses`).

    If it replaces another one, all grades of the link are sent again, at most once a day: a platform that alternates
    between two would otherwise get all grades at each launch. The first one gets the grades that had no column.

    Args:
        link: holds the list of line items that the launch names.
        course: the launch's, as the platform numbers it.
    """
    # On other platforms, such as Sakai, an item need not be below its list.
    list_url = link.lineitems_url if is_moodle(platform) else None
    if link.lineitem_url is not None and _refusal(platform, link.lineitem_url, list_url, course) is not None:
        link.lineitem_url = link.lineitem_max = None
        await column_changed(session, link.id)
    before = link.lineitem_url
    if address is None or before == address:
        return
    if (reason := _refusal(platform, address, list_url, course)) is not None:
        facts = {"platform": platform.id, "link_id": link.id, "reason": reason}
        logger.warning("lti_line_item_refused", extra=facts)
        return
    if list_url is not None and _read_scope(link) is not None:
        # Moodle does not check that the course in such an address is the column's. Its list shows our column.
        if before is None:
            await send_again(session, link.id)
        return
    now = await database_now(session)
    link.lineitem_url, link.lineitem_max = address, None
    await session.flush()
    if before is None:
        await send_again(session, link.id)
    elif not _was_changed_lately(link, now):
        link.lineitem_at = now - TURN
        await column_changed(session, link.id)


def _refusal(platform: LtiPlatform, address: str, list_url: str | None, course: str) -> str | None:
    """Return why somebody other than the platform may have named this line item; None: only the platform can have."""
    if not is_of_platform(platform, address):
        return "it is at none of the platform's sites"
    if not is_of_course(platform, address, course):
        return "it belongs to another course"
    if list_url is not None and not is_below(address, list_url):
        return "it is not below the platform's list of line items"
    return None


def _was_changed_lately(link: LtiLink, now: datetime) -> bool:
    return link.lineitem_at is not None and now - REMADE_AFTER < link.lineitem_at <= now


async def replace_if_gone(
    database: Database, services: PlatformServices, platform: LtiPlatform, link: LtiLink, lineitem: str
) -> bool:
    """Forget a line item that was deleted at the platform, so that the next try finds or creates another one.

    All grades of the link are sent again, because the new column is empty.

    Returns:
        Whether the next try may find one: it is deleted, and was not itself a replacement of the last day.
    Raises:
        PlatformRefused, AnswerUnusable, TargetRefused: see `PlatformServices.send`.
    """
    scope = _read_scope(link)
    if scope is None or link.lineitems_url is None:
        return False
    answer = await services.send(platform, "GET", lineitem, scopes=[scope], accept=LINEITEM)
    if answer.status not in GONE:
        return False  # The column exists, so the person is unknown there.
    async with database.write() as session:
        now = await database_now(session)
        stored = await session.get(LtiLink, link.id, with_for_update=True, populate_existing=True)
        if stored is None or stored.lineitem_url != lineitem:
            return True  # Another process was faster, or the connection was undone.
        if _was_changed_lately(stored, now):
            return False
        stored.lineitem_url, stored.lineitem_max, stored.lineitem_at = None, None, now - TURN
        await column_changed(session, stored.id)
    return True


async def maximum(services: PlatformServices, platform: LtiPlatform, link: LtiLink) -> float | None:
    """Return the maximum of the link's line item at the platform; None: it is not known.

    Raises:
        PlatformRefused, AnswerUnusable, TargetRefused: see `PlatformServices.send`.
    """
    scope = _read_scope(link)
    if scope is None or link.lineitem_url is None:
        return None
    answer = await services.send(platform, "GET", link.lineitem_url, scopes=[scope], accept=LINEITEM)
    item = answer.json() if answer.is_success else None
    most = item.get("scoreMaximum") if isinstance(item, dict) else None
    if not isinstance(most, int | float) or isinstance(most, bool) or not 0 < most < LARGEST:
        return None
    return float(most)


async def _find_or_make(
    services: PlatformServices, platform: LtiPlatform, link: LtiLink, label: str, max_points: float, resource: str
) -> str:
    assert link.lineitems_url is not None
    scope = _read_scope(link)
    if scope is None:
        raise PlatformRefused(status=403, words="line items are not granted")
    url = with_query(link.lineitems_url, {"resource_link_id": link.resource_link_id, "limit": "100"})
    async for page in pages(services, platform, url, scope=scope, accept=LINEITEMS):
        if not isinstance(page, list):
            # If it were read as an empty list, we would create a second column.
            raise AnswerUnusable(reason="the list of line items has another form")
        for item in page:
            if isinstance(item, dict) and _is_ours(item, link, resource):
                return _address(item, services, platform)
    if scope != LINEITEM_SCOPE:
        raise PlatformRefused(status=403, words="there is no line item of this link, and making one is not granted")
    answer = await services.send(
        platform,
        "POST",
        link.lineitems_url,
        scopes=[LINEITEM_SCOPE],
        accept=LINEITEM,
        content={
            # Open edX accepts whole numbers only; each score carries its own maximum.
            "scoreMaximum": math.ceil(max_points),
            "label": label[:LABEL_CHARACTERS],
            "resourceId": resource,
            "tag": TAG,
            "resourceLinkId": link.resource_link_id,
        },
        content_type=LINEITEM,
    )
    if not answer.is_success:
        raise refusal(answer)
    return _address(answer.json(), services, platform)


def _address(item: object, services: PlatformServices, platform: LtiPlatform) -> str:
    """Return the address of a line item. Raises: AnswerUnusable: it has none. TargetRefused: it may receive nothing."""
    address = item.get("id") if isinstance(item, dict) else None
    if not isinstance(address, str) or len(address) > URL_LENGTH or not address.isprintable():
        raise AnswerUnusable(reason="the line item has no usable address")
    services.check(platform, address)
    return address


def _read_scope(link: LtiLink) -> str | None:
    """Return the granted scope for reading line items; None: there is none."""
    granted: Collection[str] = link.scopes.get("granted", [])
    return next((scope for scope in (LINEITEM_SCOPE, LINEITEM_READ_SCOPE) if scope in granted), None)


def _is_ours(item: Mapping[str, Any], link: LtiLink, resource: str) -> bool:
    """Tell whether a line item belongs to this link. Some platforms do not filter the list."""
    if item.get("resourceLinkId") is not None:
        return bool(item["resourceLinkId"] == link.resource_link_id)
    return bool(item.get("resourceId") == resource and item.get("tag") == TAG)
