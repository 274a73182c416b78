"""Notebooks of students that hand in by themselves: their codes, their tokens, and the end of these.

Only what an action returns holds the secret of a new code or token.
"""

import logging
from dataclasses import dataclass, field

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import notebooks
from app.access.rights import Right
from app.actions.actor import Writer, change
from app.actions.fields import ActionRequest, Where
from app.courses.assignments import Assignments
from app.courses.uses import UsedAssignment, find_used
from app.errors import AssignmentNotFound, TokenNotFound
from app.storage.database import Database
from app.storage.models import Token

logger = logging.getLogger(__name__)


class ExchangeCode(ActionRequest):
    code: str = Field(
        max_length=100,
        description="as the assignment's page shows it; any case, spaces and dashes",
        examples=["ABCD-EFGH"],
    )
    where: Where = Field("notebook", description="where it runs, for the student's list")


@dataclass(frozen=True)
class Notebook:
    """A notebook with its new token. Attributes: language: of the page that showed the code."""

    token: Token
    secret: str = field(repr=False)
    language: str
    used: UsedAssignment


async def _used(session: AsyncSession, course_id: str, assignment_id: str, assignments: Assignments) -> UsedAssignment:
    used = await find_used(session, course_id, assignment_id, assignments)
    if used.effective is None:
        raise AssignmentNotFound
    return used


@change(Right.MAKE_CODES)
async def make_code(actor: Writer, assignment_id: str, language: str) -> str:
    """Make a code for the student's notebook, in place of an earlier one.

    Raises:
        AssignmentNotFound: the course does not use it.
        MemberRemoved
    """
    await _used(actor.session, actor.course_id, assignment_id, actor.assignments)
    return await notebooks.make_code(actor.session, actor.holder, assignment_id, language)


async def exchange_code(database: Database, assignments: Assignments, wanted: ExchangeCode) -> Notebook:
    """Exchange a code for a token. The notebook has no right yet, and shows the code instead.

    Raises:
        NotebookCodeUnusable
        AssignmentNotFound: the course no longer uses it.
    """
    async with database.write() as session:
        token, secret, language = await notebooks.exchange(session, wanted.code, wanted.where)
        used = await _used(session, token.course_id, token.assignment_id or "", assignments)
    logger.info("notebook_connected", extra={"token_id": token.id})
    return Notebook(token, secret, language, used)


@change(Right.SIGN_OUT)
async def end_notebook(actor: Writer, token_id: str) -> None:
    """End a notebook of the member's. Ending it twice changes nothing.

    Raises:
        TokenNotFound: the member has none with this id.
    """
    token = await actor.session.get(Token, token_id)
    is_own = token and token.assignment_id and token.membership_id == actor.holder.membership_id
    if not is_own:
        raise TokenNotFound
    await notebooks.end(actor.session, Token.id == token_id)
