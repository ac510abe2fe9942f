"""The course of a search, told from the ledger alone: what was tried, what is next, what won.

A search is a study that grows. Its configurations come in generations (``proposals.py``); when
all trials of a generation have ended, the next is proposed, until the budget is used; then each
held-out group has a winner. Whoever asks again, after any interruption and with any number of
workers, is told the same, for nothing is remembered but trials.

**Nested**: each held-out group of the protocol is searched for on its own, on inner folds of the
speakers that it trains on; its winner is trained on all of these and scored on the group, which
no choice has seen. **Flat**: one search on the protocol's folds, by dev alone; it has no final
training, for there is nobody left to be judged on.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal, Protocol

from features.corpora.folds import Fold
from orchestrator.analysis.statistics import mean
from orchestrator.search.objective import ObjectiveScores
from orchestrator.search.proposals import GENERATION, Evaluated, propose
from orchestrator.search.pruning import expected, prunes
from orchestrator.search.remaining import NOTHING, RemainingBudget
from orchestrator.store.snapshot import CHOSEN
from orchestrator.study.search_key.space import Point, Search
from orchestrator.study.trials import PlannedTrial

ConfigurationState = Literal["trained", "pruned", "failed", "training"]


class Build(Protocol):
    """Makes the trials of a configuration: one a fold and seed."""

    def __call__(
        self, row: str, point: Point, folds: Sequence[Fold], seeds: int
    ) -> tuple[PlannedTrial, ...]:
        """Trials of a row of that name, by seed, then fold."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Held-out speakers for whom is searched."""

    index: int
    name: str
    """``group 2``; of a flat search ``all folds``."""
    folds: tuple[Fold, ...]
    """On which configurations are scored, in the order in which they are told."""
    outer: Fold | None
    """On which the winner is judged; None in a flat search."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Configuration:
    """A configuration, and how far it has come."""

    group: Group
    number: int
    """In the group, from 1, in the order of proposals."""
    point: Point
    placed: tuple[PlannedTrial, ...]
    """Its trials, by fold; of one that is judged between folds those that it is due so far."""
    state: ConfigurationState
    score: float | None
    """Mean UA over units, 0 to 1; of a pruned one what it was expected to reach; else None."""

    @property
    def name(self) -> str:
        """``group 2 #7``."""
        return name_of(self.group, self.number)


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchState:
    """Where a search stands."""

    tried: tuple[Configuration, ...]
    """By generation, then group, then number."""
    winners: tuple[Configuration, ...]
    """One a group, in their order; empty until the budget is used."""
    ahead: RemainingBudget
    """What is not proposed yet."""
    final: tuple[PlannedTrial, ...]
    """Trainings that judge the winners; empty until they are known, and in a flat search."""
    hopeless: str
    """Why it stops: no configuration of a group could be trained; empty where one could."""

    @property
    def given_up(self) -> frozenset[str]:
        """Trials of configurations that cannot be trained; where none can, each is tried again."""
        if self.hopeless:
            return frozenset()
        failed = (one for one in self.tried if one.state == "failed")
        return frozenset(item.id for one in failed for item in one.placed)

    @property
    def placed(self) -> tuple[PlannedTrial, ...]:
        """All trials so far."""
        return tuple(item for one in self.tried for item in one.placed) + self.final


def name_of(group: Group, number: int) -> str:
    """How a configuration is called."""
    return f"{group.name} #{number}"


def replay(
    search: Search,
    groups: Sequence[Group],
    build: Build,
    scores: ObjectiveScores,
    known: Mapping[int, Sequence[Point]],
    seeds: int,
    at_once: float,
) -> SearchState:
    """Go through a search from its beginning to where it stands.

    Args:
        search: the space, the budget, the sampler.
        groups: for whom is searched.
        build: makes trials.
        scores: what the ledger says of them.
        known: group -> its first configurations as they were proposed before: asking a sampler for
            them again would give the same, and take its time.
        seeds: of the final trainings; a search itself trains with the first.
        at_once: how many trials share an hour of a budget of hours: those that train beside each
            other, or on one GPU.

    Raises:
        LackError: Optuna, or what its sampler needs, is not installed.
        DamageError: a record is not what was written.
    """
    walk = _Walk(search, groups, build, scores, known, seeds, at_once)
    for generation in count():
        most = walk.may_try(generation)
        if most == 0:
            return walk.course(over=True)
        walk.try_next(generation, most)
        if walk.waits or walk.hopeless:
            return walk.course()
    raise AssertionError("a budget ends")


def _distinct(tried: Sequence[Configuration]) -> list[Point]:
    """Points that were tried, each once."""
    points = list[Point]()
    for one in tried:
        if one.point not in points:
            points.append(one.point)
    return points


class _Walk:
    """Generation after generation, all groups beside each other."""

    def __init__(
        self,
        search: Search,
        groups: Sequence[Group],
        build: Build,
        scores: ObjectiveScores,
        known: Mapping[int, Sequence[Point]],
        seeds: int,
        at_once: float,
    ) -> None:
        self._search, self._groups, self._build = search, groups, build
        self._scores, self._known, self._seeds = scores, known, seeds
        self._final = seeds * sum(group.outer is not None for group in groups)
        self._budget_s = search.amount * 3600 * at_once
        self._tried: dict[int, list[Configuration]] = {group.index: [] for group in groups}
        self._order: list[Configuration] = []
        self._is_new = True
        """Whether the last generation had a configuration that its group had not tried."""
        self.hopeless = ""

    @property
    def waits(self) -> bool:
        """Whether a trial of the last generation has not ended."""
        last = self._order[-len(self._groups) * GENERATION :]
        return any(one.state == "training" for one in last)

    def may_try(self, generation: int) -> int:
        """How many configurations a group may try in this generation; 0 where it is over."""
        search = self._search
        if search.unit == "trials":
            return max(0, min(GENERATION, int(search.amount) - generation * GENERATION))
        ids = self._ids()
        if not ids:
            return GENERATION  # one at the least: nobody knows yet what it takes
        if not self._is_new:
            return 0  # no hours are too many for a space of few configurations
        spent = self._scores.seconds(ids)
        more = spent / generation + self._final * spent / len(ids)
        return GENERATION if spent + more <= self._budget_s else 0

    def _ids(self) -> dict[str, None]:
        return dict.fromkeys(item.id for one in self._order for item in one.placed)

    def try_next(self, generation: int, most: int) -> None:
        """Add a generation."""
        points = {group.index: self._points(group, generation, most) for group in self._groups}
        known = {
            group.index: [one.point for one in self._tried[group.index]] for group in self._groups
        }
        self._is_new = any(p not in known[index] for index, own in points.items() for p in own)
        new = [
            (group, number, point, self._build(name_of(group, number), point, group.folds, 1))
            for group in self._groups
            for number, point in enumerate(points[group.index], generation * GENERATION + 1)
        ]
        self._scores.look(item.id for *_, placed in new for item in placed)
        best = {group.index: self._best(group) for group in self._groups}
        for group, number, point, placed in new:
            one = self._judged(group, number, point, placed, best[group.index])
            self._tried[group.index].append(one)
            self._order.append(one)
        for group in self._groups if not self.waits else ():
            mine = self._tried[group.index]
            if all(one.state == "failed" for one in mine):
                ids = [item.id for one in mine for item in one.placed]
                self.hopeless = (
                    f"none of the first {len(mine)} configurations of {group.name} could be "
                    f"trained, most often since: {self._scores.common_cause(ids)} Change "
                    "`search.axes`, or mend the cause."
                )

    def _points(self, group: Group, generation: int, most: int) -> tuple[Point, ...]:
        """A generation of a group: what was proposed before, and what is lacking."""
        first = generation * GENERATION
        known = tuple(self._known.get(group.index, ())[first : first + most])
        if len(known) == most:
            return known
        told = [Evaluated(point=one.point, score=one.score) for one in self._tried[group.index]]
        told += [Evaluated(point=point, score=None) for point in known]
        return known + propose(self._search, group.index, told, most - len(known))

    def _best(self, group: Group) -> list[tuple[float, ...]] | None:
        """Scores, by fold, of the best of earlier generations; None before there is one."""
        if not self._search.pruning:
            return None
        ranked = self._ranked(group)
        return [self._scores.units(item.id) or () for item in ranked[0].placed] if ranked else None

    def _judged(
        self,
        group: Group,
        number: int,
        point: Point,
        placed: tuple[PlannedTrial, ...],
        best: list[tuple[float, ...]] | None,
    ) -> Configuration:
        """Fold by fold, as long as it has not to be trained first and is not pruned.

        What a fold of it is due depends on its own folds before that and on earlier generations:
        the others of its generation may be anywhere.
        """
        folds: list[tuple[float, ...]] = []
        state: ConfigurationState = "trained"
        for item in placed:
            if best is not None and folds and prunes(folds, best):
                state = "pruned"
                break
            if self._scores.is_failed(item.id):
                state = "failed"
                break
            units = self._scores.units(item.id)
            if units is None:
                state = "training"
                break
            folds.append(units)
        due = placed[: len(folds) + (state != "pruned")]
        if best is None:  # all folds at once; one that cannot be trained decides, wherever it is
            due = placed
            if any(self._scores.is_failed(item.id) for item in placed):
                state = "failed"
        score = mean([s for fold in folds for s in fold]) if state == "trained" else None
        if state == "pruned" and best is not None:
            score = expected(folds, best)
        return Configuration(
            group=group, number=number, point=point, placed=due, state=state, score=score
        )

    def course(self, *, over: bool = False) -> SearchState:
        """Where it stands; once its budget is used, with its winners."""
        winners = tuple(self._winners()) if over else ()
        final = [
            item
            for one in winners
            if one.group.outer is not None
            for item in self._build(CHOSEN, one.point, [one.group.outer], self._seeds)
        ]
        return SearchState(
            tried=tuple(self._order),
            winners=winners,
            ahead=NOTHING if winners else self._ahead(),
            final=tuple(final),
            hopeless=self.hopeless,
        )

    def _ahead(self) -> RemainingBudget:
        search, by_hours = self._search, self._search.unit != "trials"
        tried = max(len(tried) for tried in self._tried.values())
        training = (one for one in self._order if one.state == "training")
        later = [len(one.group.folds) - len(one.placed) for one in training]
        left_s = self._budget_s - self._scores.seconds(self._ids()) if by_hours else 0.0
        return RemainingBudget(
            groups=len(self._groups),
            folds=max(len(group.folds) for group in self._groups),
            final=self._final,
            configurations=0 if by_hours else int(search.amount) - tried,
            left_s=max(0.0, left_s),
            pruning=search.pruning,
            begun=sum(later),
            begun_folds=max(later, default=0),
            possible=max(0, search.size - min(map(len, map(_distinct, self._tried.values())))),
        )

    def _winners(self) -> Iterator[Configuration]:
        """The best of each group."""
        for group in self._groups:
            yield self._ranked(group)[0]

    def _ranked(self, group: Group) -> list[Configuration]:
        """Those that were trained on all folds, the best first; of equals the first."""
        trained = [one for one in self._tried[group.index] if one.state == "trained"]
        return sorted(trained, key=lambda one: (-(one.score or 0.0), one.number))
