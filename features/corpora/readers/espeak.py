"""A program, run by `demo.py`, that synthesises WAV files from recipes with espeak-ng.

The only door to espeakng-loader.

    python -P espeak.py PROCESSES < recipes.json     # prints one line for each file written

espeak-ng keeps state between calls: the same sentence twice in one process gives two waveforms.
So every utterance is spoken by a fork of a process that has initialised the library and has
spoken nothing, after `espeak_ng_SetRandSeed`; the result then depends on the recipe alone,
whatever the order and the number of processes.
Forking is only safe where no other thread runs, and the caller may be full of threads (Ray,
torch), so this file is started as a fresh interpreter and imports nothing of this project.

Recipe: {"voice", "rate" (words a minute), "volume" (0..200), "pitch", "range" (0..100), "text",
"seed", "most_ms" (longer speech is cut), "target" (absolute path)}. WAV out: 16 bit, mono,
espeak-ng's own rate (22,050 Hz), silence at both ends removed.
"""

import array
import ctypes
import json
import os
import sys
import wave
from typing import Any

SYNCHRONOUS, CHARACTERS, UTF8 = 2, 1, 1
"""espeak-ng's constants AUDIO_OUTPUT_SYNCHRONOUS (no thread, no sound device), POS_CHARACTER and
espeakCHARS_UTF8."""

PARAMETERS = {"rate": 1, "volume": 2, "pitch": 3, "range": 4}
"""Key of a recipe -> number of espeak-ng's parameter (espeak_PARAMETER in speak_lib.h)."""

SILENCE = 150
"""16-bit samples below this magnitude (-47 dB of full scale) are cut away at both ends."""

SpokenRecipe = dict[str, Any]
"""A recipe as JSON, with the keys that the head of this file lists."""
Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


def load() -> tuple[ctypes.CDLL, int]:
    """Load and initialise espeak-ng; return the library and its sample rate in Hz."""
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_ng_SetRandSeed.argtypes = [ctypes.c_long]
    library.espeak_Synth.argtypes = [
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_uint,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.c_uint,
        ctypes.c_void_p,
        ctypes.c_void_p,
    ]
    data = espeakng_loader.get_data_path().encode()
    rate = int(library.espeak_Initialize(SYNCHRONOUS, 0, data, 0))
    if rate <= 0:
        raise SystemExit(f"espeak-ng cannot read its own data in {data.decode()}.")
    return library, rate


def speak(library: ctypes.CDLL, recipe: SpokenRecipe) -> "array.array[int]":
    """Synthesise a recipe in this process, once; return 16-bit samples at espeak-ng's rate."""
    samples = array.array("h")

    def collect(chunk: Any, count: int, _events: Any) -> int:
        if chunk and count:
            samples.extend(chunk[:count])
        return 0

    callback = Callback(collect)
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(recipe["voice"].encode()):
        raise SystemExit(f"espeak-ng has no voice {recipe['voice']}.")
    for name, number in PARAMETERS.items():
        library.espeak_SetParameter(number, int(recipe[name]), 0)
    library.espeak_ng_SetRandSeed(recipe["seed"])
    text = recipe["text"].encode()
    library.espeak_Synth(text, len(text) + 1, 0, CHARACTERS, 0, UTF8, None, None)
    library.espeak_Synchronize()
    return samples


def trim(samples: "array.array[int]", most: int) -> "array.array[int]":
    """Cut the silence at both ends, then cut to at most `most` samples."""
    loud = [i for i, sample in enumerate(samples) if abs(sample) >= SILENCE]
    return samples[loud[0] : loud[-1] + 1][:most] if loud else samples[:0]


def write(samples: "array.array[int]", rate: int, target: str) -> None:
    """Write a WAV file (16 bit, mono) so that it is either whole or absent.

    Args:
        samples: 16-bit samples.
        rate: samples a second (Hz).
        target: path of the file; its folder is made.
    """
    os.makedirs(os.path.dirname(target), exist_ok=True)
    temporary = f"{target}.{os.getpid()}.tmp"
    with open(temporary, "wb") as file:
        with wave.open(file, "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(rate)
            out.writeframes(samples.tobytes())
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, target)


def say(library: ctypes.CDLL, rate: int, recipe: SpokenRecipe) -> None:
    """Synthesise one recipe and write its WAV file, `recipe["target"]`.

    Raises:
        SystemExit: espeak-ng has no such voice, or gives silence.
    """
    samples = trim(speak(library, recipe), recipe["most_ms"] * rate // 1000)
    if not samples:
        raise SystemExit(f"espeak-ng was silent on {recipe['text']!r}.")
    write(samples, rate, recipe["target"])


def fork(library: ctypes.CDLL, rate: int, recipe: SpokenRecipe) -> None:
    """Start a child process that synthesises one recipe and exits; return in the parent at once."""
    if os.fork():
        return
    status = 1
    try:
        say(library, rate, recipe)
        status = 0
    except (OSError, SystemExit) as error:
        sys.stderr.write(f"{error}\n")
        sys.stderr.flush()
    finally:
        os._exit(status)  # no clean-up twice: the parent's exit handlers are not ours


def main() -> int:
    """Synthesise the recipes on standard input, `PROCESSES` (first argument) at a time.

    Returns:
        Exit code: 0, or 1 if a recipe failed.
    """
    most = int(sys.argv[1])
    recipes: list[SpokenRecipe] = json.load(sys.stdin)
    library, rate = load()
    running = failed = 0
    while recipes or running:
        if recipes and running < most and not failed:
            fork(library, rate, recipes.pop())
            running += 1
            continue
        if not running:
            break
        _, status = os.wait()
        running -= 1
        failed += bool(status)
        print("done", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
