"""Turns the bytes of an upload into text with ``\\n`` line ends, and recognises the kind of file."""

import codecs
import contextlib
import re
from collections import Counter
from typing import Any


class Unreadable(Exception):
    """The upload has nothing in it to grade; `code` says why, `line` counts from 1."""

    def __init__(self, code: str, line: int | None = None, **params: Any) -> None:
        super().__init__(code)
        self.code, self.line, self.params = code, line, params


# First bytes of files that are handed in by mistake.
BINARY_KINDS = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"%PDF", "pdf"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "docx"),
    (b"{\\rtf", "rtf"),
    (b"Rar!\x1a", "archive"),
    (b"7z\xbc\xaf\x27\x1c", "archive"),
    (b"\x1f\x8b\x08", "archive"),
)
# PNG, JPEG, GIF, WebP; and what phones record.
PICTURE = re.compile(rb"\x89PNG|\xff\xd8\xff|GIF8[79]a|RIFF.{4}WEBP|\0\0\0.ftyp", re.DOTALL)
# UTF-32 first: its little-endian mark begins with that of UTF-16.
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# PEP 263: in the first line, or in the second one when the first is blank or a comment.
CODING_LINE = re.compile(rb"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
BLANK_OR_COMMENT = re.compile(rb"[ \t\f]*(?:#.*)?")
BINARY_BYTES = re.compile(rb"[\x00-\x08\x0e-\x19\x1c-\x1f]")
GUESSES = ("cp1251", "koi8-r")
# A text in the other encoding comes out with upper and lower case swapped, so lower-case letters decide.
LOWER = frozenset("абвгдежзийклмнопрстуфхцчшщъыьэюяё")
COMMON = frozenset("оеаинтсрвл")
UPPER = frozenset("АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯЁ")
URL = re.compile(r"(?:https?://|(?<!\S)(?:colab\.research|drive|docs)\.google\.com/)\S+")
# A web page, or the page that an LMS makes of text pasted into its field.
HTML = re.compile(
    r"(?:<\?xml[^>]*>|<!--.*?-->|\s)*<(?:!doctype\s+html|(?:html|head|body|p|div|span|pre|code|br|h[1-6]|font)(?=[\s/>]))",
    re.IGNORECASE | re.DOTALL,
)
SAVED_PAGE = "From: <Saved by"  # how Chromium's single-file pages begin
INVISIBLE_SPACE = " \t\n\r\f\v\u00a0\u200b\u2060\ufeff\x1a"


def binary_kind(content: bytes) -> str | None:
    """Return the name of a format that is not text, recognised by its first bytes."""
    if PICTURE.match(content):
        return "picture"
    kind = next((kind for start, kind in BINARY_KINDS if content.startswith(start)), None)
    return "docx" if kind == "zip" and b"word/" in content[:65536] else kind


def decode(content: bytes) -> tuple[str, str | None]:
    """Return the text, and the encoding when it had to be guessed.

    Raises:
        Unreadable: ``not_text``, ``empty_file``.
    """
    text, guessed = _decode(content)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip(INVISIBLE_SPACE):
        raise Unreadable("empty_file")
    if "\0" in text:
        raise Unreadable("not_text", line=text.count("\n", 0, text.index("\0")) + 1, reason="nul")
    return text, guessed


def _decode(content: bytes) -> tuple[str, str | None]:
    for mark, encoding in MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace"), None
    if utf16 := _utf16_without_mark(content):
        return content.decode(utf16, "replace"), utf16
    content = content.removeprefix(codecs.BOM_UTF8)
    declared = _declared_encoding(content)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        # Bytes above 127 that are valid UTF-8 are UTF-8, whatever an editor left in the first line.
        return text, "utf-8" if declared not in (None, "utf-8") and not content.isascii() else None
    if declared is not None and declared != "utf-8":
        try:
            return content.decode(declared), None
        except (UnicodeError, LookupError):
            pass
    return _guess(content)


def _utf16_without_mark(content: bytes) -> str | None:
    """Decode UTF-16 without a byte order mark: code is mostly ASCII, so exactly every other byte is zero."""
    zeros = [content[first:4096:2].count(0) for first in (0, 1)]
    for empty, full, encoding in ((0, 1, "utf-16-le"), (1, 0, "utf-16-be")):
        if zeros[empty] == 0 and 4 * zeros[full] > min(len(content), 4096):
            return encoding
    return None


def _declared_encoding(content: bytes) -> str | None:
    """Return the codec named by a coding line; None where the line is a comment that only looks like one."""
    for line in re.split(rb"\r\n|\r|\n", content[:4096], maxsplit=2)[:2]:
        if match := CODING_LINE.match(line):
            name = match[1].decode("ascii", "replace")
            # As Python's own tokenizer reads it: `utf-8-unix` and the like are UTF-8.
            if name.lower().replace("_", "-").startswith(("utf-8", "utf8")):
                return "utf-8"
            with contextlib.suppress(LookupError, UnicodeError):
                if b"#".decode(name) == "#":  # a codec of bytes that can read its own coding line
                    return codecs.lookup(name).name
        if not BLANK_OR_COMMENT.fullmatch(line):
            break
    return None


def _guess(content: bytes) -> tuple[str, str]:
    text = content.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    if broken * 20 <= sum(char > "\x7f" for char in text):
        return text, "utf-8"  # a few damaged characters
    if BINARY_BYTES.search(content):
        raise Unreadable("not_text", reason="binary")
    decoded = {encoding: content.decode(encoding, "replace") for encoding in GUESSES}
    best = max(GUESSES, key=lambda encoding: _plausibility(decoded[encoding]))
    return decoded[best], best


def _plausibility(text: str) -> int:
    """Score how much a text reads like Russian: lower-case letters count most, non-letters count against."""
    score = 0
    for char, count in Counter(text).items():
        if char > "\x7f":
            score += count * (3 if char in COMMON else 2 if char in LOWER else 0 if char in UPPER else -2)
    return score


def is_html(text: str) -> bool:
    start = text.lstrip(INVISIBLE_SPACE)[:4096]
    return HTML.match(start) is not None or start.startswith(SAVED_PAGE)


def is_link(text: str) -> bool:
    """Return whether the file holds a link and at most a few words beside it."""
    if len(text) > 4000:
        return False
    rest, links = URL.subn(" ", text.replace("[InternetShortcut]", "").replace("URL=", ""))
    is_code = re.search(r"[=(){}\[\]<]|^\s*(?:import|from|class|def)\b", rest, re.MULTILINE)
    return links > 0 and not is_code and len(re.findall(r"\w+", rest)) <= 12
