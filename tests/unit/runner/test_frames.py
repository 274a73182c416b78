"""Both halves of the wall split and make frames alike, though neither imports the other."""

from __future__ import annotations

import os

import frames

from grader.sandbox import protocol


def test_the_box_reads_the_requests_that_the_trusted_side_writes(tmp_path) -> None:
    request = tmp_path / "request"
    request.write_bytes(protocol.encode({"filename": "решение.py"}) + b"x = 1")
    assert frames.read_request(os.open(request, os.O_RDONLY)) == ({"filename": "решение.py"}, b"x = 1")


def test_the_trusted_side_splits_the_frames_that_the_box_writes() -> None:
    sent = frames.frame({"event": "phase", "name": "import"}) + frames.frame({"event": "done"}, b"arrays")
    split, cut_off = protocol.split_frames(sent)
    assert [(protocol.decode_json(text), block) for text, block in split] == [
        ({"event": "phase", "name": "import"}, b""),
        ({"event": "done"}, b"arrays"),
    ]
    assert not cut_off
