"""study.yaml -> Study. Reads the text alone and tells all of its faults at once.

What needs the corpus (does it exist, can it give these folds) is checked in ``plan``.
"""

import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from features.corpora.catalogue import NAME
from orchestrator.errors import RequestError, StudyError, nearest
from orchestrator.study.protocol import FEWEST_SEEDS, REPLICATES, Replicates
from orchestrator.study.search_key.space import Search
from orchestrator.study.settings import SETTINGS, ImpossibleError, resolve
from orchestrator.study.study import FIGURES, METRICS, MOST_PARAMETERS, PaperClaim, Row, Study
from orchestrator.study.value_readers import Faults, choice, whole
from orchestrator.study.yaml_lines import MAX_BYTES, Node, read

MAX_ROWS = 1000

_TOP = {
    "study", "question", "table", "figure", "corpus", "protocol", "baseline", "rows", "axes",
    "search", "reference", "claim", "published",
} | {name for name, setting in SETTINGS.items() if setting.home == "study"}  # fmt: skip


def read_study(path: Path) -> Study:
    """Read a study file.

    Raises:
        RequestError: when there is no such file.
        StudyError: with all faults of its text.
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
    near = (path.parent / "studies", path.parent)
    known = {p.name: p for folder in near for p in folder.glob("*.yaml")}
    hint = f" {nearest(path.name, known, known.__getitem__)}" if known else ""
    return f"The study file `{path}` does not exist.{hint}"


def parse_study(text: str, file: str) -> Study:
    """Parse a study's text; ``file`` is what its errors call it."""
    root, faults = read(text)
    if root is not None and not isinstance(root.value, dict):
        faults.append(root.fault("A study file must be a mapping of keys."))
    if root is None or not isinstance(root.value, dict):
        raise StudyError(file, text, faults)
    study = _Reader(root.mapping, root, faults).study(file, text)
    if faults or study is None:
        raise StudyError(file, text, faults)
    return study


class _Reader:
    """Walks one document, gathers faults and what was understood."""

    def __init__(self, top: dict[str, Node], root: Node, faults: Faults) -> None:
        self.top, self.root, self.faults = top, root, faults
        self.names: list[str] = []
        """Names of all rows, of those with faults as well."""

    def study(self, file: str, text: str) -> Study | None:
        self._known(self.top, _TOP, "")
        name = self._name()
        table, figure = self._number("table"), self._number("figure")
        if "table" in self.top and "figure" in self.top:
            self.faults.append(
                self.top["figure"].key_fault("A study may declare a table or a figure, not both.")
            )
        protocol = self._mapping("protocol")
        self._known(protocol, {"folds", "seeds", "replicates"}, "protocol")
        settings = self._settings(self.top, "study") | self._settings(
            self._mapping("baseline"), "baseline"
        )
        search = self._search(settings)
        rows, nodes = self._rows()
        self._check_rows(settings, rows, nodes)
        published = self._published(rows)
        reference = self._reference()
        claim = self._claim()
        question = self.top.get("question")
        if question is not None and not isinstance(question.value, str):
            self.faults.append(question.fault("`question` must be a sentence."))
        corpus = self._corpus()
        folds = self._folds(protocol)
        seeds = self._protocol(protocol, "seeds", 1, whole(1, 1000))
        replicates = self._replicates(protocol, seeds)
        if self.faults:
            return None
        places = {k: (n.line, n.column) for k, n in self.top.items()}
        for key in self.top.keys() & {"protocol", "search"}:
            node = self.top[key]
            places[key] = (node.key_line or node.line, node.key_column or node.column)
            places |= {f"{key}.{k}": (n.line, n.column) for k, n in node.mapping.items()}
        return Study(
            name=name, question=str(question.value) if question else "", table=table,
            figure=figure, corpus=corpus, folds=folds, seeds=seeds, settings=settings,
            rows=tuple(rows), reference=reference, claim=claim, file=file, text=text,
            places=places, published=tuple(published), search=search, replicates=replicates,
        )  # fmt: skip

    def _known(self, mapping: dict[str, Node], known: set[str], where: str) -> None:
        for key, node in mapping.items():
            if key in known:
                continue
            shown = f"{where}.{key}" if where else key
            home = SETTINGS[key].home if key in SETTINGS else None
            if home == "baseline" and where != "baseline":
                hint = "It belongs under `baseline`."
            elif home == "study" and where == "baseline":
                hint = "It belongs at the top level."
            else:
                hint = nearest(key, known)
            self.faults.append(node.key_fault(f"`{shown}` is not a key. {hint}"))

    def _mapping(self, key: str) -> dict[str, Node]:
        node = self.top.get(key)
        if node is not None and not isinstance(node.value, dict):
            self.faults.append(
                node.fault(f"`{key}` must be a mapping, but is {node.shown()} instead.")
            )
        return node.mapping if node else {}

    def _name(self) -> str:
        node = self.top.get("study")
        if node is None:
            self.faults.append(self.root.fault("A study must have a name: `study: my_question`."))
        elif not isinstance(node.value, str) or not re.fullmatch(NAME, node.value):
            self.faults.append(node.fault(
                f"`study` must be a name of small letters, digits, `_` and `-`, "
                f"but is {node.shown()} instead."))  # fmt: skip
        else:
            return node.value
        return ""

    def _number(self, key: str) -> int | None:
        node = self.top.get(key)
        value: int | None = whole(1, 99)[0](key, node, self.faults) if node else None
        return value

    def _corpus(self) -> str:
        node = self.top.get("corpus")
        if node is None:
            return "auto"
        if not isinstance(node.value, str) or not re.fullmatch(NAME, node.value):
            self.faults.append(node.fault(
                f"`corpus` must be `auto`, a known corpus or a table's own name of small letters, "
                f"digits, `_` and `-`, but is {node.shown()} instead."))  # fmt: skip
        return str(node.value)

    def _folds(self, mapping: dict[str, Node]) -> int | Literal["published"]:
        node = mapping.get("folds")
        if node is None or isinstance(node.value, int):
            return self._protocol(mapping, "folds", 5, whole(2, 100))
        if node.value != "published":
            self.faults.append(node.fault(
                "`protocol.folds` must be a whole number from 2 to 100 or `published`, "
                f"but is {node.shown()} instead."))  # fmt: skip
        return "published"

    def _protocol(self, mapping: dict[str, Node], key: str, default: int, kind: Any) -> int:
        node = mapping.get(key)
        if node is None:
            return default
        value = kind[0](f"protocol.{key}", node, self.faults)
        return default if value is None else int(value)

    def _replicates(self, protocol: dict[str, Node], seeds: int) -> Replicates:
        """How seeds are dealt; what adds them to open comparisons needs comparisons, and a cap."""
        node = protocol.get("replicates")
        if node is None:
            return "fixed"
        found: Replicates | None = choice(*REPLICATES)[0]("protocol.replicates", node, self.faults)
        if found != "adaptive":
            return "fixed"
        adaptive = "`protocol.replicates: adaptive` adds seeds to comparisons that are open"
        if "search" in self.top:
            self.faults.append(
                node.fault(
                    f"{adaptive}, so it must stand beside `rows` or `axes`: a search has none."
                )
            )
            return found
        if "reference" not in self.top:
            self.faults.append(
                node.fault(f"{adaptive}, so a `reference` must say what rows are compared with.")
            )
        if len(self.names) == 1:
            self.faults.append(node.fault(f"{adaptive}, so there must be two rows, but is one."))
        cap = protocol.get("seeds")
        if seeds < FEWEST_SEEDS and (cap is None or cap.value == seeds):  # else told already
            self.faults.append(
                (cap or node).fault(
                    "`protocol.seeds` is the most that a row gets with `replicates: adaptive`: it "
                    f"must be {FEWEST_SEEDS} or more, such as 10, but is `{seeds}` instead."
                )
            )
        return found

    def _settings(self, mapping: dict[str, Node], home: str) -> dict[str, Any]:
        """Settings that stand in ``mapping``; ``home`` "row" takes all that a row may set."""
        found = {}
        if home == "baseline":
            self._known(mapping, {k for k, s in SETTINGS.items() if s.home == home}, home)
        for key, node in mapping.items():
            setting = SETTINGS.get(key)
            if setting is None or (home != "row" and setting.home != home):
                continue
            value = setting.read(key, node, self.faults)
            if value is not None:
                found[key] = value
        return found

    def _search(self, settings: Mapping[str, Any]) -> Search | None:
        """The space to search; what belongs to rows must not stand beside it."""
        node = self.top.get("search")
        if node is None:
            return None
        for key in ("reference", "claim"):
            if key in self.top and not {"rows", "axes"} & set(self.top):
                self.faults.append(
                    self.top[key].key_fault(
                        f"`{key}` must stand beside `rows` or `axes`: a search has no rows of its "
                        "own. Leave it out."
                    )
                )
        from orchestrator.study.search_key.reader import read_search

        return read_search(node, settings, self.faults)

    def _rows(self) -> tuple[list[Row], list[Node]]:
        given = [key for key in ("rows", "axes", "search") if key in self.top]
        if not given:
            self.faults.append(self.root.fault("A study must have `rows`, `axes` or `search`."))
        elif len(given) > 1:
            several = " and ".join(f"`{key}`" for key in given)
            self.faults.append(
                self.top[given[-1]].key_fault(
                    f"A study must have one of `rows`, `axes` and `search`, but has {several}."
                )
            )
        elif given == ["search"]:
            return [], []
        elif given == ["axes"]:
            return self._axes()
        elif not self.top["rows"].sequence:
            node = self.top["rows"]
            self.faults.append(node.fault(f"`rows` must be a list, but is {node.shown()} instead."))
        nodes = self.top["rows"].sequence if given == ["rows"] else []
        self.names = [str(n.mapping["name"].value) for n in nodes if "name" in n.mapping]
        read = [(row, node) for node in nodes if (row := self._row(node)) is not None]
        rows = [row for row, _ in read]
        found = [node for _, node in read]
        self._unique([row.name for row in rows], found)
        self._blocked(rows, found)
        return rows, found

    def _row(self, node: Node) -> Row | None:
        if not isinstance(node.value, dict):
            self.faults.append(node.fault(f"A row must be a mapping, but is {node.shown()}."))
            return None
        before = len(self.faults)
        entries = node.mapping
        self._known(entries, {"name", "set", "paper", "block"}, "rows")
        name = entries.get("name")
        text = "" if name is None or isinstance(name.value, bool) else str(name.value or "")
        if name is None or isinstance(name.value, dict | list) or not 0 < len(text) <= 60:
            self.faults.append((name or node).fault("A row must have a `name` of 1 to 60 letters."))
        changes = entries.get("set")
        if changes is not None and not isinstance(changes.value, dict):
            self.faults.append(
                changes.fault(
                    f"`set` must be a mapping of settings, but is {changes.shown()} instead."
                )
            )
        keys = changes.mapping if changes else {}
        for key, item in keys.items():
            if key in ("corpus", "protocol") or (key in SETTINGS and not SETTINGS[key].in_rows):
                self.faults.append(item.key_fault(
                    f"`set.{key}` cannot differ between rows: they must score the same speech. "
                    "Give it to a study of its own."))  # fmt: skip
            elif key not in SETTINGS:
                self.faults.append(
                    item.key_fault(f"`set.{key}` is not a key. {nearest(key, SETTINGS)}")
                )
        settings = self._settings(keys, "row")
        paper = self._paper(entries.get("paper"))
        blocks = self._blocks(entries.get("block"))
        if len(self.faults) > before:
            return None
        assert name is not None
        return Row(name=str(name.value), settings=settings, paper=paper, blocks=blocks)

    def _blocks(self, node: Node | None) -> tuple[str, ...]:
        """One heading or several."""
        if node is None:
            return ()
        items = node.sequence or [node]
        for item in items:
            if not isinstance(item.value, str) or not 0 < len(item.value) <= 60:
                self.faults.append(
                    item.fault(
                        "`block` must be a heading of 1 to 60 letters or a list of them, "
                        f"but is {item.shown()} instead."
                    )
                )
        return tuple(dict.fromkeys(str(item.value) for item in items))

    def _blocked(self, rows: list[Row], nodes: list[Node]) -> None:
        """A table has blocks or has none: a row without one would stand under another's heading."""
        if any(row.blocks for row in rows):
            for row, node in zip(rows, nodes, strict=True):
                if not row.blocks:
                    self.faults.append(
                        node.fault(f"The row `{row.name}` must have a `block`, as others have.")
                    )

    def _paper(self, node: Node | None) -> dict[str, float]:
        if node is None:
            return {}
        if not isinstance(node.value, dict):
            self.faults.append(
                node.fault(
                    "`paper` must map `wa` and `ua` to percent and `params` to a count, "
                    f"but is {node.shown()} instead."
                )
            )
        figures: dict[str, float] = {}
        for key, item in node.mapping.items():
            value = item.value
            if key not in FIGURES:
                self.faults.append(
                    item.key_fault(f"`paper.{key}` is not a key. {nearest(key, FIGURES)}")
                )
            elif key == "params":
                count = whole(1, MOST_PARAMETERS)[0]("paper.params", item, self.faults)
                figures |= {key: count} if count is not None else {}
            elif (
                isinstance(value, bool)
                or not isinstance(value, int | float)
                or not (0 <= value <= 100)
            ):
                self.faults.append(
                    item.fault(
                        f"`paper.{key}` must be a percentage, but is {item.shown()} instead."
                    )
                )
            else:
                figures[key] = float(value)
        return figures

    def _published(self, rows: list[Row]) -> list[Row]:
        """Systems of which only figures are known: a name and what was printed of it."""
        top = self.top.get("published")
        if top is not None and not top.sequence:
            self.faults.append(
                top.fault(f"`published` must be a list, but is {top.shown()} instead.")
            )
        found: list[Row] = []
        for node in top.sequence if top is not None else ():
            if not isinstance(node.value, dict) or not {"name", "paper"} <= node.mapping.keys():
                self.faults.append(
                    node.fault(
                        "A published system must have a `name` and a `paper`, "
                        f"but is {node.shown()} instead."
                    )
                )
            elif "set" in node.mapping or "block" in node.mapping:
                key = "set" if "set" in node.mapping else "block"
                self.faults.append(
                    node.mapping[key].key_fault(
                        f"`published.{key}` is not a key: what is published is not trained here. "
                        "Make it one of `rows`."
                    )
                )
            elif (row := self._row(node)) is not None:
                if row.name in {other.name for other in (*rows, *found)}:
                    self.faults.append(node.fault(f"The row `{row.name}` stands here twice."))
                found.append(row)
        return found

    def _axes(self) -> tuple[list[Row], list[Node]]:
        """The grid of all axes; each point is a row named by its values."""
        axes = self._mapping("axes")
        points: list[list[tuple[str, str, Any]]] = []
        for key, node in axes.items():
            setting = SETTINGS.get(key)
            if setting is None or not setting.in_rows or key == "training":
                known = [k for k, s in SETTINGS.items() if s.in_rows and k != "training"]
                self.faults.append(
                    node.key_fault(f"`axes.{key}` is not an axis. {nearest(key, known)}")
                )
            elif not node.sequence:
                self.faults.append(
                    node.fault(f"`axes.{key}` must list its values, but is {node.shown()} instead.")
                )
            else:
                values = [(setting.read(key, item, self.faults), item) for item in node.sequence]
                points.append([(key, _label(key, item), value) for value, item in values])
        if not axes:
            self.faults.append(self.top["axes"].fault("`axes` must name at least one axis."))
        size = 1
        for axis in points:
            size *= len(axis)
        if size > MAX_ROWS:
            self.faults.append(
                self.top["axes"].key_fault(
                    f"`axes` must span at most {MAX_ROWS} rows, but spans {size} instead."
                )
            )
        if self.faults or not points:
            return [], []
        rows = [
            Row(name=", ".join(label for _, label, _ in point),
                settings={key: value for key, _, value in point}, paper={})
            for point in itertools.product(*points)
        ]  # fmt: skip
        nodes = [self.top["axes"]] * len(rows)
        self.names = [row.name for row in rows]
        self._unique([row.name for row in rows], nodes)
        return rows, nodes

    def _unique(self, names: list[str], nodes: list[Node]) -> None:
        for index, name in enumerate(names):
            if name in names[:index]:
                self.faults.append(nodes[index].fault(f"The row `{name}` stands here twice."))

    def _check_rows(self, settings: Mapping[str, Any], rows: list[Row], nodes: list[Node]) -> None:
        """Settings that are each right but impossible together; rows that are the same variant."""
        variants: dict[Any, str] = {}
        fa = self._mapping("baseline").get("fa_layer")
        if not rows and fa is not None and "search" not in self.top:  # no row could be read
            try:
                resolve("quick", settings, {})
            except ImpossibleError as error:
                if error.key == "fa_layer":
                    self.faults.append(fa.fault(str(error)))
        for row, node in zip(rows, nodes, strict=True):
            try:
                resolved = resolve("quick", settings, row.settings)
            except ImpossibleError as error:
                place = self._place(error.key, node)
                self.faults.append(place.fault(f"{error} (row `{row.name}`)"))
                continue
            other = resolve("paper", settings, row.settings)
            key = (resolved.features, resolved.model, resolved.training, other.training)
            if key in variants:
                self.faults.append(node.fault(
                    f"The rows `{variants[key]}` and `{row.name}` are the same variant: what "
                    f"`{row.name}` sets changes nothing."))  # fmt: skip
            variants.setdefault(key, row.name)

    def _place(self, key: str, row: Node) -> Node:
        """Where a row's key stands: in the row, the baseline or the study; else at the system."""
        changes = row.mapping["set"].mapping if "set" in row.mapping else {}
        homes = (changes, self._mapping("baseline"), self.top)
        found = (home[name] for name in (key, "model") for home in homes if name in home)
        return next(found, row)

    def _reference(self) -> str | None:
        node = self.top.get("reference")
        if node is None:
            return None
        self._row_name("reference", node)
        return str(node.value)

    def _row_name(self, key: str, node: Node) -> None:
        names = self.names
        if names and str(node.value) not in names:
            self.faults.append(
                node.fault(
                    f"`{key}` must be the name of a row, but is "
                    f"{node.shown()} instead. {nearest(str(node.value), names)}"
                )
            )

    def _claim(self) -> PaperClaim | None:
        entries = self._mapping("claim")
        if "claim" not in self.top:
            return None
        self._known(entries, {"better", "than", "on"}, "claim")
        missing = [key for key in ("better", "than") if key not in entries]
        if missing:
            self.faults.append(
                self.top["claim"].key_fault(
                    f"`claim` must say `better` and `than`; `{missing[0]}` is missing."
                )
            )
            return None
        better, than, on = entries["better"], entries["than"], entries.get("on")
        self._row_name("claim.better", better)
        others = [name for name in self.names if name != str(better.value)]
        if than.value == "rest":
            losers = tuple(others)
            if not losers and self.names:
                self.faults.append(than.fault("`claim.than` must name rows, but `rest` is none."))
        else:
            items = than.sequence or [than]
            for item in items:
                self._row_name("claim.than", item)
            losers = tuple(str(item.value) for item in items)
        metric = "ua" if on is None else on.value
        if metric not in METRICS:
            assert on is not None
            self.faults.append(
                on.fault(f"`claim.on` must be `ua` or `wa`, but is {on.shown()} instead.")
            )
        return PaperClaim(better=str(better.value), than=losers, on=str(metric))


def _label(key: str, node: Node) -> str:
    """How a point of a grid names itself: ``layers 4``; weights as ``softmax 1/2 sum 1/2``."""
    value = node.plain()
    if isinstance(value, dict):
        return " ".join(f"{name} {weight}" for name, weight in value.items())
    shown = "+".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"{key.replace('_', ' ')} {shown}"
