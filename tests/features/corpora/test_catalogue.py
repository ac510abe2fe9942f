import inspect
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from features.corpora import catalogue
from features.corpora.corpus import Corpus
from features.corpora.readers import ravdess
from features.errors import CorpusError

ROOT = Path(catalogue.__file__).resolve().parents[2]


SHARED = {"scan", "espeak", "database"}
"""Files of `readers/` that serve readers, and are none."""
FILES = {p.stem for p in (ROOT / "features/corpora/readers").glob("[!_]*.py")}


@pytest.mark.parametrize("file", sorted(FILES - SHARED))
def test_each_file_is_a_corpus_of_the_catalogue(file: str) -> None:
    assert file in catalogue.READERS, f"readers/{file}.py must have its name in catalogue.READERS"


@pytest.mark.parametrize("name", catalogue.names())
def test_each_corpus_is_read_with_progress_and_may_skip_bad_files(name: str) -> None:
    wanted = inspect.signature(catalogue.Reader.read).parameters.values()
    given = inspect.signature(catalogue.reader(name).read).parameters
    for parameter in list(wanted)[1:]:
        assert given[parameter.name].kind == parameter.kind, parameter.name


def test_only_the_demo_is_synthesised() -> None:
    assert list(catalogue.SYNTHESISED) == ["demo"]


@pytest.mark.parametrize("name", catalogue.names())
def test_each_corpus_says_what_it_is_with_licence_source_and_layout(name: str) -> None:
    reader = catalogue.reader(name)
    for line in (reader.ABOUT, reader.LICENSE, reader.SOURCE, reader.LAYOUT):
        assert line and "\n" not in line
    assert reader.SOURCE.startswith("https://")


KNOWN = ", ".join(f"`{name}`" for name in sorted(catalogue.READERS))


def test_an_unknown_corpus_gets_a_suggestion() -> None:
    expected = f"`corpus` must be one of {KNOWN}, but is `ravdes` instead: did you mean `ravdess`?"
    with pytest.raises(CorpusError, match=f"^{re.escape(expected)}$"):
        catalogue.read("ravdes", Path())


def test_a_name_like_no_other_gets_the_list() -> None:
    expected = f"`corpus` must be one of {KNOWN}, but is `x` instead."
    with pytest.raises(CorpusError, match=f"^{re.escape(expected)}$"):
        catalogue.reader("x")


def test_recordings_need_no_preparation(write_wav: Any, tmp_path: Path) -> None:
    write_wav(tmp_path / "03-01-01-01-01-01-01.wav")
    catalogue.prepare(ravdess.read(tmp_path))


def test_importing_it_is_light() -> None:
    """What a plan pays for this room holds no numbers; how long it takes, `make bench` measures."""
    code = (
        "import sys; from features.corpora import catalogue, folds; "
        "from features.shards import shards; from features.descriptors import catalogue; "
        "print({'numpy', 'torch'} & sys.modules.keys())"
    )
    out = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True)
    assert out == "set()\n"


def test_a_synthesised_corpus_of_another_version_is_described_anew_and_not_spoken(
    demo: Corpus, tmp_path: Path
) -> None:
    first, *rest = demo.utterances
    stale = replace(demo, root=str(tmp_path), utterances=(replace(first, digest="old"), *rest))
    assert catalogue.refresh(stale).utterances == demo.utterances
    expected = (
        "Corpus `demo` was registered with another version of its synthesiser: "
        "register it again with `ablate corpus add demo`."
    )
    with pytest.raises(CorpusError, match=f"^{re.escape(expected)}$"):
        catalogue.prepare(stale)


def test_recordings_are_looked_at_again(write_wav: Any, tmp_path: Path) -> None:
    write_wav(tmp_path / "03-01-01-01-01-01-01.wav")
    corpus = ravdess.read(tmp_path)
    assert catalogue.refresh(corpus) == corpus
    (tmp_path / "03-01-01-01-01-01-01.wav").unlink()
    with pytest.raises(CorpusError, match=r"^1 of the 1 files of corpus `ravdess` are gone"):
        catalogue.refresh(corpus)
