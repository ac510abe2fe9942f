"""`lld78`: emobase's 26 low-level descriptors, their deltas and delta-deltas, every 10 ms.

The paper names "78-dimensional LLDs" and no more; 26 x {static, delta, delta-delta} is the
likeliest reading (its authors' laboratory calls them "Emobase LLDs").
openSMILE computes all three itself (`emobase_78.conf`); columns 0..51 are bit for bit what the
stock emobase gives. Frames are 25 ms (40 ms for pitch) every 10 ms: S samples give
(S - 640) // 160 + 2 of them.

At both ends openSMILE repeats the outermost frame before it takes a delta, and its first
regression writes two more rows after the last frame. The second reads them: delta-deltas are
exactly the regression of that longer row of deltas, cut to the length of the statics.

The only door to opensmile. Light to import: `extractor_version` is part of a plan.
"""

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.errors import MissingError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RATE = 16_000
"""Sample rate in Hz that `extract` expects."""

SHORTEST = 800
"""Samples (50 ms) of the shortest signal: a shorter one is followed by zeros up to here.
openSMILE gives nothing below 640; 800 give three frames."""

SEMANTICS = 1
"""Raised by hand when the code around openSMILE changes its numbers."""

CONFIG = Path(__file__).resolve().with_name("emobase_78.conf")
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
    base, bracket, index = name.partition("[")
    return base + order + bracket + index


NAMES = tuple(_delta(name, order) for order in ("", "_de", "_de_de") for name in _STATIC)
"""The 78 columns, named as openSMILE names them."""


@cache
def extractor_version() -> str:
    """Everything but the audio that the numbers depend on; does not import opensmile.

    Raises:
        MissingError: a package is not installed.
    """
    from importlib.metadata import PackageNotFoundError, version

    try:
        engines = [f"{name}-{version(name)}" for name in ("opensmile", "soxr")]
    except PackageNotFoundError as error:
        raise MissingError(
            f"Features need the package `{error.name}`, which is not installed: "
            "run `pip install ablate-ser`."
        ) from None
    rules = f"{CONFIG.read_text(encoding='utf-8')}/{LEVELS}/{SHORTEST}/{RATE}/{SEMANTICS}"
    return "+".join([*engines, hashlib.sha256(rules.encode()).hexdigest()[:12]])


def extract(signal: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Compute the descriptors of a mono signal at 16 kHz.

    openSMILE is fed 16-bit integers; samples outside of them are clipped
    (its Python package would let +1.0 wrap round to -1.0). Signals below 50 ms are zero-padded.

    Shape: (samples,) -> (T, 78), float32.

    Raises:
        ValueError: the signal is not one-dimensional.
    """
    import numpy as np

    if signal.ndim != 1:
        raise ValueError(f"`signal` must have shape (samples,), but has {signal.shape} instead.")
    clipped = np.clip(signal, -1.0, 32767 / 32768)
    padded = np.pad(clipped, (0, max(0, SHORTEST - len(clipped))))
    frames_FT = _smile()(padded, RATE)[0]
    return np.ascontiguousarray(frames_FT.T, dtype=np.float32)


@cache
def _smile() -> Any:
    """One extractor a process."""
    import opensmile

    packaged = Path(opensmile.__file__).parent / "core" / "config" / "emobase" / "emobase.conf"
    smile = opensmile.Smile(
        feature_set=str(CONFIG),
        feature_level=LEVELS,
        options={"emobase": str(packaged)},
        sampling_rate=RATE,
    )
    if tuple(smile.feature_names) != NAMES:
        raise MissingError(
            "The installed opensmile does not give emobase's 26 descriptors: "
            "install the version named in constraints.txt."
        )
    return smile
