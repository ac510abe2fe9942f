"""Reads a study file into a ``Study``, or reports all faults of its text at once.

What needs the corpus (does it exist, can it give these folds) is checked in `planning`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from orchestrator.errors import Fault, RequestError, StudyError, nearest
from orchestrator.study.keys.reading import read_keys
from orchestrator.study.keys.settings import SETTINGS
from orchestrator.study.keys.study_keys import StudyKeys
from orchestrator.study.protocol import FEWEST_SEEDS
from orchestrator.study.rows import (
    WrittenRow,
    all_in_blocks,
    claim,
    claim_names,
    grid,
    grid_size,
    named,
    names_once,
    variants_differ,
    written,
)
from orchestrator.study.score_faults import score_faults
from orchestrator.study.search_key.space import Search
from orchestrator.study.study import Study
from orchestrator.study.yaml_lines import MAX_BYTES, Node, read


def read_study(path: Path) -> Study:
    """Read a study file.

    Raises:
        RequestError: the file does not exist, is too large, or cannot be read as UTF-8.
        StudyError: its text has faults; the error names all of them.
    """
    try:
        with path.open("rb") as file:
            blob = file.read(MAX_BYTES + 1)  # never more: it may have no end
        if len(blob) > MAX_BYTES:
            most = MAX_BYTES // 1024
            raise RequestError(f"A study file must be at most {most} KiB, but `{path}` is larger.")
        text = blob.decode("utf-8")
    except FileNotFoundError:
        raise RequestError(_no_such_study(path)) from None
    except IsADirectoryError:
        raise RequestError(f"A study must be a file, but `{path}` is a folder instead.") from None
    except UnicodeDecodeError:
        raise RequestError(f"A study must be UTF-8 text, but `{path}` is not.") from None
    except OSError as error:
        raise RequestError(f"The study `{path}` cannot be read: {error.strerror}.") from None
    return parse_study(text, str(path))


def _no_such_study(path: Path) -> str:
    """The text of the error for a file that does not exist, with the most similar name nearby."""
    near = (path.parent / "studies", path.parent)
    known = {p.name: p for folder in near for p in folder.glob("*.yaml")}
    hint = f" {nearest(path.name, known, known.__getitem__)}" if known else ""
    return f"The study file `{path}` does not exist.{hint}"


def parse_study(text: str, file: str) -> Study:
    """Parse the text of a study file.

    Args:
        text: the text of the whole file.
        file: the path that errors print.

    Raises:
        StudyError: the text has faults; the error names all of them.
    """
    root, faults = read(text)
    if root is not None and not isinstance(root.value, dict):
        faults.append(root.fault("A study file must be a mapping of keys."))
    if root is None or not isinstance(root.value, dict):
        raise StudyError(file, text, faults)
    found = read_keys(_declared(root), root)
    keys = found.keys
    settings = {key: value for key, value in keys.given.items() if key in SETTINGS}
    settings |= keys.baseline.given
    faults += [*found.faults, *_kinds(root)]
    search: Search | None = None
    if keys.search is not None:
        from orchestrator.study.search_key.reader import read_search

        node, right = root.mapping["search"], found.node.mapping["search"]
        search, unfit = read_search(keys.search, node, right, settings)
        faults += unfit
    rows = [*map(written, keys.rows, _items(found.node, "rows"))]
    if "axes" in root.mapping:
        rows = [] if faults else grid(keys.axes, root.mapping["axes"])
    published = [*map(written, keys.published, _items(found.node, "published"))]
    names = _names(root, rows)
    positions = _positions(root, found.node)
    if "score" in settings or "profile" in settings:  # else the corpus decides on both
        read_rows = [written.row for written in rows]
        faults += score_faults("", settings, read_rows, search, positions)
    faults += [
        *names_once(rows, published),
        *all_in_blocks(rows),
        *variants_differ(root, settings, rows),
        *_references(root, keys, names),
        *_replicates(root, keys, names),
        *_deals(root, keys),
    ]
    if faults:
        raise StudyError(file, text, faults)
    return Study(
        name=keys.study,
        question=keys.question,
        table=keys.table,
        figure=keys.figure,
        corpus=keys.corpus,
        folds=keys.protocol.folds,
        seeds=keys.protocol.seeds,
        deals=keys.protocol.deals,
        settings=settings,
        rows=tuple(written.row for written in rows),
        reference=keys.reference,
        claim=claim(keys, names),
        file=file,
        text=text,
        positions=positions,
        published=tuple(written.row for written in published),
        search=search,
        replicates=keys.protocol.replicates,
    )


def _positions(root: Node, right: Node) -> dict[str, tuple[int, int]]:
    """Key -> line and column, from 1, at which ``Study.fault`` reports faults found later.

    The keys are those of the top level; those below `protocol`, `search`, `search.axes` and
    `training` with a dot; and those below `training` of a row, such as `rows.0.set.training.lr`.

    Args:
        root: the whole file.
        right: the part of it without faults, whose rows are counted.
    """
    positions = {key: (node.line, node.column) for key, node in root.mapping.items()}
    for key in root.mapping.keys() & {"protocol", "search"}:
        node = root.mapping[key]
        positions[key] = (node.key_line or node.line, node.key_column or node.column)
        positions |= _below(key, node)
    for index, row in enumerate(_items(right, "rows")):
        positions |= _below(f"rows.{index}.set.training", row, "set", "training")
    positions |= _below("training", root, "training")
    return positions | _below("search.axes", root, "search", "axes")


def _below(name: str, node: Node, *path: str) -> dict[str, tuple[int, int]]:
    """``name`` and a key -> line and column, for the keys of the mapping that lies at a path."""
    for key in path:
        if key not in node.mapping:
            return {}
        node = node.mapping[key]
    return {f"{name}.{key}": (n.line, n.column) for key, n in node.mapping.items()}


def _kinds(root: Node) -> Iterator[Fault]:
    """Require a name and one of `rows`, `axes`, `search`; refuse keys that exclude each other."""
    top = root.mapping
    if "study" not in top:
        yield root.fault("A study must have a name: `study: my_question`.")
    if "table" in top and "figure" in top:
        yield top["figure"].key_fault("A study may declare a table or a figure, not both.")
    given = [key for key in ("rows", "axes", "search") if key in top]
    if not given:
        yield root.fault("A study must have `rows`, `axes` or `search`.")
    elif len(given) > 1:
        several = " and ".join(f"`{key}`" for key in given)
        yield top[given[-1]].key_fault(
            f"A study must have one of `rows`, `axes` and `search`, but has {several}."
        )
    if given == ["search"]:
        for key in top.keys() & {"reference", "claim"}:
            yield top[key].key_fault(
                f"`{key}` must stand beside `rows` or `axes`: a search has no rows of its own. "
                "Leave it out."
            )
    if "axes" in top:
        yield from grid_size(top["axes"])


def _declared(root: Node) -> type[StudyKeys]:
    """The declaration of the file.

    The modules of the key `search` are imported only where the file has it: other studies start
    sooner.
    """
    if "search" not in root.mapping:
        return StudyKeys
    from orchestrator.study.search_key.search_keys import keys_with_search

    axes = root.mapping["search"].mapping.get("axes")
    return keys_with_search(axes.mapping if axes else ())


def _items(root: Node, key: str) -> list[Node]:
    """The items of a list in the file; none where the file does not have the key."""
    return root.mapping[key].sequence if key in root.mapping else []


def _names(root: Node, rows: Sequence[WrittenRow]) -> list[str]:
    """The names of all rows, also of those with faults, so that other keys may name them."""
    if "rows" not in root.mapping:
        return [written.row.name for written in rows]
    nodes = _items(root, "rows")
    return [str(node.mapping["name"].value) for node in nodes if "name" in node.mapping]


def _references(root: Node, keys: StudyKeys, names: Sequence[str]) -> Iterator[Fault]:
    """Require that `reference` and `claim` name rows of the study, whose names are given."""
    if keys.reference is not None:
        yield from named("reference", root.mapping["reference"], names)
    if keys.claim is not None:
        yield from claim_names(root.mapping["claim"], names)


def _replicates(root: Node, keys: StudyKeys, names: Sequence[str]) -> Iterator[Fault]:
    """Require of an adaptive study a `reference`, two rows, at least ``FEWEST_SEEDS`` seeds."""
    if keys.protocol.replicates != "adaptive":
        return
    protocol = root.mapping["protocol"].mapping
    node, cap = protocol["replicates"], protocol.get("seeds")
    adaptive = "`protocol.replicates: adaptive` adds seeds to comparisons that are open"
    if "search" in root.mapping:
        yield node.fault(
            f"{adaptive}, so it must stand beside `rows` or `axes`: a search has none."
        )
        return
    if "reference" not in root.mapping:
        yield node.fault(f"{adaptive}, so a `reference` must say what rows are compared with.")
    if len(names) == 1:
        yield node.fault(f"{adaptive}, so there must be two rows, but is one.")
    seeds = keys.protocol.seeds
    if seeds < FEWEST_SEEDS and (cap is None or cap.value == seeds):  # else told already
        yield (cap or node).fault(
            "`protocol.seeds` is the most that a row gets with `replicates: adaptive`: it "
            f"must be {FEWEST_SEEDS} or more, such as 10, but is `{seeds}` instead."
        )


def _deals(root: Node, keys: StudyKeys) -> Iterator[Fault]:
    """Refuse several deals where the held-out groups, or their number of trainings, must stay."""
    if keys.protocol.deals == 1:
        return
    node = root.mapping["protocol"].mapping["deals"]
    if "search" in root.mapping:
        yield node.fault(
            "`protocol.deals` must be 1 beside `search`, which finds one configuration for each "
            f"held-out group, but is {keys.protocol.deals} instead. Leave it out."
        )
    if keys.protocol.folds == "published":
        yield node.fault(
            "`protocol.deals` must be 1 beside `folds: published`, where the corpus's authors say "
            f"who is held out, but is {keys.protocol.deals} instead. Leave it out; give `seeds`."
        )
    if keys.protocol.replicates == "adaptive":
        yield node.fault(
            "`protocol.deals` must be 1 beside `replicates: adaptive`, which adds seeds alone, but "
            f"is {keys.protocol.deals} instead. Leave one of the two out."
        )
