"""Makes text of unknown origin safe to print: names, labels, logs, errors from another's store.

Escape sequences can move the cursor or write to the clipboard, bidirectional marks change the order
in which a line is read, and half a surrogate pair cannot be printed at all.
"""

import re

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
