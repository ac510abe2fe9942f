"""`is10`: the 38 low-level descriptors of the INTERSPEECH 2010 challenge and their deltas.

The other reading of the paper's "78-dimensional LLDs": jitter, which LSTM-GIN names, is in this
set and not in emobase, and its file of descriptors has 78 columns when name and time are counted.
76 of them are numbers. openSMILE computes all from its packaged `IS10_paraling_compat.conf`, the
one that repeats the figures of 2010 (but for jitter and shimmer, which it corrects); deltas are
its own regression over two frames on either side. Frames are 25 ms (60 ms for pitch, jitter and
shimmer) every 10 ms: S samples give (S - 960) // 160 + 1 of them.
"""

from functools import partial

from features.descriptors import opensmile_engine
from features.descriptors.feature_set import FeatureSet, version_of
from features.descriptors.opensmile_engine import ENGINES, RATE, Recipe

SHORTEST = 1280
"""Samples at 16 kHz (80 ms); a shorter signal is padded to this length with zeros, which makes
three frames. openSMILE gives nothing for fewer than 1120."""

SEMANTICS = 1
"""A number in the set's version; raised by hand when our code around openSMILE changes values."""

RECIPE = Recipe(
    config="is09-13/IS10_paraling_compat.conf",
    levels="lld;lld_de",
    shortest=SHORTEST,
    packaged=True,
)


def version() -> str:
    """Return the extractor's version: package versions and a digest of the settings.

    The configuration is part of openSMILE's package, so its text is not in the digest.
    """
    return version_of(ENGINES, f"{RECIPE.config}/{RECIPE.levels}/{SHORTEST}/{RATE}/{SEMANTICS}")


SET = FeatureSet(
    name="is10",
    about="INTERSPEECH 2010: 38 descriptors and their deltas",
    names=partial(opensmile_engine.names, RECIPE),
    extract=partial(opensmile_engine.extract, RECIPE),
    version=version,
)
