"""Finds the student to whom a row, or a file of an archive, belongs: by id, by address or by name.

If an id or an address fits one student, but the name fits only others, a person has to decide: the number may be that
of a task or of another platform, and nobody notices a grade in the wrong row.

Moodle names its folders ``Name Surname_12345_...``; the number means nothing outside the assignment. Canvas writes the
name in small letters without spaces, and its own id, which is the roster's if that came from Canvas. In another archive
any part of the path may be an id, an address or a name.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import permutations

from grader.batch.collect import Student

WORD = re.compile(r"[^\W\d_]+")
# A name of at most so many words is tried in every order: 24 orders of four words.
WORDS_MAX = 4
# A single word is too common to name a person.
WORDS_MIN = 2


class MatchedBy(StrEnum):
    ID = "id"
    EMAIL = "email"
    NAME = "name"
    HAND = "hand"


@dataclass(frozen=True)
class Candidate:
    """A student of the course. Attributes: external_id: empty if there is none."""

    member_id: str
    external_id: str
    name: str | None = None
    email: str | None = None


@dataclass(frozen=True)
class Match:
    """The owner of a file. Attributes: member_id: None if no student fits, or several do."""

    member_id: str | None
    by: MatchedBy | None = None


NOBODY = Match(None)


@dataclass(frozen=True)
class _Fit:
    """The students that fit a row, or a part of a path. Attributes: best: those that fit best."""

    members: frozenset[str]
    best: frozenset[str]
    by: MatchedBy

    def match(self) -> Match:
        return Match(next(iter(self.best)), self.by) if len(self.best) == 1 else NOBODY


class Matcher:
    """Finds the owners of files among the students of a course."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self._ids: dict[str, set[str]] = defaultdict(set)
        self._emails: dict[str, set[str]] = defaultdict(set)
        self._joined: dict[str, set[str]] = defaultdict(set)
        self._with_word: dict[str, list[tuple[frozenset[str], str]]] = defaultdict(list)
        for each in candidates:
            if each.external_id:
                self._ids[comparable(each.external_id)].add(each.member_id)
            if each.email:
                self._emails[comparable(each.email)].add(each.member_id)
            words = words_of(each.name or "")
            for word in set(words):
                self._with_word[word].append((frozenset(words), each.member_id))
            for order in _orders(words):
                self._joined["".join(order)].add(each.member_id)

    def find(self, student: Student) -> Match:
        """Find the owner of a file, as the archive names them."""
        if student.platform == "moodle":
            return self._of_name(student.name).match()
        if student.platform == "canvas":
            return self.find_person([student.id or ""], student.name)
        parts = [self._of_row([part], part) for part in reversed(student.name.split("/"))]
        fits = [fit for fit in parts if fit.members]
        if not fits:
            return NOBODY
        members = frozenset.intersection(*(fit.members for fit in fits))
        best = members if len(members) == 1 else members.intersection(*(fit.best for fit in fits))
        # Name the part that decides: it fits this student, and the fewest others.
        telling = min(fits, key=lambda fit: (not best <= fit.best, len(fit.best)))
        return _Fit(members, best, telling.by).match()

    def find_person(self, ids: Iterable[str], name: str) -> Match:
        """Find the student of a row: all ids and addresses are theirs, and the name does not fit only others."""
        return self._of_row(ids, name).match()

    def _of_row(self, ids: Iterable[str], name: str) -> _Fit:
        asked = [comparable(each) for each in ids]
        by_id = {member for each in asked for member in self._ids.get(each, ())}
        owners = by_id.union(*(self._emails.get(each, ()) for each in asked))
        named = self._of_name(name)
        if not owners:
            return named
        if len(owners) == 1 and named.members:
            owners &= named.members
        return _Fit(frozenset(owners), frozenset(owners), MatchedBy.ID if by_id else MatchedBy.EMAIL)

    def _of_name(self, name: str) -> _Fit:
        if by_email := self._emails.get(comparable(name)):
            return _Fit(frozenset(by_email), frozenset(by_email), MatchedBy.EMAIL)
        words = words_of(name)
        exact = self._joined.get("".join(words), set())
        asked = frozenset(words)
        close = set()
        if len(asked) >= WORDS_MIN:
            # The roster may have the patronymic and the platform not, or the other way round.
            sharing = (each for word in asked for each in self._with_word.get(word, ()))
            close = {
                member for known, member in sharing if len(known) >= WORDS_MIN and (asked <= known or known <= asked)
            }
        return _Fit(frozenset(exact | close), frozenset(exact or close), MatchedBy.NAME)


def comparable(text: str) -> str:
    """Return an id, an address or a name without differences of case and of the form of letters."""
    return unicodedata.normalize("NFKC", text).strip().casefold().replace("ё", "е")


def matches(search: str, *values: str | None) -> bool:
    """Tell whether these values contain every word of a search, compared as by `comparable`."""
    text = comparable(" ".join(filter(None, values)))
    return all(word in text for word in comparable(search).split())


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
