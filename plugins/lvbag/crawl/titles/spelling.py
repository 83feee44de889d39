"""Text as a title's reader sees it: words without accents, case and width, in Latin, Japanese and Korean script.

Nothing here knows what a word means; Japanese and Korean, which write words together, are cut later by a vocabulary.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_ACCENTS = re.compile("[\u0300-\u036f]")
# letters that no decomposition turns into plain ones
_LETTERS = str.maketrans(
    {"ß": "ss", "œ": "oe", "Œ": "OE", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "ł": "l", "ı": "i"}
)
# shops write スピーディ, スピーディー and スピーデイ, ヴェルニ and ベルニ: long marks, small vowels and v do not count
_KANA = str.maketrans("ァィゥェォヶヵ", "アイウエオケカ", "ー・゠")
_V_KANA = (("ヴァ", "バ"), ("ヴィ", "ビ"), ("ヴェ", "ベ"), ("ヴォ", "ボ"), ("ヴ", "ブ"))

_CJK = "[\u30a1-\u30ff]+|[\u3041-\u309f]+|[\u3400-\u9fff]+|[\uac00-\ud7a3]+"
_WORD = re.compile(rf"[A-Za-z0-9]+|{_CJK}|[&+]")
_IS_CJK = re.compile(_CJK)
# "speedy30", "keepall55b", "50cm", "b25": a name, a size and what stands beside it
_GLUED = re.compile(r"([a-z]{3,}|b)?([0-9]{2})(b|cm)?")


@dataclass(frozen=True)
class Word:
    """One word, or a run of Japanese or Korean that may hold several."""

    text: str  # plain, in lower case
    raw: str  # plain, in its own case
    cjk: bool = False


def plain(text: str) -> str:
    """Compatible characters made equal (Ｍ is M), accents of Latin letters gone; case and scripts stay."""
    decomposed = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).translate(_LETTERS))
    return unicodedata.normalize("NFC", _ACCENTS.sub("", decomposed))


def split(text: str) -> tuple[Word, ...]:
    """The words of a text; `&` and `+` count as words."""
    smooth = plain(text)
    for kana, simple in _V_KANA:
        smooth = smooth.replace(kana, simple)
    words: list[Word] = []
    for found in _WORD.findall(smooth.translate(_KANA)):
        if _IS_CJK.match(found):
            words.append(Word(found, found, cjk=True))
        else:
            words.extend(_unglued(found))
    return tuple(words)


def key(text: str) -> str:
    """A spelling as it stands in a vocabulary: its words joined, so that OnTheGo and On The Go are one."""
    return "".join(word.text for word in split(text))


def _unglued(raw: str) -> tuple[Word, ...]:
    text = raw.casefold()
    match = _GLUED.fullmatch(text)
    if match is None or not (match[1] or match[3]):
        return (Word(text, raw),)
    parts = [part for part in match.groups() if part]
    return tuple(Word(part, part.upper() if raw.isupper() else part) for part in parts)
