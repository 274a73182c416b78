"""Actions, and the actors: people and programs that ask for them."""

import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, fields
from functools import cached_property, wraps
from inspect import Parameter, getdoc, signature
from typing import Concatenate, Generic, ParamSpec, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from app.access.rights import Right
from app.access.tokens import Principal
from app.courses.assignments import Assignments
from app.mail.mailer import Mailer
from app.storage.database import Database

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Actor:
    """A person or a program that asks for an action, with the parts that actions work with.

    Attributes:
        holder: acts in the course `holder.course_id`.
        url: of the service, without a slash at the end.
        mailer: None: no mail can be sent.
    """

    holder: Principal
    database: Database
    assignments: Assignments
    url: str = ""
    mailer: Mailer | None = None

    @property
    def course_id(self) -> str:
        return self.holder.course_id

    @property
    def name(self) -> str:
        return self.holder.name

    def write(self) -> AbstractAsyncContextManager[AsyncSession]:
        return self.database.write()


@dataclass(frozen=True, kw_only=True)
class Writer(Actor):
    """An actor, and the transaction in which the action is carried out."""

    session: AsyncSession


@dataclass(frozen=True)
class Action(Generic[P, R]):
    """A function that changes something for a holder of its right. Doors name it, and so ask for the same right.

    Attributes:
        archived_too: the transaction refuses what an archived course no longer takes.
    """

    do: Callable[Concatenate[Actor, P], Awaitable[R]]
    right: Right
    archived_too: bool = False

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """The arguments beside the `Actor`, by name. The request is called `wanted`."""
        return dict(list(signature(self.do, eval_str=True).parameters.items())[1:])

    @property
    def description(self) -> str:
        """The docstring, without its sections."""
        return re.split(r"\s+(?:Args|Returns|Raises):", getdoc(self.do) or "", maxsplit=1)[0]

    def check(self, holder: Principal) -> None:
        """Raises: NotPermitted, CourseArchived: the holder does not have the right."""
        holder.check(self.right, archived_too=self.archived_too)

    async def __call__(self, actor: Actor, /, *args: P.args, **kwargs: P.kwargs) -> R:
        self.check(actor.holder)
        return await self.do(actor, *args, **kwargs)


def action(
    right: Right, *, archived_too: bool = False
) -> Callable[[Callable[Concatenate[Actor, P], Awaitable[R]]], Action[P, R]]:
    """Make a function an action, for holders of this right."""
    return lambda do: Action(do, right, archived_too)


def change(
    right: Right, *, archived_too: bool = False
) -> Callable[[Callable[Concatenate[Writer, P], Awaitable[R]]], Action[P, R]]:
    """Make a function an action that is one transaction."""

    def in_transaction(do: Callable[Concatenate[Writer, P], Awaitable[R]]) -> Action[P, R]:
        @wraps(do)
        async def carry_out(actor: Actor, /, *args: P.args, **kwargs: P.kwargs) -> R:
            async with actor.write() as session:
                parts = {each.name: getattr(actor, each.name) for each in fields(Actor)}
                return await do(Writer(**parts, session=session), *args, **kwargs)

        return Action(carry_out, right, archived_too)

    return in_transaction
