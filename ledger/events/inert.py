"""Text of others made harmless to look at: on a terminal and on a page it can only be read.

Owners, rationales, labels and messages are shown with what their authors wrote, and that may hold
escape sequences, line feeds or characters that turn the direction of text. A printer passes
text through here last; what is stored, hashed or written as data stays as it is.
"""

import unicodedata
from functools import lru_cache
from typing import Final

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Controls (ESC, BEL, C1 …), formats (bidirectional, zero width), surrogates, line separators."""


def inert(text: str, *, lines: bool = False) -> str:
    """Return the text with every character that is not seen but acts written as its escape.

    `lines`: line feeds are the printer's own and stay.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join([one if lines and one == "\n" else _shown(one) for one in text])


@lru_cache(maxsize=4096)
def _shown(character: str) -> str:
    if unicodedata.category(character) not in _UNSEEN:
        return character
    code = ord(character)
    if character in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[character]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def harmless(value: object) -> object:
    """Return what a template may show for a value: text made inert, anything else as it is."""
    if isinstance(value, str) and not hasattr(value, "__html__"):  # markup is our own
        return inert(value, lines=True)
    return value
