"""From bytes to text: UTF-8, UTF-16 with its mark (a spreadsheet's "Unicode text"), or CP1251.

Every byte but one is a character in CP1251, so a file of another encoding decodes, too, and gives no names. A text that
was read as CP1251 is therefore taken only if its words look like words.
"""

import codecs
import re

from app.errors import RosterEncodingUnknown, RosterNotCSV

BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
#: Beginnings of files of spreadsheets: ZIP (.xlsx, .ods), and the older form of Excel (.xls).
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
WORD = re.compile(r"[^\W\d_]+")
# Characters that people put between letters. No word of another encoding becomes these alone.
MARKS = "«»№–—…’“”„•\xa0§°"
LETTERS = "А-яЁёІіЇїЄєҐґЎў"
CYRILLIC = re.compile(f"[{LETTERS}]+")
FOREIGN = re.compile(rf"[^\x00-\x7f{MARKS}{LETTERS}]")
# Typed by hand, letters of the other alphabet that look alike get into some words of a list, not into a fifth of them.
MOST_ODD = 0.2


def decode(content: bytes) -> str:
    """Return the text without a byte order mark.

    Raises:
        RosterNotCSV: it is a spreadsheet's own file.
        RosterEncodingUnknown: it is none of the three encodings.
    """
    if content.startswith(WORKBOOKS):
        raise RosterNotCSV
    for bom, encoding in BOMS:
        if content.startswith(bom):
            return _decode_as(content.removeprefix(bom), encoding)
    try:
        return content.decode()
    except UnicodeDecodeError as exc:
        wrong_at = exc.start
    try:
        text = content.decode("cp1251")
    except UnicodeDecodeError as exc:
        raise _unknown(content, exc.start) from exc
    if not _looks_russian(text):
        raise _unknown(content, wrong_at)
    if foreign := FOREIGN.search(text):
        raise _unknown(content, foreign.start())  # A character of CP1251 is one byte.
    return text


def _decode_as(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as exc:
        line = content[: exc.start].decode(encoding, "ignore").count("\n") + 1
        raise RosterEncodingUnknown(line=line) from exc


def _unknown(content: bytes, wrong_at: int) -> RosterEncodingUnknown:
    return RosterEncodingUnknown(line=content[:wrong_at].count(b"\n") + 1)


def _looks_russian(text: str) -> bool:
    words = [word for word in WORD.findall(text) if not word.isascii()]
    return sum(map(_is_odd, words)) <= MOST_ODD * len(words)


def _is_odd(word: str) -> bool:
    """Tell whether a word mixes alphabets (Latin-1 read as CP1251), or ends in capitals only (KOI8-R)."""
    return not CYRILLIC.fullmatch(word) or (word[0].islower() and any(map(str.isupper, word)))
