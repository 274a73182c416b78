"""Files in the folders and archives of strangers, and the students they belong to."""

import io
import os
import stat
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.batch import archives
from grader.batch.archives import Unreadable, open_archive
from grader.batch.collect import NESTED_FILES, Student, collect

CODE = b"class LSTM: ..."
FILES = [("A_1", "photo.jpg"), ("B_2", "photo.jpg"), ("B_2", "LSTM.py")]


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def written(path: Path, content: bytes | Mapping[str, bytes]) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else zipped(content))
    return path


def students(*paths: Path) -> list[tuple[str, str]]:
    with collect(paths) as files:
        return [(file.student.name, file.filename) for file in files]


def contents(*paths: Path, limit: int = 100) -> dict[str, bytes | str]:
    """path -> the content, or the code of what keeps it from us."""
    result: dict[str, bytes | str] = {}
    with collect(paths) as files:
        for file in files:
            try:
                result[file.path] = file.read(limit)
            except Unreadable as exc:
                result[file.path] = exc.code
    return result


# Platforms


def test_moodles_download_gives_names_and_participant_numbers(tmp_path: Path) -> None:
    archive = written(
        tmp_path / "course.zip",
        {
            "Анна Петрова_10002_assignsubmission_file_/LSTM.ipynb": CODE,
            "Ivan Ivanov_9_assignsubmission_file/my lstm.py": CODE,
            "Flat_Name_77_assignsubmission_file_LSTM_v2.ipynb": CODE,
        },
    )
    with collect([archive]) as files:
        assert [(file.student, file.filename) for file in files] == [
            (Student("Flat_Name", "moodle", "77"), "LSTM_v2.ipynb"),
            (Student("Ivan Ivanov", "moodle", "9"), "my lstm.py"),
            (Student("Анна Петрова", "moodle", "10002"), "LSTM.ipynb"),
        ]


def test_canvas_download_gives_names_ids_and_lateness(tmp_path: Path) -> None:
    archive = written(
        tmp_path / "submissions.zip",
        {
            "doejohn_12345_67890_LSTM.ipynb": CODE,
            "иванова_late_12_34_lstm_final.py": CODE,
            "petrov_LATE_13_35_work.zip": zipped({"work/LSTM.py": CODE, "work/notes.docx": b"x"}),
        },
    )
    with collect([archive]) as files:
        assert [(file.student, file.filename) for file in files] == [
            (Student("doejohn", "canvas", "12345"), "LSTM.ipynb"),
            (Student("petrov", "canvas", "13", late=True), "LSTM.py"),
            (Student("иванова", "canvas", "12", late=True), "lstm_final.py"),
        ]


def test_elsewhere_the_path_is_the_student(tmp_path: Path) -> None:
    for name in ("lab10.py", "lab2.ipynb", "group 1/ivanov.py", "picture.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        written(tmp_path / name, CODE)
    assert students(tmp_path) == [
        ("group 1/ivanov", "ivanov.py"),
        ("lab2", "lab2.ipynb"),
        ("lab10", "lab10.py"),
    ]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["lab_2024_12_LSTM.ipynb", "ivanov.ipynb"], ["ivanov", "lab_2024_12_LSTM"]),
        (["__MACOSX/._b.py", "a/.ipynb_checkpoints/b.ipynb", "._b.py", ".DS_Store", "__pycache__/b.py", "b.py"], ["b"]),
        # One with nothing but a picture is not forgotten.
        ([f"{name}_assignsubmission_file_/{file}" for name, file in FILES], ["A", "B"]),
    ],
    ids=["one named as Canvas does", "files that systems leave behind", "pictures"],
)
def test_each_student_of_an_archive_has_a_file(tmp_path: Path, names: list[str], found: list[str]) -> None:
    assert [name for name, _ in students(written(tmp_path / "c.zip", dict.fromkeys(names, CODE)))] == found


def test_a_file_that_was_named_is_graded_whatever_its_suffix(tmp_path: Path) -> None:
    assert students(written(tmp_path / "answer.docx", CODE)) == [("answer", "answer.docx")]


# Hostile archives


def test_names_that_lead_elsewhere_are_only_names(tmp_path: Path) -> None:
    names = ("../../etc/a.py", "/root/b.py", "C:\\Windows\\c.py", "..\\..\\d.py")
    archive = written(tmp_path / "c.zip", dict.fromkeys(names, CODE))
    assert set(contents(archive)) == {"c.zip/Windows/c.py", "c.zip/d.py", "c.zip/etc/a.py", "c.zip/root/b.py"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.zip"]


def test_a_bomb_is_read_as_far_as_it_is_asked_for(tmp_path: Path) -> None:
    archive = written(tmp_path / "c.zip", {"bomb.py": b"\x00" * 50_000_000})
    assert archive.stat().st_size < 100_000
    assert contents(archive, limit=10) == {"c.zip/bomb.py": b"\x00" * 10}


SPOILT = zipped({"a.py": CODE}, zipfile.ZIP_STORED).replace(CODE, CODE.upper())


@pytest.mark.parametrize(
    ("content", "found"),
    [
        # They unpack without a limit.
        (zipped({"a.py": CODE}, zipfile.ZIP_BZIP2), {"c.zip/a.py": "unusual_packing"}),
        (zipped({"a.py": CODE}, zipfile.ZIP_LZMA), {"c.zip/a.py": "unusual_packing"}),
        (SPOILT, {"c.zip/a.py": "damaged"}),
        (b"", {"c.zip/c.zip": "damaged"}),
        (b"PK\x05\x06", {"c.zip/c.zip": "damaged"}),
        (b"not an archive" * 100, {"c.zip/c.zip": "damaged"}),
    ],
    ids=["BZIP2", "LZMA", "another checksum", "empty", "its end alone", "text"],
)
def test_an_archive_that_cannot_be_read_is_a_row(tmp_path: Path, content: bytes, found: dict[str, str]) -> None:
    assert contents(written(tmp_path / "c.zip", content)) == found


def test_an_entry_with_a_password_is_found_and_not_read(tmp_path: Path) -> None:
    raw = bytearray(zipped({"a.py": CODE, "b.py": CODE}))
    for signature, flags_at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(signature) + flags_at] |= 1
    archive = written(tmp_path / "c.zip", bytes(raw))
    assert contents(archive) == {"c.zip/a.py": "encrypted", "c.zip/b.py": CODE}


def test_links_are_not_followed(tmp_path: Path) -> None:
    secret = written(tmp_path / "secret.py", b"secret")
    folder = tmp_path / "hw"
    folder.mkdir()
    (folder / "a.py").symlink_to(secret)
    (folder / "all").symlink_to(tmp_path)
    info = zipfile.ZipInfo("link.py")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(folder / "c.zip", "w") as archive:
        archive.writestr(info, str(secret))
    assert contents(folder) == {"hw/c.zip/link.py": "link"}


def test_two_entries_of_one_name_are_two_files(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("a.py", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.py", b"2")
    assert contents(tmp_path / "c.zip") == {"c.zip/a.py": b"1", "c.zip/a.py (2)": b"2"}


def test_an_archive_in_an_archive_is_opened_and_a_third_is_not(tmp_path: Path) -> None:
    inner = zipped({"LSTM.py": CODE, "more.zip": zipped({"LSTM.py": CODE})})
    archive = written(tmp_path / "c.zip", {"A_1_assignsubmission_file_/work.zip": inner})
    assert contents(archive) == {"c.zip/A_1_assignsubmission_file_/work.zip/LSTM.py": CODE}
    written(archive, {"A_1_assignsubmission_file_/work.zip": zipped({"more.zip": inner})})
    assert list(contents(archive).values()) == ["nested_too_deep"]


def test_a_broken_archive_is_a_row_and_stops_nothing(tmp_path: Path) -> None:
    good = zipped({"LSTM.py": CODE})
    files = {
        "A_1_assignsubmission_file_/cut.zip": good[:-30],
        "B_2_assignsubmission_file_/word.zip": b"not an archive",
        "C_3_assignsubmission_file_/fine.zip": good,
        "D_4_assignsubmission_file_/many.zip": zipped({f"{n}.py": CODE for n in range(NESTED_FILES + 1)}),
        "E_5_assignsubmission_file_/empty.zip": b"",
    }
    archive = written(tmp_path / "c.zip", files)
    assert list(contents(archive).values()) == ["damaged", "damaged", CODE, "too_many_files", "damaged"]


def test_a_directory_of_a_million_entries_is_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = bytearray(zipped({"a.py": CODE}))
    struct.pack_into("<L", raw, raw.rindex(archives.END) + archives.END_SIZE_AT, 50_000_000)
    monkeypatch.setattr(zipfile, "ZipFile", None)
    assert contents(written(tmp_path / "c.zip", bytes(raw))) == {"c.zip/c.zip": "too_many_files"}


def test_a_directory_that_hides_its_size_in_zip64_is_never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = zipped({"a.py": CODE})
    end = raw.rindex(archives.END)
    end64 = bytearray(archives.END64 + bytes(archives.END64_BYTES - 4))
    struct.pack_into("<Q", end64, archives.END64_SIZE_AT, 50_000_000)
    locator = archives.LOCATOR + bytes(archives.LOCATOR_BYTES - 4)
    monkeypatch.setattr(zipfile, "ZipFile", None)
    with (
        pytest.raises(Unreadable, match="too_many_files"),
        open_archive(raw[:end] + bytes(end64) + locator + raw[end:]),
    ):
        pass


def test_a_large_archive_of_zip64_can_be_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive, archive.open("a.py", "w", force_zip64=True) as file:
        file.write(CODE)
    assert contents(tmp_path / "c.zip") == {"c.zip/a.py": CODE}


@pytest.mark.parametrize(
    ("name", "code_page"),
    [("Ёлкин Пётр_LSTM", "cp866"), ("Müller Jörg", "cp437"), ("Иванов", "utf-8")],
)
def test_names_without_the_flag_are_read_as_their_system_wrote_them(tmp_path: Path, name: str, code_page: str) -> None:
    encoded = name.encode(code_page)
    blank = b"_" * len(encoded)
    raw = zipped({f"{blank.decode()}.py": CODE}).replace(blank, encoded)
    assert students(written(tmp_path / "c.zip", raw)) == [(name, f"{name}.py")]


def test_names_on_disk_that_are_no_text_can_be_written_down(tmp_path: Path) -> None:
    name = os.fsdecode("Иванов.py".encode("cp1251"))
    written(tmp_path / name, CODE)
    for paths in ([tmp_path], [tmp_path / name]):
        with collect(paths) as files:
            (file,) = files
            (file.path + file.student.name + file.filename).encode()
            assert file.filename.endswith(".py")
            assert file.read(100) == CODE


def test_a_file_that_may_not_be_read_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path / "a.py", CODE)
    with collect([file]) as files:
        file.unlink()
        with pytest.raises(Unreadable, match="unreadable"):
            files[0].read(10)


@given(noise=st.binary(max_size=60), cut=st.integers(0, 400), at=st.integers(0, 400))
def test_any_bytes_give_rows_and_no_exception(tmp_path_factory: pytest.TempPathFactory, noise, cut, at) -> None:
    raw = zipped({"a.py": CODE, "b/c.zip": zipped({"d.py": CODE})})
    file = tmp_path_factory.getbasetemp() / "fuzzed.zip"
    damaged = raw[:at] + noise + raw[at + len(noise) :]
    rows = contents(written(file, damaged[: len(damaged) - cut]))
    assert all(isinstance(content, bytes | str) for content in rows.values())


# A student's archive is one answer


def packed(files: Mapping[str, int]) -> bytes:
    """An archive of files, each changed in this minute."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, minute in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 9, 1, 12, minute, 0)), CODE)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("files", "kept"),
    [
        ({"a.py": 1, "b.py": 3, "c.py": 2}, "b.py"),
        ({"LSTM.ipynb": 1, "helper.py": 2, "notes.txt": 3}, "LSTM.ipynb"),
        ({"a.py": 1, "b.py": 1, "old.py": 0}, "{a.py, b.py}"),
        ({f"{number}.py": 0 for number in range(7)}, "{0.py, 1.py, 2.py, 3.py, 4.py, ...}"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("place", ["moodle", "moodle, unpacked", "canvas", "flat"])
def test_students_archive_is_its_newest_notebook_or_else_module(
    tmp_path: Path, place: str, files: dict[str, int], kept: str
) -> None:
    name = {"canvas": "ivanov_12_34_work.zip", "flat": "A_1_assignsubmission_file_work.zip"}.get(place, "work.zip")
    folder = "A_1_assignsubmission_file_" if place.startswith("moodle") else ""
    if place == "moodle, unpacked":
        (tmp_path / "course" / folder).mkdir(parents=True)
        course = tmp_path / "course"
        written(course / folder / name, packed(files))
    else:
        course = written(tmp_path / "course.zip", {f"{folder}/{name}".lstrip("/"): packed(files)})
    assert contents(course) == {
        "/".join(filter(None, (course.name, folder, name, kept))): "several_files" if "{" in kept else CODE
    }
    assert len(students(course)) == 1


def test_a_course_in_a_folder_is_no_students_archive(tmp_path: Path) -> None:
    names = [f"{student}_{number}_assignsubmission_file_/LSTM.py" for number, student in enumerate("ABC")]
    written(tmp_path / "course.zip", dict.fromkeys(names, CODE))
    assert len(contents(tmp_path)) == 3
