"""Submissions that speak through what the report shows: messages, names, output."""

import json

from grader.report.messages import render
from grader.submission import Submission
from tests.containment.conftest import verdict


def _sentences(report) -> list[str]:
    """The report's sentences, with the student's words filled in."""
    found = []
    for language in ("ru", "en"):
        rendered = render(report, language)
        parts = [*rendered["checks"], *rendered["diagnoses"], *rendered["extraction"]["cells_skipped"]]
        found += [part[key] for part in parts for key in ("message", "hint") if part.get(key)]
    return found


# Terminal control, reversed text, control characters, markup.
UNPRINTABLE = r"\x1b[31mred\x1b[0m\x1b]0;title\x07\x1b[2J \u202egnp.exe\u2066 a\r\nb\x00c\x08\x7f\x9b <b>bold</b>"
EXCEPTIONS = {
    "message": "raise ValueError('x' * 10_000_000)",
    "name of the exception": "raise type('E' * 100_000, (Exception,), {})('x')",
    "half a character": "raise ValueError('\\ud800 \\udfff')",
    "placeholders": "raise ValueError('{type} {0.__class__} %s %(x)s')",
    "traceback": "def f(n):\n    if n: f(n - 1)\n    raise ValueError('deep')\nf(800)",
    "a message that raises": "class E(Exception):\n    def __str__(self): raise KeyError('no')\nraise E",
    "not an Exception": "class E(BaseException): pass\nraise E('x')",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "its own cause": "e = ValueError('x')\ne.__cause__ = e.__context__ = e\nraise e",
}
ANSWERS = {
    "a class name": "return type('T' * 100_000, (), {})()",
    "a key": "return {'k' * 100_000: x}",
    "a long list": "return [5] * 100_000",
    "a shape that lies": "return type('T', (), {'shape': [10 ** 40], 'dtype': 'd' * 100_000})()",
    "an array that raises": "return type('T', (), {'__array__': lambda self, *a, **k: 1 / 0})()",
    "a structured array": "return np.zeros((2, 3), dtype=[('a', 'i4')])",
    "a string tensor": "return tf.constant('text')",
    "a sparse tensor": "return tf.sparse.from_dense(x)",
    "complex numbers": "return tf.cast(x, tf.complex64)",
}


def test_control_characters_of_an_exception_reach_no_reader(attack):
    report = attack(class_body=r"os.write(1, b'\xff\xfe ok')", call=f'raise ValueError("{UNPRINTABLE}")')
    assert report.status == "runtime_error"
    assert [sentence for sentence in _sentences(report) if not sentence.isprintable()] == []
    # The pages escape markup; bytes that are no text are replaced.
    assert "<b>bold</b>" in report.error.message
    assert report.output.stdout == "\ufffd\ufffd ok"


def test_an_exception_of_any_shape_is_a_runtime_error_of_bounded_size(attack):
    for name, call in EXCEPTIONS.items():
        report = attack(call=call)
        assert (report.status, report.points) == ("runtime_error", 0), name
        assert report.error is not None, name
        assert len(report.model_dump_json()) < 200_000, name
        assert max(map(len, _sentences(report))) < 2_000, name


def test_an_answer_of_any_kind_is_a_failed_contract(attack):
    for name, call in ANSWERS.items():
        report = attack(call=call)
        assert verdict(report)[:2] in [("failed", 0), ("runtime_error", 0)], name
        assert {check.id: check.status for check in report.checks}["contract"] == "failed", name


def test_a_file_with_much_to_say_about_gets_a_report_that_people_can_read(graded):
    """A line of a megabyte that raises, and two thousand lines that read the notebook's x."""
    lines = ["x.shape"] * 2_000 + [f"text = {'z' * 10**6!r}; return 1 / 0"]
    call = "\n        ".join(lines)
    source = f"import tensorflow as tf\nclass LSTM(tf.keras.Model):\n    def call(self, inputs):\n        {call}\n"
    report = graded(Submission("submission.py", source.encode()), cpu_seconds=20)
    assert report.points == 0
    assert "global_x_shape" in [advisory.code for advisory in report.advisories]
    assert len(report.model_dump_json()) < 200_000


def test_a_notebook_of_very_many_cells_gets_a_report_that_people_can_read(graded, written):
    honest = written().content.decode()
    sources = [honest, *["%matplotlib inline\n!ls\nplt.plot(undefined)"] * 1100]
    cells = [{"cell_type": "code", "source": source, "metadata": {}, "outputs": []} for source in sources]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    report = graded(Submission("submission.ipynb", json.dumps(notebook).encode()), cpu_seconds=20)
    assert (report.status, len(report.extraction.cells_skipped)) == ("passed", 1000)
    assert len(report.model_dump_json()) < 400_000
