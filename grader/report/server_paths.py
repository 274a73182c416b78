"""Removes this server's paths and terminal colours from a student's texts."""

import re
from typing import Any

ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# "{{function_node __wrapped__MatMul_device_/job:localhost/...CPU:0}}", before TensorFlow's own message.
GRAPH_NODE = re.compile(r"\{\{function_node [^{}]*\}\} ?")
# "[Op:AddV2] name: lstm/add/", after it.
OPERATION = re.compile(r" ?\[Op:\w{1,60}\](?: name:[^\n]*)?")
# Keras puts this around a message: the layer that was called, and its arguments.
AROUND = "Exception encountered when calling "
# AutoGraph puts its own traceback before a message.
GRAPH_TRACEBACK = re.compile(r"\Ain user code:.*?\n\n {4}\w+: ", re.DOTALL)
# Used in two steps: one expression for a whole path would start again at every slash, which takes hours for a megabyte.
PATH = re.compile(r"/[^\s:'\"<>]+")
PLACE_OF_OURS = re.compile(
    r"/(?:site-packages|dist-packages|lib/python3\.\d++|grader/runner|lstm-grader-[^\s/]++/[^\s/]++)(?=/)"
)


# Longest message inside one of our sentences; the report's error holds more.
MOST_CHARACTERS = 200
SENTENCE_END = re.compile(r"[.!?](?= )")


def clean_message(message: str) -> str:
    """Return an exception's own message, without terminal colours, server paths, and what Keras and TensorFlow add."""
    message = OPERATION.sub("", GRAPH_NODE.sub("", ANSI.sub("", message)))
    if message.startswith(AROUND) and message.count("\n\n") >= 2:
        message = message.split("\n\n", 1)[1].rsplit("\n\n", 1)[0]
    message = message.split(" Inputs received: [")[0]
    return without_server_paths(GRAPH_TRACEBACK.sub("", message)).strip()


def in_brief(message: str) -> str:
    """Return an exception's message for use in a sentence: clean, in one line, and without Keras' tensors.

    Shorten a long one to its first sentences, or to the start of the first.
    """
    text = " ".join(clean_message(message).split())
    if len(text) > MOST_CHARACTERS:
        ends = [end.start() for end in SENTENCE_END.finditer(text[:MOST_CHARACTERS])]
        words_end = text.rfind(" ", 0, MOST_CHARACTERS)
        text = text[: ends[-1]] if ends else text[: words_end if words_end > 0 else MOST_CHARACTERS] + "…"
    return text.rstrip(".")


def without_server_paths(text: str) -> str:
    """Cut paths into Python, its packages and the run's folder to what is below: ``keras/src/layers/layer.py``."""
    return PATH.sub(_below_place_of_ours, text)


def _below_place_of_ours(path: re.Match[str]) -> str:
    places = [place.end() for place in PLACE_OF_OURS.finditer(path[0])]
    return path[0][places[-1] + 1 :] if places else path[0]


# Controls and line ends that only some readers know; marks that turn text around or have no width; letters that are
# blank; what XML forbids.
# Joiners hold letters together in some scripts and in emoji, and are kept there.
CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff"
    r"\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0"
    r"\ufeff\ufff0-\ufffb\ufffe\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e007f]|(?<![\u0600-\u1fff\u2100-\U0010ffff])[\u200c\u200d]"
)


def clean(text: object) -> str:
    """Remove terminal colours, and replace characters that control a reader instead of being read."""
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", ANSI.sub("", str(text)))


def in_one_line(name: str) -> str:
    """Clean a name, which has one line."""
    return clean(re.sub(r"[\t\n]", "\r", name))


def all_clean(value: Any) -> Any:
    """Clean every text in data as JSON has it."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [all_clean(each) for each in value]
    return {clean(key): all_clean(each) for key, each in value.items()} if isinstance(value, dict) else value
