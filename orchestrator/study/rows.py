"""Makes the rows of a study from the read file, and checks them against each other.

Each check yields the faults that it finds, with line and column. No check needs that the others
have passed.
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
"""The most rows that the axes of a grid may span."""


@dataclass(frozen=True, slots=True)
class WrittenRow:
    """A row with its position in the study file."""

    row: Row
    """The row."""
    node: Node
    """Where the row stands; for the rows of a grid, the mapping `axes`."""


def written(keys: RowKeys | PublishedKeys, node: Node) -> WrittenRow:
    """Make a row from the keys of one item of `rows` or `published`."""
    settings, blocks = ({}, ()) if isinstance(keys, PublishedKeys) else (keys.set.given, keys.block)
    row = Row(
        name=keys.name,
        settings=settings,
        paper=keys.paper.given,
        blocks=tuple(dict.fromkeys(blocks)),
    )
    return WrittenRow(row, node)


def grid(axes: GridKeys, node: Node) -> list[WrittenRow]:
    """Make a row of each combination of the values of all axes.

    Args:
        axes: setting -> list of its values.
        node: the mapping `axes` in the file.

    Returns:
        The rows, named by their values, such as ``layers 4, hidden 256``.
    """
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
    ]


def _label(key: str, node: Node) -> str:
    """One value of a grid's axis in words: ``layers 4``; weights as ``softmax 1/2 sum 1/2``."""
    return node.label if node.mapping else f"{key.replace('_', ' ')} {node.label}"


def grid_size(node: Node) -> Iterator[Fault]:
    """Require that a grid has an axis, and at most ``MAX_ROWS`` rows."""
    if isinstance(node.value, dict) and not node.value:
        yield node.fault("`axes` must name at least one axis.")
    size = prod(len(axis.sequence) or 1 for axis in node.mapping.values())
    if size > MAX_ROWS:
        yield node.key_fault(f"`axes` must span at most {MAX_ROWS} rows, but spans {size} instead.")


def names_once(rows: Sequence[WrittenRow], published: Sequence[WrittenRow]) -> Iterator[Fault]:
    """Require that no two rows, those of published systems included, have the same name."""
    names = set[str]()
    for written in (*rows, *published):
        if written.row.name in names:
            yield written.node.fault(f"The row `{written.row.name}` stands here twice.")
        names.add(written.row.name)


def all_in_blocks(rows: Sequence[WrittenRow]) -> Iterator[Fault]:
    """Require that all rows have a `block` or none has: else one stood under another's heading."""
    if any(written.row.blocks for written in rows):
        for written in rows:
            if not written.row.blocks:
                yield written.node.fault(
                    f"The row `{written.row.name}` must have a `block`, as others have."
                )


def variants_differ(
    root: Node, settings: Mapping[str, Any], rows: Sequence[WrittenRow]
) -> Iterator[Fault]:
    """Require that each row's settings are possible together, and no two rows are one variant.

    Args:
        root: the whole file.
        settings: settings of the study's top level and of its baseline.
        rows: the rows without other faults.
    """
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
    """The node at which to report an impossible setting of a row.

    Args:
        key: the setting.
        row: the row in the file.
        baseline: the entries of `baseline`.
        root: the whole file.

    Returns:
        The setting's node in the row, the baseline or the top level; else that of `model` there;
        else the row.
    """
    changes = row.mapping["set"].mapping if "set" in row.mapping else {}
    homes = (changes, baseline, root.mapping)
    found = (home[name] for name in (key, "model") for home in homes if name in home)
    return next(found, row)


def named(key: str, node: Node, names: Sequence[str]) -> Iterator[Fault]:
    """Require that the value of a key is the name of a row.

    Args:
        key: the key, such as `reference`.
        node: its value.
        names: names of all rows; where empty, nothing is checked.
    """
    if names and str(node.value) not in names:
        yield node.fault(
            f"`{key}` must be the name of a row, but is {node.shown()} instead. "
            f"{nearest(str(node.value), names)}"
        )


def claim_names(node: Node, names: Sequence[str]) -> Iterator[Fault]:
    """Require that `claim` names rows of the study.

    Args:
        node: the value of `claim`.
        names: names of all rows; where empty, names are not checked.
    """
    better, than = node.mapping["better"], node.mapping["than"]
    yield from named("claim.better", better, names)
    if than.value != "rest":
        for item in than.sequence or [than]:
            yield from named("claim.than", item, names)
    elif names and set(names) <= {str(better.value)}:
        yield than.fault("`claim.than` must name rows, but `rest` is none.")


def claim(keys: StudyKeys, names: Sequence[str]) -> PaperClaim | None:
    """The claim of the paper, with ``rest`` replaced by the names of all other rows.

    None where the file has no `claim`.
    """
    if keys.claim is None:
        return None
    better, than = keys.claim.better, tuple(keys.claim.than)
    if than == ("rest",):
        than = tuple(name for name in names if name != better)
    return PaperClaim(better=better, than=than, on=keys.claim.on)
