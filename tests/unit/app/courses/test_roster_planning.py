"""Addresses that move within a roster: the fast answer is that of the definition."""

from hypothesis import given
from hypothesis import strategies as st

from app.courses.roster import planning
from app.courses.roster.planning import _Before
from app.courses.roster.reading import Row
from app.storage.models import MemberRole, Membership, Person, utc_now

IDS = "abcdef"
ADDRESSES = st.sampled_from([None, *(f"{id}@e.ru" for id in IDS)])
MEMBERS = st.dictionaries(st.sampled_from(IDS), st.tuples(ADDRESSES, st.sampled_from(["certain", "new", "removed"])))
FILES = st.dictionaries(st.sampled_from(IDS), ADDRESSES)


def known_of(members: dict[str, tuple[str | None, str]]) -> _Before:
    entries = {
        id: Membership(
            id=id,
            external_id=id,
            role=MemberRole.STUDENT,
            person=Person(email=email),
            confirmed_at=utc_now() if state == "certain" else None,
            removed_at=utc_now() if state == "removed" else None,
        )
        for id, (email, state) in members.items()
    }
    return _Before(entries, list(entries.values()), set(), set(), {}, {}, {})


def conflicts(rows: list[Row], known: _Before) -> set[int]:
    return {line for line, _ in planning._conflicts(rows, known, {MemberRole.STUDENT})}


def blocked(rows: list[Row], known: _Before) -> set[int]:
    """Take away, round by round, the rows whose address another member has after an import of those that are left."""
    left = {row.line: row for row in rows}
    while True:
        moving, named = {row.id for row in left.values() if row.email}, {row.id for row in left.values()}
        kept = {
            id: member.person.email
            for id, member in known.by_id.items()
            if id not in moving and (planning._is_certain(member) or id in named)
        }
        taken = [
            line
            for line, row in left.items()
            if any(email and email == planning._address(row, known) for id, email in kept.items() if id != row.id)
        ]
        if not taken:
            return {row.line for row in rows} - left.keys()
        for line in taken:
            del left[line]


@given(members=MEMBERS, file=FILES)
def test_conflicts_are_those_of_rounds(members, file):
    known = known_of(members)
    rows = [Row(line, id, email=email) for line, (id, email) in enumerate(file.items(), start=2)]
    assert conflicts(rows, known) == blocked(rows, known)


def test_column_that_slipped_by_a_row_takes_time_for_each_row_once(monkeypatch):
    count = 2000
    known = known_of({f"s{number}": (f"s{number}@e.ru", "certain") for number in range(count)})
    rows = [Row(number + 2, f"s{number}", email=f"s{number + 1}@e.ru") for number in range(count - 1)]
    compared = 0
    comparable = planning.comparable

    def counted(address: str) -> str:
        nonlocal compared
        compared += 1
        return comparable(address)

    monkeypatch.setattr(planning, "comparable", counted)
    assert len(conflicts(rows, known)) == count - 1
    assert compared <= 3 * count
