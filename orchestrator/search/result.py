"""The result of a search: its winners, their test scores, and the importance of each axis. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from orchestrator.analysis.statistics import mean
from orchestrator.errors import StudyError
from orchestrator.search.importance import FEWEST, Importance, importances
from orchestrator.search.proposals import Evaluated
from orchestrator.store.snapshot import CHOSEN, Snapshot, SnapshotConfiguration, SnapshotSearch
from orchestrator.study.reader import parse_study
from orchestrator.study.search_key.space import SearchAxis


@dataclass(frozen=True, kw_only=True, slots=True)
class Winner:
    """The best configuration for a held-out group (if flat, for all), and its test score."""

    group: int
    """Index of the held-out group, from 0."""
    speakers: tuple[str, ...]
    """Names of the speakers that test it; in a flat search of those whose dev scores chose it."""
    configuration: SnapshotConfiguration
    """The configuration with the best score of the group."""
    test: float | None
    """Mean test UA over speakers and seeds, 0 to 1; None while it is blinded or untrained, and in a
    flat search."""


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """The result of a search so far: winners, test scores, importance of axes."""

    search: SnapshotSearch
    """The search, with all its configurations."""
    winners: tuple[Winner, ...]
    """The winner of each group, in order; empty until the budget is used."""
    axes: tuple[SearchAxis, ...] | None
    """The axes that the search varies; None where they are unknown, see ``UNKNOWN_AXES``."""

    @cached_property
    def importances(self) -> tuple[Importance, ...]:
        """The importance of each axis, in order.

        Empty without axes, and below ``FEWEST`` scored configurations. Computed when it is first
        asked for: few tables show it, and on hundreds of configurations it takes seconds.
        """
        scored = [one for one in self.search.tried if one.score is not None]
        if len(scored) < FEWEST or self.axes is None:
            return ()
        groups: dict[int, list[Evaluated]] = {}
        for one in scored:
            groups.setdefault(one.group, []).append(Evaluated(point=one.point, score=one.score))
        return importances(self.axes, list(groups.values()))

    def count(self, group: int, state: str | None = None) -> int:
        """How many configurations of a group have ended.

        Args:
            group: index of the group.
            state: count only those in this state, such as ``pruned``; None: all but ``training``.
        """
        ends = (one.state for one in self.search.tried if one.group == group)
        return sum(end == state if state else end != "training" for end in ends)

    def best(self, count: int) -> tuple[SnapshotConfiguration, ...]:
        """The ``count`` configurations with the highest scores on all folds, the best first."""
        trained = [one for one in self.search.tried if one.state == "trained"]
        return tuple(sorted(trained, key=lambda one: (-(one.score or 0.0), one.number))[:count])


def search_result(
    snapshot: Snapshot, uas: Mapping[str, Mapping[str, Mapping[int, float]]]
) -> SearchResult | None:
    """The result of a study's search, from its snapshot and the scores that may be shown.

    Args:
        snapshot: the study.
        uas: row -> test speaker -> seed -> UA, see ``row_scores.row_uas``.

    Returns:
        None where the study has no search.
    """
    if snapshot.search is None:
        return None
    winners = enumerate(snapshot.search.winners)
    own = uas.get(CHOSEN, {})
    return SearchResult(
        search=snapshot.search,
        winners=tuple(
            _winner(snapshot, snapshot.search, group, number, own) for group, number in winners
        ),
        axes=search_axes(snapshot),
    )


UNKNOWN_AXES = (
    "The axes of this search are unknown: an earlier version kept it without them, and this "
    "version refuses the text of its study. `ablate run` of a mended study file keeps them."
)
"""The message to the user where ``search_axes`` cannot tell the axes of a search."""


def search_axes(snapshot: Snapshot) -> tuple[SearchAxis, ...] | None:
    """The axes that a study's search varies.

    They stand in the snapshot. In a snapshot of an earlier version they do not; the text of the
    study is then read again.

    Returns:
        None where the study has no search, and where this version refuses the text of an earlier
        one: ``UNKNOWN_AXES`` tells the user so.
    """
    if snapshot.search is None or snapshot.search.axes is not None:
        return snapshot.search.axes if snapshot.search else None
    try:
        search = parse_study(snapshot.text, f"{snapshot.study}.yaml").search
    except StudyError:
        return None
    return search.axes if search else None


def _winner(
    snapshot: Snapshot,
    search: SnapshotSearch,
    group: int,
    number: int,
    uas: Mapping[str, Mapping[int, float]],
) -> Winner:
    """The winner of a group, with its mean test UA over the speakers whose scores are known."""
    folds = (snapshot.folds[group],) if search.selection == "nested" else snapshot.folds
    speakers = tuple(speaker for fold in folds for speaker in (*fold.a, *fold.b))
    if snapshot.is_published_split:
        speakers = folds[0].a if search.selection == "flat" else folds[0].b
    known = [mean(list(uas[speaker].values())) for speaker in speakers if speaker in uas]
    return Winner(
        group=group,
        speakers=speakers,
        configuration=next(t for t in search.tried if (t.group, t.number) == (group, number)),
        test=mean(known) if known else None,
    )
