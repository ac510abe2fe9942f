"""The descriptor sets by name. A new set is one file in `sets/` and its name in ``SETS``.

Light: an engine starts when something is extracted.
"""

from functools import cache
from importlib import import_module

from features.descriptors.feature_set import FeatureSet
from features.errors import CorpusError

SETS: dict[str, FeatureSet] = {
    name: import_module(f"features.descriptors.sets.{name}").SET
    for name in ("lld78", "is10", "lld35", "logmel128", "egemaps")
}
"""Name in a study -> descriptor set, in the order in which help and errors list them."""

FEATURE_SETS = tuple(SETS)
"""What a study may write after ``features:``, beside ``opensmile:PATH.conf``."""

FUNCTIONALS = tuple(name for name, known in SETS.items() if known.frame_step_ms is None)
"""Sets that give one row an utterance, and no frames: there are no nodes to step, cut or pad."""


def feature_set(name: str) -> FeatureSet:
    """Look up a descriptor set by its name.

    Raises:
        CorpusError: no set has that name.
    """
    if name not in SETS:
        known = ", ".join(f"`{known}`" for known in FEATURE_SETS)
        raise CorpusError(f"`features` must be one of {known}, but is `{name}` instead.")
    return SETS[name]


@cache
def extractor_version(name: str) -> str:
    """Name everything but the audio that the numbers of a set depend on; starts no engine.

    Raises:
        CorpusError: no set has that name.
        MissingError: a package is not installed.
    """
    return feature_set(name).version()
