"""Summary -> what a table says: title, columns, cells, footnotes. Forms only lay it out.

Scores are fractions inside and percent here. Every form carries corpus, profile and reading.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from model.config import WMA_GIN
from model.systems import SYSTEMS, System
from orchestrator.replicates import Standing, looks
from orchestrator.snapshot import Asked, AskedRow
from orchestrator.summary import Difference, Interval, Pair, RowSummary, SeedDifference, Summary
from orchestrator.trial_record import command

DASH = "–"
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
    asked = summary.asked
    heads, plain = _details(summary) if details else _headline(summary)
    cells, headings = _in_blocks(summary.rows, plain)
    if asked.published:
        printed = _published(asked, heads)
        below = {index + len(printed): name for index, name in headings.items()}
        headings = {0: PUBLISHED, **(below or {len(printed): "trained here"})}
        cells = [*printed, *cells]
    return Table(
        label=label(asked),
        title=asked.question or asked.study,
        subtitle=protocol_line(asked),
        banner=banner(asked),
        columns=tuple(
            Column(head=head, numeric=head not in ("row", "differs", "claim")) for head in heads
        ),
        cells=tuple(cells),
        footnotes=tuple(_footnotes(summary, details)),
        headings=headings,
    )


def tables(summary: Summary, *, details: bool) -> list[Table]:
    """A study's table and what its seeds settled; with ``details`` all that stands behind it."""
    headline = [table(summary)]
    headline += [sequential(summary)] if summary.asked.replicates == "adaptive" else []
    if not details:
        return headline
    behind = (evidence(summary), pooled(summary), sizes(summary))
    return [*headline, table(summary, details=True), *(t for t in behind if t is not None)]


def sequential(summary: Summary) -> Table:
    """What the seeds of an adaptive study have settled: another question than the headline's."""
    asked = summary.asked
    heads = ["row", "seeds", "looks", "new seeds ΔUA ± 95 %", "new seeds p Holm"]
    heads += ["new seeds differs", "settled"]
    cells: list[tuple[str, ...]] = []
    for row in summary.rows:
        s, again = row.standing, row.difference.again if row.difference else None
        if s is not None:
            numbers = (str(s.seeds), str(s.looks), _again(again), _p(s.p_holm))
            cells.append((row.name, *numbers, s.verdict if s.seeds else "", s.why or "open"))
        elif row.name == asked.reference:
            seeds = max((r.standing.seeds for r in summary.rows if r.standing), default=0)
            cells.append((row.name, str(seeds), "", "reference", "", "", ""))
        else:
            cells.append((row.name, *[DASH] * 4, "", DASH))
    cap = asked.seeds
    return Table(
        label=label(asked),
        title=f"These speakers, new seeds: what is settled of UA beside `{asked.reference}`",
        subtitle=protocol_line(asked),
        banner=banner(asked),
        columns=tuple(
            Column(head=head, numeric=head not in ("row", "new seeds differs", "settled"))
            for head in heads
        ),
        cells=tuple(cells),
        footnotes=(
            f"{_looks(summary)} Seeds are those of the row's last look.",
            "It settles whether a row would differ for these speakers, trained again, and says "
            "nothing of new speakers. ± and p: paired t over seeds, corrected for looking (of "
            "0.05, (n / cap)^3 is spent by n seeds); p after Holm over all rows; differs: p < "
            "0.05.",
            f"settled: it differs; unlikely, less than a chance in ten that {cap} seeds would show "
            "it, which is no proof of equality; or at the cap. Open: `ablate run` goes on.",
        ),
    )


def _design(summary: Summary) -> list[str]:
    """The label of a sequential design, which every form carries; nothing for any other."""
    return [_looks(summary)] if summary.asked.replicates == "adaptive" else []


def _looks(summary: Summary) -> str:
    asked = summary.asked
    standings = [row.standing for row in summary.rows if row.standing is not None]
    made = max((s.looks for s in standings), default=0)
    few, most = (f((s.seeds for s in standings), default=0) for f in (min, max))
    a_row = f"{most} seeds a row" if few == most else f"{few} to {most} seeds a row"
    when = ", ".join(map(str, looks(asked.seeds)))
    return (
        f"Sequential design: {made} looks (of those after {when} seeds), {a_row}; intervals of new "
        "seeds are corrected for looking."
    )


def _published(asked: Asked, heads: Sequence[str]) -> list[tuple[str, ...]]:
    """Rows of systems that were not trained: a dash wherever a measured number would stand."""
    paper = _paper_head(asked)
    shown: list[tuple[str, ...]] = []
    for row in asked.published:
        wa, ua = percent_of(row.paper.get("wa")), percent_of(row.paper.get("ua"))
        figures = {"row": row.name, f"{paper} UA": ua, f"{paper} WA/UA": f"{wa}/{ua}"}
        shown.append(tuple(figures.get(head, "" if head == "differs" else DASH) for head in heads))
    return shown


def evidence(summary: Summary) -> Table | None:
    """What each difference rests on, the two questions apart; None without a reference."""
    asked = summary.asked
    if asked.reference is None or len(summary.rows) < 2:
        return None
    heads = ["row", "p", "p Holm", "p sign-flip", "g_z", "would show", "new seeds ΔUA ± 95 %"]
    cells = []
    for row in summary.rows:
        if row.name == asked.reference:
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
        label=label(asked),
        title=f"What the differences in UA to `{asked.reference}` rest on",
        subtitle=protocol_line(asked),
        banner=banner(asked),
        columns=tuple(Column(head=head, numeric=head != "row") for head in heads),
        cells=tuple(cells),
        footnotes=(
            f"For new speakers: p of the corrected t, alone and after Holm over {comparisons}; p "
            f"of the exact sign-flip test, which {len(asked.folds)} groups cannot bring below "
            f"{2.0 ** (1 - len(asked.folds)):.2g} and which gives no verdict; g_z: Cohen's d_z "
            "over groups, Hedges-corrected; would show: the smallest true difference, in points, "
            f"shown with 80 % power at 0.05 / {comparisons}.",
            "new seeds: another question, these speakers trained again; paired t over seeds, a "
            "dash below three"
            + (", corrected for looking." if asked.replicates == "adaptive" else "."),
        ),
    )


def pooled(summary: Summary) -> Table | None:
    """WA and UA over all utterances at once, and who is taken for whom; None while all miss."""
    asked = summary.asked
    known = [(row.name, row.pooled) for row in summary.rows if row.pooled is not None]
    if not known:
        return None
    cells = []
    for name, found in known:
        for index, counts in enumerate(found.confusion):
            first = (name, _range(found.wa), _range(found.ua)) if index == 0 else ("", "", "")
            spoken = sum(counts)
            shares = (DASH if not spoken else f"{100 * n / spoken:.0f}" for n in counts)
            cells.append((*first, asked.classes[index], *shares))
    heads = ["row", "WA", "UA", "spoken", *(first_letters(asked.classes))]
    return Table(
        label=label(asked),
        title="All held-out utterances pooled",
        subtitle=protocol_line(asked),
        banner=banner(asked),
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
    asked = {row.name: row for row in summary.asked.rows}
    cells = [
        (
            row.name,
            f"{row.parameters:,}" if row.parameters else DASH,
            short_count(row.paper["params"]) if "params" in row.paper else DASH,
            _whose_sizes(asked[row.name]),
        )
        for row in rows
    ]
    return Table(
        label=label(summary.asked),
        title="Parameters",
        subtitle=protocol_line(summary.asked),
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


def _whose_sizes(row: AskedRow) -> str:
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


def label(asked: Asked) -> str:
    """``Table 1``, ``Figure 2``, or the study's own name where it is neither of a paper."""
    if asked.table is not None:
        return f"Table {asked.table}"
    return f"Figure {asked.figure}" if asked.figure is not None else asked.study


def protocol_line(asked: Asked) -> str:
    """Corpus, profile and reading: they stand in the title of every form."""
    part = "" if asked.corpus_part == "all" else f" ({asked.corpus_part} only)"
    design = "" if asked.replicates == "fixed" else f", replicates {asked.replicates}"
    return f"corpus {asked.corpus}{part}, profile {asked.profile}, reading {asked.reading}{design}"


def banner(asked: Asked) -> str:
    """What no form of a table may leave out; empty where there is nothing."""
    if asked.corpus == "demo":
        return "Synthesised demo speech: these numbers say nothing about people."
    return ""


def _paper_head(asked: Asked) -> str:
    return "paper" if asked.comparable else "paper (IEMOCAP)"


def _headline(summary: Summary) -> tuple[list[str], list[tuple[str, ...]]]:
    asked = summary.asked
    with_paper = any("ua" in row.paper for row in summary.rows) or any(
        "ua" in row.paper for row in asked.published
    )
    with_reference = asked.reference is not None
    heads = ["row", "n", "UA ± 95 %", "WA"]
    heads += [f"{_paper_head(asked)} UA"] if with_paper else []
    heads += ["ΔUA ± 95 %", "differs"] if with_reference else []
    cells = []
    for row in summary.rows:
        cell = [row.name, _n(row), plus_minus(row.ua), percent(row.wa.mean if row.wa else None)]
        cell += [percent_of(row.paper.get("ua"))] if with_paper else []
        cell += [*_difference(row, asked)] if with_reference else []
        cells.append(tuple(cell))
    return heads, cells


def _details(summary: Summary) -> tuple[list[str], list[tuple[str, ...]]]:
    """Both metrics by choice of epoch and by unit, and the paper's WA."""
    heads = ["row", "WA ± 95 %", "segment WA/UA", "last epoch", "best on test"]
    heads += [f"{_paper_head(summary.asked)} WA/UA"]
    cells = []
    for row in summary.rows:
        paper = f"{percent_of(row.paper.get('wa'))}/{percent_of(row.paper.get('ua'))}"
        pairs = [_pair(p) for p in (row.segment, row.last_epoch, row.best_on_test)]
        known = {"wa", "ua"} & row.paper.keys()
        cells.append((row.name, plus_minus(row.wa), *pairs, paper if known else DASH))
    return heads, cells


def _n(row: RowSummary) -> str:
    return f"{row.n}/{row.n + row.missing}" if row.missing else str(row.n)


def _difference(row: RowSummary, asked: Asked) -> tuple[str, str]:
    if row.name == asked.reference:
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


def _footnotes(summary: Summary, details: bool) -> list[str]:
    asked = summary.asked
    groups, speakers = len(asked.folds), sum(len(f.a) + len(f.b) for f in asked.folds)
    seeds = "1 seed" if asked.seeds == 1 else f"{asked.seeds} seeds"
    if asked.replicates == "adaptive":
        seeds = f"as many seeds as a comparison needed, at most {asked.seeds}"
    notes = [
        f"n: finished trainings of {groups} folds x {seeds}. Means over {speakers} held-out "
        f"speakers, in percent; {asked.utterances} utterances, "
        f"{len(asked.classes)} classes ({', '.join(asked.classes)}).",
        f"±: 95 % for new speakers, corrected t over {groups} held-out groups "
        "(Nadeau and Bengio 2003).",
    ]
    if asked.replicates == "adaptive":
        notes.append(
            f"{_looks(summary)} Seeds were added to settle whether a row differs for these "
            "speakers, trained again. ± and differs answer the other question, new speakers, from "
            "the seeds that both have."
        )
    if asked.reference is not None and not details:
        notes.append(
            f"ΔUA: paired with `{asked.reference}`; differs: p < 0.05 after Holm over all rows. "
            "`cannot tell` is no proof of equality."
        )
    if details:
        notes.append(
            "last epoch and best on test: WA / UA without the choice on dev speakers. "
            "`best on test` looks at the test speakers and is optimistic: never quote it."
        )
    elif summary.claim and asked.claim is not None:
        notes.append(
            f"The claim that `{asked.claim.better}` is better: {summary.claim} ({summary.reason})."
        )
    if asked.published:
        notes.append(
            "Published figures were measured by their authors, each under a protocol of their own; "
            "nothing is inferred from them."
        )
    return notes + _system_notes(asked) + warnings(summary)


def _system_notes(asked: Asked) -> list[str]:
    """Whose sizes, and who measured the published figures: what a reader must know of rivals."""
    used = dict.fromkeys(row.model for row in asked.rows)
    systems = [SYSTEMS[name] for name in used if name in SYSTEMS]
    notes = size_notes(systems)
    measured: dict[str, list[str]] = {}
    for system in systems:
        if system.figures:
            measured.setdefault(system.figures, []).append(system.title)
    if measured:
        said = "; ".join(f"{', '.join(titles)} {how}" for how, titles in measured.items())
        notes.append(f"Published figures: {said}.")
    return notes


def size_notes(systems: Sequence[System]) -> list[str]:
    """Whose sizes are our reading, and what they were chosen by."""
    near = [s.title for s in systems if s.sizes_open and s.parameters is not None]
    free = [s.title for s in systems if s.sizes_open and s.parameters is None]
    if not near and not free:
        return []
    parts = [f"{', '.join(near)} near the published count"] if near else []
    parts += [f"{', '.join(free)} freely"] if free else []
    return ["Sizes that a paper leaves open are ours: " + "; ".join(parts) + "."]


def warnings(summary: Summary) -> list[str]:
    """What every form of the table must say: of the speech, the spreads and the trainings."""
    asked = summary.asked
    return [*asked.notes, *mixtures(asked), *_spreads(summary), *shortcomings(summary)]


def mixtures(asked: Asked) -> list[str]:
    """Which row has which profile and reading, where the title can only say ``mixed``."""
    notes = []
    if asked.profile == "mixed":
        own = (r.profile or r.settings.get("profile", DASH) for r in asked.rows)
        told = (f"{r.name}: {p}" for r, p in zip(asked.rows, own, strict=True))
        notes.append(f"Profiles: {'; '.join(told)}.")
    if asked.reading == "mixed":
        notes.append("Readings: " + "; ".join(f"{r.name}: {r.reading}" for r in asked.rows) + ".")
    return notes


def shortcomings(summary: Summary) -> list[str]:
    """What is missing, stale, mixed or suspicious of the trainings, whatever is made of them."""
    notes, study = [], summary.asked.study
    missing = sum(row.missing for row in summary.rows)
    if missing:
        notes.append(
            f"Missing: {missing} trainings of `{study}` are not finished; "
            f"`{command('', done=False, study=study)}` trains them."
        )
    stale = sum(row.stale for row in summary.rows)
    if stale:
        rows = ", ".join(row.name for row in summary.rows if row.stale)
        notes.append(
            f"Stale: {stale} trainings of an earlier version of the code, whose numbers meant "
            f"something else, are not counted ({rows}); "
            f"`{command('', done=False, study=study)}` trains them again."
        )
    if summary.absent:
        notes.append(
            "Classes a test speaker never speaks, left out of that speaker's UA: "
            + ", ".join(summary.absent)
            + "."
        )
    if summary.classes_of_determinism > 1:
        notes.append(
            "WARNING: these outcomes come from different devices or library versions; "
            "equal trials need not have equal bits."
        )
    if summary.alarms:
        notes.append(
            "WARNING: trials were finished twice with different numbers; the first counts. When "
            "you know why, move the other record away: " + ", ".join(summary.alarms)
        )
    if summary.identical_seeds:
        notes.append(
            "WARNING: different seeds gave identical predictions in: "
            + ", ".join(summary.identical_seeds)
            + ". That is a fault of the set-up."
        )
    return notes


def _spreads(summary: Summary) -> list[str]:
    """A word on spreads that look like more or less than they are, and on unequal rows."""
    asked, notes = summary.asked, []
    if len(asked.folds) == 2:
        notes.append(
            "Two held-out groups leave one degree of freedom: an interval is 12.7 standard errors "
            "to each side, and next to nothing can be shown. More folds make it narrower."
        )
    flat = [
        row.name
        for row in summary.rows
        for spread, groups in (
            (row.ua, row.groups),
            (row.difference, row.difference.groups if row.difference else 0),
        )
        if spread is not None and spread.low is None and groups > 1
    ]
    if flat:
        notes.append(
            "A spread of exactly 0 is chance or a fault of the set-up, no certainty, and bears "
            "no interval: " + ", ".join(dict.fromkeys(flat)) + "."
        )
    fewer = [
        f"{row.name} on {row.difference.groups}"
        for row in summary.rows
        if row.difference is not None and row.difference.groups < len(asked.folds)
    ]
    if fewer:
        notes.append(
            f"Compared on the held-out groups that both have, of {len(asked.folds)}: "
            + ", ".join(fewer)
            + ". Its ΔUA is not the difference of the means printed."
        )
    return notes


def as_json(summary: Summary) -> dict[str, Any]:
    """A study's table as plain JSON values; scores are fractions, those of the paper too."""
    asked = summary.asked
    return {
        "study": asked.study,
        "question": asked.question,
        "table": asked.table,
        "figure": asked.figure,
        "title": {"corpus": asked.corpus, "profile": asked.profile, "reading": asked.reading},
        "corpus_part": asked.corpus_part,
        "classes": list(asked.classes),
        "folds": len(asked.folds),
        "seeds": asked.seeds,
        "replicates": asked.replicates,
        "reference": asked.reference,
        "claim": summary.claim or None,
        "reason": summary.reason or None,
        "rows": [
            {**_row_json(row), "pooled_confusion": row.pooled.confusion if row.pooled else None}
            for row in summary.rows
        ],
        "published": [
            {"name": row.name, "paper": _paper_json(row.paper)} for row in asked.published
        ],
        "notes": _loud(summary),
    }


def _loud(summary: Summary) -> list[str]:
    """What also a form without footnotes says."""
    said = (banner(summary.asked), *_design(summary), *warnings(summary))
    return [note for note in said if note]


def _row_json(row: RowSummary) -> dict[str, Any]:
    return {
        "name": row.name,
        "blocks": list(row.blocks),
        "n": row.n,
        "missing": row.missing,
        "speakers": row.speakers,
        "wa": _interval_json(row.wa),
        "ua": _interval_json(row.ua),
        "segment": _pair_json(row.segment),
        "last_epoch": _pair_json(row.last_epoch),
        "best_on_test": _pair_json(row.best_on_test),
        "paper": _paper_json(row.paper),
        "parameters": row.parameters or None,
        "difference": _difference_json(row.difference),
        "verdict": row.verdict or None,
        "new_seeds": _again_json(row.difference),
        "sequential": _sequential_json(row.standing),
        "pooled_wa": _interval_json(row.pooled.wa if row.pooled else None),
        "pooled_ua": _interval_json(row.pooled.ua if row.pooled else None),
        "stale": row.stale,
    }


def _paper_json(paper: Mapping[str, float]) -> dict[str, float | None]:
    figures = {metric: _fraction(paper.get(metric)) for metric in ("wa", "ua")}
    return {**figures, "params": paper.get("params")}


def _fraction(percent: float | None) -> float | None:
    """A published figure as a fraction, with the digits that were printed."""
    return None if percent is None else round(percent / 100, 6)


def _interval_json(interval: Interval | None) -> dict[str, float | None]:
    if interval is None:
        return {"mean": None, "low": None, "high": None}
    return {"mean": interval.mean, "low": interval.low, "high": interval.high}


def _pair_json(pair: Pair | None) -> dict[str, float | None]:
    return {"wa": pair.wa, "ua": pair.ua} if pair else {"wa": None, "ua": None}


def _difference_json(difference: Difference | None) -> dict[str, float | None]:
    names = {
        "ua": "ua",
        "low": "low",
        "high": "high",
        "p": "p_alone",
        "p_holm": "p",
        "p_sign_flip": "p_sign_flip",
        "effect": "effect",
        "detectable": "detectable",
        "groups": "groups",
    }
    return {key: getattr(difference, name, None) for key, name in names.items()}


def _again_json(difference: Difference | None) -> dict[str, float | None]:
    again = difference.again if difference else None
    return {key: getattr(again, key, None) for key in ("ua", "low", "high", "p", "seeds")}


def _sequential_json(standing: Standing | None) -> dict[str, Any]:
    """What an adaptive study's seeds settled; all null in any other."""
    if standing is None:
        return dict.fromkeys(("seeds", "looks", "p_holm", "verdict", "settled"))
    return {
        "seeds": standing.seeds,
        "looks": standing.looks,
        "p_holm": standing.p_holm,
        "verdict": standing.verdict if standing.seeds else None,
        "settled": standing.why or "open",
    }


def flat(summary: Summary) -> list[Mapping[str, Any]]:
    """One flat mapping a row, for CSV; corpus, profile and reading stand in every line.

    Published systems come last, under their heading, with nothing that is measured.
    """
    asked = summary.asked
    title: dict[str, Any] = {
        "study": asked.study,
        "table": asked.table if asked.table is not None else "",
        "corpus": asked.corpus,
        "corpus_part": asked.corpus_part,
        "profile": asked.profile,
        "reading": asked.reading,
    }
    records: list[Mapping[str, Any]] = []
    for row in summary.rows:
        record = {**title, "replicates": asked.replicates}
        for key, value in _row_json(row).items():
            if isinstance(value, list):
                record[key] = "; ".join(value)
            elif isinstance(value, dict):
                record |= {f"{key}_{inner}": item for inner, item in value.items()}
            else:
                record[key] = value
        records.append({**record, "notes": " ".join(_loud(summary))})
    for system in asked.published:
        figures = {f"paper_{key}": value for key, value in _paper_json(system.paper).items()}
        records.append({**title, "name": system.name, "blocks": PUBLISHED, **figures})
    return records
