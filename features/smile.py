"""openSMILE, fed with samples. The only door to opensmile; light to import.

openSMILE takes 16-bit integers: samples outside of them are clipped here (its Python package
would let +1.0 wrap round to -1.0). It gives nothing for a signal shorter than its longest frame,
so a recipe says up to where short signals are followed by zeros.
"""

import atexit
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.config import FRAME_STEP_MS
from features.errors import CorpusError, MissingError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RATE = 16_000
"""Sample rate in Hz of every signal."""

ENGINES = ("opensmile", "soxr")
"""Packages whose versions the numbers depend on: the descriptors, and the resampling before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """A configuration and what is read from it."""

    config: str
    """Path of the file; or, with `written`, its text."""
    levels: str
    """openSMILE's data levels, joined by `;`, in the order of the columns."""
    shortest: int
    """Samples that a shorter signal is padded to."""
    packaged: bool = False
    """Whether `config` is relative to the configurations that openSMILE comes with."""
    written: bool = False
    """Whether `config` is a text of somebody's own, run from a private copy."""
    includes: tuple[tuple[str, str], ...] = ()
    """(option, packaged configuration) that the file includes."""


def names(recipe: Recipe) -> tuple[str, ...]:
    """The columns, named as openSMILE names them.

    Raises:
        CorpusError: openSMILE refuses a text of somebody's own.
        MissingError: openSMILE refuses one of ours.
    """
    return tuple(_smile(recipe).feature_names)


def extract(recipe: Recipe, signal: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Compute the descriptors of a mono signal at 16 kHz.

    Shape: (samples,) -> (T, F), float32; T = 1 where the recipe reads functionals.

    Raises:
        ValueError: the signal is not one-dimensional.
        CorpusError, MissingError: as `names`.
    """
    import numpy as np

    if signal.ndim != 1:
        raise ValueError(f"`signal` must have shape (samples,), but has {signal.shape} instead.")
    clipped = np.clip(signal, -1.0, 32767 / 32768)
    padded = np.pad(clipped, (0, max(0, recipe.shortest - len(clipped))))
    frames_FT = _smile(recipe)(padded, RATE)[0]
    return np.ascontiguousarray(frames_FT.T, dtype=np.float32)


@cache
def _smile(recipe: Recipe) -> Any:
    """One extractor a recipe and process."""
    import opensmile

    shipped = Path(opensmile.__file__).parent / "core" / "config"
    if recipe.written:
        return _probed(_start(_private_copy(recipe.config), recipe, shipped))
    file = shipped / recipe.config if recipe.packaged else Path(recipe.config)
    return _start(file, recipe, shipped)


def _start(file: Path, recipe: Recipe, shipped: Path) -> Any:
    import opensmile

    try:
        return opensmile.Smile(
            feature_set=str(file),
            feature_level=recipe.levels,
            options={option: str(shipped / include) for option, include in recipe.includes},
            sampling_rate=RATE,
            loglevel=0,
        )
    except (opensmile.core.lib.OpenSmileException, OSError) as error:
        if recipe.written:
            raise CorpusError(
                f"`features` must name a configuration that openSMILE accepts, but openSMILE says "
                f"`{error}` instead: try it with `SMILExtract -C`."
            ) from error
        raise MissingError(
            f"The installed opensmile does not run `{recipe.config}` ({error}): install the "
            "version named in constraints.txt."
        ) from error


def _private_copy(text: str) -> Path:
    """The text in a folder that nobody else may write: openSMILE reads it for every signal."""
    folder = Path(tempfile.mkdtemp(prefix="ablate-smile-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "checked.conf"
    path.write_text(text, encoding="ascii")
    return path


def _probed(smile: Any) -> Any:
    """The extractor, if a second of silence gives a frame every ten milliseconds."""
    import numpy as np

    starts, _, frames_TF = smile.process(np.zeros(RATE, np.float32), RATE)
    steps = np.diff(starts.total_seconds()) * 1000
    # openSMILE's clock starts late in some sets: the median is the step.
    if len(frames_TF) < 2 or abs(float(np.median(steps)) - FRAME_STEP_MS) > 1e-3:
        found = f"{np.median(steps):g} ms" if len(steps) else "one frame a second"
        raise CorpusError(
            f"`features` must give a frame every {FRAME_STEP_MS} ms, but its configuration gives "
            f"{found} instead: set `frameStep = 0.010`, and read no functionals."
        )
    return smile
