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
"""Samples (80 ms) of the shortest signal: openSMILE gives nothing below 1120; 1280 give three
frames."""

SEMANTICS = 1
"""Raised by hand when the code around openSMILE changes its numbers."""

RECIPE = Recipe(
    config="is09-13/IS10_paraling_compat.conf",
    levels="lld;lld_de",
    shortest=SHORTEST,
    packaged=True,
)


def version() -> str:
    """Name the engines and the use of them; the configuration is part of openSMILE's version."""
    return version_of(ENGINES, f"{RECIPE.config}/{RECIPE.levels}/{SHORTEST}/{RATE}/{SEMANTICS}")


SET = FeatureSet(
    name="is10",
    about="INTERSPEECH 2010: 38 descriptors and their deltas",
    names=partial(opensmile_engine.names, RECIPE),
    extract=partial(opensmile_engine.extract, RECIPE),
    version=version,
)
