"""One study as the page lays it out."""

from dataclasses import dataclass

from orchestrator.errors import RequestError
from orchestrator.report.figures.canvas import svg_text
from orchestrator.report.figures.gallery import PICTURES, fitting
from orchestrator.report.html.headline_view import Headline, headline_view
from orchestrator.report.results import StudyResults
from orchestrator.report.tables.search import all_tables
from orchestrator.report.tables.table import Table
from orchestrator.store.snapshot import Snapshot

MOST_EPOCHS = 200_000
"""Epochs of a study whose learning curves the page draws; of more it leaves out all curves."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyView:
    """A study of the page: a heading, a picture, the headline, and tables that open."""

    anchor: str
    label: str
    """``Table 7``; empty where the study is of no paper."""
    title: str
    name: str
    corpus: str
    profile: str
    facts: tuple[tuple[str, str], ...]
    """Name and value: corpus, profile, reading, and the replicates of an adaptive study."""
    banner: str
    picture: str | None
    """SVG of a study that spans widths, axes or a search, drawn here: it is safe as it is."""
    table: Table
    """The first table: the headline, or the best of a flat search."""
    headline: Headline | None
    """The first table with rows that open; None for a flat search, which judges no row."""
    footnotes: tuple[str, ...]
    """Of the first table."""
    tables: tuple[tuple[str, Table], ...]
    """Title and table of all that supports the headline."""


def study_view(study: StudyResults, anchor: str) -> StudyView:
    """Read what a study's rows open, and lay all of it out."""
    snapshot = study.snapshot
    epochs = sum(outcome.epochs for outcome in study.outcomes.values())
    has_curves = epochs <= MOST_EPOCHS
    table, *supporting = all_tables(study.summary, study.search, details=True)
    headline = None
    if snapshot.rows:
        details = study.details(histories=has_curves)
        headline = headline_view(table, study.summary, details, anchor)
    return StudyView(
        anchor=anchor,
        label=table.label if table.label != table.title else "",
        title=table.title,
        name=snapshot.question or snapshot.study,
        corpus=snapshot.corpus,
        profile=snapshot.profile,
        facts=_facts(snapshot),
        banner=table.banner,
        picture=_picture(study),
        table=table,
        headline=headline,
        footnotes=(
            *table.footnotes,
            *([] if has_curves else [_curves_are_left_out(snapshot.study, epochs)]),
        ),
        tables=tuple((_title(one, table), one) for one in supporting),
    )


def _facts(snapshot: Snapshot) -> tuple[tuple[str, str], ...]:
    part = "" if snapshot.corpus_part == "all" else f" ({snapshot.corpus_part} only)"
    facts = [
        ("corpus", snapshot.corpus + part),
        ("profile", snapshot.profile),
        ("reading", snapshot.reading),
    ]
    if snapshot.replicates != "fixed":
        facts.append(("replicates", snapshot.replicates))
    return tuple(facts)


def _picture(study: StudyResults) -> str | None:
    """Figure 2, the axes of a grid or of a search. The forest stands in the headline itself."""
    name = fitting(study.snapshot)
    if name == "forest" or not study.outcomes:
        return None
    try:
        return svg_text(PICTURES[name].draw(study, None))
    except RequestError:
        return None  # it has more axes than the picture can show


def _title(table: Table, headline: Table) -> str:
    """The title of a supporting table; the table of details has that of the headline."""
    if table.title == headline.title:
        return "By segment, at the last epoch, at the best on test"
    return table.title


def _curves_are_left_out(study: str, epochs: int) -> str:
    return (
        f"Learning curves are left out: these trainings have {epochs:,} epochs, and a page "
        f"draws {MOST_EPOCHS:,} at most. `ablate report {study} -o FILE.svg "
        "--picture curves --row ROW` draws those of a row."
    )
