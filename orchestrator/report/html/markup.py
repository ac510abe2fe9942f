"""HTML that is escaped by construction: whatever is not made here is text.

A page is made of ``tag`` alone, so that no name, label or error of anybody's store can be more
than text in it, in an attribute as little as between tags.
"""

from collections.abc import Iterable
from html import escape

from orchestrator.printable import clean

VOID = frozenset({"meta", "line", "circle", "polyline", "path", "rect"})
"""Elements that hold nothing."""


class Markup(str):
    """Text that may stand in a page as it is."""

    __slots__ = ()


Child = str | None | Iterable["Child"]
"""Text, markup, nothing, or several of these."""


def text(value: str) -> Markup:
    """Text of unknown origin that stays text.

    >>> text('<b onclick="x">')
    '&lt;b onclick=&quot;x&quot;&gt;'
    """
    return value if isinstance(value, Markup) else Markup(escape(clean(value)))


def joined(*children: Child) -> Markup:
    """Children one after another."""
    parts = list[str]()
    for child in children:
        if isinstance(child, str):
            parts.append(text(child))
        elif child is not None:
            parts.append(joined(*child))
    return Markup("".join(parts))


def tag(name: str, /, *children: Child, **attributes: str | float | bool | None) -> Markup:
    """An element.

    Args:
        name: of the element.
        children: what it holds; strings are text.
        attributes: ``class_`` is ``class``, ``aria_sort`` is ``aria-sort``; True stands bare, False
            and None are left out.

    >>> tag("a", "x & y", class_="big", aria_label='"')
    '<a class="big" aria-label="&quot;">x &amp; y</a>'
    """
    parts = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        word = key.rstrip("_").replace("_", "-")
        parts.append(word if value is True else f'{word}="{text(_plain(value))}"')
    opening = f"<{' '.join(parts)}>"
    if name in VOID:
        return Markup(f"{opening[:-1]}/>")
    return Markup(f"{opening}{joined(*children)}</{name}>")


def prose(line: str) -> Markup:
    """A sentence; of what stands in backticks, commands are code and names stand out.

    >>> prose("`a` is < b: `ablate run` trains it")
    '<i>a</i> is &lt; b: <code>ablate run</code> trains it'
    """
    parts = line.split("`")
    if len(parts) % 2 == 0:
        return text(line)
    return joined(_quoted(part) if i % 2 else part for i, part in enumerate(parts))


def _quoted(part: str) -> Markup:
    return tag("code" if part.startswith(("ablate ", "-")) else "i", part)


def _plain(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:g}"
