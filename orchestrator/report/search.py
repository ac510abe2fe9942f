"""What a search chose, and of how many: tables in words, and JSON values."""

from typing import Any

from orchestrator.report.rows import (
    DASH,
    Column,
    Table,
    banner,
    label,
    percent,
    protocol_line,
    tables,
)
from orchestrator.search.finding import Configuration, Finding
from orchestrator.snapshot import Asked
from orchestrator.summary import Summary

BEST = 10
"""Configurations of a flat search that are shown."""


def all_tables(summary: Summary, found: Finding | None, *, details: bool) -> list[Table]:
    """All tables of a study, the headline first; of a flat search nothing is judged, so its best
    are the headline.
    """
    if found is None:
        return tables(summary, details=details)
    if found.search.selection == "flat":
        return [_flat(summary.asked, found)]
    headline, *more = tables(summary, details=details)
    return [headline, _nested(summary.asked, found), *more]


def _nested(asked: Asked, found: Finding) -> Table:
    """One line a held-out group: what was chosen for it, of how many, by what, and its test."""
    cells = [
        (
            f"{winner.group + 1}: {winner.configuration.asked.told}",
            _count(winner.scored, winner.tried),
            percent(winner.configuration.score),
            percent(winner.test),
        )
        for winner in found.winners
    ]
    for group in range(len(asked.folds)) if not cells else ():
        own = [c for c in found.configurations if c.asked.group == group]
        scored = sum(c.score is not None for c in own)
        cells.append((f"{group + 1}: not chosen yet", _count(scored, len(own)), DASH, DASH))
    return Table(
        label=label(asked),
        title="What was chosen for each held-out group",
        subtitle=protocol_line(asked),
        banner=banner(asked),
        columns=(
            Column(head="group: configuration", numeric=False),
            Column(head="tried"),
            Column(head="inner UA"),
            Column(head="UA"),
        ),
        cells=tuple(cells),
        footnotes=(
            "inner UA: mean over the held-out speakers of the inner folds, by which it was chosen; "
            "the best of several is flattered by its luck. UA: mean over the group itself, which "
            "took no part in that.",
        ),
    )


def _flat(asked: Asked, found: Finding) -> Table:
    """The best by dev, under a head that says so."""
    scored = sum(c.score is not None for c in found.configurations)
    cells = [(c.asked.told, percent(c.score)) for c in found.best(BEST)]
    return Table(
        label=label(asked),
        title="Selected on these speakers",
        subtitle=protocol_line(asked),
        banner=banner(asked),
        columns=(Column(head="configuration", numeric=False), Column(head="dev UA")),
        cells=tuple(cells) or (("none yet", DASH),),
        footnotes=(
            f"The best {len(cells)} of {_count(scored, len(found.configurations))} tried.",
            *asked.notes,
        ),
    )


def _count(scored: int, tried: int) -> str:
    """``20``, or ``19/20`` where not all could be trained."""
    return str(tried) if scored == tried else f"{scored}/{tried}"


def as_json(found: Finding) -> dict[str, Any]:
    """A search as JSON values; scores are fractions."""
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
                "tried": winner.tried,
                "test_ua": winner.test,
                **_json(winner.configuration),
            }
            for winner in found.winners
        ],
        "tried": [
            {"group": c.asked.group + 1, **_json(c), "trials": list(c.asked.trials)}
            for c in found.configurations
        ],
    }


def _json(one: Configuration) -> dict[str, Any]:
    return {
        "number": one.asked.number,
        "configuration": one.asked.told,
        "point": dict(one.asked.point),
        "score": one.score,
    }


def flat_records(asked: Asked, found: Finding) -> list[dict[str, Any]]:
    """One flat mapping a configuration, for CSV."""
    title = {"study": asked.study, "corpus": asked.corpus, "profile": asked.profile}
    return [
        {**title, "reading": asked.reading, "selection": found.search.selection,
         "group": c.asked.group + 1, **{k: v for k, v in _json(c).items() if k != "point"},
         "notes": " ".join(asked.notes)}
        for c in found.configurations
    ]  # fmt: skip
