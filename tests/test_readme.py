"""The README is a map that is true."""

import re
from pathlib import Path

import pytest

from model.systems import SYSTEMS
from orchestrator.settings import SETTINGS


@pytest.fixture(scope="module")
def readme(root: Path) -> str:
    return (root / "README.md").read_text(encoding="utf-8")


def test_the_tree_is_the_real_tree(readme: str, root: Path) -> None:
    block = readme.split("## The house")[1].split("```")[1]
    named: set[str] = set()
    folders: list[str] = []
    for line in block.strip().splitlines():
        entry = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2
        folders = folders[:depth]
        path = "/".join([*folders, entry.rstrip("/")])
        named.add(path)
        if entry.endswith("/"):
            folders.append(entry.rstrip("/"))
        assert len(line) <= 80 and len(line.split()) > 1, line
    real = {
        str(path.relative_to(root))
        for room in ("orchestrator", "model", "features")
        for path in (root / room, *(root / room).rglob("*"))
        if path.suffix in (".py", ".conf") or (path.is_dir() and path.name != "__pycache__")
        if path.name != "__init__.py"
    }
    top = {"pyproject.toml", "constraints.txt", "Makefile", "cluster.yaml", "LICENSE", "studies",
           "tests"}  # fmt: skip
    assert named == real | top


def test_every_setting_and_study_is_named(readme: str, root: Path) -> None:
    for key in SETTINGS:
        assert re.search(rf"\b{key}\b", readme), f"`{key}` is missing in the README"
    for name in SYSTEMS:
        assert f"`{name}`" in readme, f"the system `{name}` is missing in the README"
    for path in (root / "studies").glob("*.yaml"):
        assert f"studies/{path.name}" in readme


def test_nothing_is_left_to_fill_in(readme: str) -> None:
    assert not re.search(r"@@|^[A-Z]{3,}$", readme, re.MULTILINE)
    block = readme.split("```")[3]
    assert all(len(line) <= 80 for line in block.splitlines())
