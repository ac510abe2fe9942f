"""The feature sets by name. A new set is one file in `sets/`, one line here, one in `config.py`.

Light: an engine starts when something is extracted.
"""

from functools import cache

from features.config import FEATURE_SETS
from features.descriptors.feature_set import FeatureSet
from features.descriptors.sets import egemaps, is10, lld35, lld78, logmel128
from features.errors import CorpusError

SETS: dict[str, FeatureSet] = {
    known.name: known for known in (lld78.SET, is10.SET, lld35.SET, logmel128.SET, egemaps.SET)
}


def feature_set(name: str) -> FeatureSet:
    """The set of that name.

    Raises:
        CorpusError: there is none.
    """
    if name not in SETS:
        known = ", ".join(f"`{known}`" for known in FEATURE_SETS)
        raise CorpusError(f"`features` must be one of {known}, but is `{name}` instead.")
    return SETS[name]


@cache
def extractor_version(name: str) -> str:
    """Everything but the audio that the numbers of a set depend on; starts no engine.

    Raises:
        CorpusError: no set has that name.
        MissingError: a package is not installed.
    """
    return feature_set(name).version()
