"""The style of all pictures, and how they are written as PNG, SVG or PDF.

The only door to matplotlib, which is imported when something is drawn. Colours differ in lightness,
and a marker, a dash or a word always says the same as the colour. A name in a picture stays text:
`$` starts no formula, and letters that the font lacks become boxes. Nothing in a picture depends on
the time or the machine: equal numbers give equal bytes.
"""

import io
import logging
import re
import textwrap
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from html import escape
from pathlib import Path
from typing import Any, ParamSpec, TypeAlias

from orchestrator.errors import RequestError
from orchestrator.printable import clean

Figure: TypeAlias = Any
"""A ``matplotlib.figure.Figure``; Any, since matplotlib brings no types."""
Panel: TypeAlias = Any
"""A ``matplotlib.axes.Axes``: one plot of a figure. An axis of a study is something else."""
P = ParamSpec("P")

FORMATS = (".png", ".svg", ".pdf")
"""The endings of the files that a picture can be written to."""

INK, FAINT, HAIR, LINE = "#22303c", "#6b7882", "#d5dade", "#2c6e8f"
"""Colours: of text and main marks, of labels, of grid lines, and of second marks."""
LOUD = "#b3401f"
"""The colour of warnings and of what stands out."""
SERIES = (INK, "#c05236", "#2f8f8b", "#8b6bb1", "#a07d1c", "#5b7fb5", "#7d8a93", "#9c4a6e")
"""The colours of the lines of a panel, in order.

``MARKERS`` and ``DASHES`` are their markers and dashes in the same order."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.6)), (0, (1.4, 1.4)), (0, (5, 1.4, 1.2, 1.4)))
STYLE = {
    "svg.fonttype": "none",  # text stays text
    "pdf.fonttype": 42,
    "svg.hashsalt": "ablate",
    # DejaVu comes with matplotlib: the same letters everywhere. The others are for scripts that
    # it lacks, where a machine has one of them.
    "font.family": [
        "DejaVu Sans",
        "Noto Sans CJK SC",
        "Noto Sans CJK JP",
        "Source Han Sans",
        "Hiragino Sans",
        "PingFang SC",
        "Microsoft YaHei",
        "WenQuanYi Zen Hei",
        "Noto Sans",
    ],
    "font.size": 8,
    "figure.autolayout": False,
    "figure.constrained_layout.use": False,
    "axes.facecolor": "none",
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 8,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "text.color": INK,
    "text.parse_math": False,  # a `$` in a name is a `$`
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "image.interpolation_stage": "data",
}
"""Settings of matplotlib (rcParams) for all pictures."""
DPI = 160
"""Pixels an inch of a PNG."""


def refuse_no_picture(path: Path, *, also: Sequence[str] = ()) -> None:
    """Do nothing if a picture can be written to a path; else raise, before anything is computed.

    Args:
        path: the file of ``--output``.
        also: further endings that are allowed, such as ``.html``.

    Raises:
        RequestError: the path has no such ending, is a folder, or its folder does not exist.
    """
    known = ", ".join(f"`{known}`" for known in (*also, *FORMATS))
    if path.suffix.lower() not in (*also, *FORMATS):
        found = f"`{path.suffix}`" if path.suffix else "nothing"
        raise RequestError(f"`--output` must end in one of {known}, but ends in {found} instead.")
    if path.is_dir():
        raise RequestError(f"`--output` must be a file, but {path} is a folder instead.")
    if not path.parent.is_dir():
        raise RequestError(
            f"`--output` must lie in a folder that exists, but {path.parent} does not: "
            "make it first."
        )


def drawn(build: Callable[P, Figure]) -> Callable[P, Figure]:
    """Decorate a function that returns a figure: it draws in the style of this module.

    The style holds while the function runs, so other users of matplotlib are not affected. The
    layout of the figure is then fixed, so that equal numbers give equal bytes.
    """

    @wraps(build)
    def in_style(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with _style():
            figure = build(*args, **kwargs)
            _settle(figure)
            return figure

    return in_style


def _settle(figure: Figure) -> None:
    """Lay out the panels of a figure once, and fix their positions, rounded to six digits.

    Unrounded, the last bits of matplotlib's layout solver differ from call to call.
    """
    figure.get_layout_engine().execute(figure)
    figure.set_layout_engine(None)  # "none" would have every file drawn twice
    for panel in figure.axes:
        panel.set_position([round(edge, 6) for edge in panel.get_position(original=True).bounds])


def blank(
    width: float,
    height: float,
    *,
    rect: tuple[float, float, float, float] = (0, 0, 1, 1),
    between: float = 0.02,
    beside: float = 0.01,
) -> Figure:
    """An empty figure, whose panels matplotlib will lay out so that their labels do not overlap.

    Args:
        width: of the figure, in inches.
        height: of the figure, in inches.
        rect: where panels go: left, bottom, width, height as shares of the figure, 0 to 1.
        between: space between panels above each other, as a share of their height.
        beside: space between panels beside each other, as a share of their width.
    """
    from matplotlib.figure import Figure as Blank
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    pads = ConstrainedLayoutEngine(h_pad=0.03, hspace=between, w_pad=0.04, wspace=beside, rect=rect)
    return Blank(figsize=(width, height), layout=pads)


def ramp() -> object:
    """The matplotlib colour map of confusion matrices: 0 is nearly white, 1 nearly black."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("shares", ["#f4f6f7", "#9dbccb", LINE, INK])


def write(figure: Figure, path: Path) -> None:
    """Write a figure to a file as PNG, SVG or PDF, by the ending of its path; overwrites the file.

    Raises:
        RequestError: the path has another ending, is a folder, or its folder does not exist.
    """
    refuse_no_picture(path)
    path.write_bytes(rendered(figure, path.suffix.lower()[1:]))


def rendered(figure: Figure, form: str, *, background: str = "white") -> bytes:
    """The bytes of a figure's file; equal figures give equal bytes.

    Args:
        figure: the figure; its label becomes the title in the file's metadata.
        form: ``png``, ``svg`` or ``pdf``.
        background: a colour of matplotlib, or ``none``.
    """
    title = clean(str(figure.get_label()))
    undated: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    about = {**undated.get(form, {}), **({"Title": title} if title else {})}
    sink = io.BytesIO()
    with _style():
        figure.savefig(sink, format=form, dpi=DPI, metadata=about, facecolor=background)
    return sink.getvalue()


def svg_text(figure: Figure) -> str:
    """A figure as an ``<svg>`` element for an HTML page, transparent, in the page's own font.

    It has no style sheet, no `style` attribute and no needless identifier, so that a page with a
    strict content security policy can hold many. `INK` becomes `currentColor` (the page's text
    colour) and white becomes `var(--paper)`.
    """
    text = rendered(figure, "svg", background="none").decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, count=1, flags=re.DOTALL)
    text = re.sub(r"<style[^>]*>.*?</style>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = re.sub(r' id="[A-Za-z0-9.]+_\d+"', "", text)
    text = re.sub(r' style="([^"]*)"', lambda found: _attributes(found[1]), text)
    text = text.replace(f'"{INK}"', '"currentColor"').replace('"#ffffff"', '"var(--paper, white)"')
    title = escape(clean(str(figure.get_label())), quote=True)
    head, rest = text.split(">", 1)
    head = re.sub(r' (width|height)="[^"]*"', "", head)
    return f'{head} role="img" aria-label="{title}" stroke-linejoin="round">{rest}'


def _attributes(style: str) -> str:
    """The content of a `style` attribute as attributes of their own, as text.

    A page's content security policy forbids the first and allows the second.
    """
    found: dict[str, str] = {}
    for declaration in style.split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name == "font":
            size = re.search(r"([\d.]+)px", value)
            weight = re.search(r"\b(bold|[1-9]00)\b", value.split("px")[0])
            found |= {"font-size": size[1]} if size else {}
            found |= {"font-weight": weight[1]} if weight else {}
        elif name and name != "font-family":  # the page's own; DejaVu, which was measured, is wide
            found[name] = value
    return "".join(f' {name}="{escape(value, quote=True)}"' for name, value in found.items())


@contextmanager
def _style() -> Iterator[None]:
    """Let matplotlib use ``STYLE``, without its warnings, while the ``with`` block runs."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # its font cache is no news
    import matplotlib as mpl

    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # names in any script
        yield


def wrap(text: str, inches: float, size: float) -> list[str]:
    """Break a text into lines that fit a width; control characters are replaced.

    Args:
        text: the text.
        inches: the width of a line.
        size: the size of the letters, in points (1/72 inch).
    """
    safe = clean(text)
    letters = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in safe)
    most = inches * 72 / (0.57 * size) * len(safe) / max(1, letters)
    return textwrap.wrap(safe, max(8, int(most)), break_on_hyphens=False) or [""]
