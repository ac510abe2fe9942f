"""The page, as it is written and as a real Chromium shows it."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from orchestrator.report.html import study_view
from orchestrator.report.html.page import page
from orchestrator.report.html.plots import Forest
from orchestrator.report.results import measure
from orchestrator.report.tables.headline import table
from orchestrator.store.ledger import Ledger
from orchestrator.store.snapshot import Snapshot, SnapshotRow
from tests import stores
from tests.browser import CHROMIUM, Browser

HOSTILE = (
    '<script>alert(1)</script>" onmouseover="alert(2)',
    "</style></title><img src=https://example.org/x onerror=alert(3)>",
    "最後から二番目の層を完全隣接にした重み付き多重集約器",
    "שכבה לפני אחרונה",
    "averyveryverylongwordwithoutanyspaceoranyhyphenatallinitsothatitmustbebroken",
)
ROWS = {"WMA-GIN": {"fa_layer": "2"}, "better": {"fa_layer": "3"}, "w/o FA": {"fa_layer": "none"}}


def study(root: Path, names: tuple[str, ...] = (), **changes: object) -> tuple[Ledger, Snapshot]:
    return stores.made(
        root,
        {**ROWS, **{name: {"fa_layer": f"<b>{name}"} for name in names}},
        folds=4,
        seeds=2,
        skill={"better": 2.9, "WMA-GIN": 0.7, "w/o FA": 0.1},
        missing=[("w/o FA", 1, 1)],
        **{"corpus": "demo", **changes},
    )


def text_of(*studies: tuple[Ledger, Snapshot]) -> str:
    return page([measure(ledger, snapshot) for ledger, snapshot in studies])


class Parsed(HTMLParser):
    """Elements with their attributes, and the text of everything but styles and scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.raw: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem:
            self.raw[self.cdata_elem] = self.raw.get(self.cdata_elem, "") + data
        else:
            self.words.append(data)


def test_the_page_says_what_the_table_says(tmp_path: Path) -> None:
    ledger, snapshot = study(tmp_path)
    said = " ".join(" ".join(Parsed(text_of((ledger, snapshot))).words).replace("−", "-").split())
    said = re.sub(r"\s+(?=±)", " ", said)
    found = table(measure(ledger, snapshot).summary)
    for cell in (found.label, found.title, found.banner, *(c for row in found.cells for c in row)):
        assert cell in said
    for fact in ("corpus demo", "profile quick", "reading as-written"):
        assert fact in said


def test_the_page_asks_for_nothing_and_runs_its_own_script_alone(tmp_path: Path) -> None:
    found = Parsed(text_of(study(tmp_path, HOSTILE)))
    names = {name for name, _ in found.elements}
    assert not names & {"link", "img", "iframe", "object", "base", "form", "image", "use", "b"}
    for _, attributes in found.elements:
        assert not attributes.keys() & {"src", "style", "srcset", "action", "onmouseover"}
        assert attributes.get("href", "#").startswith("#")
    (policy,) = (a["content"] for _, a in found.elements if a.get("http-equiv"))
    for part in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(found.raw[part].encode()).digest()).decode()
        assert f"{part}-src 'sha256-{digest}'" in str(policy)
    assert str(policy).startswith("default-src 'none';") and "unsafe" not in str(policy)
    said = "".join(found.words)
    assert all(name in said for name in HOSTILE)


def test_nothing_run_yet_is_dashes_and_the_command_that_fills_them(tmp_path: Path) -> None:
    rows = {name: dict(own) for name, own in ROWS.items()}
    every = [(name, fold, 0) for name in rows for fold in range(2)]
    ledger, snapshot = stores.made(tmp_path, rows, folds=2, missing=every)
    said = " ".join(" ".join(Parsed(text_of((ledger, snapshot))).words).split())
    assert said.count("No training is finished.") == 3
    under = said.count("Missing: ")
    assert said.count("ablate run studies/made.yaml") == 3 + under and under and "–" in said


def test_studies_of_one_table_stand_below_each_other(tmp_path: Path) -> None:
    one, other = study(tmp_path / "1"), study(tmp_path / "2", study="more", question="And these?")
    found = Parsed(text_of(one, other))
    ids = [a["id"] for _, a in found.elements if a.get("id")]
    assert len(ids) == len(set(ids))
    assert [a["href"] for name, a in found.elements if name == "a"] == ["#s1", "#s2"]


def test_a_page_of_too_many_epochs_leaves_the_curves_out_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, snapshot = study(tmp_path)
    monkeypatch.setattr(study_view, "MOST_EPOCHS", 23 * stores.EPOCHS)
    assert "<polyline" in text_of((ledger, snapshot))
    monkeypatch.setattr(study_view, "MOST_EPOCHS", 23 * stores.EPOCHS - 1)
    without = text_of((ledger, snapshot))
    assert "<polyline" not in without and "these trainings have 276 epochs" in without


def test_a_damaged_curve_is_told_where_it_would_stand(tmp_path: Path) -> None:
    ledger, snapshot = study(tmp_path)
    stores.spoilt(ledger, snapshot.trials[0].id, "history.json")
    assert text_of((ledger, snapshot)).count("is not what was written") == 1


def test_published_rows_and_blocks_stand_apart(tmp_path: Path) -> None:
    ledger, snapshot = study(
        tmp_path, published=(SnapshotRow(name="HNSD", reading="", paper={"ua": 72.5}, model=""),)
    )
    said = Parsed(text_of((ledger, snapshot))).words
    assert said.index("as published, not run here") < said.index("HNSD") < said.index("WMA-GIN")


def test_an_interval_beyond_the_scale_ends_in_an_arrow_to_either_side(tmp_path: Path) -> None:
    ledger, snapshot = study(tmp_path)
    results = measure(ledger, snapshot)
    rows = [
        replace(row, difference=replace(row.difference, low=-9.0, high=9.0))
        if row.difference is not None
        else row
        for row in results.summary.rows
    ]
    wide = replace(results, summary=replace(results.summary, rows=tuple(rows)))
    elements = Parsed(page([wide])).elements
    arrows = [a["d"] for name, a in elements if name == "path" and a["class"] == "bar arrow"]
    forest = Forest(100.0)
    left, right = forest.x(-900), forest.x(900)
    assert (left, right) == (forest.x(-100), forest.x(100))
    assert arrows == [f"M{left:g} 16l-5 4 5 4", f"M{right:g} 16l5 4 -5 4"] * 2


def test_every_value_in_a_template_is_escaped_and_every_attribute_quoted() -> None:
    """The templates, read as text: an attribute without quotes would be a way out of it."""
    templates = Path(study_view.__file__).parent / "templates"
    raw = []
    for path in sorted(templates.glob("*.jinja")):
        text = re.sub(r"\{#.*?#\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        raw += re.findall(r"\{\{ ([\w.]+) \| safe \}\}", text)
        assert "autoescape" not in text
        assert not re.search(r"=\s*\{[{%]", re.sub(r"\{%.*?%\}", "", text)), path.name
    assert sorted(raw) == ["script", "study.picture", "style"]


# --- in a real browser ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with hostile names, a published row and a missing trial."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "page.html").write_text(text_of(study(folder / "store", HOSTILE)), encoding="utf-8")
    return folder / "page.html"


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with a figure of the paper."""
    folder = tmp_path_factory.mktemp("sweep")
    rows = {f"{n} x {h}": {"layers": n, "hidden": h} for n in (4, 5) for h in (64, 128)}
    made = stores.made(
        folder / "store", rows, table=None, figure=2, axes=("layers", "hidden"), corpus="demo"
    )
    (folder / "page.html").write_text(text_of(made), encoding="utf-8")
    return folder / "page.html"


NAMES = "[...document.querySelectorAll('tbody.row > tr:first-child > th')].map(c => c.innerText)"
COLUMN = (
    "[...document.querySelectorAll('tbody.row > tr:first-child > td:nth-child({n})')]"
    ".map(c => parseFloat(c.innerText.replace('−', '-')))"
)
OPEN_ALL = (
    "document.querySelectorAll('details').forEach(d => d.open = true); "
    "document.querySelectorAll('details').length"
)


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_no_request_leaves_and_nothing_is_complained_of(
    chromium: Browser, file: Path, sweep: Path, width: int
) -> None:
    for one in (file, sweep):
        chromium.open(one, width=width)
        chromium.js(OPEN_ALL)
        chromium.click(".copy")
        assert chromium.requests == [one.as_uri()]
        assert chromium.complaints == []
        assert chromium.js("document.scripts.length") == 1


@pytest.mark.browser
def test_rows_are_sorted_by_mouse_and_by_key(chromium: Browser, file: Path) -> None:
    chromium.open(file)
    names, scores = chromium.js(NAMES), chromium.js(COLUMN.format(n=3))
    sorts = "[...document.querySelectorAll('thead th')].map(h => h.ariaSort).filter(Boolean)"
    assert names[0] == "WMA-GIN" and scores != sorted(scores)
    chromium.click(".headline th:nth-child(3) button")
    assert chromium.js(COLUMN.format(n=3)) == sorted(scores, reverse=True)
    assert chromium.js(sorts) == ["descending"] and chromium.js(NAMES)[0] == "better"
    chromium.press("Enter")  # the button that was clicked has the focus
    assert chromium.js(COLUMN.format(n=3)) == sorted(scores)
    assert chromium.js(sorts) == ["ascending"]
    chromium.press(" ")
    assert chromium.js(NAMES) == names and chromium.js(sorts) == []
    chromium.click(".headline th:nth-child(5) button")  # the reference has no difference
    assert chromium.js(NAMES)[-1] == "WMA-GIN"
    chromium.click(".headline th:nth-child(1) button")
    assert chromium.js(sorts) == ["ascending"] and set(chromium.js(NAMES)) == set(names)


@pytest.mark.browser
def test_a_row_opens_what_stands_behind_it(chromium: Browser, file: Path) -> None:
    chromium.open(file)
    seen = "[...document.querySelectorAll('.row-details')].map(r => r.offsetHeight > 0)"
    assert not any(chromium.js(seen))
    chromium.click("#s1-r2 summary")
    assert chromium.js(seen)[:3] == [False, True, False]
    text = chromium.js("document.querySelector('#s1-r2 .row-details').innerText")
    for part in (
        "Differs from WMA-GIN",
        "8 trainings",
        "group 4",
        "speaker-07",
        "ablate rerun",
        "Loss by epoch",
        "angry",
    ):
        assert part in text, part
    assert chromium.js("document.querySelectorAll('#s1-r2 .curves polyline').length") == 19
    chromium.press(" ")
    assert not any(chromium.js(seen))
    chromium.open(file, anchor="#s1-r3")
    assert chromium.js(seen)[:3] == [False, False, True]
    chromium.click(".open-all")
    assert all(chromium.js(seen))


@pytest.mark.browser
def test_without_a_script_rows_open_and_nothing_promises_more(
    chromium: Browser, file: Path
) -> None:
    chromium.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        chromium.open(file)
        chromium.click("#s1-r2 summary")
        assert chromium.js("document.querySelector('#s1-r2 .row-details').offsetHeight") > 300
        assert chromium.js("document.documentElement.className") == ""
        shown = "[...document.querySelectorAll('.copy, .tools')].filter(b => b.offsetHeight).length"
        assert chromium.js(shown) == 0
    finally:
        chromium.call("Emulation.setScriptExecutionDisabled", value=False)


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 1040, 780, 390, 320])
def test_the_page_never_scrolls_sideways(
    chromium: Browser, file: Path, sweep: Path, width: int
) -> None:
    for one in (file, sweep):
        chromium.open(one, width=width)
        assert chromium.js(OPEN_ALL) > 5
        assert chromium.js("document.documentElement.scrollWidth") <= width


CONTRAST = """
(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = rgba(getComputedStyle(e).backgroundColor);
      if (colour[3] === 255) return colour;
      if (colour[3] !== 0) throw new Error('a background that shines through');
    }
    throw new Error('no background');
  };
  const poor = [];
  let seen = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.getClientRects().length) continue;
    seen += 1;
    const style = getComputedStyle(element);
    const ink = rgba(element.closest('svg') ? style.fill : style.color);
    const [a, b] = [light(ink.slice(0, 3)), light(behind(element).slice(0, 3))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) poor.push([ratio.toFixed(2), walker.currentNode.data.trim()]);
  }
  return { seen, poor };
})()
"""


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_text_has_the_contrast_of_wcag_aa(
    chromium: Browser, file: Path, sweep: Path, dark: bool, width: int
) -> None:
    for one in (file, sweep):
        chromium.open(one, dark=dark, width=width)
        chromium.js(OPEN_ALL)
        found = chromium.js(CONTRAST)
        assert found["seen"] > 200 and found["poor"] == [], json.dumps(found["poor"][:9])


@pytest.mark.browser
def test_a_command_is_copied(chromium: Browser, file: Path) -> None:
    chromium.open(file)
    chromium.call("Browser.grantPermissions", permissions=["clipboardReadWrite"])
    chromium.click("#s1-r2 summary")
    chromium.click("#s1-r2 .copy")
    chromium.js("new Promise(done => setTimeout(done, 100))")
    assert chromium.js("document.querySelector('#s1-r2 .copy').textContent") == "copied"
    command = chromium.js("document.querySelector('#s1-r2 .command code').textContent")
    assert chromium.js("navigator.clipboard.readText()") == command
