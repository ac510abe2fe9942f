"""Real speech raises no doubt; what broke off of it is refused."""

from pathlib import Path

import pytest

from features.audio import check_recording


def looked_at(root: Path) -> list[Path]:
    """Every ninth recording of a folder."""
    return sorted(p for p in root.rglob("*") if p.suffix in (".wav", ".flac"))[::9]


def cut(path: Path, folder: Path) -> Path:
    """Write the first 60 % of a recording's bytes to another folder."""
    data = path.read_bytes()
    copy = folder / path.name
    copy.write_bytes(data[: len(data) * 6 // 10])
    return copy


@pytest.mark.ravdess
def test_the_speech_of_ravdess_is_whole_and_its_cut_copies_are_refused(
    ravdess_root: Path, tmp_path: Path
) -> None:
    paths = looked_at(ravdess_root)
    assert len(paths) >= 40
    for path in paths:
        found = check_recording(path)
        assert (found.bad, found.doubts) == ("", ()), path
        assert "truncated" in check_recording(cut(path, tmp_path)).bad


@pytest.mark.emodb
def test_the_speech_of_emodb_is_whole_and_its_cut_copies_are_refused(
    emodb_root: Path, tmp_path: Path
) -> None:
    for path in looked_at(emodb_root):
        found = check_recording(path)
        assert (found.bad, found.doubts) == ("", ()), path
        assert check_recording(cut(path, tmp_path)).bad.startswith("truncated: ")
