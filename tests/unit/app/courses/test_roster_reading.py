"""Rosters as people have them: any encoding, delimiter and export, and any bytes."""

import csv
import io
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.courses.roster.columns import HEADINGS, plain
from app.courses.roster.reading import MOST_BYTES, MOST_ROWS, Fault, Roster, Row, read, table
from app.errors import (
    RosterBroken,
    RosterColumnUnknown,
    RosterEmpty,
    RosterEncodingUnknown,
    RosterHeadingsUnknown,
    RosterNotCSV,
    RosterRefused,
    RosterTooLong,
)
from app.storage.models import MemberRole

RUSSIAN = st.text("абвгдежзийклмнопрстуфхцчшщъыьэюяё", min_size=2, max_size=12).map(str.title)
WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12)
NAME = st.tuples(RUSSIAN, RUSSIAN).map(" ".join)
PERSON = st.tuples(
    st.one_of(WORD, st.tuples(WORD, st.sampled_from(";,\t'\"=")).map("x".join)),
    st.one_of(NAME, NAME.map(lambda name: f'{name}, "староста"; =1+1')),
    WORD.map(lambda word: f"{word}@edu.hse.ru"),
    st.one_of(st.just(""), RUSSIAN.map(lambda word: f"{word}-201")),
)
PEOPLE = st.lists(PERSON, max_size=20, unique_by=(lambda each: each[0].strip(), lambda each: each[2]))
ENCODINGS = ("utf-8", "utf-8-sig", "cp1251", "utf-16", "utf-16-le-bom", "utf-16-be-bom")
OUR_HEADINGS = (
    ("id", "name", "email", "group"),
    ("ИД", "ФИО", "Почта", "Группа"),
    ("student", "Full name", "E-mail", "группа"),
)


def encoded(text: str, encoding: str) -> bytes:
    if encoding.endswith("-bom"):
        return f"\ufeff{text}".encode(encoding.removesuffix("-bom"))
    return text.encode(encoding)


def written(lines: list[tuple[str, ...]], **dialect: Any) -> str:
    text = io.StringIO()
    csv.writer(text, **dialect).writerows(lines)
    return text.getvalue()


def of(text: str, encoding: str = "utf-8", id_column: str | None = None) -> Roster:
    return read(text.encode(encoding), id_column)


def people(roster: Roster) -> list[tuple[str, str | None, str | None, str | None]]:
    assert not [problem for row in roster.rows for problem in row.problems]
    return [(row.id, row.name, row.email, row.group) for row in roster.rows]


@settings(deadline=None)
@given(
    PEOPLE,
    st.sampled_from(ENCODINGS),
    st.sampled_from(";,\t"),
    st.sampled_from(("\n", "\r\n", "\r")),
    st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)),
    st.sampled_from(OUR_HEADINGS),
    st.booleans(),
)
def test_same_rows_come_out_of_every_encoding_delimiter_and_dialect(
    given_people, encoding, delimiter, line_end, quoting, headings, blank_lines
):
    nothing = [("", " ", "", "")] if blank_lines else []
    lines = [headings, *nothing, *given_people, *nothing]
    text = written(lines, delimiter=delimiter, lineterminator=line_end, quoting=quoting)
    expected = [(id.strip(), " ".join(name.split()), email, group or None) for id, name, email, group in given_people]
    assert people(read(encoded(text, encoding))) == expected


@settings(deadline=None)
@given(st.binary(max_size=300))
@example(b"\xff\xfe\x00\xd8")
@example(b"id\n\x00")
@example(b'id;name\n"')
@example("id;Имя\n1;Иванов".encode()[:-1])
def test_any_bytes_give_rows_or_our_refusal(content):
    for tried in (content, b"id;email\n" + content, "Почта\n".encode("cp1251") + content):
        try:
            roster = read(tried)
        except RosterRefused:
            continue
        for row in roster.rows:
            assert row.id or row.problems
            assert all(value is None or (value and value.isprintable()) for value in (row.name, row.email, row.group))


MOODLE_PARTICIPANTS = """\ufeff"First name","Last name","ID number","Email address",Groups
Иван,Иванов,m1,Ivanov@edu.hse.ru,"Group 1, Group 2"
"Анна Мария",Петрова,m2,petrova@edu.hse.ru,
"""
MOODLE_RUSSIAN = """Имя,Фамилия,"Индивидуальный номер",Учреждение (организация),Отдел,"Адрес электронной почты",\
"Задание: LSTM (Значение)","Итог за курс (Значение)","Последние загруженные из этого курса"
Иван,Иванов,,ВШЭ,ФКН,ivanov@edu.hse.ru,"95,00",-,1764000000
"""
MOODLE_UPLOAD = """username,firstname,lastname,email,idnumber,course1,group1
ivanov,Иван,Иванов,ivanov@edu.hse.ru,,DL,БПМИ201
"""
CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,LSTM (4512),Current Score
,,,,,Manual Posting,
    Points Possible,,,,,100,(read only)
"Иванов, Иван",101,h1,ivanov@edu.hse.ru,БПМИ201 and БПМИ202,95,95
"Oğuz, Ali",102,h2,oguz@edu.hse.ru,БПМИ201,,
"Student, Test",999,,0a1b2c,БПМИ201,,
"""
CANVAS_NAMES = """LastName;FirstName;ID;SIS Login ID;Section
Иванов;Иван;101;ivanov@edu.hse.ru;БПМИ201
"""
CANVAS_USERS = """user_id,integration_id,login_id,password,first_name,last_name,full_name,email,status
h1,,ivanov,secret,Иван,Иванов,Иван И. Иванов,ivanov@edu.hse.ru,active
h2,,petrov,secret,Пётр,Петров,,petrov@edu.hse.ru,deleted
"""
WORKSHEET = "Identifier,Full name,Email address\nParticipant 12,Иван,i@e.ru\n"
DEAN = "№ п/п;Фамилия;Имя;Отчество;Эл. почта\n1;Иванов;Иван;Иванович;i@e.ru\n"
UNIVERSITY = "sep=;\n№ зачётки;Ф.И.О.;Корпоративная почта;Академ. группа;\n20/1;Иванов  Иван;I@e.ru;БПМИ-201;\n;;;;\n"


@pytest.mark.parametrize(
    ("text", "column", "person"),
    [
        (MOODLE_PARTICIPANTS, "ID number", ("m1", "Иван Иванов", "ivanov@edu.hse.ru", "Group 1, Group 2")),
        (
            MOODLE_RUSSIAN,
            "Адрес электронной почты",
            ("ivanov@edu.hse.ru", "Иван Иванов", "ivanov@edu.hse.ru", None),
        ),
        (MOODLE_UPLOAD, "username", ("ivanov", "Иван Иванов", "ivanov@edu.hse.ru", "БПМИ201")),
        (CANVAS, "ID", ("101", "Иван Иванов", None, "БПМИ201 and БПМИ202")),
        (CANVAS_NAMES, "ID", ("101", "Иванов Иван", None, "БПМИ201")),
        (CANVAS_USERS, "user_id", ("h1", "Иван И. Иванов", "ivanov@edu.hse.ru", None)),
        (WORKSHEET, "Email address", ("i@e.ru", "Иван", "i@e.ru", None)),
        ("Identifier,Full name\nx12,Иван\n", "Identifier", ("x12", "Иван", None, None)),
        ("Student;Группа\nivanov;1\n", "Student", ("ivanov", None, None, "1")),
        (DEAN, "Эл. почта", ("i@e.ru", "Иванов Иван Иванович", "i@e.ru", None)),
        (UNIVERSITY, "№ зачётки", ("20/1", "Иванов Иван", "i@e.ru", "БПМИ-201")),
        ("email\ni@e.ru\n", "email", ("i@e.ru", None, "i@e.ru", None)),
        ("№ заче\u0308тки;ФИО\n20/1;Иван\n", "№ заче\u0308тки", ("20/1", "Иван", None, None)),
    ],
    ids=[
        "moodle participants", "moodle grades in russian", "moodle upload", "canvas gradebook", "canvas two names",
        "canvas users", "moodle worksheet", "identifier", "student", "dean's list", "university", "one column",
        "letters of two characters",
    ],
)  # fmt: skip
def test_exports_are_read_as_is(text, column, person):
    roster = of(text)
    assert people(roster)[0] == person
    assert roster.id_column == column


def test_each_heading_means_one_thing_and_is_written_as_it_is_compared():
    headings = [heading for headings in HEADINGS.values() for heading in headings]
    assert len(set(headings)) == len(headings)
    assert list(map(plain, headings)) == headings


def test_rows_of_canvas_that_are_no_people_are_counted():
    roster = of(CANVAS)
    assert [row.name for row in roster.rows] == ["Иван Иванов", "Ali Oğuz"]
    assert roster.left_out == 3
    assert roster.ignored == ("SIS User ID", "SIS Login ID", "LSTM (4512)", "Current Score")
    assert of(CANVAS_USERS).left_out == 1


def test_row_that_repeats_another_one_is_the_same_person():
    roster = read(b"id,name\nivanov,Ivanov\npetrov,Petrov\nivanov, Ivanov\npetrov,Petrova\n")
    assert [(row.line, row.id, len(row.problems)) for row in roster.rows] == [
        (2, "ivanov", 0),
        (3, "petrov", 1),
        (5, "petrov", 1),
    ]
    assert roster.left_out == 1


def test_request_may_choose_the_column_of_the_id():
    assert [row.id for row in of(CANVAS, id_column="sis user id").rows] == ["h1", "h2"]
    assert [row.id for row in of(MOODLE_UPLOAD, id_column="Email").rows] == ["ivanov@edu.hse.ru"]
    with pytest.raises(RosterColumnUnknown) as refused:
        of("id;name\n1;x\n", id_column="login")
    assert refused.value.params == {"came": "login", "known": ["id", "name"]}


def test_rows_have_their_problems_and_the_lines_of_an_editor():
    text = (
        "id;Name;Email;Group;Role\n"
        "\n"
        'a;"Two\nlines";not-an-address;;assistant\n'
        ";Nobody;;;\n"
        f"b;{'x' * 201};b@e.ru;;\n"
        "c\x07;;C@e.ru;;dean\n"
        "a;;b@e.ru;;;more\n"
    )
    roster = of(text)
    assert [row.line for row in roster.rows] == [3, 5, 6, 7, 8]
    assert [[problem.fault for problem in row.problems] for row in roster.rows] == [
        [Fault.EMAIL_INVALID, Fault.ID_TWICE],
        [Fault.ID_MISSING],
        [Fault.TOO_LONG, Fault.EMAIL_TWICE],
        [Fault.ROLE_UNKNOWN, Fault.UNPRINTABLE],
        [Fault.TOO_MANY_CELLS, Fault.ID_TWICE, Fault.EMAIL_TWICE],
    ]
    first, *_, control, last = roster.rows
    assert (first.name, first.email, first.role) == ("Two lines", None, MemberRole.ASSISTANT)
    assert first.problems[0].column == "Email"
    assert first.problems[1].params == {"came": "a", "lines": [3, 8]}
    assert control == Row(7, "", None, "c@e.ru", problems=control.problems)
    assert last.problems[0].params == {"came": 6, "limit": 5}


@pytest.mark.parametrize(
    ("content", "refusal", "params"),
    [
        (b"", RosterEmpty, {}),
        (b"\xef\xbb\xbf\r\n;;\r\n", RosterEmpty, {}),
        (b"PK\x03\x04rest", RosterNotCSV, {}),
        ("id;name\n1;François\n".encode("latin-1"), RosterEncodingUnknown, {"line": 2}),
        ("id;Имя\n1;Иван\n2;Пётр\n".encode("koi8-r"), RosterEncodingUnknown, {"line": 1}),
        ("id;name\n1;Иван\n2;Пётр\n".encode("cp866"), RosterEncodingUnknown, {"line": 2}),
        ("id;ФИО\n1;Анна Ивановна Петрова\n2;Џётр Иванов\n".encode("cp1251"), RosterEncodingUnknown, {"line": 3}),
        ("id;name\n1;Иванов".encode()[:-1], RosterEncodingUnknown, {"line": 2}),
        (b"\xff\xfei\x00d\x00\n\x00\x00\xd8", RosterEncodingUnknown, {"line": 2}),
        (b'id;name\n1;x\n2;"y" z\n', RosterBroken, {"line": 3, "reason": "';' expected after '\"'"}),
        (b'id;name\n1;"x\n2;y\n', RosterBroken, {"line": 2, "reason": "unexpected end of data"}),
        (
            "Номер;Оценка\n1;5\n".encode(),
            RosterHeadingsUnknown,
            {"came": ["Номер", "Оценка"], "expected": ["id", "username", "email", "Логин", "Почта"]},
        ),
        (
            b"id\n" + b"\n".join(b"%d" % number for number in range(5001)),
            RosterTooLong,
            {"limit": 5000, "limit_bytes": MOST_BYTES},
        ),
        (b"x" * (MOST_BYTES + 1), RosterTooLong, {"limit": 5000, "limit_bytes": MOST_BYTES}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_file_without_a_roster_is_refused(content, refusal, params):
    with pytest.raises(refusal) as refused:
        read(content)
    assert refused.value.params == params


@pytest.mark.parametrize(
    ("name", "is_lost"),
    [
        ("Garc?a", True),
        ("?ngel", True),
        ("Jos? Perez", True),
        ("?????? ????", True),
        ("Garc\ufffda", True),
        ("РџРµС‚СЂРѕРІ РџС‘С‚СЂ", True),
        ("JosÃ© GarcÃ\xada", True),
        ("García", False),
        ("Пётр Чёрный", False),
        ("Иван (?)", False),
        ("", False),
    ],
)
def test_name_that_lost_letters_is_remarked_on_and_stays(name, is_lost):
    roster = of(f"id;name\n1;Anna\n2;{name}\n")
    assert roster.lines_of_lost_letters == ([3] if is_lost else [])
    assert (roster.rows[1].name or "", roster.rows[1].problems) == (name, ())


def test_table_has_as_many_rows_as_a_roster_below_its_headings():
    content = b"id\n" + b"1\n" * MOST_ROWS
    assert len(table(content, 7).rows) == 1 + MOST_ROWS
    with pytest.raises(RosterTooLong) as refused:
        table(content + b"1\n", 7)
    assert refused.value.params == {"limit": MOST_ROWS, "limit_bytes": 7}


def test_one_letter_of_the_other_alphabet_does_not_make_an_encoding_unknown():
    names = [f"{id};Иванов{chr(0x430 + id)}" for id in range(9)]
    text = "\n".join(["id;name", *names, "10;Cергеев"])
    assert len(people(of(text, "cp1251"))) == 10
