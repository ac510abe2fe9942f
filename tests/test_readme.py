"""The README is a map that is true."""

import re
from pathlib import Path

import pytest

from model.systems.catalogue import SYSTEMS
from orchestrator.study.settings import SETTINGS


@pytest.fixture(scope="module")
def readme(root: Path) -> str:
    return (root / "README.md").read_text(encoding="utf-8")


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
