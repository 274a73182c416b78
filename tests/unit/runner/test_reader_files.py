"""The kind of file that an upload is, and its encoding."""

import json
import os
import struct
import tempfile
from typing import Any

import pytest
from reader.text.decoding import BINARY_KINDS

from grader.report.messages import LANGUAGES, translate

CLASS = "class LSTM(tf.keras.Model):\n    def call(self, x):\n        return x\n"
RUSSIAN = "# Слой проходит ячейкой по всей цепочке и запоминает выход на каждом шаге\n" + CLASS


def notebook(*cells: Any, **parts: Any) -> str:
    body = [{"cell_type": "code", "source": cell} for cell in cells]
    return json.dumps({"nbformat": 4, "nbformat_minor": 2, "metadata": {}, "cells": body, **parts}, ensure_ascii=False)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_of_unicode_is_read_without_a_remark(read, encoding: str) -> None:
    reading = read(RUSSIAN.encode(encoding))
    assert (reading["error"], reading["advisories"], reading["class_line"]) == (None, [], 2)
    assert "Слой" in reading["source"]


def test_the_coding_line_decides_and_does_not_outlive_decoding(read) -> None:
    reading = read(f"# -*- coding: koi8-r -*-\n{RUSSIAN}".encode("koi8-r"))
    assert (reading["error"], reading["advisories"]) == (None, [])
    assert reading["source"].startswith("# -*- coding: utf-8 -*-\n# Слой")


@pytest.mark.parametrize("encoding", ["cp1251", "koi8-r", "utf-16-le", "utf-16-be"])
def test_an_encoding_that_nothing_names_is_guessed_and_said_so(read, encoding: str) -> None:
    reading = read(RUSSIAN.encode(encoding))
    assert reading["advisories"] == [{"code": "guessed_encoding", "params": {"encoding": encoding}, "line": None}]
    assert "Слой проходит" in reading["source"]


def test_a_coding_line_that_is_not_true_is_not_believed(read) -> None:
    reading = read(b"# coding: cp1251\n" + RUSSIAN.encode())
    assert reading["advisories"][0]["params"] == {"encoding": "utf-8"}
    assert "Слой" in reading["source"]
    assert "Слой" in read(b"# coding: utf-8\n" + RUSSIAN.encode("cp1251"))["source"]
    assert "Слой" in read(b"# decoding: steps\n# coding: koi8-r\n" + RUSSIAN.encode("koi8-r"))["source"]


@pytest.mark.parametrize("line", ["# Encoding: LSTM homework", "# LSTM\n# decoding: step by step", "# coding: rot13"])
def test_a_comment_that_names_no_encoding_of_texts_is_a_comment(read, line: str) -> None:
    reading = read(f"{line}\n{RUSSIAN}")
    assert (reading["error"], reading["advisories"]) == (None, [])
    assert "Слой" in reading["source"]
    compile(reading["source"].encode(), "solution.py", "exec")
    reading = read(f"{line}\n{RUSSIAN}".encode("cp1251"))
    assert (reading["error"], reading["advisories"][0]["params"]) == (None, {"encoding": "cp1251"})
    assert "Слой" in reading["source"]


def test_the_class_that_is_graded_is_told_where_there_are_several(read) -> None:
    assert read(CLASS)["advisories"] == []
    for several in (CLASS + "x = 1\n" + CLASS, notebook(CLASS, "x = 1", CLASS)):
        reading = read(several, "LSTM.ipynb" if several.startswith("{") else "LSTM.py")
        (told,) = reading["advisories"]
        assert told == {"code": "several_classes", "params": {"count": 2}, "line": reading["class_line"]}
        assert reading["source"].splitlines()[told["line"] - 1].startswith("class LSTM")
        assert "class LSTM" not in "".join(reading["source"].splitlines()[told["line"] :])


def test_a_few_damaged_characters_do_not_make_a_file_cyrillic(read) -> None:
    reading = read(RUSSIAN.encode() * 3 + b"# \xff\n")
    assert reading["advisories"][0]["params"] == {"encoding": "utf-8"}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_any_line_end_gives_the_same_lines(read, end: str) -> None:
    reading = read(("a = 1\n" + CLASS).replace("\n", end))
    assert (reading["class_line"], "\r" in reading["source"]) == (2, False)


@pytest.mark.parametrize(
    ("content", "filename", "code", "params"),
    [
        (b"", "a.py", "empty_file", {}),
        (b"\xef\xbb\xbf \t\r\n\xc2\xa0", "a.py", "empty_file", {}),
        (b"class LSTM:\n  x = '\0'\n", "a.py", "not_text", {"reason": "nul"}),
        (b"\x81\x02\x03\xff" * 20, "a.py", "not_text", {"reason": "binary"}),
        (b"PK\x03\x04rest", "a.py", "not_text", {"variant": "known", "found": "zip"}),
        (b"PK\x03\x04 word/document.xml", "a.docx", "not_text", {"variant": "known", "found": "docx"}),
        (b"PK\x03\x04rest", "a.ipynb", "invalid_notebook_json", {"variant": "known", "found": "zip"}),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "a.py", "not_text", {"variant": "known", "found": "picture"}),
        (b"\0\0\0\x18ftypheic", "a.py", "not_text", {"variant": "known", "found": "picture"}),
        (b"https://colab.research.google.com/drive/1AbC?usp=sharing", "a.txt", "link_only", {}),
        ("Моя работа: https://github.com/me/rnn".encode(), "a.py", "link_only", {}),
        (b"[InternetShortcut]\r\nURL=https://colab.research.google.com/drive/1\r\n", "a.url", "link_only", {}),
        (b'{"url": "https://docs.google.com/open?id=1", "doc_id": "1"}', "a.ipynb", "link_only", {}),
        (b"<!DOCTYPE html><html><body>", "a.html", "wrong_extension", {"extension": ".html", "found": "html"}),
        (b"\n<p dir='ltr'>class LSTM:<br>", "a.py", "wrong_extension", {"extension": ".py", "found": "html"}),
        (b"[1, 2]", "a.ipynb", "invalid_notebook", {"found": "list"}),
        (notebook("", " \n").encode(), "a.ipynb", "empty_file", {}),
    ],
)
def test_a_file_that_cannot_be_graded_has_a_code_of_its_own(
    read, content: bytes, filename: str, code: str, params: dict[str, Any]
) -> None:
    error = read(content, filename)["error"]
    assert (error["code"], error["params"]) == (code, params)


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_is_a_word_for_what_a_file_is(language: str) -> None:
    kinds = {kind for _, kind in BINARY_KINDS} | {"docx", "picture", "html", "notebook", "python"}
    assert [kind for kind in kinds if translate(f"found.{kind}", language).startswith("found")] == []
    assert translate("found.picture", language) in translate("not_text/known.message", language, found="picture")


def test_a_comment_with_a_link_beside_code_is_code(read) -> None:
    assert read("# https://colab.research.google.com/drive/1\nimport LSTM\n")["error"] is None


def test_a_placeholder_in_angle_brackets_is_no_html(read) -> None:
    assert read("<paste your class here>\nclass LSTM: pass\n")["error"]["code"] == "syntax_error"


def test_truncated_json_says_where(read) -> None:
    error = read('{\n "cells": [\n  {"cell_type": "code" "source": ""}]}', "a.ipynb")["error"]
    assert (error["code"], error["line"], error["params"]["column"]) == ("invalid_notebook_json", 3, 24)


def test_json_nested_too_deeply_is_an_answer_and_not_a_crash(read) -> None:
    error = read('{"cells": ' + "[" * 20_000, "a.ipynb")["error"]
    assert error["code"] == "invalid_notebook_json"


@pytest.mark.parametrize("code", ["x = 1" + " + 1" * 20_000, "x = " + "-" * 50_000 + "1"])
def test_code_nested_too_deeply_names_no_line(read, code: str) -> None:
    deep = {"code": "too_complex", "params": {"variant": "nested"}}
    assert read(f"{CLASS}\n{code}\n")["error"] == {**deep, "line": None}
    beside = read(notebook(code, CLASS), "a.ipynb")
    assert (beside["error"], beside["skipped"]) == (None, [{"index": 0, **deep}])


def test_a_notebook_under_another_name_is_read_with_a_remark(read) -> None:
    reading = read(notebook(CLASS), "solution.py")
    assert (reading["format"], reading["error"], reading["class_line"]) == ("ipynb", None, 1)
    assert reading["advisories"][0]["params"] == {"extension": ".py", "found": "notebook"}


@pytest.mark.parametrize("filename", ["a", "a.ipynb"])
def test_code_under_another_name_is_read_with_a_remark(read, filename: str) -> None:
    reading = read(CLASS, filename)
    assert (reading["format"], reading["error"]) == ("py", None)
    assert reading["advisories"][0]["code"] == "wrong_extension"


@pytest.mark.parametrize(("content", "kind"), [(CLASS, "py"), (notebook(CLASS), "ipynb")])
def test_text_file_promises_no_kind_of_content(read, content: str, kind: str) -> None:
    reading = read(content, "a.TXT")
    assert (reading["format"], reading["error"], reading["advisories"]) == (kind, None, [])


def test_a_file_that_is_no_python_says_why_and_where(read) -> None:
    reading = read("a = 1\nclass LSTM:\n    def call(self, x)\n        return x\n")
    assert reading["error"]["line"] == 3
    assert reading["error"]["params"] == {"message": "expected ':'", "text": "def call(self, x)"}


INDENTED = "".join(f"    {line}" for line in CLASS.splitlines(keepends=True))
PROMPTED = "".join(f"{'>>>' if line[0] == 'c' else '...'} {line}" for line in CLASS.splitlines(keepends=True))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"```python\n{CLASS}```\n", 2),
        (f"``` py \n{CLASS}\n```", 2),
        (f"  ```{{python}}\n{INDENTED}\n  ```\n\n```\n    !ls\n```", 2),
        (f"\n{INDENTED}", 2),
        (PROMPTED, 1),
        (f"Sure! Here's a layer:\n```python\n{CLASS}```\nCall it like any other.\n", 3),
    ],
    ids=["fences", "spaces", "indented fences", "indentation", "prompts", "a chat"],
)
def test_surroundings_copied_along_with_code_are_left_out(read, text: str, line: int) -> None:
    reading = read(text, "a.ipynb")
    assert (reading["format"], reading["error"], reading["class_line"]) == ("py", None, line)
    assert reading["source"].count("\n") == text.count("\n") + 1


def test_fault_between_fences_is_named_by_its_own_line(read, read_cells) -> None:
    text = "```python\nclass LSTM:\n    def call(self, x)\n        return x\n```"
    for reading in (read(text), read_cells(text)):
        assert reading["error"]["line"] == 3
        assert reading["source"].startswith("```python\n")


def test_fence_in_a_docstring_of_right_code_stays(read) -> None:
    text = f'{CLASS}"""\n```\nLSTM()\n```\n"""\n'
    assert "```\nLSTM()\n```" in read(text)["source"]


@pytest.mark.parametrize("source", [CLASS.splitlines(keepends=True), CLASS.splitlines()])
def test_a_source_may_be_lines_with_or_without_their_ends(read, source: Any) -> None:
    assert read(notebook(source), "a.ipynb")["class_line"] == 1


@pytest.mark.parametrize("version", [1, 2, 3])
def test_notebooks_of_old_formats_are_read(read, version: int) -> None:
    key = "code" if version == 1 else "input"
    cells = [{"cell_type": "code", key: "a = 1", "language": "python", "outputs": [{"data": {}}]}]
    cells += [{"cell_type": "heading", "source": "x", "level": 1}, {"cell_type": "code", key: [CLASS], "outputs": []}]
    body = {"cells": cells} if version == 1 else {"worksheets": [{"cells": cells[:2]}, {"cells": cells[2:]}]}
    reading = read(json.dumps({"nbformat": version, **body}), "a.ipynb")
    assert (reading["error"], [cell["index"] for cell in reading["cells"]]) == (None, [0, 2])


def test_a_notebook_of_a_later_or_missing_format_is_read_by_its_structure(read) -> None:
    for text in (notebook(CLASS).replace('"nbformat": 4', '"nbformat": 5'), json.dumps({"cells": [_code(CLASS)]})):
        assert read(text, "a.ipynb")["class_line"] == 1


def _code(source: str) -> dict[str, str]:
    return {"cell_type": "code", "source": source}


@pytest.mark.parametrize(
    "metadata",
    [
        {"kernelspec": {"name": "ir", "display_name": "R"}},
        {"language_info": {"name": "julia"}},
        {"kernelspec": {"name": "x", "language": "scala"}},
    ],
)
def test_a_notebook_of_another_language_is_named(read, metadata: dict[str, Any]) -> None:
    assert read(notebook("x <- 1", metadata=metadata), "a.ipynb")["error"]["code"] == "not_python"


@pytest.mark.parametrize(
    "metadata", [None, {"kernelspec": None}, {"kernelspec": {"name": "my-env"}}, {"language_info": {"name": "ipython"}}]
)
def test_a_notebook_that_does_not_name_its_language_is_python(read, metadata: Any) -> None:
    assert read(notebook(CLASS, metadata=metadata), "a.ipynb")["error"] is None


def test_huge_outputs_and_numbers_are_no_obstacle(read) -> None:
    cell = {**_code(CLASS), "outputs": [{"data": {"image/png": "A" * 3_000_000, "n": 1}}]}
    text = json.dumps({"nbformat": 4, "cells": [cell]}).replace('"n": 1', '"n": ' + "9" * 9000)
    assert read(text, "a.ipynb")["error"] is None


def test_half_a_character_in_a_cell_does_not_reach_the_source(read) -> None:
    text = notebook("a = '?'\n" + CLASS).replace("?", "\\ud83d")
    reading = read(text, "a.ipynb")
    assert reading["error"] is None
    reading["source"].encode()


@pytest.mark.parametrize("kind", ["markdown", "raw"])
def test_a_class_outside_code_cells_is_missing_and_its_place_named(read, kind: str) -> None:
    text = json.dumps({"nbformat": 4, "cells": [{"cell_type": kind, "source": CLASS}]})
    assert read(text, "a.ipynb")["error"]["params"] == {"found_in": kind}


def test_the_reader_answers_with_the_facts_then_the_source_on_the_result_pipe(monkeypatch) -> None:
    from reader import upload

    request = json.dumps({"filename": "a.py", "canonical": {"units": 32}}).encode()
    with tempfile.TemporaryFile() as file:
        file.write(struct.pack("<II", len(request), 0) + request + CLASS.encode())
        file.flush()
        receiving, sending = os.pipe()
        monkeypatch.setattr(upload, "RESULT", sending)
        upload.main(os.dup(file.fileno()), 0.0)
        os.close(sending)
        with os.fdopen(receiving, "rb") as pipe:
            answer = pipe.read()
    first, arrays_length = struct.unpack_from("<II", answer)
    second, none = struct.unpack_from("<II", answer, 8 + first)
    assert (len(answer), arrays_length, none) == (16 + first + second, 0, 0)
    assert json.loads(answer[8 : 8 + first])["class_line"] == 1
    assert json.loads(answer[16 + first :])["cells"][0]["index"] == 0
