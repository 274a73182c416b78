"""Submissions that speak through what the report shows: messages, names, output."""

from __future__ import annotations

import json

import pytest

from grader.report.messages import render
from grader.submission import Submission


def _sentences(report) -> list[str]:
    """The report's sentences, with the student's words filled in."""
    found = []
    for language in ("ru", "en"):
        rendered = render(report, language)
        parts = [*rendered["checks"], *rendered["diagnoses"], *rendered["extraction"]["cells_skipped"]]
        found += [part[key] for part in parts for key in ("message", "hint") if part.get(key)]
    return found


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(r"\x1b[31mred\x1b[0m\x1b]0;title\x07\x1b[2J", id="terminal control"),
        pytest.param(r"\u202egnp.exe\u2066", id="reversed text"),
        pytest.param(r"a\r\nb\x00c\x08\x7f\x9b", id="control characters"),
    ],
)
def test_control_characters_of_an_exception_reach_no_reader(attack, message):
    report = attack(call=f'raise ValueError("{message}")')
    assert report.status == "runtime_error"
    assert all(sentence.isprintable() for sentence in _sentences(report))


@pytest.mark.parametrize(
    "call",
    [
        pytest.param("raise ValueError('x' * 10_000_000)", id="message"),
        pytest.param("raise type('E' * 100_000, (Exception,), {})('x')", id="name of the exception"),
        pytest.param("raise ValueError('\\ud800 \\udfff')", id="half a character"),
        pytest.param("raise ValueError('{type} {0.__class__} %s %(x)s')", id="placeholders"),
        pytest.param("def f(n):\n    if n: f(n - 1)\n    raise ValueError('deep')\nf(800)", id="traceback"),
        pytest.param(
            "class E(Exception):\n    def __str__(self): raise KeyError('no')\nraise E", id="a message that raises"
        ),
        pytest.param("class E(Exception):\n    def __str__(self): return 5\nraise E", id="a message that is none"),
        pytest.param("class E(BaseException): pass\nraise E('x')", id="not an Exception"),
        pytest.param("raise GeneratorExit", id="GeneratorExit"),
        pytest.param("raise KeyboardInterrupt", id="KeyboardInterrupt"),
        pytest.param("e = ValueError('x')\ne.__cause__ = e.__context__ = e\nraise e", id="its own cause"),
    ],
)
def test_an_exception_of_any_shape_is_a_runtime_error_of_bounded_size(attack, call):
    report = attack(call=call)
    assert (report.status, report.points) == ("runtime_error", 0)
    assert report.error is not None
    assert len(report.model_dump_json()) < 200_000
    assert max(map(len, _sentences(report))) < 2_000


def test_html_in_a_message_stays_text(attack):
    report = attack(call="raise ValueError('<script>alert(1)</script>')")
    assert "<script>alert(1)</script>" in report.error.message


def test_output_that_is_not_text_is_kept_as_text(attack):
    report = attack(class_body=r"os.write(1, b'\xff\xfe ok')")
    assert report.output.stdout == "\ufffd\ufffd ok"


@pytest.mark.parametrize(
    "call",
    [
        pytest.param("return type('T' * 100_000, (), {})()", id="a class name"),
        pytest.param("return {'k' * 100_000: x}", id="a key"),
        pytest.param("return [x] * 100_000", id="a long list"),
        pytest.param("return type('T', (), {'shape': [10 ** 40], 'dtype': 'd' * 100_000})()", id="a shape that lies"),
        pytest.param("return type('T', (), {'__array__': lambda self, *a, **k: 1 / 0})()", id="an array that raises"),
        pytest.param("return np.zeros((2, 3), dtype=[('a', 'i4')])", id="a structured array"),
        pytest.param("return np.array(['text'])", id="strings"),
        pytest.param("return np.zeros((10, 2) + (1,) * 40)", id="forty dimensions"),
        pytest.param("return tf.zeros((0, 5))", id="nothing"),
        pytest.param("return tf.constant('text')", id="a string tensor"),
        pytest.param("return tf.sparse.from_dense(x)", id="a sparse tensor"),
        pytest.param("return tf.RaggedTensor.from_row_lengths([1., 2.], [1, 1])", id="a ragged tensor"),
        pytest.param("return x > 0", id="truth values"),
        pytest.param("return tf.cast(x, tf.complex64)", id="complex numbers"),
        pytest.param("return tf.cast(x, tf.bfloat16)", id="bfloat16"),
        pytest.param("return 5", id="a number"),
    ],
)
def test_an_answer_of_any_kind_is_a_failed_contract(attack, call):
    report = attack(call=call)
    assert report.status in ("failed", "runtime_error")
    assert report.points == 0
    assert {check.id: check.status for check in report.checks}["contract"] == "failed"


def test_a_file_with_much_to_say_about_gets_a_report_that_people_can_read(graded):
    """A line of a megabyte that raises, and ten thousand lines that read the notebook's x."""
    lines = ["x.shape"] * 10_000 + [f"text = {'z' * 10**6!r}; return 1 / 0"]
    call = "\n        ".join(lines)
    source = f"import tensorflow as tf\nclass LSTM(tf.keras.Model):\n    def call(self, inputs):\n        {call}\n"
    report = graded(Submission("submission.py", source.encode()), cpu_seconds=20)
    assert report.points == 0
    assert "global_x_shape" in [advisory.code for advisory in report.advisories]
    assert len(report.model_dump_json()) < 200_000


def test_a_notebook_of_very_many_cells_gets_a_report_that_people_can_read(graded, written):
    honest = written().content.decode()
    sources = [honest, *["%matplotlib inline\n!ls\nplt.plot(undefined)"] * 3000]
    cells = [{"cell_type": "code", "source": source, "metadata": {}, "outputs": []} for source in sources]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    report = graded(Submission("submission.ipynb", json.dumps(notebook).encode()), cpu_seconds=20)
    assert (report.status, len(report.extraction.cells_skipped)) == ("passed", 1000)
    assert len(report.model_dump_json()) < 400_000
