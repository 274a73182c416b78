"""Finds the student whom a file of an archive or a row belongs to: by id, by address, by name, or nobody.

Where an id or an address is one student's and the name only another one's, a person must say whose it is: a number may
be that of a task or of another platform, and a grade in the wrong place is seen by nobody.

Moodle names its folders ``Name Surname_12345_...``; the number means nothing outside the assignment. Canvas writes the
name in small letters without spaces, and its own id, which is the roster's if that came from Canvas. In another archive
any part of the path may be an id, an address or a name.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import permutations

from grader.batch.collect import Student

WORD = re.compile(r"[^\W\d_]+")
# Words of a name that are put into every order: 24 of four.
WORDS_MAX = 4
# One word may be anybody's: two and more name a person.
WORDS_MIN = 2


class MatchedBy(StrEnum):
    ID = "id"
    EMAIL = "email"
    NAME = "name"
    HAND = "hand"


@dataclass(frozen=True)
class Candidate:
    """A student of the course. Attributes: external_id: empty: there is none."""

    member_id: str
    external_id: str
    name: str | None = None
    email: str | None = None


@dataclass(frozen=True)
class Match:
    """The owner of a file. Attributes: member_id: None: nobody, or more than one, can be it."""

    member_id: str | None
    by: MatchedBy | None = None


NOBODY = Match(None)


class Matcher:
    """Finds the owners of files among the students of a course."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self._ids: dict[str, set[str]] = defaultdict(set)
        self._emails: dict[str, set[str]] = defaultdict(set)
        self._joined: dict[str, set[str]] = defaultdict(set)
        self._words: list[tuple[frozenset[str], str]] = []
        for each in candidates:
            if each.external_id:
                self._ids[comparable(each.external_id)].add(each.member_id)
            if each.email:
                self._emails[comparable(each.email)].add(each.member_id)
            words = words_of(each.name or "")
            self._words.append((frozenset(words), each.member_id))
            for order in _orders(words):
                self._joined["".join(order)].add(each.member_id)

    def find(self, student: Student) -> Match:
        """Find the owner of a file, as the archive names them."""
        if student.platform == "moodle":
            return self._by_name(student.name)
        if student.platform == "canvas":
            return self.find_person([student.id or ""], student.name)
        parts = [self.find_person([part], part) for part in reversed(student.name.split("/"))]
        found = [match for match in parts if match.member_id]
        return found[0] if len({match.member_id for match in found}) == 1 else NOBODY

    def find_person(self, ids: Iterable[str], name: str) -> Match:
        """Find the student of a row: all of its ids and addresses, and a name that is only one's, must be of one."""
        asked = [comparable(each) for each in ids]
        by_id = {member for each in asked for member in self._ids.get(each, ())}
        by_email = {member for each in asked for member in self._emails.get(each, ())}
        named = self._by_name(name)
        if not by_id | by_email:
            return named
        members = {*by_id, *by_email, *filter(None, [named.member_id])}
        return _one(members, MatchedBy.ID if by_id else MatchedBy.EMAIL) or NOBODY

    def _by_name(self, name: str) -> Match:
        if found := _one(self._emails.get(comparable(name), ()), MatchedBy.EMAIL):
            return found
        words = words_of(name)
        joined = self._joined.get("".join(words), set())
        if joined:
            return _one(joined, MatchedBy.NAME) or NOBODY
        asked = frozenset(words)
        if len(asked) < WORDS_MIN:
            return NOBODY
        # A roster may know the patronymic, and the platform not, or the other way round.
        close = {
            member for known, member in self._words if len(known) >= WORDS_MIN and (asked <= known or known <= asked)
        }
        return _one(close, MatchedBy.NAME) or NOBODY


def comparable(text: str) -> str:
    """Return what is left of an id, an address or a name when case and the form of its letters do not count."""
    return unicodedata.normalize("NFKC", text).strip().casefold().replace("ё", "е")


def words_of(name: str) -> Sequence[str]:
    """Return the words of a name, to be compared.

    >>> words_of("O'Neil-Smith, Anna")
    ['o', 'neil', 'smith', 'anna']
    """
    return WORD.findall(comparable(name))


def _orders(words: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the orders in which a platform may write a name."""
    if len(words) < WORDS_MIN:
        return
    yield words
    if len(words) <= WORDS_MAX:
        yield from permutations(words)


def _one(members: Iterable[str], by: MatchedBy) -> Match | None:
    found = set(members)
    return Match(found.pop(), by) if len(found) == 1 else None
