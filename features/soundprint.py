"""The sound of a recording in a few numbers, by which two recordings are compared.

Two recordings with the same samples get the same digest, whatever their containers. Copies at
another sample rate or through a lossy codec get nearly the same envelope. Light to import.
"""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ENVELOPE_RATE = 8_000
"""Samples a second (Hz) of the signal that the envelope is taken of, so that copies at any rate
from that of a telephone on have the same one."""
STEP = ENVELOPE_RATE // 40
"""Samples (25 ms) from one value of the envelope to the next."""
WINDOW_STEPS = 4
"""Steps (100 ms) that one value of the envelope covers."""
MOST_S = 13
"""Seconds of a recording that its envelope covers, so that those of a corpus fit into memory."""
MOST_VALUES = MOST_S * ENVELOPE_RATE // STEP
"""Values of an envelope that are kept."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Soundprint:
    """The digest, duration and envelope of a recording, or of a part of one."""

    samples: str
    """sha256, as hexadecimal digits, over the sample rate and the samples of all channels' mean."""
    seconds: float
    """Duration in seconds."""
    envelope_V: "NDArray[np.float32]"
    """Energy in windows of 100 ms, one every 25 ms. Shape: (V,); empty below 100 ms."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeardRecording:
    """How the recording of an utterance sounds, to be compared with others of its corpus."""

    sound: Soundprint
    """Digest of its samples, duration and envelope."""
    file: str
    """sha256 of its file, as 64 hexadecimal digits, also where the utterance is a part of it."""


class SoundprintBuilder:
    """Makes the soundprint of a recording that comes block by block.

    Args:
        rate: samples a second (Hz) of the recording.
    """

    def __init__(self, rate: int) -> None:
        import numpy as np

        self._rate, self._frames = rate, 0
        self._digest = hashlib.sha256(f"{rate}:".encode())
        self._rest = np.zeros(0, np.float32)
        self._sums: list[NDArray[np.float64]] = []
        self._steps = 0

    def add(self, mono_N: "NDArray[np.float32]", low_M: "NDArray[np.float32]") -> None:
        """Add the next block.

        Args:
            mono_N: the mean of the channels.
            low_M: the same signal at ``ENVELOPE_RATE``; blocks may lag behind those of ``mono_N``.
        """
        import numpy as np

        self._frames += len(mono_N)
        self._digest.update((mono_N + np.float32(0)).tobytes())  # of -0.0 and 0.0, one zero
        if self._steps >= MOST_VALUES + WINDOW_STEPS:
            return
        signal_M = np.concatenate([self._rest, low_M])
        whole = len(signal_M) // STEP * STEP
        steps_SN = signal_M[:whole].reshape(-1, STEP).astype(np.float64)
        self._sums.append(np.stack([steps_SN.sum(1), (steps_SN**2).sum(1)]))
        self._steps += len(steps_SN)
        self._rest = signal_M[whole:]

    def build(self) -> Soundprint:
        """Make the soundprint of all blocks."""
        import numpy as np

        sums_2S = np.concatenate([np.zeros((2, 1)), *self._sums], axis=1).cumsum(axis=1)
        windows_2V = sums_2S[:, WINDOW_STEPS:] - sums_2S[:, :-WINDOW_STEPS]
        mean_V, square_V = windows_2V[:, :MOST_VALUES] / (WINDOW_STEPS * STEP)
        highest = np.finfo(np.float32).max  # broken files of floats go beyond
        return Soundprint(
            samples=self._digest.hexdigest(),
            seconds=self._frames / self._rate,
            envelope_V=np.clip(square_V - mean_V**2, 0, highest).astype(np.float32),
        )
