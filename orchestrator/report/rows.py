"""Summary -> what a table says: title, columns, cells, footnotes. Forms only lay it out.

Scores are fractions inside and percent here. Every form carries corpus, profile and reading.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from model.config import WMA_GIN
from model.systems import SYSTEMS, System
from orchestrator.snapshot import Asked, AskedRow
from orchestrator.summary import Difference, Interval, Pair, RowSummary, Summary

DASH = "–"


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column's head and whether its cells are numbers."""

    head: str
    numeric: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table in words, ready to be laid out in any form."""

    title: str
    subtitle: str
    banner: str
    """What must not be overlooked; empty where there is nothing."""
    columns: tuple[Column, ...]
    cells: tuple[tuple[str, ...], ...]
    footnotes: tuple[str, ...]
    headings: Mapping[int, str] = field(default_factory=dict)
    """Index of a row of ``cells`` -> the heading of the block that begins there."""


def table(summary: Summary, *, details: bool = False) -> Table:
    """A study's table; with ``details`` also what the headline leaves out."""
    asked = summary.asked
    heads, plain = _details(summary) if details else _headline(summary)
    cells, headings = _in_blocks(summary.rows, plain)
    return Table(
        title=f"{label(asked)}. {asked.question or asked.study}",
        subtitle=protocol_line(asked),
        banner=_banner(asked),
        columns=tuple(
            Column(head=head, numeric=head not in ("row", "differs", "claim")) for head in heads
        ),
        cells=tuple(cells),
        footnotes=tuple(_footnotes(summary, details)),
        headings=headings,
    )


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
        title=f"{label(summary.asked)}. Parameters",
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
    """``Table 1`` or ``Figure 2``."""
    return f"Table {asked.table}" if asked.table is not None else f"Figure {asked.figure}"


def protocol_line(asked: Asked) -> str:
    """Corpus, profile and reading: they stand in the title of every form."""
    part = "" if asked.corpus_part == "all" else f" ({asked.corpus_part} only)"
    return f"corpus {asked.corpus}{part}, profile {asked.profile}, reading {asked.reading}"


def _banner(asked: Asked) -> str:
    if asked.corpus == "demo":
        return "Synthesised demo speech: these numbers say nothing about people."
    return ""


def _paper_head(asked: Asked) -> str:
    return "paper" if asked.comparable else "paper (IEMOCAP)"


def _headline(summary: Summary) -> tuple[list[str], list[tuple[str, ...]]]:
    asked = summary.asked
    with_paper = any("ua" in row.paper for row in summary.rows)
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
    notes = [
        f"n: finished trainings of {groups} folds x {seeds}. Means over {speakers} held-out "
        f"speakers, in percent; {asked.utterances} utterances, "
        f"{len(asked.classes)} classes ({', '.join(asked.classes)}).",
        f"±: 95 % for new speakers, corrected t over {groups} held-out groups "
        "(Nadeau and Bengio 2003).",
    ]
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
        notes.append(f"The claim that `{asked.claim.better}` is better: {summary.claim}.")
    notes += _system_notes(asked)
    if asked.reading == "mixed":
        notes.append("Readings: " + "; ".join(f"{r.name}: {r.reading}" for r in asked.rows) + ".")
    return notes + _warnings(summary)


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


def _warnings(summary: Summary) -> list[str]:
    notes = list(summary.asked.notes)
    missing = sum(row.missing for row in summary.rows)
    if missing:
        notes.append(f"Missing: {missing} trainings are not finished; `ablate run` trains them.")
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
        "reference": asked.reference,
        "claim": summary.claim or None,
        "rows": [_row_json(row) for row in summary.rows],
        "notes": [n for n in (_banner(asked), *_warnings(summary)) if n],
    }


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
        "paper": {
            **{metric: _fraction(row.paper.get(metric)) for metric in ("wa", "ua")},
            "params": row.paper.get("params"),
        },
        "parameters": row.parameters or None,
        "difference": _difference_json(row.difference),
        "verdict": row.verdict or None,
    }


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
    if difference is None:
        return {"ua": None, "low": None, "high": None, "p_holm": None}
    return {
        "ua": difference.ua,
        "low": difference.low,
        "high": difference.high,
        "p_holm": difference.p,
    }


def flat(summary: Summary) -> list[Mapping[str, Any]]:
    """One flat mapping a row, for CSV; corpus, profile and reading stand in every line."""
    asked = summary.asked
    records: list[Mapping[str, Any]] = []
    for row in summary.rows:
        record: dict[str, Any] = {
            "study": asked.study,
            "table": asked.table if asked.table is not None else "",
            "corpus": asked.corpus,
            "corpus_part": asked.corpus_part,
            "profile": asked.profile,
            "reading": asked.reading,
        }
        for key, value in _row_json(row).items():
            if isinstance(value, list):
                record[key] = "; ".join(value)
            elif isinstance(value, dict):
                record |= {f"{key}_{inner}": item for inner, item in value.items()}
            else:
                record[key] = value
        records.append({**record, "notes": " ".join(asked.notes)})
    return records
