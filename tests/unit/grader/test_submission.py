"""A submission is its bytes and its name, and one file of a folder."""

import hashlib
from pathlib import Path

import pytest

from grader.submission import Submission, in_folder


def test_the_digest_is_that_of_the_bytes_as_they_came() -> None:
    content = b"\xef\xbb\xbfclass LSTM: pass\r\n"
    assert Submission("a.py", content).sha256 == hashlib.sha256(content).hexdigest()


def test_a_name_that_is_no_text_is_one_that_can_be_written_down() -> None:
    assert Submission("\udcc8.py", b"").filename == "?.py"
    assert Submission("Иванов.py", b"").filename == "Иванов.py"


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["LSTM.ipynb"], "LSTM.ipynb"),
        (["LSTM.ipynb", "helpers.py", "notes.txt"], "LSTM.ipynb"),
        (["work/LSTM.PY", "plot.png"], "LSTM.PY"),
        (["__MACOSX/LSTM.ipynb", ".ipynb_checkpoints/LSTM.ipynb", "LSTM.ipynb"], "LSTM.ipynb"),
        (["photo.jpg"], "photo.jpg"),
    ],
)
def test_answer_in_a_folder_is_its_notebook_or_the_only_module(tmp_path: Path, names: list[str], chosen: str) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    submission = in_folder(tmp_path, 100)
    assert (submission.filename, submission.choices) == (chosen, ())
    assert submission.content.decode().endswith(chosen)


def test_folder_without_one_answer_says_between_what_it_cannot_choose(tmp_path: Path) -> None:
    assert in_folder(tmp_path, 100).choices is None
    for number in range(9):
        (tmp_path / f"task{number}.py").write_text("")
    assert in_folder(tmp_path, 100).choices == tuple(f"task{number}.py" for number in range(5))


def test_link_in_a_folder_is_nobodys_answer(tmp_path: Path) -> None:
    (tmp_path / "answers.py").write_text("secret")
    folder = tmp_path / "submission"
    folder.mkdir()
    (folder / "LSTM.py").symlink_to(tmp_path / "answers.py")
    (folder / "sub").symlink_to(tmp_path)
    assert in_folder(folder, 100).choices is None
