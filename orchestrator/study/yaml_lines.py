"""Reads YAML, and keeps the line and column of every key and value.

A study file is data: aliases, anchors, tags, duplicate keys, several documents, deep nesting and
files over 256 KiB are refused. Plain scalars follow YAML 1.2's core schema, so ``1e-3`` is
a number and ``no`` is a word (PyYAML's own rules are YAML 1.1: there it is the other way round).
"""

import re
from dataclasses import dataclass
from typing import Any

import yaml

from orchestrator.errors import Fault, first_line

MAX_BYTES = 256 * 1024
"""The largest study file that is read, in bytes of UTF-8."""
MAX_DEPTH = 12
"""The most mappings and lists that may lie within each other."""

_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS = {"null": None, "~": None, "": None, "true": True, "false": False}

Scalar = None | bool | int | float | str


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a YAML file with its position; lists and mappings hold further nodes."""

    value: "Scalar | list[Node] | dict[str, Node]"
    """The value: a scalar, the items of a list, or the entries of a mapping by key."""
    line: int
    """Line at which the value begins, counted from 1."""
    column: int
    """Column at which the value begins, in characters, counted from 1."""
    key_line: int = 0
    """Line of the key in front of the value; of a list's item, of the item itself."""
    key_column: int = 0
    """Column of the key in front of the value; of a list's item, of the item itself."""

    def fault(self, sentence: str) -> Fault:
        """A fault at the line and column of the value; the sentence says what is wrong."""
        return Fault(self.line, self.column, sentence)

    def key_fault(self, sentence: str) -> Fault:
        """A fault at the line and column of the key in front of the value."""
        return Fault(self.key_line or self.line, self.key_column or self.column, sentence)

    @property
    def mapping(self) -> "dict[str, Node]":
        """The entries of a mapping; empty for anything else."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def sequence(self) -> "list[Node]":
        """The items of a list; empty for anything else."""
        return self.value if isinstance(self.value, list) else []

    def below(self, step: "int | str") -> "Node | None":
        """The value of a key, or the item at an index; None where there is none."""
        if isinstance(step, str):
            return self.mapping.get(step)
        return self.sequence[step] if step < len(self.sequence) else None

    def plain(self) -> Any:
        """The value without positions: dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    @property
    def label(self) -> str:
        """The value in a name: weights as ``softmax 1/2 sum 1/2``, a list as ``1+3``, else text."""
        value = self.plain()
        if isinstance(value, dict):
            return " ".join(f"{name} {weight}" for name, weight in value.items())
        return "+".join(map(str, value)) if isinstance(value, list) else str(value)

    def shown(self) -> str:
        """The value as an error quotes it, cut to 40 characters: `` `0.5` ``, "a list", "empty"."""
        if isinstance(self.value, dict):
            return "a mapping"
        if isinstance(self.value, list):
            return "a list"
        if self.value is None:
            return "empty"
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        text = str(self.value)
        text = text if len(text) <= 40 else text[:37] + "..."
        return f"`{text}`"


def read(text: str) -> tuple[Node | None, list[Fault]]:
    """Parse the text of a YAML file that holds one document.

    Returns:
        The node of the whole document, or None where it cannot be read; and all faults: none where
        the text is right.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return None, [Fault(1, 1, f"The file must be at most {MAX_BYTES // 1024} KiB.")]
    faults: list[Fault] = []
    try:
        faults += _refuse_extras(text)
        if faults:
            return None, faults
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = (error.problem or "cannot be read").rstrip(".")
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        return None, [Fault(line, column, f"This is not YAML: {problem}.")]
    except yaml.YAMLError as error:
        return None, [Fault(1, 1, f"This is not YAML: {first_line(error)}.")]
    if root is None:
        return None, [Fault(1, 1, "The file is empty.")]
    node = _convert(root, faults)
    return node, faults


def _refuse_extras(text: str) -> list[Fault]:
    """A fault for each alias, anchor, tag, second document, and where nesting is too deep."""
    faults: list[Fault] = []
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        mark = event.start_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents == 2:
                faults.append(Fault(line, column, "The file must hold one document."))
        elif isinstance(event, yaml.AliasEvent):
            faults.append(Fault(line, column, f"Aliases (`*{event.anchor}`) are not allowed."))
        elif isinstance(event, yaml.NodeEvent):
            if event.anchor:
                faults.append(Fault(line, column, f"Anchors (`&{event.anchor}`) are not allowed."))
            if tag := getattr(event, "tag", None):
                faults.append(Fault(line, column, f"Tags (`{tag}`) are not allowed."))
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    return [*faults, Fault(line, column, f"More than {MAX_DEPTH} levels deep.")]
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return faults


def _convert(node: Any, faults: list[Fault], key: Any = None) -> Node:
    """Turn a node of PyYAML into one of ours, and append the faults of its keys to ``faults``.

    Args:
        node: the node of PyYAML.
        faults: gets the faults.
        key: the node of the key in front of it; None where there is none.
    """
    value: Scalar | list[Node] | dict[str, Node]
    if isinstance(node, yaml.MappingNode):
        value = _convert_mapping(node, faults)
    elif isinstance(node, yaml.SequenceNode):
        value = [_convert(item, faults) for item in node.value]
    else:
        value = _scalar(node.value, quoted=node.style is not None)
        faults += _half_pairs(node)
    mark, key_mark = node.start_mark, (key or node).start_mark
    return Node(value, mark.line + 1, mark.column + 1, key_mark.line + 1, key_mark.column + 1)


def _convert_mapping(node: yaml.MappingNode, faults: list[Fault]) -> dict[str, Node]:
    """The entries of a mapping; one whose key is no word or stands twice becomes a fault."""
    entries: dict[str, Node] = {}
    for key, value in node.value:
        line, column = key.start_mark.line + 1, key.start_mark.column + 1
        if not isinstance(key, yaml.ScalarNode):
            faults.append(Fault(line, column, "A key must be a word."))
        elif half := _half_pairs(key):
            faults += half
        elif key.value in entries:
            first = entries[key.value].key_line
            faults.append(
                Fault(line, column, f"`{key.value}` stands here twice (first in line {first}).")
            )
        else:
            entries[key.value] = _convert(value, faults, key)
    return entries


def _half_pairs(scalar: yaml.ScalarNode) -> list[Fault]:
    """A fault where a text holds half a surrogate pair, which no file and no terminal can take."""
    halves = [char for char in scalar.value if "\ud800" <= char <= "\udfff"]
    if not halves:
        return []
    line, column = scalar.start_mark.line + 1, scalar.start_mark.column + 1
    return [Fault(line, column, f"`\\u{ord(halves[0]):04x}` is half a character: write it whole.")]


def _scalar(text: str, *, quoted: bool) -> Scalar:
    """The value of a scalar's text by YAML 1.2's core schema; a quoted one is text as it is."""
    if quoted:
        return text
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INT.fullmatch(text) and len(text) < 20:
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
