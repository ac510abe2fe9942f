"""A configuration of one's own: it gives its frames, and cannot reach outside."""

import re
from pathlib import Path

import numpy as np
import opensmile
import pytest
from numpy.typing import NDArray

from features.descriptors import opensmile_config
from features.errors import CorpusError

SHIPPED = Path(opensmile.__file__).parent / "core/config"
SOURCE, SINK = r"\{\cm[source{?}:source]}", r"\{\cm[sink{?}:sink]}"
TEXT = r"""
[componentInstances:cComponentManager]
instance[dataMemory].type=cDataMemory
instance[fr].type=cFramer
instance[zcr].type=cMZcr
; a comment
{source}
[fr:cFramer]
reader.dmLevel=wave
writer.dmLevel=frames
frameSize=0.025
frameStep={step}
frameCenterSpecial=left
{more}
[zcr:cMZcr]
reader.dmLevel=frames
writer.dmLevel={level}
{sink}
"""


def text(**parts: str) -> str:
    values = {"source": SOURCE, "sink": SINK, "step": "0.010", "level": "lld", "more": ""} | parts
    return re.sub(r"\{(\w+)\}", lambda m: values.get(m[1], m[0]), TEXT)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "own.conf"
    path.write_text(text())
    return path


def noise(samples: int = 9_000) -> NDArray[np.float32]:
    return (0.1 * np.random.default_rng(0).standard_normal(samples)).astype(np.float32)


@pytest.mark.parametrize(
    "name",
    ["emobase/emobase", "is09-13/IS09_emotion", "compare/ComParE_2016", "egemaps/v02/eGeMAPSv02"],
)
def test_openSMILEs_own_configurations_give_what_openSMILE_gives(name: str) -> None:
    path = SHIPPED / f"{name}.conf"
    stock = opensmile.Smile(str(path), "lld", sampling_rate=16_000)(noise(), 16_000)[0].T
    own = opensmile_config.read(path)
    frames = own.extract(noise())
    assert len(own.names()) == frames.shape[1]
    assert np.array_equal(frames[:, : stock.shape[1]], stock.astype(np.float32)[: len(frames)])


def test_its_name_and_version_follow_the_content_and_not_the_place(
    config: Path, tmp_path: Path
) -> None:
    one = opensmile_config.read(config)
    elsewhere = tmp_path / "other.conf"
    elsewhere.write_text("// said otherwise\n" + text())
    assert opensmile_config.read(elsewhere).name == one.name
    assert opensmile_config.read(elsewhere).version() == one.version()
    elsewhere.write_text(text().replace("0.025", "0.030"))
    changed = opensmile_config.read(elsewhere)
    assert changed.name != one.name and changed.version() != one.version()


def test_an_include_enters_the_digest_and_may_take_options(config: Path, tmp_path: Path) -> None:
    config.write_text(text(more=r"\{\cm[part{part.inc}:a part]}"))
    part = tmp_path / "part.inc"
    part.write_text("frameMode = \\cm[mode{fixed}:mode]\n")
    one = opensmile_config.read(config)
    assert np.isfinite(one.extract(noise())).all()
    part.write_text("frameMode = fixed\nnoPostEOIprocessing = 0\n")
    assert opensmile_config.read(config).name != one.name


def test_what_was_checked_is_what_runs(config: Path) -> None:
    own = opensmile_config.read(config)
    before = own.extract(noise())
    config.write_text("nonsense")
    assert np.array_equal(own.extract(noise()), before)


SINK_HIDDEN = "instance[out].type=cCsvSink\n[out:cCsvSink]\nreader.dmLevel=lld\nfilename=/tmp/x"


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (SINK_HIDDEN, "`cCsvSink`"),
        ("instance[in].type=cWaveSource", "`cWaveSource`"),
        ("instance[x].type = cExternalMessageInterface", "`cExternalMessageInterface`"),
        ("instance[x].type=cDatadumpSink", "`cDatadumpSink`"),
        ("[mvn:cVectorMVN]\nsaveFile = /tmp/x", "`saveFile`"),
        ("filename=/tmp/x", "`filename`"),
        ("frameMode=\\cm[a{cHtkSink}:x]", "`cHtkSink`"),
        ("frameMode=\\cm[unknown]", "`unknown`"),
        ("frameMode=\\x", "`\\` is refused"),
        ("x \\{other.inc}", "`\\` is refused"),
        ("frameMode=\u00fc", "ASCII"),
        ("\\{absent.inc}", "absent.inc: cannot be read"),
        ("\\{own.conf}", "again and again"),
    ],
)
def test_what_reaches_outside_is_refused_and_named(config: Path, more: str, named: str) -> None:
    config.write_text(text(more=more), encoding="latin-1")
    with pytest.raises(CorpusError, match=re.escape(named)):
        opensmile_config.read(config)


def test_a_sink_in_an_include_is_refused_at_its_place(config: Path, tmp_path: Path) -> None:
    config.write_text(text(more=r"\{part.inc}"))
    (tmp_path / "part.inc").write_text(SINK_HIDDEN)
    with pytest.raises(CorpusError) as caught:
        opensmile_config.read(config)
    assert str(caught.value).splitlines()[0].startswith(f"{tmp_path}/part.inc:1: `cCsvSink` is ref")
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize("part", ["source", "sink"])
def test_our_source_and_sink_must_be_there(config: Path, part: str) -> None:
    config.write_text(text(**{part: ""}))
    with pytest.raises(CorpusError, match=f"must include .*{part}"):
        opensmile_config.read(config)


def test_another_frame_step_and_another_level_are_refused(config: Path) -> None:
    config.write_text(text(step="0.020"))
    with pytest.raises(CorpusError, match="a frame every 10 ms, but its configuration gives 20 ms"):
        opensmile_config.read(config).names()
    config.write_text(text(level="func"))
    with pytest.raises(CorpusError, match="a level `lld`, but .* writes `frames`, `func` instead"):
        opensmile_config.read(config)


def test_what_openSMILE_refuses_is_a_sentence(config: Path) -> None:
    config.write_text(text(more="nosuchkey = 1"))
    with pytest.raises(CorpusError, match="openSMILE accepts, but openSMILE says"):
        opensmile_config.read(config).names()
