"""The corpus `demo`: synthesised speech, made on first use, so that nothing has to be downloaded.

Source: espeak-ng 1.52 through the `espeakng-loader` package (extra `demo`); the sentences and the
prosody are our own. Ten speakers (five male, five female voice variants that differ in formants,
base pitch and rate), four emotions, four short sentences: 160 utterances of at most 1.2 s.

An emotion is a shift of pitch, pitch range, rate and loudness against the speaker's own, and
every utterance wanders around that shift by a seeded jitter, so neighbouring emotions overlap:
learnable, not trivial (R0, profile quick, one seed: 0.74 UA; eGeMAPS functionals and RBF SVM:
0.83). It is a test signal, never evidence about emotion in speech.

`read` neither loads the library nor writes: an utterance's digest is that of its recipe and of
espeak-ng's version, which is enough to plan. `prepare` synthesises the files that are missing.
"""

import functools
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from features.corpora.corpus import Corpus, OnProgress, Utterance, no_progress
from features.errors import MissingError

ABOUT = "160 utterances, ten espeak-ng voices, four emotions by prosody"
LICENSE = "synthesised by espeak-ng (GPL-3.0, not part of this package); the speech itself is free"
SOURCE = 'https://pypi.org/project/espeakng-loader/ (pip install "ablate-ser[demo]")'
LAYOUT = "<speaker>/<speaker>-<emotion>-<sentence>-<digest>.wav, written on first use"

PACKAGE = "espeakng-loader"
"""The package whose version enters the digest of every utterance."""
MOST_MS = 1200
"""Most milliseconds of an utterance: 1200 ms fill one graph of 120 nodes of 10 ms."""

SENTENCES = ("Sit down with me.", "Look at my hand.", "It is late now.", "We go home again.")

SPEAKERS = {
    # speaker: (voice variant, pitch 0..100, range 0..100, words a minute, volume 0..200)
    "female-1": ("en+f1", 50, 38, 174, 71),
    "female-2": ("en+f2", 55, 34, 184, 70),
    "female-3": ("en+f3", 46, 43, 168, 76),
    "female-4": ("en+f4", 53, 40, 178, 68),
    "female-5": ("en+f5", 48, 36, 188, 74),
    "male-1": ("en+m1", 50, 36, 176, 74),
    "male-2": ("en+m2", 45, 41, 170, 70),
    "male-3": ("en+m3", 54, 38, 186, 71),
    "male-4": ("en+m4", 47, 34, 166, 76),
    "male-5": ("en+m7", 52, 43, 180, 68),
}

EMOTIONS = {
    # emotion: shifts in (pitch, range, words a minute, volume)
    "angry": (2, 14, 44, 52),
    "happy": (38, 44, 16, 3),
    "neutral": (0, 0, 0, 0),
    "sad": (-20, -24, -34, -29),
}

JITTER = (4, 6, 8, 5)
"""Standard deviation of an utterance's (pitch, range, words a minute, volume) around its emotion's
shift, in espeak-ng's units."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UtteranceRecipe:
    """Settings from which espeak-ng synthesises one utterance.

    The digest of the recipe stands for that of the audio.
    """

    voice: str
    """espeak-ng's voice, such as ``en+f1``."""
    pitch: int
    """Base pitch, 0 to 99."""
    range: int
    """Pitch range, 0 to 99."""
    rate: int
    """Words a minute, 90 to 300."""
    volume: int
    """Loudness, 30 to 180; espeak-ng's normal is 100."""
    text: str
    """The sentence to speak."""
    seed: int
    """Seed of espeak-ng's random numbers."""
    most_ms: int
    """Milliseconds after which the speech is cut."""


def _deviation(*words: str) -> float:
    """Derive a pseudo-random number of mean 0 and deviation 1 from the hash of ``words``.

    It is the sum of three uniform numbers in [-1, 1), so within -3 and 3.
    """
    digest = hashlib.sha256("/".join(words).encode()).digest()
    uniform = [int.from_bytes(digest[8 * i : 8 * i + 8], "big") / 2**63 - 1 for i in range(3)]
    return sum(uniform)


def _recipe(utterance: str, speaker: str, emotion: str, text: str) -> UtteranceRecipe:
    """Make the recipe of an utterance: the speaker's prosody, the emotion's shift, a seeded jitter.

    Args:
        utterance: id of the utterance, which seeds jitter and synthesiser.
        speaker: a key of ``SPEAKERS``.
        emotion: a key of ``EMOTIONS``.
        text: the sentence to speak.
    """
    voice, *own = SPEAKERS[speaker]
    pitch, spread, rate, volume = (
        round(base + shift + jitter * _deviation(utterance, name))
        for base, shift, jitter, name in zip(
            own, EMOTIONS[emotion], JITTER, ("pitch", "range", "rate", "volume"), strict=True
        )
    )
    return UtteranceRecipe(
        voice=voice,
        pitch=min(max(pitch, 0), 99),
        range=min(max(spread, 0), 99),
        rate=min(max(rate, 90), 300),
        volume=min(max(volume, 30), 180),
        text=text,
        seed=int.from_bytes(hashlib.sha256(utterance.encode()).digest()[:3], "big"),
        most_ms=MOST_MS,
    )


def _version() -> str:
    """Return the installed version of ``PACKAGE``.

    Raises:
        MissingError: it is not installed.
    """
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        raise MissingError(
            f"Corpus `demo` needs the package `{PACKAGE}`, which is not installed: "
            'run `pip install "ablate-ser[demo]"`.'
        ) from None


def _utterances() -> Sequence[tuple[Utterance, UtteranceRecipe]]:
    """Return each of the 160 utterances with its recipe, by speaker, emotion and sentence.

    Raises:
        MissingError: `espeakng-loader` is not installed.
    """
    return _spoken_by(_version())


@functools.cache
def _spoken_by(version: str) -> Sequence[tuple[Utterance, UtteranceRecipe]]:
    """The utterances as a version of ``PACKAGE`` speaks them; a search asks hundreds of times."""
    found = []
    for speaker in SPEAKERS:
        for emotion in EMOTIONS:
            for number, text in enumerate(SENTENCES, start=1):
                name = f"{speaker}-{emotion}-{number}"
                recipe = _recipe(name, speaker, emotion, text)
                what = json.dumps([asdict(recipe), PACKAGE, version], sort_keys=True)
                digest = hashlib.sha256(what.encode()).hexdigest()
                utterance = Utterance(
                    id=name,
                    path=f"{speaker}/{name}-{digest[:12]}.wav",
                    speaker=speaker,
                    sex=speaker.split("-")[0],
                    session="",
                    emotion=emotion,
                    digest=digest,
                    size=0,
                    mtime_ns=0,
                )
                found.append((utterance, recipe))
    return tuple(found)


def read(
    root: Path,
    on_progress: OnProgress = no_progress,
    *,
    skip_bad: bool = False,
    mend_headers: bool = False,
) -> Corpus:
    """Describe the corpus from its recipes; its audio need not exist yet.

    Args:
        root: the folder that holds the audio, or will.
        on_progress: called once, with (160, 160).
        skip_bad: ignored: no recording is decoded.
        mend_headers: ignored, too.

    Raises:
        MissingError: `espeakng-loader` is not installed.
    """
    utterances = sorted((utterance for utterance, _ in _utterances()), key=lambda u: u.id)
    on_progress(len(utterances), len(utterances))
    return Corpus(
        name="demo",
        root=str(root),
        utterances=tuple(utterances),
        left_out=(),
        notes=("synthesised speech: a test signal, not evidence about emotion",),
    )


def prepare(
    root: Path, on_progress: OnProgress = no_progress, processes: int | None = None
) -> None:
    """Synthesise the utterances whose WAV file is missing (about 20 ms each).

    Safe to interrupt and to run twice at once: a file is whole or absent, and always the same.

    Args:
        root: the folder to write into.
        on_progress: called with (files there, files in all).
        processes: how many run at once; one a CPU if None.

    Raises:
        MissingError: the package is absent, or its library does not work here.
    """
    wanted = [
        asdict(recipe) | {"target": os.path.join(os.path.abspath(root), utterance.path)}
        for utterance, recipe in _utterances()
    ]
    missing = [recipe for recipe in wanted if not os.path.exists(recipe["target"])]
    if missing:
        _speak(missing, len(wanted), processes or os.cpu_count() or 1, on_progress)
    on_progress(len(wanted), len(wanted))


def sample(root: Path) -> Path:
    """Synthesise one utterance, to check that the synthesiser works on this machine.

    Args:
        root: the folder to write into.

    Returns:
        Path of the WAV file.

    Raises:
        MissingError: as `prepare`.
    """
    utterance, recipe = _utterances()[0]
    target = os.path.join(os.path.abspath(root), utterance.path)
    _speak([asdict(recipe) | {"target": target}], 1, 1, no_progress)
    return Path(target)


def _speak(
    recipes: list[dict[str, object]], total: int, processes: int, on_progress: OnProgress
) -> None:
    """Run `espeak.py` on the recipes, in a fresh interpreter (`espeak.py` says why).

    Args:
        recipes: recipes with the key ``target``, the absolute path of the WAV file.
        total: number of files in all, those that exist already included, for progress.
        processes: how many recipes are synthesised at once.
        on_progress: called with (files there, ``total``).

    Raises:
        MissingError: espeak-ng fails.
    """
    program = Path(__file__).resolve().with_name("espeak.py")
    # -P and the program's own folder as working directory: nothing of the caller's is importable.
    with subprocess.Popen(
        [sys.executable, "-P", str(program), str(processes)],
        cwd=program.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin and child.stdout and child.stderr
        with suppress(BrokenPipeError):  # it ended early; why stands in its complaint
            child.stdin.write(json.dumps(recipes))
            child.stdin.close()
        for done, _ in enumerate(child.stdout, start=total - len(recipes) + 1):
            on_progress(done, total)
        complaint = child.stderr.read().strip().splitlines()
    if child.returncode:
        reason = complaint[-1] if complaint else f"it ended with status {child.returncode}"
        raise MissingError(
            f"espeak-ng cannot speak corpus `demo`: {reason.rstrip('.')}; reinstall "
            f'it with `pip install --force-reinstall "{PACKAGE}"` or name another corpus.'
        )
