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
"""Samples (50 ms) that a shorter signal is padded to with zeros: three frames."""

SEMANTICS = 1
"""Raised by hand when the code around openSMILE changes its numbers."""

CONFIG = Path(__file__).resolve().with_name("lld35.conf")
RECIPE = Recipe(config=str(CONFIG), levels="mfcc;zcr;pitch;lld_de", shortest=SHORTEST)


def version() -> str:
    """Name the engines, the configuration and the use of them."""
    text = CONFIG.read_text(encoding="utf-8")
    return version_of(ENGINES, f"{text}/{RECIPE.levels}/{SHORTEST}/{RATE}/{SEMANTICS}")


SET = FeatureSet(
    name="lld35",
    about="Shirian and Guha, without their metadata flag",
    names=partial(opensmile_engine.names, RECIPE),
    extract=partial(opensmile_engine.extract, RECIPE),
    version=version,
)
