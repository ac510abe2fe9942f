"""`lld78`: emobase's 26 low-level descriptors, their deltas and delta-deltas, every 10 ms.

The paper names "78-dimensional LLDs" and no more; 26 x {static, delta, delta-delta} is the
likeliest reading (its authors' laboratory calls them "Emobase LLDs").
openSMILE computes all three itself (`lld78.conf`); columns 0..51 are bit for bit what the
stock emobase gives. Frames are 25 ms (40 ms for pitch) every 10 ms: S samples give
(S - 640) // 160 + 2 of them.

At both ends openSMILE repeats the outermost frame before it takes a delta, and its first
regression writes two more rows after the last frame. The second reads them: delta-deltas are
exactly the regression of that longer row of deltas, cut to the length of the statics.
"""

from functools import partial
from pathlib import Path

from features.descriptors import opensmile_engine
from features.descriptors.feature_set import FeatureSet, version_of
from features.descriptors.opensmile_engine import ENGINES, RATE, Recipe

SHORTEST = 800
"""Samples at 16 kHz (50 ms); a shorter signal is padded to this length with zeros, which makes
three frames. openSMILE gives nothing for fewer than 640."""

SEMANTICS = 1
"""A number in the set's version; raised by hand when our code around openSMILE changes values."""

CONFIG = Path(__file__).resolve().with_name("lld78.conf")
LEVELS = "lld;lld_de;lld_de_de"

_STATIC = (
    "pcm_intensity_sma",
    "pcm_loudness_sma",
    *(f"mfcc_sma[{n}]" for n in range(1, 13)),
    *(f"lspFreq_sma[{n}]" for n in range(8)),
    "pcm_zcr_sma",
    "voiceProb_sma",
    "F0_sma",
    "F0env_sma",
)


def _delta(name: str, order: str) -> str:
    """Insert ``order`` (``_de``, ``_de_de``) into a column's name, before the index."""
    base, bracket, index = name.partition("[")
    return base + order + bracket + index


NAMES = tuple(_delta(name, order) for order in ("", "_de", "_de_de") for name in _STATIC)
"""Names of the 78 columns, as openSMILE names them: statics, deltas, delta-deltas."""


def names() -> tuple[str, ...]:
    """List the names of the 78 columns without starting openSMILE."""
    return NAMES


def version() -> str:
    """Return the extractor's version: package versions and a digest of all settings."""
    rules = f"{CONFIG.read_text(encoding='utf-8')}/{LEVELS}/{SHORTEST}/{RATE}/{SEMANTICS}"
    return version_of(ENGINES, rules)


RECIPE = Recipe(
    config=str(CONFIG),
    levels=LEVELS,
    shortest=SHORTEST,
    includes=(("emobase", "emobase/emobase.conf"),),
)

SET = FeatureSet(
    name="lld78",
    about="emobase: 26 descriptors, deltas and delta-deltas",
    names=names,
    extract=partial(opensmile_engine.extract, RECIPE),
    version=version,
)
