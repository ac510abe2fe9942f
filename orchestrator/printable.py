"""Makes text of unknown origin safe to print: names, labels, logs, errors from another's store.

Escape sequences can move the cursor or write to the clipboard, bidirectional marks change the order
in which a line is read, and half a surrogate pair cannot be printed at all. Where a terminal or a
log cannot show a character, as under an encoding other than UTF-8, the nearest one stands for it.
"""

import codecs
import re
import unicodedata

_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)
_CONTROL_BUT_LINES = re.compile(_CONTROL.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))


def clean(text: str) -> str:
    """The text with each control character replaced by `?`; line ends and tabs too: one line."""
    return _CONTROL.sub("?", text)


def clean_lines(text: str) -> str:
    """The text with each control character replaced by `?`, except line feeds and tabs."""
    return _CONTROL_BUT_LINES.sub("?", text)


_NEAREST = {
    **{"±": "+/-", "Δ": "d", "×": "x", "·": ".", "…": "...", "•": "*", "µ": "u", "°": " deg"},
    **dict.fromkeys("–—−‐‑", "-"),
    **dict.fromkeys("‘’", "'"),
    **dict.fromkeys("“”", '"'),
    **{"≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "→": "->", "←": "<-", "✓": "+", "✗": "x"},
    **dict(zip("▁▂▃▄▅▆▇█", "_.,-~=+#", strict=True)),
    **{"─": "-", "━": "-", "│": "|", "┃": "|", "╸": "-", "╺": " "},
    **{"ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "ı": "i"},
}
"""Character -> what stands for it where it cannot be written. Others lose their accents."""


def writable(text: str, encoding: str) -> str:
    """The text in an encoding that may lack some of it: ``±`` becomes ``+/-``, ``é`` ``e``.

    A character without a near one becomes `?`.

    >>> writable("ΔUA 3.1 ± 2.4", "latin-1"), writable("été, 木", "ascii")
    ('dUA 3.1 ± 2.4', 'ete, ?')
    """
    if text.isascii():
        return text
    return text.encode(encoding, NEAREST_ERRORS).decode(encoding)


NEAREST_ERRORS = "ablate-nearest"
"""Name of the error handler for `str.encode` by which ``writable`` replaces characters."""


def _nearest(error: UnicodeError) -> tuple[str, int]:
    """Replace the characters that an encoding lacks, and go on behind them."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    unknown = error.object[error.start : error.end]
    return "".join(map(_nearest_ascii, unknown)), error.end


def _nearest_ascii(char: str) -> str:
    letters = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
    combining = bool(unicodedata.combining(char))
    return _NEAREST.get(char) or letters or ("" if combining else "?")


codecs.register_error(NEAREST_ERRORS, _nearest)
