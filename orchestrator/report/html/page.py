"""One file that holds a table and all that stands behind it.

It asks nothing of a network and runs nothing but its own script, which the browser is told to
hold to (a content security policy by digest); without a script only sorting and copying are gone.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from orchestrator.analysis.summary import RowSummary, Summary
from orchestrator.errors import RequestError
from orchestrator.report.figures.canvas import svg_text
from orchestrator.report.figures.gallery import PICTURES, fitting
from orchestrator.report.html.markup import Child, Markup, joined, prose, tag
from orchestrator.report.html.plots import Forest
from orchestrator.report.html.row_panel import note, panel, scrolling
from orchestrator.report.results import StudyResults
from orchestrator.report.row_details import RowDetails, row_details
from orchestrator.report.tables.headings import label
from orchestrator.report.tables.search import all_tables
from orchestrator.report.tables.table import Table
from orchestrator.search.result import SearchResult
from orchestrator.store.snapshot import Snapshot

MOST_EPOCHS = 200_000
"""Epochs whose learning curves a study has drawn; of more, they are left out, and it is said."""
SIGNS = {"yes": "◆", "cannot tell": "○", "supports": "◆", "contradicts": "◇"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A study as a page shows it."""

    summary: Summary
    behind: tuple[RowDetails, ...]
    epochs: int
    """In all of its finished trainings."""
    picture: Markup | None = None
    """Of a study that spans widths or axes, as the figures of the paper are drawn."""
    search: SearchResult | None = None

    @property
    def curves(self) -> bool:
        """Whether they are drawn."""
        return self.epochs <= MOST_EPOCHS


def shown(study: StudyResults) -> Shown:
    """Read what stands behind a study's rows."""
    epochs = sum(outcome.epochs for outcome in study.outcomes.values())
    behind = row_details(
        study.ledger, study.snapshot, study.outcomes, histories=epochs <= MOST_EPOCHS
    )
    return Shown(
        summary=study.summary,
        behind=behind,
        epochs=epochs,
        picture=_picture(study),
        search=study.search,
    )


def _picture(study: StudyResults) -> Markup | None:
    """Figure 2, or the axes of a grid; the rows of any other study stand in the table itself."""
    name = fitting(study.snapshot)
    if name == "forest" or not study.outcomes:
        return None
    try:
        return Markup(svg_text(PICTURES[name].draw(study, None)))
    except RequestError:
        return None  # more axes than a picture bears


def page(studies: Sequence[Shown]) -> str:
    """The whole file. Several studies of one table stand below each other."""
    snapshot = studies[0].summary.snapshot
    style, script = _part("page.css"), _part("page.js")
    policy = (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"{label(snapshot)}. {snapshot.question or snapshot.study}"),
        tag("style", style),
        tag("script", script),
    )
    body = tag("main", _contents(studies), map(_study, range(len(studies)), studies))
    return "<!DOCTYPE html>\n" + tag("html", head, tag("body", body), lang="en") + "\n"


def _part(name: str) -> Markup:
    """A file of ours that stands in the page as it is."""
    found = (files("orchestrator.report.html") / name).read_text(encoding="utf-8")
    assert "</" not in found, f"{name} would end its own element"
    return Markup(found)


def _digest(part: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()}'"


def _contents(studies: Sequence[Shown]) -> Markup | None:
    if len(studies) == 1:
        return None
    snapshot = [s.summary.snapshot for s in studies]
    links = (
        tag("li", tag("a", a.question or a.study, href=f"#s{i}"), f" ({a.corpus}, {a.profile})")
        for i, a in enumerate(snapshot, start=1)
    )
    return tag("nav", tag("p", f"{len(snapshot)} studies of one table"), tag("ul", links))


def _study(index: int, found: Shown) -> Markup:
    snapshot = found.summary.snapshot
    headline, *more = all_tables(found.summary, found.search, details=True)
    place = f"s{index + 1}"
    return tag(
        "section",
        _heading(snapshot, headline, place),
        scrolling(found.picture, headline.title, kind="picture") if found.picture else None,
        _table(headline, found, place) if snapshot.rows else _more(headline, headline.title),
        tag("ul", map(note, headline.footnotes), _curves_note(found), class_="notes"),
        tag("div", (_more(t, _title(t, headline)) for t in more), class_="more"),
        id=place,
        aria_labelledby=f"{place}-title",
    )


def _heading(snapshot: Snapshot, table: Table, place: str) -> Markup:
    part = "" if snapshot.corpus_part == "all" else f" ({snapshot.corpus_part} only)"
    facts = {
        "corpus": snapshot.corpus + part,
        "profile": snapshot.profile,
        "reading": snapshot.reading,
    }
    facts |= {"replicates": snapshot.replicates} if snapshot.replicates != "fixed" else {}
    return tag(
        "header",
        tag("p", table.label, class_="number-of") if table.label != table.title else None,
        tag("h1", _unbroken(table.title), id=f"{place}-title"),
        tag(
            "dl",
            (tag("div", tag("dt", k), tag("dd", tag("bdi", v))) for k, v in facts.items()),
            class_="facts",
        ),
        tag("p", tag("strong", table.banner), class_="banner") if table.banner else None,
    )


def _unbroken(title: str) -> Markup:
    """A title whose words are not broken at a hyphen."""
    words = (tag("span", w, class_="word") if "-" in w else w for w in title.split(" "))
    return joined(*((" " if i else None, word) for i, word in enumerate(words)))


def _curves_note(found: Shown) -> Markup | None:
    if found.curves:
        return None
    return note(
        f"Learning curves are left out: these trainings have {found.epochs:,} epochs, and a page "
        f"draws {MOST_EPOCHS:,} at most. `ablate report {found.summary.snapshot.study} -o FILE.svg "
        "--picture curves --row ROW` draws those of a row."
    )


def _table(table: Table, found: Shown, place: str) -> Markup:
    """The headline: a row that opens in a body of its own, so that both move together."""
    summary = found.summary
    rows = {row.name: row for row in summary.rows}
    behind = {row.name: row for row in found.behind}
    reference = behind.get(summary.snapshot.reference or "")
    forest = _forest(summary)
    at = next((i for i, c in enumerate(table.columns) if c.head.startswith("ΔUA")), None)
    bodies = list[Markup]()
    for index, cells in enumerate(table.cells):
        if index in table.headings:
            bodies.append(_block(table.headings[index], len(cells) + 1))
        if index < len(summary.snapshot.published):
            bodies.append(_row(table, cells, at, forest.nothing(), None, ""))
            continue
        row = rows[cells[0]]
        opened = panel(row, behind[row.name], reference, summary.snapshot.classes)
        plot = _plot(row, summary.snapshot, forest)
        bodies.append(_row(table, cells, at, plot, opened, f"{place}-r{index + 1}"))
    whole = tag(
        "table",
        tag("thead", _heads(table, at, forest), role="rowgroup"),
        bodies,
        class_="headline",
        role="table",
        aria_labelledby=f"{place}-title",
    )
    return joined(_tools(), whole)


def _tools() -> Markup:
    """What only a script can do; hidden without one."""
    return tag(
        "p",
        tag("button", "open all rows", type="button", class_="open-all"),
        tag("button", "close all", type="button", class_="close-all"),
        class_="tools",
    )


def _forest(summary: Summary) -> Forest:
    differences = [row.difference for row in summary.rows if row.difference is not None]
    ends = [end for d in differences for end in (d.low, d.ua, d.high) if end is not None]
    return Forest.of([100 * end for end in ends])


def _plot(row: RowSummary, snapshot: Snapshot, forest: Forest) -> Markup:
    if row.name == snapshot.reference:
        return forest.reference()
    d = row.difference
    if d is None:
        return forest.nothing()
    low, high = (None if end is None else 100 * end for end in (d.low, d.high))
    return forest.row(100 * d.ua, low, high, row.verdict == "yes")


def _heads(table: Table, at: int | None, forest: Forest) -> Markup:
    heads = list[Markup]()
    for index, column in enumerate(table.columns):
        button = tag("button", column.head, type="button")
        kind = "number" if column.numeric else None
        heads.append(tag("th", button, scope="col", role="columnheader", class_=kind))
        if index == at:
            axis = tag("th", forest.axis(), scope="col", role="columnheader", class_="plot")
            heads.append(axis)
    return tag("tr", heads, role="row")


def _block(name: str, columns: int) -> Markup:
    head = tag("th", tag("bdi", name), colspan=columns, scope="rowgroup", role="rowheader")
    return tag("tbody", tag("tr", head, role="row"), class_="block", role="rowgroup")


def _row(
    table: Table,
    cells: Sequence[str],
    at: int | None,
    plot: Markup,
    opened: Markup | None,
    place: str,
) -> Markup:
    name: Child = tag("bdi", cells[0])
    if opened is not None:
        opener = tag("summary", name, aria_controls=f"{place}-behind")
        name = tag("details", opener, class_="opener")
    line = [tag("th", name, scope="row", role="rowheader")]
    for index, (cell, column) in enumerate(zip(cells[1:], table.columns[1:], strict=True), start=1):
        line.append(_cell(cell, column.head, column.numeric))
        if index == at:
            line.append(tag("td", plot, role="cell", class_="plot"))
    rows = [tag("tr", line, role="row")]
    if opened is not None:
        wide = tag("td", opened, colspan=len(line), role="cell")
        rows.append(tag("tr", wide, class_="behind", role="row", id=f"{place}-behind"))
    return tag("tbody", rows, class_="row", role="rowgroup", id=place or None)


def _cell(cell: str, head: str, numeric: bool) -> Markup:
    """A cell; its head stands beside it where a narrow screen has no columns."""
    kind = "number" if numeric else "word"
    if not cell:
        kind += " empty"
    return tag(
        "td", _figure(cell), role="cell", class_=kind, data_head=head.removesuffix(" ± 95 %")
    )


def _figure(cell: str) -> Child:
    """Numbers with a true minus; a mean and its ± each aligned for itself; a sign by a verdict."""
    cell = re.sub(r"(?<![\w.])-(?=\d)", "−", cell)
    mean, plus_minus, half = cell.partition(" ± ")
    if plus_minus:
        return (mean, tag("span", f" ± {half}", class_="half"))
    if cell in SIGNS:
        return (tag("span", SIGNS[cell], aria_hidden="true", class_="sign"), " ", cell)
    return cell


def _title(table: Table, headline: Table) -> str:
    """What a table behind the headline is called."""
    if table.title == headline.title:
        return "By segment, at the last epoch, at the best on test"
    return table.title


def _more(table: Table, title: str) -> Markup:
    """What stands behind the headline, closed at first."""
    head = tag(
        "tr",
        (
            tag("th", c.head, scope="col", class_="number" if c.numeric else None)
            for c in table.columns
        ),
    )
    lines = list[Markup]()
    for index, cells in enumerate(table.cells):
        if index in table.headings:
            name = tag(
                "th", tag("bdi", table.headings[index]), colspan=len(cells), scope="rowgroup"
            )
            lines.append(tag("tr", name, class_="block"))
        first = tag("th", tag("bdi", cells[0]), scope="row")
        rest = (
            tag("td", _figure(cell), class_="number" if column.numeric else None)
            for cell, column in zip(cells[1:], table.columns[1:], strict=True)
        )
        lines.append(tag("tr", first, rest, class_=None if cells[0] else "below"))
    whole = tag("table", tag("thead", head), tag("tbody", lines), class_="plain")
    return tag(
        "details",
        tag("summary", prose(title)),
        scrolling(whole, title),
        tag("ul", map(note, table.footnotes), class_="notes"),
    )
