"""Pictures decode, have their size, keep their text, and are the same bytes each time."""

import io
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from features.dataset.utterance_view import UtteranceView, view_utterance
from orchestrator.errors import RequestError
from orchestrator.report.figures.utterance import draw


def sound(path: Path, samples: NDArray[np.float64]) -> Path:
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, 16_000, 0, "NONE", ""))
        out.writeframes(np.round(samples * 32767).astype("<i2").tobytes())
    return path


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> UtteranceView:
    """Two seconds of a tone that rises, called as no file should be."""
    times = np.arange(32_000) / 16_000
    rising = 0.3 * np.sin(2 * np.pi * (120 + 40 * times) * times)
    path = sound(tmp_path_factory.mktemp("seen") / "a.wav", rising)
    return replace(view_utterance(path, "lld78"), name="$x_1$ & <b>", speaker="Ann", emotion="sad")


@pytest.fixture(scope="module")
def pictures(seen: UtteranceView, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with its picture in every form."""
    folder = tmp_path_factory.mktemp("pictures")
    for name in ("a.png", "a.SVG", "a.pdf"):
        draw(seen, folder / name)
    return folder


def test_a_png_decodes_and_has_its_size(pictures: Path) -> None:
    picture = Image.open(pictures / "a.png")
    picture.load()
    assert picture.format == "PNG" and picture.width == 1600 and 1200 < picture.height < 1500
    assert len(set(picture.convert("L").resize((60, 60)).tobytes())) > 50


def test_an_svg_keeps_its_text_as_text(pictures: Path) -> None:
    text = (pictures / "a.SVG").read_text()
    for word in (
        "$x_1$ &amp; &lt;b&gt;",
        "Ann",
        "sad",
        "2.00 s",
        "16,000 Hz, mono",
        "mfcc 12",
        "F0env",
        "time (s)",
        "graph 1: 120 nodes",
        "graph 2: 78 nodes",
    ):
        assert word in text, word


def test_a_pdf_embeds_its_letters(pictures: Path) -> None:
    blob = (pictures / "a.pdf").read_bytes()
    assert blob.startswith(b"%PDF") and b"/Type3" not in blob and b"CreationDate" not in blob


@pytest.mark.parametrize("name", ["a.png", "a.SVG", "a.pdf"])
def test_the_same_utterance_gives_the_same_bytes(
    seen: UtteranceView, pictures: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("what was here before")
    draw(seen, tmp_path / name)
    assert (tmp_path / name).read_bytes() == (pictures / name).read_bytes()


@pytest.mark.parametrize("features", ["is10", "lld35", "logmel128"])
def test_every_set_has_its_picture(tmp_path: Path, features: str) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(8_000)
    draw(view_utterance(sound(tmp_path / "a.wav", noise), features), tmp_path / "a.svg")
    assert features in (tmp_path / "a.svg").read_text()


@pytest.mark.parametrize("samples", [np.zeros(16_000), np.zeros(1), np.full(100, 0.9)])
def test_silence_and_less_than_a_frame_have_theirs(
    tmp_path: Path, samples: NDArray[np.float64]
) -> None:
    """Without a warning: no axis without length, no scale without range."""
    draw(view_utterance(sound(tmp_path / "a.wav", samples), "lld78"), tmp_path / "a.png")
    Image.open(io.BytesIO((tmp_path / "a.png").read_bytes())).load()


def test_a_name_in_any_script_is_no_warning(seen: UtteranceView, tmp_path: Path) -> None:
    draw(replace(seen, name="発話-1", speaker="\x1b[31mred"), tmp_path / "a.png")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("a.gif", "must end in one of `.png`, `.svg`, `.pdf`, but ends in `.gif` instead"),
        ("a", "but ends in nothing instead"),
        ("none/a.png", "must lie in a folder that exists"),
        ("folder.png", "is a folder instead"),
    ],
)
def test_a_picture_that_cannot_be_written_is_one_sentence(
    seen: UtteranceView, tmp_path: Path, name: str, sentence: str
) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(RequestError) as refused:
        draw(seen, tmp_path / name)
    assert sentence in str(refused.value)
