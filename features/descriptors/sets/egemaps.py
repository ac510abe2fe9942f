"""`egemaps`: the 88 functionals of the extended Geneva set, one row an utterance.

Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for Voice Research and
Affective Computing" (IEEE TAC 2016, doi 10.1109/TAFFC.2015.2457417), version 02 as openSMILE
packages it. No frames: statistics over the whole utterance, for systems that read no graph.
"""

from functools import partial

from features.descriptors import opensmile_engine
from features.descriptors.feature_set import FeatureSet, version_of
from features.descriptors.opensmile_engine import ENGINES, RATE, Recipe

SHORTEST = 1600
"""Samples at 16 kHz (100 ms); a shorter signal is padded to this length with zeros. openSMILE gives
no numbers for fewer than 960."""

SEMANTICS = 1
"""A number in the set's version; raised by hand when our code around openSMILE changes values."""

RECIPE = Recipe(
    config="egemaps/v02/eGeMAPSv02.conf", levels="func", shortest=SHORTEST, packaged=True
)


def version() -> str:
    """Return the extractor's version: package versions and a digest of the settings.

    The configuration is part of openSMILE's package, so its text is not in the digest.
    """
    return version_of(ENGINES, f"{RECIPE.config}/{RECIPE.levels}/{SHORTEST}/{RATE}/{SEMANTICS}")


SET = FeatureSet(
    name="egemaps",
    about="88 eGeMAPS functionals, one row an utterance (svm)",
    names=partial(opensmile_engine.names, RECIPE),
    extract=partial(opensmile_engine.extract, RECIPE),
    version=version,
    frame_step_ms=None,
)
