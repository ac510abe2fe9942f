"""Builds the trials of a search's configurations: from a point of the space, on folds and seeds."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from features.corpora.corpus import Selection
from features.corpora.folds import Fold
from features.descriptors.feature_set import FeatureSet
from orchestrator.search.objective import ObjectiveScores
from orchestrator.store.ledger import Ledger
from orchestrator.study.canonical import digest
from orchestrator.study.protocol import score_rule
from orchestrator.study.resolve import Variant, resolve
from orchestrator.study.search_key.space import Point, Search
from orchestrator.study.study import Study
from orchestrator.study.trials import PlannedTrial, trial_of


class ConfigurationTrials:
    """Builds the trials of configurations, each only once; it is a `TrialBuilder`.

    Args:
        study: the study file.
        search: its key `search`.
        selection: the utterances.
        default_profile: the profile of a study that names none.
        feature_set: name in the study file -> descriptor set.
    """

    def __init__(
        self,
        study: Study,
        search: Search,
        selection: Selection,
        default_profile: str,
        feature_set: Callable[[str], FeatureSet],
    ) -> None:
        self._study, self._search, self._profile = study, search, default_profile
        self._corpus, self._classes = selection.digest, selection.classes
        self._feature_set = feature_set
        self.features: dict[str, FeatureSet] = {}
        """Name of a descriptor set, as it stands in trial ids -> the set."""
        self.variants: dict[str, Variant] = {}
        """Digest of a point -> the variant (all settings) that the point resolves to."""
        self._by_setting: dict[str, FeatureSet] = {}
        self._extractors: dict[str, str] = {}
        self._built: dict[tuple[str, tuple[int, ...], int], tuple[PlannedTrial, ...]] = {}
        # (row, indices of folds, seeds) -> trials: to compute thousands of ids takes seconds.

    def __call__(
        self, row: str, point: Point, folds: Sequence[Fold], seeds: int
    ) -> tuple[PlannedTrial, ...]:
        """Build the trials of a configuration, or return those built before; see `TrialBuilder`."""
        key = row, tuple(fold.index for fold in folds), seeds
        if key not in self._built:
            self._built[key] = self._build(row, point, folds, seeds)
        return self._built[key]

    def _build(
        self, row: str, point: Point, folds: Sequence[Fold], seeds: int
    ) -> tuple[PlannedTrial, ...]:
        """Build the trials, without a look at what was built before."""
        variant = self._variant(point)
        extractor = self._extractors[variant.features.features]
        trials = []
        for seed in range(seeds):
            for fold in folds:
                trial = trial_of(variant, self._corpus, self._classes, extractor, fold, seed)
                trials.append(PlannedTrial(row, fold.index, seed, trial, trial.id))
        return tuple(trials)

    def _variant(self, point: Point) -> Variant:
        """The variant that a point resolves to, built once."""
        key = digest(dict(point))
        if key not in self.variants:
            resolved = resolve(self._profile, self._study.settings, self._search.settings(point))
            name = resolved.features.features
            if name not in self._by_setting:
                self._by_setting[name] = self._feature_set(name)
            chosen = self._by_setting[name]
            if chosen.name not in self.features:
                self.features[chosen.name] = chosen
                self._extractors[chosen.name] = chosen.version()
            features = replace(resolved.features, features=chosen.name)
            self.variants[key] = replace(resolved, features=features)
        return self.variants[key]


class SearchMemory:
    """Holds what successive plans of one search share, so that nothing is read or built twice."""

    def __init__(self) -> None:
        self._filled: tuple[ConfigurationTrials, ObjectiveScores] | None = None

    def fill(
        self,
        study: Study,
        search: Search,
        selection: Selection,
        default_profile: str,
        feature_set: Callable[[str], FeatureSet],
        ledger: Ledger,
    ) -> tuple[ConfigurationTrials, ObjectiveScores]:
        """The trial builder and the scores of this search, the same ones at every call."""
        if self._filled is None:
            self._filled = (
                ConfigurationTrials(study, search, selection, default_profile, feature_set),
                ObjectiveScores(
                    ledger,
                    search.selection,
                    score_rule(default_profile, study.settings),
                    published_split=study.folds == "published",
                ),
            )
        return self._filled
