"""The rows of a study: made of what a file says, and checked against each other and the baseline.

Each check gives the faults that it finds, with their places; none needs the others to have passed.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from orchestrator.errors import Fault, nearest
from orchestrator.study.keys.study_keys import GridKeys, PublishedKeys, RowKeys, StudyKeys
from orchestrator.study.resolve import ImpossibleError, resolve
from orchestrator.study.study import PaperClaim, Row
from orchestrator.study.yaml_lines import Node

MAX_ROWS = 1000


@dataclass(frozen=True, slots=True)
class WrittenRow:
    """A row, and where it stands; rows of a grid all stand at ``axes``."""

    row: Row
    node: Node


def written(keys: RowKeys | PublishedKeys, node: Node) -> WrittenRow:
    """A row as the study has it."""
    settings, blocks = ({}, ()) if isinstance(keys, PublishedKeys) else (keys.set.given, keys.block)
    row = Row(
        name=keys.name,
        settings=settings,
        paper=keys.paper.given,
        blocks=tuple(dict.fromkeys(blocks)),
    )
    return WrittenRow(row, node)


def grid(axes: GridKeys, node: Node) -> list[WrittenRow]:
    """Every combination of the values of all axes; a row is named by its values."""
    points = [
        [(key, _label(key, item), value) for item, value in zip(items, values, strict=True)]
        for key, values in axes.given.items()
        for items in [node.mapping[key].sequence]
    ]
    return [
        WrittenRow(
            Row(
                name=", ".join(label for _, label, _ in point),
                settings={key: value for key, _, value in point},
                paper={},
            ),
            node,
        )
        for point in itertools.product(*points)
        if point
    ]


def _label(key: str, node: Node) -> str:
    """How a point of a grid names itself: ``layers 4``; weights as ``softmax 1/2 sum 1/2``."""
    value = node.plain()
    if isinstance(value, dict):
        return " ".join(f"{name} {weight}" for name, weight in value.items())
    shown = "+".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"{key.replace('_', ' ')} {shown}"


def grid_size(node: Node) -> Iterator[Fault]:
    """A grid has an axis, and no more rows than a table can show."""
    if isinstance(node.value, dict) and not node.value:
        yield node.fault("`axes` must name at least one axis.")
    size = prod(len(axis.sequence) or 1 for axis in node.mapping.values())
    if size > MAX_ROWS:
        yield node.key_fault(f"`axes` must span at most {MAX_ROWS} rows, but spans {size} instead.")


def names_once(rows: Sequence[WrittenRow], published: Sequence[WrittenRow]) -> Iterator[Fault]:
    """No two rows have one name, those of published systems among them."""
    names = set[str]()
    for written in (*rows, *published):
        if written.row.name in names:
            yield written.node.fault(f"The row `{written.row.name}` stands here twice.")
        names.add(written.row.name)


def all_in_blocks(rows: Sequence[WrittenRow]) -> Iterator[Fault]:
    """A table has blocks or has none: a row without one would stand under another's heading."""
    if any(written.row.blocks for written in rows):
        for written in rows:
            if not written.row.blocks:
                yield written.node.fault(
                    f"The row `{written.row.name}` must have a `block`, as others have."
                )


def variants_differ(
    root: Node, settings: Mapping[str, Any], rows: Sequence[WrittenRow]
) -> Iterator[Fault]:
    """Settings of a row are possible together, and no two rows are the same variant."""
    baseline = root.mapping["baseline"].mapping if "baseline" in root.mapping else {}
    if not rows and "fa_layer" in baseline and "search" not in root.mapping:
        try:  # no row could be read
            resolve("quick", settings, {})
        except ImpossibleError as error:
            if error.key == "fa_layer":
                yield baseline["fa_layer"].fault(str(error))
    variants: dict[Any, str] = {}
    for row, node in ((written.row, written.node) for written in rows):
        try:
            quick = resolve("quick", settings, row.settings)
        except ImpossibleError as error:
            at = _at(error.key, node, baseline, root)
            yield at.fault(f"{error} (row `{row.name}`)")
            continue
        paper = resolve("paper", settings, row.settings)
        variant = (quick.features, quick.model, quick.training, paper.training)
        if variant in variants:
            yield node.fault(
                f"The rows `{variants[variant]}` and `{row.name}` are the same variant: what "
                f"`{row.name}` sets changes nothing."
            )
        variants.setdefault(variant, row.name)


def _at(key: str, row: Node, baseline: Mapping[str, Node], root: Node) -> Node:
    """Where a row's key stands: in the row, the baseline or the study; else at the system."""
    changes = row.mapping["set"].mapping if "set" in row.mapping else {}
    homes = (changes, baseline, root.mapping)
    found = (home[name] for name in (key, "model") for home in homes if name in home)
    return next(found, row)


def named(key: str, node: Node, names: Sequence[str]) -> Iterator[Fault]:
    """A key that names a row names one that is there; silent where no name is known."""
    if names and str(node.value) not in names:
        yield node.fault(
            f"`{key}` must be the name of a row, but is {node.shown()} instead. "
            f"{nearest(str(node.value), names)}"
        )


def claim_names(node: Node, names: Sequence[str]) -> Iterator[Fault]:
    """The claim of a paper is about rows that are there."""
    better, than = node.mapping["better"], node.mapping["than"]
    yield from named("claim.better", better, names)
    if than.value != "rest":
        for item in than.sequence or [than]:
            yield from named("claim.than", item, names)
    elif names and set(names) <= {str(better.value)}:
        yield than.fault("`claim.than` must name rows, but `rest` is none.")


def claim(keys: StudyKeys, names: Sequence[str]) -> PaperClaim | None:
    """What the paper says, with ``rest`` written out."""
    if keys.claim is None:
        return None
    better, than = keys.claim.better, tuple(keys.claim.than)
    if than == ("rest",):
        than = tuple(name for name in names if name != better)
    return PaperClaim(better=better, than=than, on=keys.claim.on)
