"""The driver's end of the result pipe."""

import os

from channel import Channel

from grader.sandbox.protocol import decode_events


def test_events_arrive_whole_although_a_signal_may_cut_each_write_short(monkeypatch):
    pipe = bytearray()

    def write(_fd: int, data: memoryview) -> int:
        pipe.extend(data[:7])
        return len(data[:7])

    monkeypatch.setattr(os, "write", write)
    channel = Channel(3)
    channel.send("phase", name="call")
    channel.end(phases={"call": 0.5})
    monkeypatch.undo()
    assert [event.event for event, _ in decode_events(bytes(pipe), ended_by_itself=True)[0]] == ["phase", "done"]
