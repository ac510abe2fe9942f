import pytest

from orchestrator.study.yaml_lines import MAX_BYTES, read


def faults(text: str) -> list[str]:
    return [f"{f.line}:{f.column} {f.sentence}" for f in read(text)[1]]


def value(text: str) -> object:
    node, found = read(text)
    assert node is not None and not found
    return node.plain()


def test_scalars_follow_yaml_1_2() -> None:
    text = "[1e-3, no, yes, true, null, 007, 0.5, .5, '1', 1/3, 2026-01-01, 1_000, 0x10]"
    assert value(text) == [
        1e-3,
        "no",
        "yes",
        True,
        None,
        7,
        0.5,
        0.5,
        "1",
        "1/3",
        "2026-01-01",
        "1_000",
        "0x10",
    ]


def test_every_value_knows_its_place() -> None:
    node, _ = read("a: 1\nb:\n  - c: 2\n")
    assert node is not None
    inner = node.mapping["b"].sequence[0].mapping["c"]
    assert (inner.line, inner.column, inner.key_line, inner.key_column) == (3, 8, 3, 5)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: &x 1\n", "1:4 Anchors (`&x`) are not allowed."),
        ("a: &x 1\nb: *x\n", "2:4 Aliases (`*x`) are not allowed."),
        (
            "a: !!python/object:os.system x\n",
            "1:4 Tags (`tag:yaml.org,2002:python/object:os.system`) are not allowed.",
        ),
        ("a: 1\na: 2\n", "2:1 `a` stands here twice (first in line 1)."),
        ("a: 1\n---\nb: 2\n", "2:1 The file must hold one document."),
        ("", "1:1 The file is empty."),
        ("? [1, 2]\n: 3\n", "1:3 A key must be a word."),
    ],
)
def test_what_a_study_does_without_is_refused(text: str, fault: str) -> None:
    assert fault in faults(text)


def test_broken_yaml_is_named_with_its_place() -> None:
    (fault,) = faults("a: [1, 2\nb: 3\n")
    assert fault.startswith("2:2 This is not YAML: ")


def test_deep_nesting_is_refused_before_it_is_built() -> None:
    assert "More than 12 levels deep." in faults("[" * 5000 + "]" * 5000)[0]


def test_an_oversized_file_is_refused() -> None:
    assert faults("a: " + "x" * MAX_BYTES) == ["1:1 The file must be at most 256 KiB."]
