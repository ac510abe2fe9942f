"""Summary -> what a table says: title, columns, cells, footnotes. Forms only lay it out.

Scores are fractions inside and percent here. Every form carries corpus, profile and reading.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from model.config import WMA_GIN
from model.systems.catalogue import SYSTEMS
from orchestrator.analysis.summary import Interval, Pair, RowSummary, SeedDifference, Summary
from orchestrator.report.tables.footnotes import footnotes, looked
from orchestrator.report.tables.headings import DASH, banner, label, protocol_line
from orchestrator.store.snapshot import Snapshot, SnapshotRow

PUBLISHED = "as published, not run here"


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column's head and whether its cells are numbers."""

    head: str
    numeric: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table in words, ready to be laid out in any form."""

    label: str = ""
    """As ``label`` says it, or nothing; a paper numbers its own tables."""
    title: str
    subtitle: str
    banner: str
    """What must not be overlooked; empty where there is nothing."""
    columns: tuple[Column, ...]
    cells: tuple[tuple[str, ...], ...]
    footnotes: tuple[str, ...]
    headings: Mapping[int, str] = field(default_factory=dict)
    """Index of a row of ``cells`` -> the heading of the block that begins there."""

    @property
    def head(self) -> str:
        """Label and title in one line."""
        return self.title if self.label in ("", self.title) else f"{self.label}. {self.title}"


def table(summary: Summary, *, details: bool = False) -> Table:
    """A study's table; with ``details`` also what the headline leaves out."""
    snapshot = summary.snapshot
    heads, plain = _details(summary) if details else _headline(summary)
    cells, headings = _in_blocks(summary.rows, plain)
    if snapshot.published:
        printed = _published(snapshot, heads)
        below = {index + len(printed): name for index, name in headings.items()}
        headings = {0: PUBLISHED, **(below or {len(printed): "trained here"})}
        cells = [*printed, *cells]
    return Table(
        label=label(snapshot),
        title=snapshot.question or snapshot.study,
        subtitle=protocol_line(snapshot),
        banner=banner(snapshot),
        columns=tuple(
            Column(head=head, numeric=head not in ("row", "differs", "claim")) for head in heads
        ),
        cells=tuple(cells),
        footnotes=tuple(footnotes(summary, details)),
        headings=headings,
    )


def tables(summary: Summary, *, details: bool) -> list[Table]:
    """A study's table and what its seeds settled; with ``details`` all that stands behind it."""
    headline = [table(summary)]
    headline += [sequential(summary)] if summary.snapshot.replicates == "adaptive" else []
    if not details:
        return headline
    behind = (evidence(summary), pooled(summary), sizes(summary))
    return [*headline, table(summary, details=True), *(t for t in behind if t is not None)]


def sequential(summary: Summary) -> Table:
    """What the seeds of an adaptive study have settled: another question than the headline's."""
    snapshot = summary.snapshot
    heads = ["row", "seeds", "looks", "new seeds ΔUA ± 95 %", "new seeds p Holm"]
    heads += ["new seeds differs", "settled"]
    cells: list[tuple[str, ...]] = []
    for row in summary.rows:
        s, again = row.standing, row.difference.again if row.difference else None
        if s is not None:
            numbers = (str(s.seeds), str(s.interims), _again(again), _p(s.p_holm))
            cells.append((row.name, *numbers, s.verdict if s.seeds else "", s.why or "open"))
        elif row.name == snapshot.reference:
            seeds = max((r.standing.seeds for r in summary.rows if r.standing), default=0)
            cells.append((row.name, str(seeds), "", "reference", "", "", ""))
        else:
            cells.append((row.name, *[DASH] * 4, "", DASH))
    cap = snapshot.seeds
    return Table(
        label=label(snapshot),
        title=f"These speakers, new seeds: what is settled of UA beside `{snapshot.reference}`",
        subtitle=protocol_line(snapshot),
        banner=banner(snapshot),
        columns=tuple(
            Column(head=head, numeric=head not in ("row", "new seeds differs", "settled"))
            for head in heads
        ),
        cells=tuple(cells),
        footnotes=(
            f"{looked(summary)} Seeds are those of the row's last look.",
            "It settles whether a row would differ for these speakers, trained again, and says "
            "nothing of new speakers. ± and p: paired t over seeds, corrected for looking (of "
            "0.05, (n / cap)^3 is spent by n seeds); p after Holm over all rows; differs: p < "
            "0.05.",
            f"settled: it differs; unlikely, less than a chance in ten that {cap} seeds would show "
            "it, which is no proof of equality; or at the cap. Open: `ablate run` goes on.",
        ),
    )


def _published(snapshot: Snapshot, heads: Sequence[str]) -> list[tuple[str, ...]]:
    """Rows of systems that were not trained: a dash wherever a measured number would stand."""
    paper = _paper_head(snapshot)
    shown: list[tuple[str, ...]] = []
    for row in snapshot.published:
        wa, ua = percent_of(row.paper.get("wa")), percent_of(row.paper.get("ua"))
        figures = {"row": row.name, f"{paper} UA": ua, f"{paper} WA/UA": f"{wa}/{ua}"}
        shown.append(tuple(figures.get(head, "" if head == "differs" else DASH) for head in heads))
    return shown


def evidence(summary: Summary) -> Table | None:
    """What each difference rests on, the two questions apart; None without a reference."""
    snapshot = summary.snapshot
    if snapshot.reference is None or len(summary.rows) < 2:
        return None
    heads = ["row", "p", "p Holm", "p sign-flip", "g_z", "would show", "new seeds ΔUA ± 95 %"]
    cells = []
    for row in summary.rows:
        if row.name == snapshot.reference:
            continue
        d = row.difference
        if d is None:
            cells.append((row.name, *[DASH] * 6))
            continue
        numbers = [_p(d.p_alone), _p(d.p), _p(d.p_sign_flip)]
        numbers += [DASH if d.effect is None else f"{d.effect:+.2f}", percent(d.detectable)]
        cells.append((row.name, *numbers, _again(d.again)))
    comparisons = len(summary.rows) - 1
    return Table(
        label=label(snapshot),
        title=f"What the differences in UA to `{snapshot.reference}` rest on",
        subtitle=protocol_line(snapshot),
        banner=banner(snapshot),
        columns=tuple(Column(head=head, numeric=head != "row") for head in heads),
        cells=tuple(cells),
        footnotes=(
            f"For new speakers: p of the corrected t, alone and after Holm over {comparisons}; p "
            f"of the exact sign-flip test, which {len(snapshot.folds)} groups cannot bring below "
            f"{2.0 ** (1 - len(snapshot.folds)):.2g} and which gives no verdict; g_z: Cohen's d_z "
            "over groups, Hedges-corrected; would show: the smallest true difference, in points, "
            f"shown with 80 % power at 0.05 / {comparisons}.",
            "new seeds: another question, these speakers trained again; paired t over seeds, a "
            "dash below three"
            + (", corrected for looking." if snapshot.replicates == "adaptive" else "."),
        ),
    )


def pooled(summary: Summary) -> Table | None:
    """WA and UA over all utterances at once, and who is taken for whom; None while all miss."""
    snapshot = summary.snapshot
    known = [(row.name, row.pooled) for row in summary.rows if row.pooled is not None]
    if not known:
        return None
    cells = []
    for name, found in known:
        for index, counts in enumerate(found.confusion):
            first = (name, _range(found.wa), _range(found.ua)) if index == 0 else ("", "", "")
            spoken = sum(counts)
            shares = (DASH if not spoken else f"{100 * n / spoken:.0f}" for n in counts)
            cells.append((*first, snapshot.classes[index], *shares))
    heads = ["row", "WA", "UA", "spoken", *(first_letters(snapshot.classes))]
    return Table(
        label=label(snapshot),
        title="All held-out utterances pooled",
        subtitle=protocol_line(snapshot),
        banner=banner(snapshot),
        columns=tuple(Column(head=head, numeric=head not in ("row", "spoken")) for head in heads),
        cells=tuple(cells),
        footnotes=(
            "Another figure than the means over speakers: all utterances of all seeds in one "
            "matrix. [ ]: 95 %, speakers drawn whole (2,000 times), which with few speakers is "
            "somewhat too narrow. Right: percent of a spoken class taken for each.",
        ),
    )


def first_letters(classes: Sequence[str]) -> list[str]:
    """The shortest beginnings, of three letters or more, that tell all classes apart."""
    for length in range(3, max(map(len, classes), default=3) + 1):
        if len({name[:length] for name in classes}) == len(classes):
            return [name[:length] for name in classes]
    return list(classes)


def _range(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return f"{100 * interval.mean:.1f}"
    return f"{100 * interval.mean:.1f} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def _p(p: float | None) -> str:
    """Three digits; nobody can tell smaller ones from so few groups.

    >>> _p(0.0204), _p(0.0001), _p(None)
    ('0.020', '<0.001', '–')
    """
    if p is None:
        return DASH
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _again(again: SeedDifference | None) -> str:
    if again is None:
        return DASH
    half = DASH if again.low is None else f"{100 * (again.ua - again.low):.1f}"
    return f"{100 * again.ua:+.1f} ± {half}"


def sizes(summary: Summary) -> Table | None:
    """What each system of a table learns, beside the published count; None where none is known."""
    rows = [row for row in summary.rows if row.parameters or "params" in row.paper]
    if not rows:
        return None
    snapshot = {row.name: row for row in summary.snapshot.rows}
    cells = [
        (
            row.name,
            f"{row.parameters:,}" if row.parameters else DASH,
            short_count(row.paper["params"]) if "params" in row.paper else DASH,
            _whose_sizes(snapshot[row.name]),
        )
        for row in rows
    ]
    return Table(
        label=label(summary.snapshot),
        title="Parameters",
        subtitle=protocol_line(summary.snapshot),
        banner="",
        columns=(
            Column(head="row", numeric=False),
            Column(head="parameters"),
            Column(head="paper"),
            Column(head="sizes", numeric=False),
        ),
        cells=tuple(cells),
        footnotes=(),
    )


def _whose_sizes(row: SnapshotRow) -> str:
    """Who fixed a system's sizes; of WMA-GIN the paper's text does, as the reading reads it."""
    system = SYSTEMS.get(row.model)
    if system is None or row.model == WMA_GIN:
        return f"reading {row.reading}"
    if not system.sizes_open:
        return "published"
    return "ours, free" if system.parameters is None else "ours, near the count"


def short_count(parameters: float) -> str:
    """A published count as papers print it.

    >>> short_count(980_000), short_count(78_000), short_count(412)
    ('0.98M', '78K', '412')
    """
    if parameters >= 100_000:
        return f"{parameters / 1e6:.2f}M"
    return f"{parameters / 1e3:.0f}K" if parameters >= 1000 else f"{parameters:.0f}"


def _in_blocks(
    rows: Sequence[RowSummary], cells: Sequence[tuple[str, ...]]
) -> tuple[list[tuple[str, ...]], dict[int, str]]:
    """Rows under the headings of their blocks; a row of several blocks stands in each."""
    blocks = dict.fromkeys(block for row in rows for block in row.blocks)
    if not blocks:
        return list(cells), {}
    laid: list[tuple[str, ...]] = []
    headings = {}
    for block in blocks:
        headings[len(laid)] = block
        laid += [cell for row, cell in zip(rows, cells, strict=True) if block in row.blocks]
    return laid, headings


def _paper_head(snapshot: Snapshot) -> str:
    return "paper" if snapshot.comparable else "paper (IEMOCAP)"


def _headline(summary: Summary) -> tuple[list[str], list[tuple[str, ...]]]:
    snapshot = summary.snapshot
    with_paper = any("ua" in row.paper for row in summary.rows) or any(
        "ua" in row.paper for row in snapshot.published
    )
    with_reference = snapshot.reference is not None
    heads = ["row", "n", "UA ± 95 %", "WA"]
    heads += [f"{_paper_head(snapshot)} UA"] if with_paper else []
    heads += ["ΔUA ± 95 %", "differs"] if with_reference else []
    cells = []
    for row in summary.rows:
        cell = [row.name, _n(row), plus_minus(row.ua), percent(row.wa.mean if row.wa else None)]
        cell += [percent_of(row.paper.get("ua"))] if with_paper else []
        cell += [*_difference(row, snapshot)] if with_reference else []
        cells.append(tuple(cell))
    return heads, cells


def _details(summary: Summary) -> tuple[list[str], list[tuple[str, ...]]]:
    """Both metrics by choice of epoch and by unit, and the paper's."""
    snapshot = summary.snapshot
    published = (*(row.paper for row in summary.rows), *(row.paper for row in snapshot.published))
    with_paper = any({"wa", "ua"} & paper.keys() for paper in published)
    heads = ["row", "WA ± 95 %", "segment WA/UA", "last epoch", "best on test"]
    heads += [f"{_paper_head(snapshot)} WA/UA"] if with_paper else []
    cells = []
    for row in summary.rows:
        paper = f"{percent_of(row.paper.get('wa'))}/{percent_of(row.paper.get('ua'))}"
        pairs = [_pair(p) for p in (row.segment, row.last_epoch, row.best_on_test)]
        known = {"wa", "ua"} & row.paper.keys()
        cell = [row.name, plus_minus(row.wa), *pairs]
        cells.append((*cell, paper if known else DASH) if with_paper else tuple(cell))
    return heads, cells


def _n(row: RowSummary) -> str:
    return f"{row.n}/{row.n + row.missing}" if row.missing else str(row.n)


def _difference(row: RowSummary, snapshot: Snapshot) -> tuple[str, str]:
    if row.name == snapshot.reference:
        return "reference", ""
    difference = row.difference
    if difference is None:
        return DASH, "missing" if row.missing else ""
    half = DASH if difference.low is None else f"{100 * (difference.ua - difference.low):.1f}"
    return f"{100 * difference.ua:+.1f} ± {half}", row.verdict


def percent(value: float | None) -> str:
    """A fraction as percent with one digit, or a dash."""
    return DASH if value is None else f"{100 * value:.1f}"


def percent_of(value: float | None) -> str:
    """A published percentage as it was printed, with two digits, or a dash."""
    return DASH if value is None else f"{value:.2f}"


def plus_minus(interval: Interval | None) -> str:
    """``54.2 ± 9.1``; a dash for a spread that n does not bear."""
    if interval is None:
        return DASH
    half = DASH if interval.low is None else f"{100 * (interval.mean - interval.low):.1f}"
    return f"{100 * interval.mean:.1f} ± {half}"


def _pair(pair: Pair | None) -> str:
    return DASH if pair is None else f"{100 * pair.wa:.1f}/{100 * pair.ua:.1f}"
