"""The pages of an invitation: a platform's administrator opens it inside the platform, which registers itself here.

They stand in a frame or a window of a platform that nobody knows yet. So any site may frame them, and no other page of
ours: they show nothing of the service, act on nobody's session, and do no more than the invitation in their address
allows, which is to make a registration that waits for an admin.
"""

import logging

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from app.actions import launching
from app.http.auth.sessions import client_of
from app.http.forms import texts_in
from app.http.pages import page
from app.http.texts import language_of
from app.lti.reasons import reasons_logged
from app.lti.registration import invitations
from app.lti.registration.invitations import REGISTER_PATH
from app.lti.registration.registering import Offer
from app.lti.registration.tool import CANVAS_PATH, Tool
from app.services import service_url, services
from app.texts import text

logger = logging.getLogger(__name__)

EVENT = "lti_registration_refused"
MOST_FIELDS = 10

router = APIRouter(include_in_schema=False)


@router.get(REGISTER_PATH)
@reasons_logged(EVENT)
async def invitation_page(request: Request, invitation: str) -> Response:
    """Say what is about to happen, and ask for one click. The address alone changes nothing."""
    await _look(request, invitation)
    offer = Offer.of(request.query_params.multi_items())
    return page(request, "lti/register.html", offer=offer) if offer else _invitation(request)


@router.post(REGISTER_PATH)
@reasons_logged(EVENT)
async def register(request: Request, invitation: str) -> Response:
    await _look(request, invitation)
    offer, parts = Offer.of(await texts_in(request, MOST_FIELDS)), services(request)
    if offer is None:
        return _invitation(request)
    platform, takes_grades = await launching.register_by_invitation(
        parts.database, parts.outgoing, invitation, offer, tool_of(request)
    )
    logger.info("lti_registered", extra={"platform": platform.id, "issuer": platform.issuer})
    return page(request, "lti/registered.html", platform=platform, takes_grades=takes_grades)


@router.get(CANVAS_PATH)
async def canvas_configuration(request: Request) -> Response:
    """Send the configuration that Canvas can read instead of a form filled in by its administrator."""
    return JSONResponse(tool_of(request).canvas())


def _invitation(request: Request) -> Response:
    """Explain how a platform's administrator uses the address of the invitation."""
    return page(request, "lti/invitation.html", address=f"{service_url(request)}{request.url.path}")


async def _look(request: Request, secret: str) -> None:
    """Raises: TooManyRequests; and see `invitations.find`."""
    services(request).login_limit.take(client_of(request))
    async with services(request).database.read() as session:
        await invitations.find(session, secret)


def tool_of(request: Request) -> Tool:
    """Return this service as a platform registers it, in the reader's language."""
    language = language_of(request)
    return Tool(service_url(request), text("page.brand", language), text("lti.tool.description", language))
