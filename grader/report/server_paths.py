"""Takes out of a student's texts what is not his: places on this server, and colours of a terminal."""

from __future__ import annotations

import re

ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# "{{function_node __wrapped__MatMul_device_/job:localhost/...CPU:0}}", before what TensorFlow has to say.
GRAPH_NODE = re.compile(r"\{\{function_node [^{}]*\}\} ?")
# "[Op:AddV2] name: lstm/add/", behind it.
OPERATION = re.compile(r" ?\[Op:\w{1,60}\](?: name:[^\n]*)?")
# What Keras puts around a message: which layer was called, and with what.
AROUND = "Exception encountered when calling "
# In two steps: one expression for a whole path would be tried anew from every slash, which takes hours for a megabyte.
PATH = re.compile(r"/[^\s:'\"<>]+")
PLACE_OF_OURS = re.compile(
    r"/(?:site-packages|dist-packages|lib/python3\.\d++|grader/runner|lstm-grader-[^\s/]++/[^\s/]++)(?=/)"
)


# Characters of a message in a sentence of ours; the error of the report has more.
MOST_CHARACTERS = 200
SENTENCE_END = re.compile(r"[.!?](?= )")


def clean_message(message: str) -> str:
    """An exception's own message: without terminal colours, what Keras and TensorFlow add, and paths of the server."""
    message = OPERATION.sub("", GRAPH_NODE.sub("", ANSI.sub("", message)))
    if message.startswith(AROUND) and message.count("\n\n") >= 2:
        message = message.split("\n\n", 1)[1].rsplit("\n\n", 1)[0]
    return without_server_paths(message).strip()


def in_brief(message: str) -> str:
    """An exception's message as part of a sentence: clean, in one line, and without the tensors that Keras prints.

    Of a long one the first sentences; where the first is too long, its beginning.
    """
    text = " ".join(clean_message(message).split(" Inputs received:")[0].split())
    if len(text) > MOST_CHARACTERS:
        ends = [end.start() for end in SENTENCE_END.finditer(text[:MOST_CHARACTERS])]
        words_end = text.rfind(" ", 0, MOST_CHARACTERS)
        text = text[: ends[-1]] if ends else text[: words_end if words_end > 0 else MOST_CHARACTERS] + "…"
    return text.rstrip(".")


def without_server_paths(text: str) -> str:
    """Paths into Python, its packages and the run's folder, cut to what is below: ``keras/src/layers/layer.py``."""
    return PATH.sub(_below_place_of_ours, text)


def _below_place_of_ours(path: re.Match[str]) -> str:
    places = [place.end() for place in PLACE_OF_OURS.finditer(path[0])]
    return path[0][places[-1] + 1 :] if places else path[0]


CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def clean(text: object) -> str:
    """Untrusted text without characters that a terminal obeys and that XML forbids."""
    return CONTROL.sub("�", str(text))
