"""The README is one screen that is true."""

import re
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def readme(root: Path) -> str:
    return (root / "README.md").read_text(encoding="utf-8")


def test_it_is_short(readme: str) -> None:
    assert len(readme.splitlines()) <= 120


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_its_links_lead_somewhere(page: str, root: Path) -> None:
    text = (root / page).read_text(encoding="utf-8")
    links = [t for t in re.findall(r"\]\(([^)]+)\)", text) if not t.startswith("https://")]
    assert links
    for link in links:
        path, _, anchor = link.partition("#")
        assert (root / path).is_file(), link
        headings = re.findall(r"^#+ (.+)$", (root / path).read_text(encoding="utf-8"), re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in headings}
        assert not anchor or anchor in anchors, link


def test_nothing_is_left_to_fill_in(readme: str) -> None:
    assert not re.search(r"@@|^[A-Z]{3,}$", readme, re.MULTILINE)
    table = next(b for b in re.findall(r"```text\n(.*?)```", readme, re.DOTALL))
    assert all(len(line) <= 80 for line in table.splitlines())
