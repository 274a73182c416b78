"""Magics, shell lines and characters that nobody sees: what is made of them, on which lines."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reader.text import lexical, magics, repair

CLASS = "class LSTM(tf.keras.Model):\n    def call(self, x):\n        return x\n"


@pytest.mark.parametrize(
    ("line", "python"),
    [
        ("!ls", "get_ipython().system('ls')"),
        ("!echo it's", 'get_ipython().system("echo it\'s")'),
        ("%matplotlib inline", "get_ipython().run_line_magic('matplotlib', 'inline')"),
        ("a = !ls", "a = get_ipython().getoutput('ls')"),
        ("a = %who_ls", "a = get_ipython().run_line_magic('who_ls', '')"),
        ("?tf.zeros", "get_ipython().run_line_magic('pinfo', 'tf.zeros')"),
        ("tf.zeros??", "get_ipython().run_line_magic('pinfo2', 'tf.zeros')"),
        ("pip install numpy", "get_ipython().run_line_magic('pip', 'install numpy')"),
        ("%time a = 1", "a = 1"),
        ("if True:\n    !ls", "if True:\n    get_ipython().system('ls')"),
        ("!pip install a \\\n   b\nx = 1", "get_ipython().system('pip install a     b')\n\nx = 1"),
    ],
)
def test_a_magic_becomes_the_call_that_ipython_makes_of_it(line: str, python: str) -> None:
    assert repair.repair(line) == (python, None)


@pytest.mark.parametrize(
    "untouched",
    [
        'x = ("%d"\n  % 3)\n',
        "a = 7 \\\n  % 2\n",
        's = """\n!ls\n%time\nwhat?\n"""\n',
        "s = 'a =!b'\n",
        "print('%d=%d' % (1, 2))  # why?\n",
        "f(\n    # don't\n    a, '\"',\n)\n",
    ],
)
def test_lines_inside_strings_and_brackets_are_left_alone_beside_a_magic(untouched: str) -> None:
    python, problem = repair.repair(untouched + "!ls\n")
    assert (python, problem) == (untouched + "get_ipython().system('ls')\n", None)


def test_four_hundred_magics_take_no_time(read_cells) -> None:
    text = "%%time\n" + "".join(f"%matplotlib inline # {'y' * 180}{k}\n" for k in range(400)) + CLASS
    start = time.process_time()
    reading = read_cells(text)
    assert time.process_time() - start < 20
    assert reading["class_line"] == 402


@pytest.mark.parametrize(
    "magic", ["%%time", "%%timeit -n 1", "%%capture out", "%%prun", "%%time\n%%capture", "# x\n%%time"]
)
def test_a_cell_magic_over_python_keeps_the_cell(read_cells, magic: str) -> None:
    reading = read_cells(f"{magic}\n{CLASS}")
    assert (reading["error"], reading["skipped"]) == (None, [])
    assert reading["class_line"] == magic.count("\n") + 2


@pytest.mark.parametrize("magic", ["bash", "html", "writefile", "javascript", "R"])
def test_a_cell_magic_over_something_else_drops_the_cell(read_cells, magic: str) -> None:
    reading = read_cells(f"%%{magic} tmp\nimport torch\nraise SystemExit", CLASS)
    assert reading["skipped"] == [{"index": 0, "code": "cell_magic", "params": {"magic": f"%%{magic}"}}]
    assert len(reading["statements"]) == 1


def test_a_class_that_a_cell_writes_into_a_file_is_what_was_handed_in(read_cells, run_lines) -> None:
    reading = read_cells(f"%%writefile model.py\n{CLASS}", "from model import LSTM\nm = LSTM(H_SIZE)")
    assert (reading["error"], run_lines(reading)) == (None, ["class LSTM(tf.keras.Model):"])


def test_shell_lines_and_magics_are_not_run_and_listed_once_for_each_cell(read_cells) -> None:
    reading = read_cells("!pip install a\n!pip install b\n%cd x\n", CLASS, "get_ipython().system('ls')")
    assert not any(s["run"] for s in reading["statements"] if s["cell"] != 1)
    assert [(s["index"], s["code"]) for s in reading["skipped"]] == [(0, "magic"), (0, "shell_line"), (2, "shell_line")]
    assert reading["skipped"][1]["params"] == {
        "line": 1, "lines": [[1, 2]], "statements": 2, "text": "!pip install a"
    }  # fmt: skip
    assert reading["skipped"][0]["params"]["magic"] == "%cd"


def test_a_prompt_that_was_copied_along_is_taken_off(read_cells) -> None:
    assert read_cells(">>> class LSTM(tf.keras.Model):\n...     pass\n")["class_line"] == 1


def test_magics_in_a_script_that_colab_exported(read) -> None:
    reading = read(f'"""Copy of x.ipynb"""\n!pip install x\n%cd y\n{CLASS}')
    assert (reading["error"], reading["class_line"]) == (None, 4)


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ('x\u00a0= 1\u200b\ny = "a\u00a0b"\n', 'x = 1\ny = "a\u00a0b"\n'),
        ('if 1:\n\tx = """a\n\tb"""\n        y = 2\n', 'if 1:\n        x = """a\n\tb"""\n        y = 2\n'),
        ("if 1:\n\tx = '\u00a0'  # \u200b\n", "if 1:\n\tx = '\u00a0'  # \u200b\n"),
    ],
    ids=["spaces that are none", "mixed tabs", "nothing to mend"],
)
def test_characters_are_mended_in_code_that_needs_it_and_never_in_strings(text: str, mended: str) -> None:
    assert repair.repair(text) == (mended, None)


FRAGMENTS = st.sampled_from(
    [
        *("!ls", "%time", "%%time", "x?", "a = !ls", "pip install x", ">>> ", "In [1]: ", "%", "?"),
        *("x = 1", "class LSTM:", "if x:", "f(", "(", ")", "{", "}", '"', "'", '"""', "'''", "\\", "#"),
        *("\n", " ", "\t", "    ", "\u00a0", "\ufeff", "\u2028", "\x0b", "\x0c"),
    ]
)


@given(st.lists(FRAGMENTS, max_size=40).map("".join))
def test_pieces_joined_are_the_text(text: str) -> None:
    assert "".join(piece.text for piece in lexical.pieces(text)) == text


@given(st.lists(FRAGMENTS, max_size=40).map("".join))
def test_mending_keeps_the_number_of_lines_and_never_raises(text: str) -> None:
    stripped = magics.strip_prompts(text)
    python, problem = repair.repair(magics.take_cell_magics(stripped)[1])
    assert python.count("\n") == text.count("\n")
    if problem is None:
        assert repair.problem_of(python) is None
