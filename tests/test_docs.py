"""The pages are true: generated parts are as generated, and every block runs or parses.

A shell block runs in a folder with the shipped studies and a small store, unless an invisible
comment stands before it: `<!-- checked -->` (it would train or install: its commands are checked,
not run) or `<!-- needs: X -->` (it needs X, which is not here). Both kinds are counted below.
"""

import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
import typer.main
import yaml
from sybil import Document, Example, Region, Sybil
from sybil.parsers.markdown.lexers import DirectiveInHTMLCommentLexer, FencedCodeBlockLexer
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.study.reader import parse_study

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md")))
PACKAGES = ("orchestrator", "model", "features")
EARLIER_STORE = ROOT / "tests" / "fixtures" / "earlier_store" / "store.tar.xz"


# --- blocks -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    mark: str
    """`run`, `checked` or `needs`: what the comment before the block says; `run` without one."""
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


FENCES = FencedCodeBlockLexer(r"\w*")
MARKS = DirectiveInHTMLCommentLexer("checked|needs")


def remember_mark(example: Example) -> None:
    example.namespace["mark"] = example.parsed


def add_block(example: Example) -> None:
    language, text = example.parsed
    mark = example.namespace.pop("mark", "run")
    page = str(Path(example.path).relative_to(ROOT))
    BLOCKS.append(Block(page, example.line, language, mark, text))


def fences(document: Document) -> Iterator[Region]:
    for found in FENCES(document):
        parsed = (found.lexemes["language"], str(found.lexemes["source"]))
        yield Region(found.start, found.end, parsed, add_block)


def marks(document: Document) -> Iterator[Region]:
    for found in MARKS(document):
        yield Region(found.start, found.end, found.lexemes["directive"], remember_mark)


BLOCKS: list[Block] = []
for _page in PAGES:
    for _example in Sybil(parsers=[fences, marks]).parse(_page).examples():
        _example.evaluate()


def blocks(language: str, mark: str | None = None) -> list[Block]:
    return [b for b in BLOCKS if b.language == language and mark in (None, b.mark)]


def test_each_block_is_of_a_kind_that_is_tested() -> None:
    assert {b.language for b in BLOCKS} <= {"sh", "yaml", "python", "text"}


def test_what_is_not_run_is_counted() -> None:
    assert Counter(b.mark for b in blocks("sh")) == {"run": 8, "checked": 18, "needs": 10}


# --- shell ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped studies, and a store in which small ones have run."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(ROOT / "studies", folder / "studies")
    shutil.copy(ROOT / "studies" / "smoke.yaml", folder / "studies" / "mine.yaml")
    with tarfile.open(EARLIER_STORE) as tar:
        tar.extractall(folder, filter="data")
    (folder / "store").rename(folder / ".ablate")
    return folder


@pytest.mark.parametrize("block", blocks("sh", "run"), ids=str)
def test_a_shell_block_runs(block: Block, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands of ours run in this process, where libraries are loaded once; others in a shell."""
    monkeypatch.chdir(workplace)
    lines = list(commands(block.text))
    if all(words[0] == "ablate" for words in lines):
        for words in lines:
            done = CliRunner().invoke(app, words[1:])
            assert done.exit_code == 0, (words, done.output, done.exception)
        return
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    line = ["bash", "-euo", "pipefail", "-c", block.text]
    ran = subprocess.run(line, env={**os.environ, "PATH": path}, capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr


def commands(text: str) -> Iterator[list[str]]:
    """The simple commands of a shell text, as words."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.shlex(line, posix=True, punctuation_chars=True)
        words.whitespace_split, words.commenters = True, "#"
        command: list[str] = []
        for word in [*words, ";"]:
            if word in ("&&", "|", ";", ">", "(", ")", "--"):
                if command:
                    yield command
                command = []
            else:
                command.append(word)


def refuse_unknown(words: list[str]) -> None:
    """Let the real command line parse a command of ours; nothing is called."""
    group = typer.main.get_command(app)
    names = words[1:]
    while names and hasattr(group, "commands"):
        group = group.commands[names.pop(0)]
    group.make_context(" ".join(words), names)


@pytest.mark.parametrize("block", blocks("sh"), ids=str)
def test_commands_of_a_shell_block_exist(block: Block) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("$(VENV)", ".venv")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for words in commands(block.text):
        if words[0] == "ablate":
            refuse_unknown(words)
        elif words[0] == "make":
            targets = [word for word in words[1:] if "=" not in word]
            assert all(f"\n{target}:" in makefile for target in targets), words
        elif words[:3] == ["python", "-m", "pytest"]:
            assert all((ROOT / path).exists() for path in words[4:]), words
        for extra in re.findall(r"\.\[(\w+)\]", " ".join(words)):
            assert extra in project["optional-dependencies"], words


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_within_sentences_exist(page: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for shown in re.findall(r"`(ablate [a-z][^`]*)`", prose):
        words = shlex.split(shown.replace("\\|", "|"))
        if words[1:] not in (["corpus"], ["features"]):
            refuse_unknown([*words, *missing(words)])


def missing(words: list[str]) -> list[str]:
    """Stand-ins for what a sentence leaves out, as in "`ablate gc` removes it"."""
    group = typer.main.get_command(app)
    names = words[1:]
    while names and hasattr(group, "commands"):
        group = group.commands[names.pop(0)]
    if any(not name.startswith("-") for name in names):
        return []
    arguments = [p for p in group.params if p.required and p.param_type_name == "argument"]
    options = [p for p in group.params if p.required and p.param_type_name == "option"]
    given = [word for option in options for word in (option.opts[-1], "X")]
    return [*given, *("X" for _ in arguments)]


# --- YAML and Python ----------------------------------------------------------------------------

STUDY_KEYS = {"rows", "axes", "search", "protocol", "emotions", "published", "baseline", "training"}
NEEDED = {"study": "a_part", "question": "Is a part of a study enough?"}


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_a_yaml_block_parses(block: Block) -> None:
    """A study, a part of a study, or another file of ours."""
    keys = yaml.safe_load(block.text)
    if "study" in keys:
        parse_study(block.text, str(block))
    elif keys.keys() <= STUDY_KEYS:
        rest = {key: value for key, value in NEEDED.items() if key not in keys}
        if not keys.keys() & {"rows", "axes", "search"}:
            rows = [{"name": "A", "set": {}}, {"name": "B", "set": {"fa_layer": "none"}}]
            rest |= {"rows": rows, "reference": "A"}
        parse_study(f"{block.text}\n{yaml.safe_dump(rest)}", str(block))


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_a_python_block_compiles(block: Block) -> None:
    compile(block.text, str(block), "exec")


# --- pages ------------------------------------------------------------------------------------


@pytest.fixture
def generate(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(DOCS))
    return importlib.import_module("generate")


def test_generated_parts_are_as_the_script_gives_them(generate: ModuleType) -> None:
    old = [p.name for p, text in generate.generated() if p.read_text(encoding="utf-8") != text]
    assert not old, f"`{Path(sys.executable).name} docs/generate.py` and commit: {', '.join(old)}"


def test_each_command_has_its_section(generate: ModuleType) -> None:
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    for words in generate.commands():
        assert f"<!-- generated: command {words} -->" in page, f"`ablate {words}` has no section"


def test_each_folder_stands_in_the_architecture_with_its_sentence() -> None:
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    for init in (found for package in PACKAGES for found in (ROOT / package).rglob("__init__.py")):
        folder = init.parent.relative_to(ROOT)
        sentence = init.read_text(encoding="utf-8").strip().strip('"')
        assert f"| `{folder}/` | {sentence} |" in page, f"`{folder}/` is missing"


def test_each_setting_system_and_study_is_named(root: Path) -> None:
    from model.systems.catalogue import SYSTEMS
    from orchestrator.study.keys.settings import SETTINGS

    assert absent(SETTINGS, DOCS / "study_file.md") == []
    assert absent(SYSTEMS, DOCS / "systems.md") == []
    studies = [f"studies/{path.name}" for path in (root / "studies").glob("*.yaml")]
    assert absent(studies, DOCS / "index.md") == []


def absent(names: Iterable[str], page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return [name for name in names if f"`{name}`" not in text]


def test_each_word_of_the_glossary_has_one_meaning() -> None:
    page = (DOCS / "glossary.md").read_text(encoding="utf-8")
    words = re.findall(r"^\| ([^|]+?) \|", page, re.MULTILINE)
    words = [word for word in words if word not in ("term", "---")]
    assert words and [word for word, n in Counter(words).items() if n > 1] == []


def test_each_page_is_in_the_menu() -> None:
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in DOCS.rglob("*.md"):
        assert f": {page.relative_to(DOCS)}" in menu, page


def test_nothing_is_fetched_when_a_page_is_read() -> None:
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    plugins = {
        name
        for plugin in config["plugins"]
        for name in ([plugin] if isinstance(plugin, str) else plugin)
    }
    assert config["theme"]["font"] is False
    assert plugins == {"search", "mkdocstrings"}
    assert "extra_javascript" not in config
    assert not any(re.search(r"^```mermaid|!\[[^]]*\]\(http", p.read_text()) for p in PAGES)


WALKED = re.compile(r"^\| `(\w+)` \| `([\w/]+\.py)` \|", re.MULTILINE)


def test_the_walks_name_functions_that_are_there() -> None:
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    steps = WALKED.findall(page)
    assert len(steps) >= 40
    gone = [
        f"{name} in {file}"
        for name, file in steps
        if not (path := ROOT / file).is_file()
        or not re.search(rf"^ *(def|class) {name}\b", path.read_text("utf-8"), re.MULTILINE)
    ]
    assert gone == [], "docs/architecture.md walks through functions that are not there"


def test_files_and_folders_in_sentences_are_there() -> None:
    """Paths below the checkout's own folders, as in `tests/security/`."""
    own = r"`((?:orchestrator|model|features|tests|studies|docs)/[\w/.]*)`"
    for page in PAGES:
        for path in re.findall(own, page.read_text(encoding="utf-8")):
            if path not in OF_THE_READER and not re.search(r"[A-Z]{4}", path):
                assert (ROOT / path).exists(), f"{page.name}: {path}"


OF_THE_READER = {"studies/parts.yaml", "studies/mine.yaml"}
"""Files that a page tells its reader to write; those of a recipe have capitals in their names."""
