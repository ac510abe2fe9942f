"""The class of a descriptor set, and the naming of extractor versions. Light to import."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from features.config import FRAME_STEP_MS
from features.errors import MissingError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Extract = Callable[["NDArray[np.float32]"], "NDArray[np.float32]"]
"""A function from mono speech at 16 kHz, (samples,), float32, to frames, (T, F), float32; T = 1 for
functionals."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureSet:
    """A descriptor set: its F columns and the function that computes them. It can be pickled."""

    name: str
    """The set's name in a study, such as ``lld78``; of a user's own, ``opensmile:DIGEST``."""
    about: str
    """A description in one line, which `ablate features list` prints."""
    names: Callable[[], tuple[str, ...]]
    """Returns the names of the F columns. May start an engine."""
    extract: Extract
    """Computes the frames of a signal."""
    version: Callable[[], str]
    """Returns the extractor's version: package versions and a digest of the settings, all that the
    numbers depend on but the audio. Light: starts no engine."""
    frame_step_ms: int | None = FRAME_STEP_MS
    """Milliseconds from frame to frame; None for functionals, which give one row an utterance."""
    first_ms: float = 12.5
    """Milliseconds from the start of the signal to the middle of the first frame's window: half of
    the window's length, 25 ms as a rule."""


def versions(*packages: str) -> list[str]:
    """Return `name-version`, such as ``soxr-1.1.0``, of each package, without importing them.

    Raises:
        MissingError: a package is not installed.
    """
    from importlib.metadata import PackageNotFoundError, version

    try:
        return [f"{name}-{version(name)}" for name in packages]
    except PackageNotFoundError as error:
        raise MissingError(
            f"Features need the package `{error.name}`, which is not installed: "
            "run `pip install ablate-ser`."
        ) from None


def version_of(packages: tuple[str, ...], rules: str) -> str:
    """Join packages' versions and a digest of how they are used to an extractor's version.

    Args:
        packages: names of the packages that compute the numbers.
        rules: every setting that the numbers depend on, as one text.

    Returns:
        Such as ``opensmile-2.6.0+soxr-1.1.0+`` and 12 hexadecimal digits.

    Raises:
        MissingError: a package is not installed.
    """
    return "+".join([*versions(*packages), hashlib.sha256(rules.encode()).hexdigest()[:12]])
