"""The names of files and students in an upload."""

import pytest

from app.errors import StudentInvalid
from app.submissions.uploads import FILENAME_CHARACTERS, check_student, clean_filename


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("LSTM.ipynb", "LSTM.ipynb"),
        ("/etc/../home/x/LSTM.py", "LSTM.py"),
        (r"C:\homework\LSTM.py", "LSTM.py"),
        ("../", ""),
        ("a\x00b\r\n\x1b[31m.py", "ab[31m.py"),
        ("\u202eyp.exe.py", "yp.exe.py"),
        ("Решение задачи.ipynb", "Решение задачи.ipynb"),
        (" LSTM.py ", "LSTM.py"),
        (".py", ".py"),
    ],
)
def test_filename_is_reduced_to_a_harmless_last_part(name, clean):
    assert clean_filename(name) == clean


def test_long_filename_keeps_its_suffix():
    cut = clean_filename("я" * 1000 + ".ipynb")
    assert len(cut) == FILENAME_CHARACTERS
    assert cut.endswith("я.ipynb")
    assert len(clean_filename("x." + "y" * 1000)) == FILENAME_CHARACTERS


@pytest.mark.parametrize("student", ["ivanov", "Иванов Иван", "i@example.org", "7", "x" * 200])
def test_student_is_kept(student):
    assert check_student(student) == student


def test_the_two_spellings_of_a_letter_are_one_student():
    assert check_student(" Цои\u0306 ") == check_student("Цой") == "Цой"


@pytest.mark.parametrize("student", [None, "", "   ", "x" * 201, "a\nb", "a\x00", "a\x1b[31m", "a\u2028b", "a\ud800"])
def test_student_that_is_no_name_is_refused(student):
    with pytest.raises(StudentInvalid):
        check_student(student)
