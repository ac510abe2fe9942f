"""One study of the HTML page: heading, picture, tables and footnotes."""

from dataclasses import dataclass

from orchestrator.errors import RequestError
from orchestrator.report.figures.canvas import svg_text
from orchestrator.report.figures.gallery import PICTURES, fitting
from orchestrator.report.html.headline_view import Headline, headline_view
from orchestrator.report.results import StudyResults
from orchestrator.report.tables.headings import corpus_name
from orchestrator.report.tables.search import all_tables
from orchestrator.report.tables.table import Table
from orchestrator.store.snapshot import Snapshot

MOST_EPOCHS = 200_000
"""Most epochs of all trainings together; if a study has more, the page has no learning curves."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyView:
    """A study of the page: a heading, a picture, the first table, and tables that open."""

    anchor: str
    """The id of its HTML element, such as ``s1``."""
    label: str
    """``Table 7``, or the study's name if it reproduces none; empty if the title is the same."""
    title: str
    """The title of the first table."""
    name: str
    """The question of the study; its name if it has none."""
    corpus: str
    """The name of the corpus."""
    profile: str
    """How much training a trial gets: ``paper``, ``quick`` or ``mixed``."""
    facts: tuple[tuple[str, str], ...]
    """Name and value of what stands below the title: corpus, profile, reading, score, design."""
    banner: str
    """A warning above the table, such as for demo speech; empty if there is none."""
    picture: str | None
    """An ``<svg>`` element, or None.

    Only studies of hidden sizes, of a grid or of a search have one. This program draws it, so that
    it is printed without escapes."""
    effects: Table | None
    """The main effects of a grid, which stand before its rows; None for other studies."""
    table: Table
    """The table of rows, the headline, or the best configurations of a flat search."""
    headline: Headline | None
    """That table with rows that open; None for a flat search, which has no rows."""
    footnotes: tuple[str, ...]
    """The sentences below that table."""
    tables: tuple[tuple[str, Table], ...]
    """Title and content of every supporting table."""


def study_view(study: StudyResults, anchor: str) -> StudyView:
    """Lay out a study for the page; reads the learning curves of its trainings from the store.

    Args:
        study: the results of the study.
        anchor: the id of its HTML element, such as ``s1``.
    """
    snapshot = study.snapshot
    epochs = sum(outcome.epochs for outcome in study.outcomes.values())
    has_curves = epochs <= MOST_EPOCHS
    first, *supporting = all_tables(study.summary, study.search, details=True)
    effects = first if study.summary.effects is not None else None
    table = first if effects is None else supporting.pop(0)
    headline = None
    if snapshot.rows:
        details = study.details(histories=has_curves)
        headline = headline_view(table, study.summary, details, anchor)
    return StudyView(
        anchor=anchor,
        label=first.label if first.label != first.title else "",
        title=first.title,
        name=snapshot.question or snapshot.study,
        corpus=snapshot.corpus,
        profile=snapshot.profile,
        facts=_facts(snapshot),
        banner=table.banner,
        picture=_picture(study),
        effects=effects,
        table=table,
        headline=headline,
        footnotes=(
            *table.footnotes,
            *([] if has_curves else [_curves_are_left_out(snapshot.study, epochs)]),
        ),
        tables=tuple((_title(one, table), one) for one in supporting),
    )


def _facts(snapshot: Snapshot) -> tuple[tuple[str, str], ...]:
    facts = [
        ("corpus", corpus_name(snapshot)),
        ("profile", snapshot.profile),
        ("reading", snapshot.reading),
        ("score", f"{snapshot.score} (exploratory)" if snapshot.exploratory else snapshot.score),
    ]
    if snapshot.replicates != "fixed":
        facts.append(("replicates", snapshot.replicates))
    return tuple(facts)


def _picture(study: StudyResults) -> str | None:
    """The study's picture as an ``<svg>`` element: Figure 2, a grid's axes or a search's.

    None for other studies, whose picture, the forest plot, is a column of the headline.
    """
    name = fitting(study.snapshot)
    if name == "forest" or not study.outcomes:
        return None
    try:
        return svg_text(PICTURES[name].draw(study, None))
    except RequestError:
        return None  # it has more axes than the picture can show


def _title(table: Table, headline: Table) -> str:
    """The title of a supporting table on the page.

    The table of details has the same title as the headline, so it gets another one here.
    """
    if table.title == headline.title:
        return "By segment, at the last epoch, at the best on test"
    return table.title


def _curves_are_left_out(study: str, epochs: int) -> str:
    return (
        f"Learning curves are left out: these trainings have {epochs:,} epochs, and a page "
        f"draws {MOST_EPOCHS:,} at most. `ablate report {study} -o FILE.svg "
        "--picture curves --row ROW` draws those of a row."
    )
