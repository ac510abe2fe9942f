"""What a descriptor set is. Light: imports nothing heavy."""

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
"""Samples of mono speech at 16 kHz, shape (samples,) -> frames, shape (T, F), float32.
Functionals have T = 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureSet:
    """A descriptor set. It can be pickled, so that other processes extract with it."""

    name: str
    """Its name in a study."""
    about: str
    """What it is, in one line for a person."""
    names: Callable[[], tuple[str, ...]]
    """Names of the F columns. May start an engine."""
    extract: Extract
    """Computes the frames."""
    version: Callable[[], str]
    """Names everything but the audio that the numbers depend on. Light: starts no engine."""
    frame_step_ms: int | None = FRAME_STEP_MS
    """Milliseconds from frame to frame; None for functionals, one row an utterance."""
    first_ms: float = 12.5
    """Milliseconds from the start to the middle of the first frame's window: 25 ms as a rule."""


def versions(*packages: str) -> list[str]:
    """List installed packages as `name-version`, without importing them.

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
    """Write the versions of packages and a digest of how they are used as one string."""
    return "+".join([*versions(*packages), hashlib.sha256(rules.encode()).hexdigest()[:12]])
