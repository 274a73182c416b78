"""The student whose file it is, or nobody."""

import pytest

from app.courses.matching import Candidate, MatchedBy, Matcher
from grader.batch.collect import Student

COURSE = [
    Candidate("m1", "ivanov", "Иванов Иван Петрович", "ivan@example.org"),
    Candidate("m2", "4711", "Anna Petrova", "anna@example.org"),
    Candidate("m3", "lee", "Min Lee"),
    Candidate("m4", "lee-2", "Min Lee"),
    Candidate("m5", "smirnov", "Смирнов Пётр"),
    Candidate("m6", "anna.smith", "Anna Maria Smith", "maria@example.org"),
    Candidate("m7", "s7", "Anna Smith"),
]


@pytest.mark.parametrize(
    ("student", "member", "by"),
    [
        (Student("Иван Иванов", "moodle", "12"), "m1", MatchedBy.NAME),
        (Student("Иван Петрович Иванов", "moodle", "12"), "m1", MatchedBy.NAME),
        (Student("anna@example.org", "moodle", "12"), "m2", MatchedBy.EMAIL),
        (Student("Петр Смирнов", "moodle", "12"), "m5", MatchedBy.NAME),
        (Student("petrovaanna", "canvas", "99"), "m2", MatchedBy.NAME),
        (Student("somebodyelse", "canvas", "4711"), "m2", MatchedBy.ID),
        (Student("group 1/IVANOV"), "m1", MatchedBy.ID),
        (Student("anna@example.org/LSTM"), "m2", MatchedBy.EMAIL),
        (Student("Anna Petrova/homework/LSTM"), "m2", MatchedBy.NAME),
        (Student("Anna Petrova/4711"), "m2", MatchedBy.ID),
        # The id tells two people of one name apart.
        (Student("Min Lee/lee-2"), "m4", MatchedBy.ID),
        (Student("minlee", "canvas", "lee-2"), "m4", MatchedBy.ID),
        # A name that is somebody's own fits another one with a further name as well.
        (Student("Anna Smith/LSTM"), "m7", MatchedBy.NAME),
        (Student("anna.smith/LSTM"), "m6", MatchedBy.ID),
        (Student("maria@example.org/Anna Smith"), "m6", MatchedBy.EMAIL),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_owner_is_found(student, member, by):
    match = Matcher(COURSE).find(student)
    assert (match.member_id, match.by) == (member, by)


@pytest.mark.parametrize(
    "student",
    [
        Student("Min Lee", "moodle", "12"),
        Student("leemin", "canvas", "12"),
        Student("Иван", "moodle", "12"),
        # The number of a participant in Moodle is nobody's id.
        Student("Somebody Else", "moodle", "4711"),
        # An id that is another one's than the name: the number may be one of a task, or of another platform.
        Student("Смирнов Пётр/4711"),
        Student("4711/Смирнов Пётр"),
        Student("смирновпетр", "canvas", "4711"),
        # So it is where the name is that of two others.
        Student("Min Lee/4711"),
        Student("LSTM"),
        Student(""),
    ],
    ids=lambda value: value.name or "no name",
)
def test_file_that_may_be_two_peoples_or_nobodys_has_no_owner(student):
    assert Matcher(COURSE).find(student).member_id is None


def test_row_whose_id_and_name_are_of_two_people_is_nobodys():
    matcher = Matcher(COURSE)
    assert matcher.find_person(["4711"], "Смирнов Пётр").member_id is None
    assert matcher.find_person(["anna@example.org"], "Смирнов Пётр").member_id is None
    assert matcher.find_person(["4711"], "Min Lee").member_id is None
    assert matcher.find_person(["lee"], "Min Lee").member_id == "m3"
    assert matcher.find_person(["anna.smith", "maria@example.org"], "Anna Smith").member_id == "m6"
    assert matcher.find_person(["4711"], "Somebody Else").member_id == "m2"
