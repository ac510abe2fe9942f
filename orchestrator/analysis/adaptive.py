"""An adaptive study by its outcomes: what its seeds have settled, and which it asks for next.

The rule stands in `sequential.py`. Here are its differences, one a seed over all held-out speakers,
and what follows from it for a study's trials. All is decided from the records alone: to kill a run,
to share it, or to train a seed too many changes nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from model.evaluation.metrics import ua
from orchestrator.analysis.sequential import Standing, follow, looks
from orchestrator.analysis.statistics import mean
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import Outcome, is_stale
from orchestrator.store.snapshot import Asked

BySpeaker = Mapping[str, Mapping[int, float]]
"""A row's UA: speaker -> seed -> score."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Design:
    """Where the comparisons of an adaptive study stand."""

    asked: Asked
    """The study with every trial up to the cap."""
    standings: Mapping[str, Standing]
    """Row, other than the reference -> how far its comparison is."""

    @property
    def looks(self) -> tuple[int, ...]:
        """The seeds at each look so far."""
        made = max(standing.looks for standing in self.standings.values())
        return looks(self.asked.seeds)[:made]

    @property
    def open(self) -> tuple[str, ...]:
        """Rows that may get more seeds."""
        return tuple(name for name, standing in self.standings.items() if not standing.why)

    def wanted(self, row: str) -> int:
        """Seeds of a row that are asked for now; the reference has those of any row."""
        own = self.standings.get(row)
        return own.wanted if own else max(s.wanted for s in self.standings.values())

    def most(self, row: str) -> int:
        """Seeds of a row that may yet be asked for."""
        open = row in self.open or (row == self.asked.reference and self.open)
        return self.asked.seeds if open else self.wanted(row)

    def now(self) -> Asked:
        """The study with the trials that are asked for now."""
        return _first(self.asked, self.wanted)

    def at_most(self) -> Asked:
        """The study with the trials that may yet be asked for."""
        return _first(self.asked, self.most)


def design(asked: Asked, outcomes: Mapping[str, Outcome]) -> Design | None:
    """Follow an adaptive study's outcomes; None for a study with as many seeds in every row.

    Args:
        asked: the study with every trial up to the cap.
        outcomes: finished trials by id; stale ones and those of other studies are ignored.
    """
    if asked.replicates != "adaptive" or asked.reference is None:
        return None
    scores: dict[str, dict[str, dict[int, float]]] = {row.name: {} for row in asked.rows}
    for trial in asked.trials:
        outcome = outcomes.get(trial.id)
        if outcome is None or is_stale(outcome):
            continue
        for s in outcome.scores:
            if (s.choice, s.unit) == ("chosen", "utterance"):
                scores[trial.row].setdefault(s.speaker, {})[trial.seed] = ua(s.confusion)
    reference = scores.pop(asked.reference)
    differences = {name: by_seed(asked, row, reference) for name, row in scores.items()}
    return Design(asked=asked, standings=follow(differences, asked.seeds))


def asked_now(asked: Asked, ledger: Ledger) -> Asked:
    """A study with the trials that it asks for now: all, unless it is adaptive.

    Raises:
        DamageError: a record of an adaptive study is not what was written.
    """
    if asked.replicates != "adaptive":
        return asked  # without a look at its records
    found = design(asked, ledger.outcomes(trial.id for trial in asked.trials))
    return asked if found is None else found.now()


def by_seed(asked: Asked, row: BySpeaker, other: BySpeaker) -> list[float | None]:
    """One value a seed, the mean difference over all speakers; None where one is lacking."""
    speakers = [s for fold in asked.folds for s in (*fold.a, *fold.b)]
    return [
        mean([row[s][seed] - other[s][seed] for s in speakers])
        if all(seed in row.get(s, {}) and seed in other.get(s, {}) for s in speakers)
        else None
        for seed in range(asked.seeds)
    ]


def _first(asked: Asked, seeds: Callable[[str], int]) -> Asked:
    most = {row.name: seeds(row.name) for row in asked.rows}
    return replace(asked, trials=tuple(t for t in asked.trials if t.seed < most[t.row]))
