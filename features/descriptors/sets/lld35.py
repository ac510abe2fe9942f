"""`lld35`: the descriptors of Shirian and Guha's compact graph network, 33 acoustic columns.

Their 35 are 16 unsmoothed statics (MFCC 0-12, zero crossings, voicing, F0), 17 deltas of the
smoothed contours (the same and log energy, whose static is absent), and two columns that say
whether the actors improvised. Those two are metadata, not acoustics: they are left out here, and
the name is kept. The MFCC stand in HTK's order, c1 to c12 and then c0, whatever the numbers in
openSMILE's names say. Frames are 25 ms, pitch included, every 10 ms: S samples give
(S - 400) // 160 + 1 of them.
"""

from functools import partial
from pathlib import Path

from features.descriptors import opensmile_engine
from features.descriptors.feature_set import FeatureSet, version_of
from features.descriptors.opensmile_engine import ENGINES, RATE, Recipe

SHORTEST = 800
"""Samples at 16 kHz (50 ms); a shorter signal is padded to this length with zeros, which makes
three frames."""

SEMANTICS = 1
"""A number in the set's version; raised by hand when our code around openSMILE changes values."""

CONFIG = Path(__file__).resolve().with_name("lld35.conf")
RECIPE = Recipe(config=str(CONFIG), levels="mfcc;zcr;pitch;lld_de", shortest=SHORTEST)


def version() -> str:
    """Return the extractor's version: package versions and a digest of all settings."""
    text = CONFIG.read_text(encoding="utf-8")
    return version_of(ENGINES, f"{text}/{RECIPE.levels}/{SHORTEST}/{RATE}/{SEMANTICS}")


SET = FeatureSet(
    name="lld35",
    about="Shirian and Guha, without their metadata flag",
    names=partial(opensmile_engine.names, RECIPE),
    extract=partial(opensmile_engine.extract, RECIPE),
    version=version,
)
