"""Which configurations come next. Pure: the same search and the same outcomes, the same points.

A **generation** of fixed size is asked for at once, before any of it is known, and is told in the
order in which it was proposed. So nothing depends on who finished first, on how many workers
there were, or on an interruption: a sampler is built anew for every generation, from what the
ledger has. Optuna's own parallel mode tells each trial as it ends, and then the same seed
proposes otherwise on every run; and its storage is no truth for us (a torn line of its journal
ends the study), so none is used.
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
"""Configurations that are asked for at once. Few, since a sampler learns between generations; with
five held-out groups and three inner folds it is 75 trainings, enough for as many workers."""
FIRST = 10
"""Configurations that are drawn at random before a sampler has anything to go by."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluated:
    """A configuration and what it scored."""

    point: Point
    score: float | None
    """Its mean over all folds; of a pruned one what ``pruning.expected`` says; None: it failed.

    So a pruned one is to every sampler what others are. Optuna's way, a state of its own that
    ranks below all complete ones, taught TPE no more (2.7 to 2.9 points of regret for 2.6, over
    200 searches), and GP and CMA-ES leave it out, and would come back to where it is.
    """


def propose(search: Search, group: int, told: Sequence[Evaluated], most: int) -> tuple[Point, ...]:
    """The next configurations of a group: the rest of the generation that ``told`` ends in.

    Args:
        search: the space, the sampler, its seed.
        group: the held-out group for which is searched: each has proposals of its own.
        told: all configurations so far, in the order in which they were proposed.
        most: how many are wanted at most.

    Raises:
        LackError: Optuna, or what its sampler needs, is not installed.
    """
    begun = len(told) % GENERATION
    known = told[: len(told) - begun]
    with quiet():
        study = _study(search, group, known)
        asked = [_ask(study, search) for _ in range(GENERATION)]
    return tuple(asked[begun : begun + most])


def _study(search: Search, group: int, known: Sequence[Evaluated]) -> "Study":
    """An Optuna study in memory that has heard of everything that is known."""
    import optuna

    sampler = _sampler(search, _seed(search, group, len(known)))
    study = optuna.create_study(direction="maximize", sampler=sampler)
    if search.sampler == "cmaes":
        _relive(study, search, group, known)
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


def _relive(study: "Study", search: Search, group: int, known: Sequence[Evaluated]) -> None:
    """CMA-ES goes by its own state, so everything is asked for again; it takes little."""
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
    return _point(study.ask(), search)


def _point(trial: "Trial", search: Search) -> Point:
    """Ask for the axes one by one: a condition sees what was drawn before it."""
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
    """The parameters of an axis, each with what Optuna may draw."""
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
    """One seed a generation: a sampler's own stream would have to be kept."""
    text = f"{search.seed} {group} {known}"
    return int.from_bytes(sha256(text.encode()).digest()[:4], "big") >> 1


def _sampler(search: Search, seed: int) -> "BaseSampler":
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
        # One axis at a time: of few configurations that are scored with noise, their joint density
        # told less (over 150 searches each of `tests/benchmarks/drawn_search.py`, 2.65 points of
        # regret for 2.42 with pruning, 3.16 for 2.91 without).
        return samplers.TPESampler(seed=seed, n_startup_trials=FIRST, multivariate=False)
    except ImportError as error:
        raise LackError(
            f"`sampler: {search.sampler}` needs a package that is not here ({error}): "
            "`sampler: tpe` needs none."
        ) from None


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna calls options of its samplers experimental, and logs every study."""
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
