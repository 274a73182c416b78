"""A submission is its bytes and its name."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest

from grader.submission import Submission


def test_the_digest_is_that_of_the_bytes_as_they_came() -> None:
    content = b"\xef\xbb\xbfclass LSTM: pass\r\n"
    assert Submission("a.py", content).sha256 == hashlib.sha256(content).hexdigest()


def test_a_submission_does_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Submission("a.py", b"").content = b"x"  # type: ignore[misc]


def test_a_name_that_is_no_text_is_one_that_can_be_written_down() -> None:
    assert Submission("\udcc8.py", b"").filename == "?.py"
    assert Submission("Иванов.py", b"").filename == "Иванов.py"
