"""The pictures of a study by name (`--picture NAME`), and which of them a study can have."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from orchestrator.analysis.grid.effects import estimate_effects
from orchestrator.errors import RequestError, nearest
from orchestrator.report.figures.axes import axes, refuse_no_axes
from orchestrator.report.figures.canvas import Figure
from orchestrator.report.figures.confusion import confusion
from orchestrator.report.figures.curves import curves
from orchestrator.report.figures.forest import forest
from orchestrator.report.figures.slices import refuse_no_search, slices
from orchestrator.report.figures.width import refuse_no_widths, widths
from orchestrator.report.results import StudyResults
from orchestrator.store.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Picture:
    """One kind of picture, such as the forest plot."""

    draw: Callable[[StudyResults, str | None], Figure]
    """Draws the picture; the arguments are a study, and the name of one row or None for all."""
    refuse: Callable[[Snapshot], None] = lambda snapshot: None
    """Raises a RequestError for a study that cannot have this picture; else does nothing."""
    of_a_row: bool = False
    """Whether the picture can also be drawn of one row alone (`--row`)."""
    most_rows: int = 200
    """Most rows that one picture holds."""


def _names(row: str | None) -> tuple[str, ...] | None:
    return None if row is None else (row,)


PICTURES: Mapping[str, Picture] = {
    "forest": Picture(lambda study, row: forest(study.summary)),
    "sweep": Picture(lambda study, row: widths(study.summary), refuse_no_widths),
    "axes": Picture(
        lambda study, row: axes(
            study.summary.effects
            or estimate_effects(study.snapshot, study.outcomes, study.given_up),
            study.summary,
        ),
        refuse_no_axes,
    ),
    "slices": Picture(lambda study, row: slices(study.snapshot, study.search), refuse_no_search),
    "curves": Picture(
        lambda study, row: curves(study.snapshot, study.details(_names(row))),
        of_a_row=True,
        most_rows=30,
    ),
    "confusion": Picture(
        lambda study, row: confusion(study.summary, row), of_a_row=True, most_rows=30
    ),
}
"""Name of a picture, as `--picture` takes it -> the picture."""


def fitting(snapshot: Snapshot) -> str:
    """The name of the picture that is drawn when the user names none.

    ``slices`` for a search, ``sweep`` for Figure 2 of the paper, ``axes`` for a grid of settings,
    ``forest`` for any other study.
    """
    if snapshot.search is not None:
        return "slices"
    if snapshot.figure is not None or snapshot.axes:
        wanted = ("sweep", "axes") if snapshot.figure is not None else ("axes",)
        return next((name for name in wanted if name in all_fitting(snapshot)), "forest")
    return "forest"


def all_fitting(snapshot: Snapshot) -> list[str]:
    """The names of all pictures that a study can have."""
    found = []
    for name in PICTURES:
        try:
            refuse_no_picture_of(snapshot, name, None)
        except RequestError:
            continue
        found.append(name)
    return found


def refuse_no_picture_of(snapshot: Snapshot, name: str, row: str | None) -> None:
    """Do nothing if a study can have a picture; else raise, before anything is computed.

    Args:
        snapshot: the study.
        name: the name of the picture, a key of ``PICTURES``.
        row: the row that it is to show; None for all rows.

    Raises:
        RequestError: the study cannot have this picture, has no such row, or has too many rows.
    """
    picture = PICTURES[name]
    if row is not None and not picture.of_a_row:
        which = " and ".join(f"`{n}`" for n, known in PICTURES.items() if known.of_a_row)
        raise RequestError(
            f"`--row` must stand with a picture of one row, {which}, but stands with `{name}`."
        )
    names = [r.name for r in snapshot.rows]
    if not names and snapshot.search is not None and name != "slices":
        raise RequestError(
            f"`--picture {name}` needs rows, and the flat search `{snapshot.study}` has none: "
            "`--picture slices` draws what it tried."
        )
    if row is not None and row not in names:
        raise RequestError(
            f"`--row` must be a row of `{snapshot.study}`, but is `{row}` instead. "
            f"{nearest(row, names)}"
        )
    if row is None and len(names) > picture.most_rows:
        remedy = "`--row` names one" if picture.of_a_row else "`-o FILE.html` shows them all"
        raise RequestError(
            f"`--picture {name}` must have at most {picture.most_rows} rows, but "
            f"`{snapshot.study}` has {len(names)} instead: {remedy}."
        )
    picture.refuse(snapshot)
