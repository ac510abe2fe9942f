"""The next configurations of a search, proposed by a sampler of Optuna. Pure.

The sampler proposes a **generation** of fixed size at once, before any score of it is known, and
receives the scores in the order of its proposals. It is built anew for every generation, from the
scores in the store. So proposals depend neither on which trial finished first, nor on the number
of workers, nor on interruptions. In Optuna's own parallel mode a sampler receives each score as it
comes, and the same seed then proposes other points on every run. Optuna's storage is not used (a
torn line of its journal ends the study): the store alone says what was tried.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from orchestrator.errors import LackError
from orchestrator.study.search_key.space import Choice, Point, Search, SearchAxis, Simplex, Value

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler

GENERATION = 5
"""How many configurations of a held-out group are proposed at once. Few, since a sampler learns
between generations; five groups and three inner folds make 75 trainings of it, work for as many
workers."""
FIRST = 10
"""How many configurations of a group are drawn at random before a sampler uses scores."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluated:
    """A configuration that was tried, and the score that the sampler learns from."""

    point: Point
    """Name of a parameter -> value."""
    score: float | None
    """Mean UA over all folds, 0 to 1; if pruned, ``pruning.expected_score``; None where it failed.

    With an expected score, samplers treat a pruned configuration like any other. Optuna gives it a
    state of its own that ranks below all others; TPE did not learn more from that (2.7 to 2.9
    points of regret for 2.6, over 200 searches), and GP and CMA-ES ignore such configurations and
    would propose points near them again.
    """


def propose(search: Search, group: int, tried: Sequence[Evaluated], most: int) -> tuple[Point, ...]:
    """Propose the next configurations of a held-out group.

    Args:
        search: the space, the sampler, its seed.
        group: index of the group; each group has proposals of its own.
        tried: all configurations so far, in the order of their proposals. If the last generation
            is not full, its missing rest is proposed.
        most: how many are wanted at most.

    Returns:
        At most ``most`` points (parameter -> value), and no more than complete the generation.

    Raises:
        LackError: Optuna, or what its sampler needs, is not installed.
    """
    begun = len(tried) % GENERATION
    known = tried[: len(tried) - begun]
    with quiet():
        study = _study(search, group, known)
        generation = [_ask(study, search) for _ in range(GENERATION)]
    return tuple(generation[begun : begun + most])


def _study(search: Search, group: int, known: Sequence[Evaluated]) -> "Study":
    """An Optuna study in memory that holds all configurations of whole generations."""
    import optuna

    sampler = _sampler(search, _seed(search, group, len(known)))
    study = optuna.create_study(direction="maximize", sampler=sampler)
    if search.sampler == "cmaes":
        _replay_cmaes(study, search, group, known)
        return study
    kinds = {name: kind for axis in search.axes for name, kind in distributions(axis)}
    complete, failed = optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.FAIL
    study.add_trials(
        [
            optuna.create_trial(
                params=dict(one.point),
                distributions={name: kinds[name] for name in one.point},
                value=one.score,
                state=failed if one.score is None else complete,
            )
            for one in known
        ]
    )
    return study


def _replay_cmaes(study: "Study", search: Search, group: int, known: Sequence[Evaluated]) -> None:
    """Propose all earlier generations once more, which rebuilds the internal state of CMA-ES."""
    import optuna

    for first in range(0, len(known), GENERATION):
        study.sampler = _sampler(search, _seed(search, group, first))
        asked = [study.ask() for _ in range(GENERATION)]
        for trial, one in zip(asked, known[first:], strict=False):
            _point(trial, search)
            if one.score is None:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                study.tell(trial, one.score)
    study.sampler = _sampler(search, _seed(search, group, len(known)))


def _ask(study: "Study", search: Search) -> Point:
    """Ask the sampler for one new point."""
    return _point(study.ask(), search)


def _point(trial: "Trial", search: Search) -> Point:
    """Draw a point axis by axis: the condition of an axis reads the values drawn before it."""
    point: dict[str, Value] = {}
    for axis in search.axes:
        if not axis.is_active(point):
            continue
        kind = axis.kind
        if isinstance(kind, Simplex):
            for name in kind.names:
                point[name] = float(f"{trial.suggest_float(name, 0.0, 1.0):.6g}")
        elif isinstance(kind, Choice):
            point[axis.key] = trial.suggest_categorical(axis.key, tuple(kind.values))
        elif kind.whole:
            low, high = int(kind.low), int(kind.high)
            step = {} if kind.log else {"step": kind.step}
            point[axis.key] = trial.suggest_int(axis.key, low, high, log=kind.log, **step)
        else:
            drawn = trial.suggest_float(axis.key, kind.low, kind.high, log=kind.log)
            point[axis.key] = kind.nearest(drawn)
    return point


def distributions(axis: SearchAxis) -> "list[tuple[str, BaseDistribution]]":
    """(name, distribution from which Optuna draws it) of each parameter of an axis."""
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    kind = axis.kind
    if isinstance(kind, Simplex):
        return [(name, FloatDistribution(0.0, 1.0)) for name in kind.names]
    if isinstance(kind, Choice):
        return [(axis.key, CategoricalDistribution(tuple(kind.values)))]
    if kind.whole:
        low, high = int(kind.low), int(kind.high)
        return [(axis.key, IntDistribution(low, high, log=kind.log, step=kind.step))]
    return [(axis.key, FloatDistribution(kind.low, kind.high, log=kind.log))]


def _seed(search: Search, group: int, known: int) -> int:
    """The sampler's seed for one generation, since its random state is not kept between them.

    Args:
        search: the search, with its own seed.
        group: index of the group.
        known: number of configurations before this generation.
    """
    text = f"{search.seed} {group} {known}"
    return int.from_bytes(sha256(text.encode()).digest()[:4], "big") >> 1


def _sampler(search: Search, seed: int) -> "BaseSampler":
    """A new sampler of the kind that the search names.

    Raises:
        LackError: Optuna, or a package that the sampler needs, is not installed.
    """
    try:
        from optuna import samplers
    except ImportError:
        raise LackError(
            "A search needs the extra `optuna`: `pip install 'ablate-ser[optuna]'`."
        ) from None
    try:
        if search.sampler == "random":
            return samplers.RandomSampler(seed=seed)
        if search.sampler == "gp":
            return samplers.GPSampler(seed=seed, n_startup_trials=FIRST)
        if search.sampler == "cmaes":
            return samplers.CmaEsSampler(
                seed=seed, n_startup_trials=FIRST, warn_independent_sampling=False
            )
        # One axis at a time: with few and noisy scores a joint density over all axes did worse
        # (over 150 searches each of `tests/benchmarks/drawn_search.py`, 2.65 points of regret for
        # 2.42 with pruning, 3.16 for 2.91 without).
        return samplers.TPESampler(seed=seed, n_startup_trials=FIRST, multivariate=False)
    except ImportError as error:
        raise LackError(
            f"`sampler: {search.sampler}` needs a package that is not here ({error}): "
            "`sampler: tpe` needs none."
        ) from None


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Optuna, which logs every study and warns that its samplers are experimental."""
    try:
        import optuna
    except ImportError:
        raise LackError(
            "A search needs the extra `optuna`: `pip install 'ablate-ser[optuna]'`."
        ) from None
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)
