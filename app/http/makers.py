"""Names of the makers of changes, as pages show them: people and tokens by name, others in words."""

from __future__ import annotations

from app.access import identities
from app.access.tokens import OWNER
from app.texts import text

#: The beginning of a maker's name that is a join link (`joining`).
BY_JOIN_LINK = "join link "


def maker_in_words(name: str, language: str) -> str:
    """Name the maker of a change: a person, a program, the service's owner, or a way in."""
    if name.startswith(BY_JOIN_LINK):
        return text("change.by_join_link", language, end=name[-4:])
    if name == OWNER:
        return text("change.by_owner", language)
    return text("change.by_sign_on", language) if name == identities.MADE_BY else name
