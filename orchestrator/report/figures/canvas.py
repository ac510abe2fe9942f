"""What all pictures share: a style, three formats, equal bytes for equal numbers.

The only door to matplotlib, which is imported when something is drawn. Colours differ in lightness,
and a marker, a dash or a word always says the same. A name of unknown origin stays text: `$` starts
no formula, and letters that the font lacks become boxes. Nothing in a picture depends on the time
or the machine.
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
"""A figure of matplotlib, which brings no types."""
Panel: TypeAlias = Any
"""One pair of axes of a figure."""
P = ParamSpec("P")

FORMATS = (".png", ".svg", ".pdf")

INK, FAINT, HAIR, LINE = "#22303c", "#6b7882", "#d5dade", "#2c6e8f"
LOUD = "#b3401f"
SERIES = (INK, "#c05236", "#2f8f8b", "#8b6bb1", "#a07d1c", "#5b7fb5", "#7d8a93", "#9c4a6e")
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
DPI = 160


def refuse_no_picture(path: Path, *, also: Sequence[str] = ()) -> None:
    """Refuse a file that no picture can be written to, before anything is computed.

    Args:
        path: the file.
        also: endings of other files that may be written instead.

    Raises:
        RequestError: no such format or folder.
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
    """Make a drawing function draw in this style, whatever else uses matplotlib."""

    @wraps(build)
    def in_style(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with _style():
            figure = build(*args, **kwargs)
            _settle(figure)
            return figure

    return in_style


def _settle(figure: Figure) -> None:
    """Lay out once and round: the last bits of the solver differ from call to call."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
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
    """An empty figure; its panels will be laid out so that nothing overlaps.

    Args:
        width: of the figure, in inches.
        height: of the figure, in inches.
        rect: where panels go: left, bottom, width, height as shares of the figure.
        between: space between panels above each other, as a share of their height.
        beside: space between panels beside each other, as a share of their width.
    """
    from matplotlib.figure import Figure as Blank
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    pads = ConstrainedLayoutEngine(h_pad=0.03, hspace=between, w_pad=0.04, wspace=beside, rect=rect)
    return Blank(figsize=(width, height), layout=pads)


def ramp() -> object:
    """A colour map for shares from 0 to 1, from nearly white to ink."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("shares", ["#f4f6f7", "#9dbccb", LINE, INK])


def write(figure: Figure, path: Path) -> None:
    """Write a picture as PNG, SVG or PDF, by the ending of the path; overwrites the file.

    Raises:
        RequestError: as `refuse_no_picture`.
    """
    refuse_no_picture(path)
    path.write_bytes(rendered(figure, path.suffix.lower()[1:]))


def rendered(figure: Figure, form: str, *, background: str = "white") -> bytes:
    """A picture as ``png``, ``svg`` or ``pdf``; equal figures give equal bytes."""
    title = clean(str(figure.get_label()))
    undated: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    about = {**undated.get(form, {}), **({"Title": title} if title else {})}
    sink = io.BytesIO()
    with _style():
        figure.savefig(sink, format=form, dpi=DPI, metadata=about, facecolor=background)
    return sink.getvalue()


def svg_text(figure: Figure) -> str:
    """A picture as SVG inside an HTML page: transparent, with the page's font and ink.

    It has no style sheet, no `style` attribute and no needless identifier, so that a page with a
    strict policy can hold many. `INK` becomes `currentColor` and white becomes `var(--paper)`.
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
    """The declarations of a `style` as attributes, which a page's policy allows."""
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
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # its font cache is no news
    import matplotlib as mpl

    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # names in any script
        yield


def wrap(text: str, inches: float, size: float) -> list[str]:
    """A text in lines that fit a width at a size in points; control characters are replaced."""
    safe = clean(text)
    letters = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in safe)
    most = inches * 72 / (0.57 * size) * len(safe) / max(1, letters)
    return textwrap.wrap(safe, max(8, int(most)), break_on_hyphens=False) or [""]
