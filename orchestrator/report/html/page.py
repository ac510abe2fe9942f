"""The HTML page: one file with the tables of some studies and the details of every row.

The files in `templates/` lay the page out; everything that they print is escaped. The page loads
nothing from a network and runs nothing but its own script: a content security policy with the
digests of its style and script makes the browser hold to that. In a browser without scripts only
sorting and copying do not work.
"""

import base64
import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from orchestrator.printable import clean
from orchestrator.report.html.headline_view import cell_parts
from orchestrator.report.html.study_view import study_view
from orchestrator.report.results import StudyResults
from orchestrator.report.tables.headings import label
from orchestrator.report.tables.table import is_loud


def page(studies: Sequence[StudyResults]) -> str:
    """The text of the HTML file; several studies of one table stand below each other."""
    environment = _environment()
    style, script = _source(environment, "page.css"), _source(environment, "page.js")
    first = studies[0].snapshot
    return environment.get_template("page.html.jinja").render(
        title=f"{label(first)}. {first.question or first.study}",
        studies=[study_view(study, f"s{n}") for n, study in enumerate(studies, start=1)],
        style=style,
        script=script,
        style_digest=_digest(style),
        script_digest=_digest(script),
    )


def _environment() -> Environment:
    """The Jinja environment that loads the files in `templates/` and escapes what they print."""
    environment = Environment(
        loader=PackageLoader("orchestrator.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printed,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"cell_parts": cell_parts, "is_loud": is_loud, "spans": spans}
    return environment


def _printed(value: object) -> object:
    """What a template prints for a value.

    Control characters of texts are replaced; numbers have at most six digits: 34.0 -> ``34``.
    """
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str) and not hasattr(value, "__html__"):  # else a macro has printed it
        return clean(value)
    return value


def _source(environment: Environment, name: str) -> str:
    """The text of ``page.css`` or ``page.js``, which the page holds as it is.

    Args:
        environment: the Jinja environment that finds the file.
        name: the name of the file.
    """
    assert environment.loader is not None
    text, *_ = environment.loader.get_source(environment, name)
    assert "</" not in text, f"{name} would end its own element"
    return text


def _digest(text: str) -> str:
    """The name of a style or script in a content security policy: ``sha256-`` and base64 digits."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


class Span(NamedTuple):
    """A part of a sentence: text, or what stood between two backticks."""

    text: str
    """The part without backticks."""
    is_quoted: bool
    """Whether it stood in backticks."""
    is_command: bool
    """Whether it stood in backticks and begins with ``ablate`` or with a hyphen, as an option."""


def spans(sentence: str) -> list[Span]:
    """Split a sentence at its backticks; if their number is odd, it stays whole.

    >>> [span.text for span in spans("`a` is done: `ablate run` goes on") if span.is_command]
    ['ablate run']
    """
    parts = sentence.split("`")
    if len(parts) % 2 == 0:
        return [Span(sentence, is_quoted=False, is_command=False)]
    return [
        Span(
            part,
            is_quoted=(is_quoted := index % 2 == 1),
            is_command=is_quoted and part.startswith(("ablate ", "-")),
        )
        for index, part in enumerate(parts)
    ]
