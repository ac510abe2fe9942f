"""Computing descriptors with openSMILE from samples. The only door to opensmile; light to import.

The C library is called directly: it computes without Python's lock, so threads run side by side,
and each thread resets one instance between signals, which spares reading the configuration for each
(a third of the time of a short utterance). The Python package around it, `opensmile.Smile`, gives
the same bits slower: it starts an instance for each signal and wraps each frame.

openSMILE takes 16-bit integers: samples beyond full scale are clipped here (its Python package
would let +1.0 wrap round to -1.0). It gives nothing for a signal shorter than its longest frame,
so `Recipe.shortest` says up to which length a short signal is padded with zeros.
"""

import atexit
import ctypes
import shutil
import tempfile
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.config import FRAME_STEP_MS
from features.errors import CorpusError, MissingError

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np
    from numpy.typing import NDArray

RATE = 16_000
"""Sample rate in Hz of every signal."""

ENGINES = ("opensmile", "soxr")
"""Packages whose versions the numbers depend on: openSMILE computes the descriptors, soxr resamples
before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How to run openSMILE for one descriptor set: a configuration, and which outputs to read."""

    config: str
    """Path of the configuration file; or, with `written`, the text of a configuration."""
    levels: str
    """openSMILE data levels whose columns are read, joined by `;` in the order of the columns, such
    as ``lld;lld_de``."""
    shortest: int
    """Samples at 16 kHz; a shorter signal is padded to this length with zeros."""
    packaged: bool = False
    """Whether `config` is relative to the folder of configurations inside the opensmile package."""
    written: bool = False
    """Whether `config` is the text of a user's own configuration, which is run from a private
    copy."""
    includes: tuple[tuple[str, str], ...] = ()
    """(openSMILE option, path below the package's folder) of each packaged configuration that the
    file includes."""


def names(recipe: Recipe) -> tuple[str, ...]:
    """List the names of the recipe's F columns, as openSMILE names them. Starts openSMILE.

    Raises:
        CorpusError: openSMILE refuses a user's own configuration.
        MissingError: the installed openSMILE refuses a configuration of ours.
    """
    return tuple(_smile(recipe).feature_names)


def extract(recipe: Recipe, signal: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Compute the descriptors of a mono signal.

    Args:
        recipe: configuration and levels.
        signal: samples at 16 kHz, (samples,), full scale [-1, 1).

    Returns:
        Frames, (T, F), float32; T = 1 where the recipe reads functionals.

    Raises:
        ValueError: the signal is not one-dimensional.
        CorpusError, MissingError: as `names`.
    """
    import numpy as np

    if signal.ndim != 1:
        raise ValueError(f"`signal` must have shape (samples,), but has {signal.shape} instead.")
    clipped = np.clip(signal, -1.0, 32767 / 32768)
    padded = np.pad(clipped, (0, max(0, recipe.shortest - len(clipped))))
    samples = (padded * 32768).astype(np.int16).tobytes()
    if threading.current_thread() is threading.main_thread():
        # Python hears signals in the main thread, and so in the midst of openSMILE's calls back:
        # there an interrupt was swallowed and a frame lost (5,997 of 5,998). Elsewhere it is not.
        frames_TF = _beside().submit(_run, recipe, samples).result()
    else:
        frames_TF = _run(recipe, samples)
    return frames_TF


@cache
def _beside() -> "ThreadPoolExecutor":
    """Return the one thread that runs openSMILE in place of the main thread: a signal ends no call.

    It is made on first use.
    """
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(1, "openSMILE")


def _run(recipe: Recipe, samples: bytes) -> "NDArray[np.float32]":
    """Compute the frames, ``(T, F)``, of 16-bit samples by this thread's library instance."""
    # Taken out while it runs: one that failed is not used again.
    instance = _of_thread.instances.pop(recipe, None) or _Instance(recipe)
    frames_TF = instance.run(samples)
    _of_thread.instances[recipe] = instance
    return frames_TF


class _Instance:
    """An instance of the C library, configured for one recipe, that computes signal after signal.

    It is reset between signals; after a reset it gives the bits of a new instance.
    """

    def __init__(self, recipe: Recipe) -> None:
        from opensmile.core.config import config
        from opensmile.core.lib import OpenSMILE

        smile = _smile(recipe)
        self._columns = len(smile.feature_names)
        self._config = config
        included = {
            "source": config.EXTERNAL_INPUT_CONFIG,
            "sink": config.EXTERNAL_OUTPUT_SINGLE_CONFIG,
            "bufferModeRbConf": "shared/BufferModeRb.conf.inc",
            "frameModeFunctionalsConf": "shared/FrameModeFunctionals.conf.inc",
        }
        options = {name: f"{smile.default_config_root}/{path}" for name, path in included.items()}
        options |= {"sampleRate": str(RATE), "nBits": "16", "sinkLevel": recipe.levels}
        self._fresh = True
        self._library = OpenSMILE()
        self._library.initialize(smile.config_path, {**options, **smile.options}, loglevel=0)

    def run(self, samples: bytes) -> "NDArray[np.float32]":
        """Compute the frames of a signal.

        Args:
            samples: 16-bit integers at 16 kHz, as bytes in the machine's order.

        Returns:
            Frames, ``(T, F)``, float32.
        """
        import numpy as np
        from opensmile.core.lib import ExternalSinkCallbackEx, smileapi

        if not self._fresh:
            self._library.reset()
        self._fresh = False
        rows: list[bytes] = []

        def keep(data: Any, frames: int, columns: int, meta: Any, parameter: Any) -> int:
            rows.append(ctypes.string_at(data, 4 * frames * columns))
            return 1

        # The package's own registration wraps each frame in an array, and keeps all callbacks.
        callback = ExternalSinkCallbackEx(keep)
        smileapi.smile_extsink_set_data_callback_ex(
            self._library._smileobj, self._config.EXTERNAL_OUTPUT_COMPONENT.encode(), callback, None
        )
        self._library.external_audio_source_write_data(
            self._config.EXTERNAL_SOURCE_COMPONENT, samples
        )
        self._library.external_audio_source_set_eoi(self._config.EXTERNAL_SOURCE_COMPONENT)
        self._library.run()
        return np.frombuffer(bytearray().join(rows), np.float32).reshape(-1, self._columns)

    def __del__(self) -> None:
        """Free the library's memory when the thread that owns the instance ends."""
        self._library.free()


class _OfThread(threading.local):
    """One library instance a recipe and thread: an instance runs one signal at a time."""

    def __init__(self) -> None:
        self.instances: dict[Recipe, _Instance] = {}


_of_thread = _OfThread()


@cache
def _smile(recipe: Recipe) -> Any:
    """Start openSMILE's Python package with a recipe, to learn the columns and refuse bad files.

    Returns:
        An `opensmile.Smile`, cached for the process.

    Raises:
        CorpusError: openSMILE refuses a user's own configuration, or its frames are not 10 ms
            apart.
        MissingError: the installed openSMILE refuses a configuration of ours.
    """
    import opensmile

    shipped = Path(opensmile.__file__).parent / "core" / "config"
    if recipe.written:
        return _probed(_start(_private_copy(recipe.config), recipe, shipped))
    file = shipped / recipe.config if recipe.packaged else Path(recipe.config)
    return _start(file, recipe, shipped)


def _start(file: Path, recipe: Recipe, shipped: Path) -> Any:
    """Start an `opensmile.Smile` with a configuration file.

    Args:
        file: the configuration file.
        recipe: levels to read, and packaged files to include.
        shipped: folder of the configurations inside the opensmile package.

    Raises:
        CorpusError: openSMILE refuses a user's own configuration.
        MissingError: the installed openSMILE refuses a configuration of ours.
    """
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
    """Write the checked text to a temporary folder that is deleted at exit, and return the file.

    openSMILE reads a file each time it starts an instance, and the user's own may change.
    """
    folder = Path(tempfile.mkdtemp(prefix="ablate-smile-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "checked.conf"
    path.write_text(text, encoding="ascii")
    return path


def _probed(smile: Any) -> Any:
    """Return ``smile`` if it gives a frame every 10 ms for one second of silence.

    Raises:
        CorpusError: it gives another number of frames.
    """
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
