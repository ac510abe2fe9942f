"""Text of unknown origin, made safe to print: names, labels, logs and errors of anybody's store.

Escape sequences could move the cursor or write to the clipboard, bidirectional marks make a line
read otherwise than it is, and half a surrogate pair cannot be printed at all.
"""

import re

_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)
_CONTROL_BUT_LINES = re.compile(_CONTROL.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))


def clean(text: str) -> str:
    """One line without control characters; each becomes a question mark."""
    return _CONTROL.sub("?", text)


def clean_lines(text: str) -> str:
    """Several lines without control characters; line ends and tabs stay."""
    return _CONTROL_BUT_LINES.sub("?", text)
