"""A study file is data, whoever wrote it: bombs do not go off, tags build nothing."""

import resource
from pathlib import Path

import pytest

from orchestrator.errors import RequestError, StudyError
from orchestrator.study.reader import read_study

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join(['*' + old] * 9)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
"""Nine lines that stand for 9^9 words."""

FILES = {
    "a bomb of aliases": (BOMB, "Anchors (`&a`) are not allowed."),
    "a tag that calls": ("study: !!python/object/apply:os.system ['touch ran']", "Tags (`"),
    "a tag that names": ("study: !!python/name:os.system", "Tags (`"),
    "a merge": ("x: &x {a: 1}\nstudy: {<<: *x}", "Anchors (`&x`) are not allowed."),
    "a key twice": ("study: a\nstudy: b", "`study` stands here twice (first in line 1)."),
    "deep lists": ("study: " + "[" * 50_000, "levels deep"),
    "deep mappings": ("a: " + "{a: " * 50_000, "levels deep"),
    "two documents": ("study: a\n---\nstudy: b", "must hold one document"),
    "a number without end": ("study: a\ntable: " + "9" * 100_000, "`table`"),
    "too much": ("# " + "x" * 300_000, "must be at most 256 KiB"),
    "half a character": ("study: \ud800", "must be UTF-8 text"),
    "a null": ("study: a\0b", "This is not YAML"),
}


@pytest.mark.timeout(60)  # a limit to waiting: a bomb that goes off would take hours
@pytest.mark.parametrize("what", FILES)
def test_it_is_refused_at_once_with_a_sentence(what: str, tmp_path: Path) -> None:
    text, sentence = FILES[what]
    path = tmp_path / "study.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises((RequestError, StudyError)) as raised:
        read_study(path)
    assert sentence in str(raised.value)
    assert len(str(raised.value).splitlines()) <= 151
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000
    assert not (tmp_path / "ran").exists() and not Path("ran").exists()


def test_a_file_without_end_is_read_no_further_than_it_may_be() -> None:
    with pytest.raises(RequestError, match="must be at most 256 KiB, but `/dev/zero` is larger"):
        read_study(Path("/dev/zero"))
