"""Adaptive replicates beside a fixed design, on tables of known truth.

The tables are drawn from the components of ``null_tables``. Of the question *these speakers, new
seeds* the true difference of a row is what it is over the speakers drawn, so it is set there. Some
tables have the differences that the paper prints: they were measured once, so their size is what a
user may meet, and nobody's choice here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orchestrator.analysis.differences import compare_with_reference, differences_by_seed
from orchestrator.analysis.row_scores import BySpeaker
from orchestrator.analysis.sequential import decide
from orchestrator.analysis.statistics import holm, paired_t
from orchestrator.study.reader import read_study
from tests.benchmarks.null_tables import LEVEL, REFERENCE, draw, snapshot

STUDIES = Path(__file__).resolve().parents[2] / "studies"


def published(name: str) -> tuple[float, ...]:
    """What the paper prints of a study's rows, less what it prints of its reference; in UA."""
    study = read_study(STUDIES / f"{name}.yaml")
    printed = {row.name: row.paper.get("ua") for row in study.rows}
    assert study.reference is not None
    ours = printed.pop(study.reference)
    assert ours is not None
    return tuple(round(ua - ours, 2) / 100 for ua in printed.values() if ua is not None)


TABLES: Mapping[str, tuple[float, ...]] = {
    "nothing differs": (0.0,) * 6,
    "half of the rows differ": (0.0, 0.0, 0.0, 0.02, 0.04, 0.08),
    "Table 1 of the paper": published("fa_position"),
    "Table 2": published("aggregator_weights"),
    "Table 3, components": published("components"),
    "Table 3, systems": published("graph_systems"),
}
"""Name -> true differences of its rows to the reference, as fractions."""


@dataclass(frozen=True)
class Tally:
    """Many tables of one kind, under both designs."""

    tables: int
    trials: float
    """Those of the adaptive design, as a share of the fixed design's."""
    same: float
    """Share of rows with the same verdict."""
    again: float
    """Share of rows on which the fixed design, with other seeds, agrees with itself."""
    false: int
    """Tables in which the adaptive design shows a row that does not differ."""
    false_fixed: int
    shown: float
    """Share shown of the rows that differ."""
    shown_fixed: float
    false_new_speakers: int
    """Tables with a verdict for *new speakers* from the seeds that the adaptive design took."""


def tally(
    shifts: Sequence[float], *, cap: int, tables: int, seed: int, these_speakers: bool = True
) -> Tally:
    """Judge so many tables, each by both designs, from the same drawn seeds."""
    study, rng = snapshot(len(shifts), 2 * cap), np.random.default_rng(seed)
    names = [row.name for row in study.rows if row.name != REFERENCE]
    null = {name for name, shift in zip(names, shifts, strict=True) if shift == 0}
    trials = same = again = false = false_fixed = shown = shown_fixed = new_speakers = 0
    for _ in range(tables):
        scores = draw(study, rng, shifts, these_speakers=these_speakers)
        differences = {
            name: [
                d
                for d in differences_by_seed(study, scores[name], scores[REFERENCE])
                if d is not None
            ]
            for name in names
        }
        standing = decide({name: values[:cap] for name, values in differences.items()}, cap)
        adaptive = {name for name, s in standing.items() if s.verdict == "yes"}
        fixed = shown_by({name: values[:cap] for name, values in differences.items()})
        other = shown_by({name: values[cap:] for name, values in differences.items()})
        wanted = {name: s.seeds_wanted for name, s in standing.items()}
        trials += sum(wanted.values()) + max(wanted.values())
        same += len(names) - len(adaptive ^ fixed)
        again += len(names) - len(other ^ fixed)
        false += bool(adaptive & null)
        false_fixed += bool(fixed & null)
        shown += len(adaptive - null)
        shown_fixed += len(fixed - null)
        taken = {**wanted, REFERENCE: max(wanted.values())}
        new_speakers += any(
            d.p is not None and d.p < LEVEL
            for d in compare_with_reference(study, first(scores, taken)).values()
        )
    rows, differ = tables * len(names), tables * (len(names) - len(null))
    return Tally(
        tables=tables,
        trials=trials / (tables * cap * len(study.rows)),
        same=same / rows,
        again=again / rows,
        false=false,
        false_fixed=false_fixed,
        shown=shown / differ if differ else 0.0,
        shown_fixed=shown_fixed / differ if differ else 0.0,
        false_new_speakers=new_speakers,
    )


def shown_by(differences: Mapping[str, Sequence[float]]) -> set[str]:
    """Rows that a fixed design shows to differ: one paired t each, after Holm."""
    alone = {name: paired_t(values)[2] for name, values in differences.items()}
    adjusted = holm({name: p for name, p in alone.items() if p is not None})
    return {name for name, p in adjusted.items() if p < LEVEL}


def first(scores: Mapping[str, BySpeaker], seeds: Mapping[str, int]) -> dict[str, BySpeaker]:
    """So many seeds of each row."""
    return {
        name: {s: {k: ua for k, ua in by.items() if k < seeds[name]} for s, by in row.items()}
        for name, row in scores.items()
    }
