"""A study's numbers in full: a nested mapping for JSON, or a flat mapping for each row for CSV."""

from collections.abc import Mapping
from typing import Any

from orchestrator.analysis.differences import Difference
from orchestrator.analysis.family import Promise
from orchestrator.analysis.grid.effects import Effects
from orchestrator.analysis.row_scores import Accuracies, Interval, Pooled
from orchestrator.analysis.sequential import InterimResult
from orchestrator.analysis.summary import RowSummary, Summary
from orchestrator.report.tables.footnotes import design, warnings
from orchestrator.report.tables.headings import banner, promise_notes
from orchestrator.report.tables.headline import PUBLISHED
from orchestrator.store.snapshot import Snapshot

MAIN_EFFECT = "main effect, the mean over the other axes"
"""The block of the lines of CSV that are main effects and no rows."""


def as_json(summary: Summary) -> dict[str, Any]:
    """The numbers of a study as JSON values, unrounded; what is not known is None.

    Scores and differences are fractions from 0 to 1, those of the paper too.
    """
    snapshot = summary.snapshot
    return {
        "study": snapshot.study,
        "question": snapshot.question,
        "table": snapshot.table,
        "figure": snapshot.figure,
        "title": {
            "corpus": snapshot.corpus,
            "profile": snapshot.profile,
            "reading": snapshot.reading,
            "score": snapshot.score,
        },
        "exploratory": snapshot.exploratory,
        "corpus_part": snapshot.corpus_part,
        "classes": list(snapshot.classes),
        "folds": snapshot.folds_a_deal,
        "deals": snapshot.deals,
        "seeds": snapshot.seeds,
        "replicates": snapshot.replicates,
        "reference": snapshot.reference,
        "claim": summary.claim or None,
        "reason": summary.reason or None,
        "promise": _promise_json(summary.promise),
        "promise_main_effects": _promise_json(summary.effects.promise if summary.effects else None),
        "rows": [
            {
                **_row_json(row, snapshot),
                "pooled_confusion": row.pooled.confusion if row.pooled else None,
            }
            for row in summary.rows
        ],
        "main_effects": _main_effects_json(summary.effects) if summary.effects else [],
        "dependences": _dependences_json(summary.effects) if summary.effects else [],
        "published": [
            {"name": row.name, "paper": _paper_json(row.paper)} for row in snapshot.published
        ],
        "notes": _notes(summary),
    }


def _promise_json(promise: Promise | None) -> dict[str, Any] | None:
    if promise is None:
        return None
    (text,) = promise_notes(promise)
    return {"comparisons": promise.comparisons, "luck": promise.luck, "text": text}


def _notes(summary: Summary) -> list[str]:
    """The sentences that JSON and CSV carry: a warning of demo speech, adaptive seeds, warnings."""
    notes = (banner(summary.snapshot), *design(summary), *warnings(summary))
    return [note for note in notes if note]


def _row_json(row: RowSummary, snapshot: Snapshot) -> dict[str, Any]:
    return {
        "name": row.name,
        "blocks": list(row.blocks),
        "n": row.n,
        "missing": row.missing,
        "given_up": row.given_up,
        "unscored": row.unscored,
        "speakers": row.speakers,
        "wa": _interval_json(row.wa),
        "ua": _interval_json(row.ua),
        "segment": _pair_json(row.segment),
        "averaged": _pair_json(row.averaged),
        "chosen": _pair_json(row.chosen),
        "last_epoch": _pair_json(row.last_epoch),
        "best_on_test": _pair_json(row.best_on_test),
        **({"dev": _pair_json(row.dev)} if row.dev is not None else {}),
        "paper": _paper_json(row.paper),
        "parameters": row.parameters or None,
        "difference": _difference_json(row.difference),
        "verdict": row.verdict or None,
        "new_seeds": _over_seeds_json(row.difference, snapshot),
        "sequential": _sequential_json(row.interim),
        "pooled": _pair_json(row.pooled),
        "stale": row.stale,
    }


def _main_effects_json(effects: Effects) -> list[dict[str, Any]]:
    """The main effects of a grid, an object for each value of each axis but the first."""
    found = []
    for axis in effects.axes:
        first, *others = effects.levels[axis.key]
        for level, effect in zip(others, effects.effects_of(axis), strict=True):
            found.append(
                {
                    "axis": axis.key,
                    "value": effect.level,
                    "against": first.at[0],
                    "ua": _interval_json(level.ua),
                    "ua_against": _interval_json(first.ua),
                    "difference": _difference_json(effect.difference),
                    "verdict": effect.verdict or None,
                    "depends_on": [other.key for other in effect.depends_on],
                    "new_seeds": _over_seeds_json(effect.difference, effects.snapshot),
                }
            )
    return found


def _dependences_json(effects: Effects) -> list[dict[str, Any]]:
    """The differences of differences of a grid, two axes and a value of each in an object."""
    return [
        {
            "axes": [one.a.key, one.b.key],
            "values": [dependence.a, dependence.b],
            "against": [one.a.levels[0], one.b.levels[0]],
            "difference": _difference_json(dependence.difference),
            "verdict": dependence.verdict or None,
        }
        for one in effects.interactions
        for dependence in one.dependences
    ]


def _paper_json(paper: Mapping[str, float]) -> dict[str, float | None]:
    figures = {metric: _fraction(paper.get(metric)) for metric in ("wa", "ua")}
    return {**figures, "params": paper.get("params")}


def _fraction(percent: float | None) -> float | None:
    """A published percentage as a fraction, rounded to six digits: 57.11 -> 0.5711."""
    return None if percent is None else round(percent / 100, 6)


def _interval_json(interval: Interval | None) -> dict[str, float | None]:
    if interval is None:
        return {"mean": None, "low": None, "high": None}
    return {"mean": interval.mean, "low": interval.low, "high": interval.high}


def _pair_json(pair: Accuracies | Pooled | None) -> dict[str, float | None]:
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
        "df": "df",
        "luck": "luck",
    }
    return {key: getattr(difference, name, None) for key, name in names.items()}


def _over_seeds_json(difference: Difference | None, snapshot: Snapshot) -> dict[str, float | None]:
    over_seeds = difference.over_seeds if difference else None
    keys = ["ua", "low", "high", "p", "seeds"] + ["deals"] * (snapshot.deals > 1)
    return {key: getattr(over_seeds, key, None) for key in keys}


def _sequential_json(interim: InterimResult | None) -> dict[str, Any]:
    """The last interim analysis of a row of an adaptive study; all None in any other study."""
    if interim is None:
        return dict.fromkeys(("seeds", "looks", "p_holm", "verdict", "settled"))
    return {
        "seeds": interim.seeds,
        "looks": interim.interims,
        "p_holm": interim.p_holm,
        "verdict": interim.verdict if interim.seeds else None,
        "settled": interim.stop_reason or "open",
    }


def _flattened(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of a row without lists and mappings in it, as a line of CSV has it."""
    found: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, list):
            found[key] = "; ".join(value)
        elif isinstance(value, dict):
            found |= {f"{key}_{inner}": item for inner, item in value.items()}
        else:
            found[key] = value
    return found


def flat(summary: Summary) -> list[Mapping[str, Any]]:
    """One flat mapping for each row, for CSV; study, corpus, profile and reading stand in each.

    Scores are fractions from 0 to 1. The main effects of a grid come before its rows, under the
    block ``MAIN_EFFECT``, systems with published scores only last.
    """
    snapshot = summary.snapshot
    title: dict[str, Any] = {
        "study": snapshot.study,
        "table": snapshot.table if snapshot.table is not None else "",
        "corpus": snapshot.corpus,
        "corpus_part": snapshot.corpus_part,
        "profile": snapshot.profile,
        "reading": snapshot.reading,
        "score": snapshot.score,
    }
    first = {**title, "replicates": snapshot.replicates}
    notes = {"notes": " ".join(_notes(summary))}
    rows = [{**first, **_flattened(_row_json(row, snapshot)), **notes} for row in summary.rows]
    columns = dict.fromkeys(rows[0]) if rows else {}
    effects = _main_effects_json(summary.effects) if summary.effects else []
    records: list[Mapping[str, Any]] = []
    for effect in effects:
        name = f"{effect.pop('axis')}: {effect.pop('value')} against {effect.pop('against')}"
        record = {"name": name, "blocks": MAIN_EFFECT, **_flattened(effect)}
        records.append({**columns, **first, **record, **notes})
    records += rows
    for system in snapshot.published:
        figures = {f"paper_{key}": value for key, value in _paper_json(system.paper).items()}
        records.append({**title, "name": system.name, "blocks": PUBLISHED, **figures})
    return records
