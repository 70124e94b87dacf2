"""Text on its way into a page: escaped, cut to a length that a page can bear, and unable to turn the text around it.

Names come out of recordings and may hold anything. Every value that reaches HTML passes through `text`.
"""

from __future__ import annotations

import html
import unicodedata

LONGEST = 300
"""Characters of one value that a page shows; the whole value is in the JSON beside it."""

DASH, TIMES, MINUS, ELLIPSIS = "\u2013", "\u00d7", "\u2212", "\u2026"
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def text(value: object, *, longest: int = LONGEST) -> str:
    """Return a value as text that is safe inside elements and quoted attributes.

    Control characters, marks of writing direction and broken surrogates are written out as their code: unseen they
    could hide or reorder what stands beside them.
    """
    words = str(value)
    if len(words) > longest:
        words = words[: longest - 1] + ELLIPSIS
    if not words.isascii() or not words.isprintable():
        words = "".join(_visible(letter) for letter in words)
    return html.escape(words, quote=True)


def _visible(letter: str) -> str:
    if letter in "\t\n\r":
        return " "
    return f"\\u{ord(letter):04x}" if unicodedata.category(letter) in _INVISIBLE else letter
