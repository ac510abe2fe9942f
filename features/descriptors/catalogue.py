"""The descriptor sets by name. A new set is one file in `sets/` and its name in ``SETS``.

Light to import: an engine (openSMILE, librosa) starts only when something is extracted.
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
"""Names of the sets: what may stand after ``features:`` in a study, beside
``opensmile:PATH.conf``."""

FUNCTIONALS = tuple(name for name, known in SETS.items() if known.frame_step_ms is None)
"""Names of the sets that give one row an utterance and no frames, such as ``egemaps``: there are no
nodes to step, cut or pad."""


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
    """Return the version of a set's extractor as it is installed here; starts no engine.

    It joins the packages' versions and a digest of the set's rules, such as
    ``opensmile-2.6.0+soxr-1.1.0+3f2a...``: all that the numbers depend on but the audio.

    Raises:
        CorpusError: no set has that name.
        MissingError: a package of the extractor is not installed.
    """
    return feature_set(name).version()
