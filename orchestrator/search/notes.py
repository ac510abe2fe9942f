"""The sentences that stand below every table of a search. Pure."""

from collections import Counter

from orchestrator.search.state import SearchState
from orchestrator.store.snapshot import SnapshotSearch
from orchestrator.study.canonical import digest


def search_notes(snapshot: SnapshotSearch, state: SearchState) -> tuple[str, ...]:
    """The sentences that a reader must know to judge the table of a search.

    Args:
        snapshot: the search as the store keeps it.
        state: the same search, with its groups and configurations.

    Returns:
        How many configurations were tried and how the best was chosen; whether test scores are not
        shown yet; a warning where test scores had been opened before.
    """
    groups = len({one.group.index for one in state.tried})
    sampler = f"{snapshot.sampler}, seed {snapshot.seed}"
    verb = "tried" if snapshot.closed else "proposed so far"
    tried = f"{state.configurations} configurations {verb}"
    if repeats := _repeats(state):
        tried += f" (up to {repeats} of them not for the first time)"
    if snapshot.selection == "flat":
        return (
            f"Selected on these speakers ({sampler}; {tried}): dev UA, at the epoch chosen on the "
            "same half. The best of several is flattered by its luck: it says nothing of new "
            "speakers.",
        )
    best = "the best was trained on all of these and is judged on the group"
    if not snapshot.closed:
        best = "the best will be trained on all of these and judged on the group"
    notes: tuple[str, ...] = (
        f"Search ({sampler}, budget {snapshot.budget}): {tried} for each of {groups} held-out "
        f"groups, each on {snapshot.inner_folds} inner folds of the other speakers; {best}, "
        "which no choice has seen.",
    )
    if not snapshot.closed:
        notes += (
            f"Sealed: the search goes on (budget: {snapshot.budget}); no test score is shown "
            "before its last training has ended.",
        )
    return notes + _warnings(snapshot)


def _warnings(snapshot: SnapshotSearch) -> tuple[str, ...]:
    """One sentence for each way in which somebody may have seen the test scores before."""
    warnings: tuple[str, ...] = ()
    if snapshot.opened:
        before = ", ".join(map(str, snapshot.opened))
        warnings += (
            f"WARNING: the test scores had been opened after {before} configurations, and the "
            "budget was changed: whoever changed it may have looked.",
        )
    if snapshot.others:
        many = "another search" if snapshot.others == 1 else f"{snapshot.others} other searches"
        warnings += (
            f"WARNING: the test scores of {many} (other axes, settings, sampler or seed) for "
            "the same speakers had been opened before: whoever asked for this one may have "
            "looked.",
        )
    return warnings


def _repeats(state: SearchState) -> int:
    """How many proposals of a group repeat an earlier one, in the group with most repeats."""
    seen, repeats = set[tuple[int, str]](), Counter[int]()
    for one in state.tried:
        key = one.group.index, digest(dict(one.point))
        repeats[one.group.index] += key in seen
        seen.add(key)
    return max(repeats.values(), default=0)
