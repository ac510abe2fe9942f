"""What a search found, by its snapshot and the records of its trials."""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.ledger import Ledger
from orchestrator.search.scores import Scores
from orchestrator.snapshot import CHOSEN, Asked, AskedSearch, AskedTried
from orchestrator.statistics import mean


@dataclass(frozen=True, kw_only=True, slots=True)
class Configuration:
    """One that was tried."""

    asked: AskedTried
    score: float | None
    """What the search went by: mean UA, 0 to 1; None of one that was not trained on all folds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Winner:
    """What was chosen for a held-out group; in a flat search, for all speakers."""

    group: int
    speakers: tuple[str, ...]
    """On whom it is judged; in a flat search, on whom it was chosen."""
    configuration: Configuration
    test: float | None
    """Mean UA over the speakers and seeds; None while it is sealed, and in a flat search."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A search, as far as it has come."""

    search: AskedSearch
    configurations: tuple[Configuration, ...]
    winners: tuple[Winner, ...]
    """By group; empty until the budget is used."""

    def count(self, group: int, state: str | None = None) -> int:
        """How many configurations of a group are in a state; without one, all."""
        own = (c.asked for c in self.configurations if c.asked.group == group)
        return sum(state is None or one.state == state for one in own)

    def best(self, count: int) -> tuple[Configuration, ...]:
        """Those that scored best, the best first."""
        scored = [c for c in self.configurations if c.score is not None]
        return tuple(sorted(scored, key=lambda c: (-(c.score or 0.0), c.asked.number))[:count])


def find(
    ledger: Ledger, asked: Asked, uas: Mapping[str, Mapping[str, Mapping[int, float]]]
) -> Finding | None:
    """What a study's search found; None where it has none.

    Args:
        ledger: the store.
        asked: the study.
        uas: row -> speaker -> seed -> test UA, as ``summary.uas`` counts them.

    Raises:
        DamageError: a record is not what was written.
    """
    search = asked.search
    if search is None:
        return None
    scores = Scores(ledger, "flat" if search.selection == "flat" else "nested")
    scores.look({id for one in search.tried for id in one.trials})
    found = tuple(Configuration(asked=one, score=_score(scores, one)) for one in search.tried)
    return Finding(
        search=search,
        configurations=found,
        winners=tuple(
            _winner(asked, group, number, found, uas.get(CHOSEN, {}))
            for group, number in enumerate(search.winners)
        ),
    )


def _score(scores: Scores, one: AskedTried) -> float | None:
    if one.state != "trained":
        return None
    return mean([score for id in one.trials for score in scores.units(id) or ()])


def _winner(
    asked: Asked,
    group: int,
    number: int,
    configurations: tuple[Configuration, ...],
    uas: Mapping[str, Mapping[int, float]],
) -> Winner:
    own = [c for c in configurations if c.asked.group == group]
    folds = asked.folds
    if asked.search is not None and asked.search.selection == "nested":
        folds = (asked.folds[group],)
    speakers = tuple(speaker for fold in folds for speaker in (*fold.a, *fold.b))
    known = [mean(list(uas[speaker].values())) for speaker in speakers if speaker in uas]
    return Winner(
        group=group,
        speakers=speakers,
        configuration=next(c for c in own if c.asked.number == number),
        test=mean(known) if known else None,
    )
