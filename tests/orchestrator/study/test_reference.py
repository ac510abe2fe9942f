"""The reference of study keys says everything that the schema knows, once."""

from collections.abc import Iterator
from typing import Any

from orchestrator.study.reference import markdown
from orchestrator.study.schema import schema


def keys_of(part: dict[str, Any]) -> Iterator[str]:
    for key, below in part.get("properties", {}).items():
        yield key
        yield from keys_of(below)
    for other in (*part.get("anyOf", ()), *part.get("oneOf", ()), part.get("items")):
        if isinstance(other, dict):
            yield from keys_of(other)


def rows() -> dict[str, list[str]]:
    """Heading -> the cells of each line of its table."""
    found: dict[str, list[str]] = {}
    for part in markdown().split("### ")[1:]:
        heading, *lines = part.splitlines()
        found[heading] = [line for line in lines if line.startswith("| `")]
    return found


def test_every_key_of_the_schema_stands_there() -> None:
    written = {line.split("`")[1] for lines in rows().values() for line in lines}
    assert set(keys_of(schema())) - written == set()


def test_a_line_says_values_default_and_meaning() -> None:
    for lines in rows().values():
        for line in lines:
            cells = [cell.strip() for cell in line.replace("\\|", "").strip("|").split("|")]
            assert len(cells) == 4 and all(cells), line
    layers = (
        "| `layers` | a whole number from 1 to 8 | `4` | WMA-GIN layers (paper: 4, section 3.4). |"
    )
    assert layers in rows()["Under `baseline`"]
    seeds = next(line for line in rows()["Under `protocol`"] if line.startswith("| `seeds`"))
    assert "| a whole number from 1 to 1000 | `1` | How many trainings" in seeds
