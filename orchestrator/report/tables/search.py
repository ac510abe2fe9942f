"""The tables of a search: configurations chosen and tried, importance of each axis; also as JSON.

A nested search chooses a configuration for each held-out group, on the other groups. A flat search
chooses one on all speakers.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from orchestrator.analysis.summary import Summary
from orchestrator.report.tables.cells import percent
from orchestrator.report.tables.headings import DASH, banner, label, protocol_line
from orchestrator.report.tables.headline import tables
from orchestrator.report.tables.table import Column, Table
from orchestrator.search.pruning import CHANCE
from orchestrator.search.result import UNKNOWN_AXES, SearchResult
from orchestrator.store.snapshot import Snapshot, SnapshotConfiguration

BEST = 10
"""Most configurations in the table of a flat search, the best ones."""


def all_tables(summary: Summary, found: SearchResult | None, *, details: bool) -> list[Table]:
    """All tables of a study, with those of its search, in the order of printing.

    Args:
        summary: the study's numbers.
        found: the result of its search; None for a study without one.
        details: whether the supporting tables follow too.

    Returns:
        The headline first. A flat search has no headline: its best configurations come first.
    """
    if found is None:
        return tables(summary, details=details)
    snapshot = summary.snapshot
    mattered = [_mattered(snapshot, found)] if details and found.importances else []
    if found.search.selection == "flat":
        return [_flat(snapshot, found), *mattered]
    headline, *more = tables(summary, details=details)
    return [headline, _nested(snapshot, found), *mattered, *more]


def _nested(snapshot: Snapshot, found: SearchResult) -> Table:
    """The table of a nested search, with a line for each held-out group.

    A line has the chosen configuration, how many were tried, the UA by which it was chosen (on
    inner folds) and its test UA, in percent.
    """
    ends = _ends(found)
    winners = {winner.group: winner for winner in found.winners}
    cells = []
    for group in range(len(snapshot.folds)):
        winner = winners.get(group)
        chosen = winner.configuration.description if winner else "not chosen yet"
        counts = [str(found.count(group, state)) for state in (None, *ends)]
        inner = percent(winner.configuration.score) if winner else DASH
        test = percent(winner.test) if winner else DASH
        cells.append((f"{group + 1}: {chosen}", *counts, inner, test))
    heads = ("tried", *ends, "inner UA", "UA")
    return Table(
        label=label(snapshot),
        title="What was chosen for each held-out group",
        subtitle=protocol_line(snapshot),
        banner=banner(snapshot),
        columns=(Column(head="group: configuration", numeric=False), *map(_number, heads)),
        cells=tuple(cells),
        footnotes=(
            "inner UA: mean over the held-out speakers of the inner folds, by which it was chosen; "
            "the best of several is flattered by its luck. UA: mean over the group itself, which "
            "took no part in that.",
            *_pruned(ends),
            *_unknown(found),
        ),
    )


def _flat(snapshot: Snapshot, found: SearchResult) -> Table:
    """The table of a flat search: its best configurations with their dev UA in percent.

    The dev UA is the UA on held-out speakers by which the search chose.
    """
    ends = _ends(found)
    cells = [(one.description, percent(one.score)) for one in found.best(BEST)]
    counts = [f"{found.count(0, state)} {state}" for state in ends]
    tried = ", ".join([f"{found.count(0)} tried", *counts])
    return Table(
        label=label(snapshot),
        title="Selected on these speakers",
        subtitle=protocol_line(snapshot),
        banner=banner(snapshot),
        columns=(Column(head="configuration", numeric=False), _number("dev UA")),
        cells=tuple(cells) or (("none yet", DASH),),
        footnotes=(
            f"The best {len(cells)}: {tried}.",
            *_pruned(ends),
            *_unknown(found),
            *snapshot.notes,
        ),
    )


def _mattered(snapshot: Snapshot, found: SearchResult) -> Table:
    """The table of importances: for each axis (searched setting), the percent of it by two methods.

    fANOVA and PED-ANOVA; the footnote says what each is a percent of.
    """
    return Table(
        label=label(snapshot),
        title="Which axes mattered in the search",
        subtitle=protocol_line(snapshot),
        banner=banner(snapshot),
        columns=(
            Column(head="axis", numeric=False),
            *map(_number, ("tried", "fANOVA", "PED-ANOVA")),
        ),
        cells=tuple(
            (one.key.replace("_", " "), str(one.n), percent(one.fanova), percent(one.ped_anova))
            for one in found.importances
        ),
        footnotes=(
            "fANOVA (Hutter et al. 2014): percent of the variance of scores that an axis explains "
            "by itself; what is lacking to 100 is due to axes together, and to noise. PED-ANOVA "
            "(Watanabe et al. 2023): percent of what decides whether a configuration is among the "
            "best tenth. Each score less its group's mean; by inner folds: no word on the test.",
        ),
    )


def _number(head: str) -> Column:
    return Column(head=head)


def _ends(found: SearchResult) -> list[str]:
    """``pruned`` and ``failed``, each only if a configuration of the search ended in that state."""
    ends = {one.state for one in found.search.tried}
    return [state for state in ("pruned", "failed") if state in ends]


def _pruned(ends: Sequence[str]) -> list[str]:
    return [
        "pruned: spared its other folds, since on those before, paired with the best so far, its "
        f"chance to end above that was under {CHANCE:.0%}."
    ] * ("pruned" in ends)


def _unknown(found: SearchResult) -> list[str]:
    return [UNKNOWN_AXES] if found.axes is None else []


def as_json(found: SearchResult) -> dict[str, Any]:
    """A search as JSON values: its settings, the chosen and all tried configurations.

    Scores are fractions from 0 to 1; groups count from 1.
    """
    search = found.search
    return {
        "selection": search.selection,
        "sampler": search.sampler,
        "seed": search.seed,
        "inner_folds": search.inner_folds or None,
        "budget": search.budget,
        "closed": search.closed,
        "opened_before": list(search.opened),
        "chosen": [
            {
                "group": winner.group + 1,
                "speakers": list(winner.speakers),
                "tried": found.count(winner.group),
                "test_ua": winner.test,
                **_json(winner.configuration),
            }
            for winner in found.winners
        ],
        "tried": [
            {"group": one.group + 1, **_json(one), "trials": list(one.trials)}
            for one in search.tried
        ],
        "importances": [asdict(one) for one in found.importances],
    }


def _json(one: SnapshotConfiguration) -> dict[str, Any]:
    return {
        "number": one.number,
        "configuration": one.description,
        "point": dict(one.point),
        "state": one.state,
        "score": one.score,
    }


def flat_records(snapshot: Snapshot, found: SearchResult) -> list[dict[str, Any]]:
    """One flat mapping for each tried configuration, for CSV; scores are fractions from 0 to 1."""
    title = {"study": snapshot.study, "corpus": snapshot.corpus, "profile": snapshot.profile}
    return [
        {
            **title,
            "reading": snapshot.reading,
            "selection": found.search.selection,
            "group": one.group + 1,
            **{k: v for k, v in _json(one).items() if k != "point"},
            "notes": " ".join(snapshot.notes),
        }
        for one in found.search.tried
    ]
