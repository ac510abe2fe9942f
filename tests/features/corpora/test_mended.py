"""Recordings whose headers say 0 samples: refused, or read from behind the header on demand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.config import FeatureConfig
from features.corpora import catalogue
from features.corpora.corpus import Corpus
from features.corpora.inspection import inspect
from features.corpora.notes import report_notes
from features.errors import CorpusError
from features.shards import shards
from features.shards.shard_file import open_shard

NEVER_CLOSED = "ann-sad-0.wav"


@pytest.fixture
def folder(write_wav: Any, make: Any, tmp_path: Path) -> Path:
    """Two speakers with two labels each; the recorder of one file never wrote its length."""
    rows = ["file,speaker,emotion"]
    for number, name in enumerate(("ann-sad-0", "ann-angry-0", "bob-sad-0", "bob-angry-0")):
        write_wav(tmp_path / f"{name}.wav", make.tone(0.5, 16_000, 200 + 30 * number))
        rows.append(f"{name}.wav,{name.split('-')[0]},{name.split('-')[1]}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    data = bytearray((tmp_path / NEVER_CLOSED).read_bytes())
    data[4:8] = data[40:44] = bytes(4)
    (tmp_path / NEVER_CLOSED).write_bytes(data)
    return tmp_path


def read(folder: Path, **options: bool) -> Corpus:
    return catalogue.read("table", folder / "labels.csv", own_name="mine", **options)  # type: ignore[arg-type]


def test_a_header_that_says_nothing_is_refused_with_the_option_that_reads_on(folder: Path) -> None:
    with pytest.raises(CorpusError, match="its header says 0 samples, but 0.50 s .*--mend-headers"):
        read(folder)
    assert len(read(folder, skip_bad=True).utterances) == 3


def test_a_mended_recording_is_kept_as_one_and_every_report_says_so(folder: Path) -> None:
    corpus = read(folder, mend_headers=True)
    assert [u.path for u in corpus.utterances if u.mended] == [NEVER_CLOSED]
    assert corpus.mending == (
        "Corpus `mine` has 1 file of which the header says 0 samples, read to the end all the "
        f"same (`--mend-headers`): {NEVER_CLOSED}."
    )
    assert corpus.registration_command.endswith("--name mine --mend-headers")
    emotions = {"angry": ("angry",), "sad": ("sad",)}
    assert corpus.mending in report_notes(corpus.select(emotions), emotions)
    assert Corpus.from_json(json.loads(json.dumps(corpus.to_json()))) == corpus


def test_a_mended_recording_is_checked_again_as_one(folder: Path) -> None:
    inspected = inspect(read(folder, mend_headers=True))
    assert (inspected.usable, inspected.bad, inspected.longest) == (4, (), 0.5)


def test_a_registration_from_before_reads_as_one_without_mended_recordings(folder: Path) -> None:
    record = json.loads(json.dumps(read(folder, skip_bad=True).to_json()))
    for row in record["utterances"]:
        del row["mended"]
    corpus = Corpus.from_json(record)
    assert corpus.mending == "" and not any(u.mended for u in corpus.utterances)


def test_a_mended_recording_gives_the_features_of_the_whole_one(
    folder: Path, write_wav: Any, make: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    config = FeatureConfig(features="logmel128")
    emotions = {"angry": ("angry",), "sad": ("sad",)}

    def values(corpus: Corpus) -> Any:
        out = tmp_path_factory.mktemp("shards")
        selection = corpus.select(emotions)
        shards.build(out, selection, config)
        return open_shard(out, shards.keys(selection, config)["ann"]).values(NEVER_CLOSED)

    mended = values(read(folder, mend_headers=True))
    write_wav(folder / NEVER_CLOSED, make.tone(0.5, 16_000, 200))
    assert len(mended) > 40 and np.array_equal(mended, values(read(folder)))
