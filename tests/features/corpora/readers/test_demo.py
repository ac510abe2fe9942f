import hashlib
import importlib.metadata
import json
import random
import re
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from features.corpora.corpus import Corpus
from features.corpora.readers import demo as recipe
from features.corpora.readers.demo import EMOTIONS, PACKAGE, SPEAKERS, prepare, read
from features.errors import MissingError


def sounds(corpus: Corpus) -> dict[str, bytes]:
    return {u.id: (Path(corpus.root) / u.path).read_bytes() for u in corpus.utterances}


def test_ten_speakers_say_four_sentences_in_four_emotions(demo: Corpus) -> None:
    assert len(demo.utterances) == 160
    assert demo.emotions() == dict.fromkeys(EMOTIONS, 40)
    assert {u.speaker: u.sex for u in demo.utterances} == {s: s[:-2] for s in SPEAKERS}


def test_reading_writes_nothing(tmp_path: Path) -> None:
    read(tmp_path / "none")
    assert not list(tmp_path.iterdir())


def test_reading_loads_neither_the_library_nor_numpy() -> None:
    code = (
        "import sys; from pathlib import Path; from features.corpora.readers import demo; "
        "demo.read(Path('none')); print('espeakng_loader' in sys.modules, 'numpy' in sys.modules)"
    )
    root = Path(recipe.__file__).resolve().parents[3]
    out = subprocess.check_output([sys.executable, "-c", code], cwd=root, text=True)
    assert out == "False False\n"


def test_no_two_utterances_sound_the_same(demo: Corpus) -> None:
    assert len(set(sounds(demo).values())) == 160


def test_utterances_are_sixteen_bit_mono_and_fit_one_graph(demo: Corpus) -> None:
    seconds = []
    for utterance in demo.utterances:
        with wave.open(str(Path(demo.root) / utterance.path)) as file:
            assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
            seconds.append(file.getnframes() / file.getframerate())
    assert max(seconds) <= 1.2
    assert min(seconds) >= 0.3
    assert sum(seconds) / len(seconds) <= 1.0


def test_any_order_and_number_of_processes_gives_the_same_bits(
    demo: Corpus, tmp_path: Path
) -> None:
    chosen = random.Random(3).sample(demo.utterances, 40)
    whole = read(tmp_path)
    for utterance in set(whole.utterances) - set(chosen):
        path = tmp_path / utterance.path
        path.parent.mkdir(exist_ok=True)
        path.touch()
    prepare(tmp_path, processes=1)
    again = {u.id: (tmp_path / u.path).read_bytes() for u in chosen}
    assert again == {name: sound for name, sound in sounds(demo).items() if name in again}


def test_what_is_there_is_not_spoken_again(demo: Corpus) -> None:
    before = {p: p.stat().st_mtime_ns for p in Path(demo.root).rglob("*.wav")}
    lost = next(iter(before))
    lost.unlink()
    told: list[tuple[int, int]] = []
    prepare(Path(demo.root), lambda done, total: told.append((done, total)))
    after = {p: p.stat().st_mtime_ns for p in Path(demo.root).rglob("*.wav")}
    assert {p for p in before if before[p] != after[p]} == {lost}
    assert told[-1] == (160, 160)


def test_nothing_is_left_beside_the_audio(demo: Corpus) -> None:
    found = {p.relative_to(demo.root).as_posix() for p in Path(demo.root).rglob("*.*")}
    assert found == {u.path for u in demo.utterances}


def test_a_hostile_folder_and_path_do_not_reach_the_synthesiser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json", "wave", "ctypes", "features"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed')")
    monkeypatch.chdir(tmp_path)
    corpus = read(tmp_path / "out")
    for utterance in corpus.utterances[1:]:
        path = Path(corpus.root) / utterance.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    prepare(tmp_path / "out")
    assert (Path(corpus.root) / corpus.utterances[0].path).stat().st_size > 1000


def test_the_synthesisers_version_enters_every_digest(
    demo: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: f"another {name}")
    other = read(Path(demo.root))
    assert not {u.digest for u in other.utterances} & {u.digest for u in demo.utterances}
    assert not {u.path for u in other.utterances} & {u.path for u in demo.utterances}


def test_without_the_package_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe, "PACKAGE", "no-such-package")
    expected = (
        "Corpus `demo` needs the package `no-such-package`, which is not installed: "
        'run `pip install "ablate-ser[demo]"`.'
    )
    with pytest.raises(MissingError, match=f"^{re.escape(expected)}$"):
        read(tmp_path)


def test_a_voice_that_is_not_there_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(recipe.SPEAKERS, "male-1", ("xx+none", 50, 50, 170, 90))
    monkeypatch.setattr(recipe, "_spoken_by", recipe._spoken_by.__wrapped__)
    expected = (
        "espeak-ng cannot speak corpus `demo`: espeak-ng has no voice xx+none; reinstall it with "
        f'`pip install --force-reinstall "{PACKAGE}"` or name another corpus.'
    )
    with pytest.raises(MissingError, match=f"^{re.escape(expected)}$"):
        prepare(tmp_path)


def test_recipes_are_a_fixed_string() -> None:
    """Changing a recipe changes every result on `demo`: do that knowingly."""
    recipes = [recipe.asdict(r) for _, r in recipe._utterances()]  # type: ignore[attr-defined]
    text = json.dumps(recipes, sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "8e055c02e58fee32"
