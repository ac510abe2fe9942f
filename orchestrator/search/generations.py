"""Replays a search from the store alone: what it tried, what it tries next, and what won.

A search is a study that grows. Its configurations come in generations (`proposals.py`): when all
trials of a generation have ended, the next one is proposed, until the budget is used; then each
held-out group has a winner. The replay remembers nothing but the records of trials, so after any
interruption, and with any number of workers, it comes to the same state.

**Nested**: each held-out group of the protocol has a search of its own, on inner folds of the
speakers that train for it; the winner is trained on all of these speakers and tested on the group,
which no choice has seen. **Flat**: one search on the protocol's folds, by dev scores alone; no
winner is tested, since every speaker took part in the choice.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count

from orchestrator.analysis.statistics import mean
from orchestrator.search.objective import ObjectiveScores
from orchestrator.search.proposals import GENERATION, Evaluated, propose
from orchestrator.search.pruning import expected_score, should_prune
from orchestrator.search.remaining import NOTHING, RemainingBudget
from orchestrator.search.state import (
    Configuration,
    ConfigurationState,
    Group,
    SearchState,
    TrialBuilder,
    configuration_name,
)
from orchestrator.store.snapshot import CHOSEN
from orchestrator.study.search_key.space import Point, Search
from orchestrator.study.trials import PlannedTrial


def replay(
    search: Search,
    groups: Sequence[Group],
    build: TrialBuilder,
    scores: ObjectiveScores,
    known_points: Mapping[int, Sequence[Point]],
    seeds: int,
    trials_at_once: float,
) -> SearchState:
    """Replay a search from its first generation to its present state.

    Args:
        search: the space, the budget, the sampler.
        groups: the held-out groups.
        build: builds the trials of a configuration.
        scores: the scores of trials in the store.
        known_points: index of a group -> its first configurations, as they were proposed before. To
            ask the sampler for them again would give the same, and take its time.
        seeds: number of seeds of the trials that test the winners; a configuration is scored with
            the first seed alone.
        trials_at_once: how many trials share an hour of a budget of hours: those that train beside
            each other, or on one GPU.

    Raises:
        LackError: Optuna, or what its sampler needs, is not installed.
        DamageError: a record is not what was written.
    """
    replayed = _Replay(search, groups, build, scores, known_points, seeds, trials_at_once)
    for generation in count():
        most = replayed.allowed(generation)
        if most == 0:
            return replayed.state(budget_is_used=True)
        replayed.add(generation, most)
        if replayed.is_training or replayed.hopeless:
            return replayed.state()
    raise AssertionError("a budget ends")


class _Replay:
    """Builds up the state of a search, one generation of all groups after another."""

    def __init__(
        self,
        search: Search,
        groups: Sequence[Group],
        build: TrialBuilder,
        scores: ObjectiveScores,
        known_points: Mapping[int, Sequence[Point]],
        seeds: int,
        trials_at_once: float,
    ) -> None:
        self._search, self._groups, self._build = search, groups, build
        self._scores, self._known_points, self._seeds = scores, known_points, seeds
        self._final_trainings = seeds * sum(group.outer is not None for group in groups)
        self._budget_s = search.amount * 3600 * trials_at_once
        self._by_group: dict[int, list[Configuration]] = {group.index: [] for group in groups}
        self._tried: list[Configuration] = []
        self._has_new_points = True
        """Whether the last generation had a point that its group had not tried before."""
        self.hopeless = ""

    @property
    def is_training(self) -> bool:
        """Whether a trial of the last generation has not ended."""
        last = self._tried[-len(self._groups) * GENERATION :]
        return any(one.state == "training" for one in last)

    def allowed(self, generation: int) -> int:
        """How many configurations a group the budget allows in a generation; 0 ends the search.

        Args:
            generation: its number, from 0.
        """
        search = self._search
        if search.unit == "trials":
            return max(0, min(GENERATION, int(search.amount) - generation * GENERATION))
        ids = self._trial_ids()
        if not ids:
            return GENERATION  # the first one always: nobody knows yet how long a trial takes
        if not self._has_new_points:
            return 0  # a small space is exhausted, however many hours are left
        spent_s = self._scores.seconds(ids)
        next_s = spent_s / generation + self._final_trainings * spent_s / len(ids)
        return GENERATION if spent_s + next_s <= self._budget_s else 0

    def _trial_ids(self) -> dict[str, None]:
        """The ids of all trials so far, each once."""
        return dict.fromkeys(item.id for one in self._tried for item in one.trials)

    def add(self, generation: int, most: int) -> None:
        """Propose a generation and judge each configuration by its trials in the store.

        Args:
            generation: its number, from 0.
            most: number of configurations for each group.
        """
        points = {group.index: self._points(group, generation, most) for group in self._groups}
        before = {
            index: [one.point for one in configurations]
            for index, configurations in self._by_group.items()
        }
        self._has_new_points = any(
            point not in before[index] for index, own in points.items() for point in own
        )
        proposed = [
            (group, number, point, self._build(name, point, group.folds, 1))
            for group in self._groups
            for number, point in enumerate(points[group.index], generation * GENERATION + 1)
            for name in [configuration_name(group, number)]
        ]
        self._scores.read_new(item.id for *_, trials in proposed for item in trials)
        best = {group.index: self._best_scores(group) for group in self._groups}
        for group, number, point, trials in proposed:
            one = self._judged(group, number, point, trials, best[group.index])
            self._by_group[group.index].append(one)
            self._tried.append(one)
        self._find_hopeless_group()

    def _find_hopeless_group(self) -> None:
        """Set ``hopeless`` if the generation has ended and all of a group's have failed."""
        for group in self._groups if not self.is_training else ():
            mine = self._by_group[group.index]
            if all(one.state == "failed" for one in mine):
                ids = [item.id for one in mine for item in one.trials]
                self.hopeless = (
                    f"none of the first {len(mine)} configurations of {group.name} could be "
                    f"trained, most often since: {self._scores.common_cause(ids)} Change "
                    "`search.axes`, or mend the cause."
                )

    def _points(self, group: Group, generation: int, most: int) -> tuple[Point, ...]:
        """A group's points of a generation: those proposed before, then new ones up to ``most``."""
        first = generation * GENERATION
        known = tuple(self._known_points.get(group.index, ())[first : first + most])
        if len(known) == most:
            return known
        history = [
            Evaluated(point=one.point, score=one.score) for one in self._by_group[group.index]
        ]
        history += [Evaluated(point=point, score=None) for point in known]
        return known + propose(self._search, group.index, history, most - len(known))

    def _best_scores(self, group: Group) -> list[tuple[float, ...]] | None:
        """The UAs, by fold, of the incumbent (best of earlier generations).

        Returns:
            None where there is no incumbent yet, or the search does not prune.
        """
        if not self._search.pruning:
            return None
        ranked = self._ranked(group)
        return [self._scores.units(item.id) or () for item in ranked[0].trials] if ranked else None

    def _judged(
        self,
        group: Group,
        number: int,
        point: Point,
        trials: tuple[PlannedTrial, ...],
        best: list[tuple[float, ...]] | None,
    ) -> Configuration:
        """Judge a configuration by its trials, fold by fold, up to one that is missing or prunes.

        Whether its next fold is wanted depends on its own folds before that and on earlier
        generations only: the others of its own generation may stand anywhere.
        """
        folds: list[tuple[float, ...]] = []
        state: ConfigurationState = "trained"
        for item in trials:
            if best is not None and folds and should_prune(folds, best):
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
        wanted = trials[: len(folds) + (state != "pruned")]
        if best is None:
            # Without pruning all folds train at once: any that cannot be trained decides.
            wanted = trials
            if any(self._scores.is_failed(item.id) for item in trials):
                state = "failed"
        score = mean([s for fold in folds for s in fold]) if state == "trained" else None
        if state == "pruned" and best is not None:
            score = expected_score(folds, best)
        return Configuration(
            group=group, number=number, point=point, trials=wanted, state=state, score=score
        )

    def state(self, *, budget_is_used: bool = False) -> SearchState:
        """The state of the search after the generations added so far.

        Args:
            budget_is_used: whether the search has ended, so that the winners are chosen.
        """
        winners = tuple(self._winners()) if budget_is_used else ()
        final = [
            item
            for one in winners
            if one.group.outer is not None
            for item in self._build(CHOSEN, one.point, [one.group.outer], self._seeds)
        ]
        return SearchState(
            tried=tuple(self._tried),
            winners=winners,
            remaining=NOTHING if winners else self._remaining(),
            final=tuple(final),
            hopeless=self.hopeless,
        )

    def _remaining(self) -> RemainingBudget:
        """How much more the search may propose."""
        search, by_hours = self._search, self._search.unit != "trials"
        tried = max(map(len, self._by_group.values()))
        training = (one for one in self._tried if one.state == "training")
        later_folds = [len(one.group.folds) - len(one.trials) for one in training]
        left_s = self._budget_s - self._scores.seconds(self._trial_ids()) if by_hours else 0.0
        return RemainingBudget(
            groups=len(self._groups),
            folds=max(len(group.folds) for group in self._groups),
            final=self._final_trainings,
            configurations=0 if by_hours else int(search.amount) - tried,
            left_s=max(0.0, left_s),
            pruning=search.pruning,
            later_folds=sum(later_folds),
            most_later_folds=max(later_folds, default=0),
            untried=max(0, search.size - min(map(_distinct_points, self._by_group.values()))),
        )

    def _winners(self) -> Iterator[Configuration]:
        """The best configuration of each group, in order."""
        for group in self._groups:
            yield self._ranked(group)[0]

    def _ranked(self, group: Group) -> list[Configuration]:
        """The configurations of a group trained on all folds, best first; of equals the earlier."""
        trained = [one for one in self._by_group[group.index] if one.state == "trained"]
        return sorted(trained, key=lambda one: (-(one.score or 0.0), one.number))


def _distinct_points(tried: Sequence[Configuration]) -> int:
    """Number of different points among these configurations."""
    points = list[Point]()
    for one in tried:
        if one.point not in points:
            points.append(one.point)
    return len(points)
