"""Deletes expired rows: unfinished launches, questions that hold a whole message, and codes.

An expired row is refused at once. The service deletes it some minutes later (`app.lti.nightly`), even if nobody uses
the platform any more.
"""

from app.lti.registration import invitations
from app.storage.cascade import delete_ended
from app.storage.database import Database
from app.storage.models import LtiCode, LtiInvitation, LtiLogin, LtiQuestion, LtiSelection, utc_now


async def delete_expired(database: Database) -> None:
    now = utc_now()
    deleted = await delete_ended(
        database,
        {
            LtiLogin: LtiLogin.expires_at <= now,
            LtiQuestion: LtiQuestion.expires_at <= now,
            LtiSelection: LtiSelection.expires_at <= now,
            LtiCode: LtiCode.expires_at <= now,
            LtiInvitation: LtiInvitation.expires_at < now - invitations.KEPT,
        },
    )
    if LtiQuestion in deleted:
        await database.empty_log()
