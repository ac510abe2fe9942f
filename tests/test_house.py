"""The house: what import-linter's contracts in pyproject.toml (`make check`) cannot say."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("orchestrator", "model", "features")

ENGINES = (
    "torch",
    "torch_geometric",
    "sklearn",
    "ray",
    "opensmile",
    "pyarrow",
    "scipy",
    "optuna",
    "mlflow",
    "tensorboardX",
    "soundfile",
    "librosa",
    "audformat",
    "pandas",
    "matplotlib",
)

# Modules of model and features that every command may import: they load no engine.
LIGHT = (
    "model.config",
    "model.errors",
    "model.evaluation.metrics",
    "model.systems.catalogue",
    "features.config",
    "features.errors",
    "features.corpora.corpus",
    "features.corpora.catalogue",
    "features.corpora.folds",
    "features.corpora.inspection",
    "features.descriptors.catalogue",
    "features.descriptors.feature_set",
    "features.descriptors.opensmile_config",
    "features.dataset.utterance_view",
)


@pytest.mark.parametrize("package", PACKAGES)
def test_an_init_file_is_one_sentence_that_says_what_the_folder_is(package: str) -> None:
    folders = [p for p in (ROOT / package, *(ROOT / package).rglob("*")) if p.is_dir()]
    for folder in folders:
        if folder.name == "__pycache__" or not any(folder.glob("**/*.py")):
            continue  # templates are text
        tree = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
        sentence = ast.get_docstring(tree)
        assert len(tree.body) == 1 and sentence, folder
        assert sentence.endswith(".") and "\n" not in sentence, folder


def test_light_modules_load_no_engine() -> None:
    code = f"import sys, {', '.join(LIGHT)}; print(*({set(ENGINES)!r} & sys.modules.keys()))"
    loaded = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).split()
    assert loaded == []


def test_top_level_is_kept() -> None:
    wanted = {
        "pyproject.toml",
        "README.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "mkdocs.yml",
        "Makefile",
        "constraints.txt",
        "cluster.yaml",
        "orchestrator",
        "model",
        "features",
        "studies",
        "docs",
        "tests",
    }
    found = {
        p.name for p in ROOT.iterdir() if not p.name.startswith(".") and "egg-info" not in p.name
    }
    assert found == wanted


# --- sizes and names ------------------------------------------------------------------------

MOST_LINES = 400
MOST_FUNCTION_LINES = 60
"""Of a function without its docstring."""
MOST_MODULES = 12

# Folders of alike members may grow: their sentence says what one file holds.
ALIKE = (
    "orchestrator/cli",
    "orchestrator/report/figures",
    "orchestrator/report/terminal",
    "orchestrator/report/trackers",
    "model/systems",
    "features/corpora/readers",
    "features/descriptors/sets",
)

# Programs that travel alone: they import nothing of the packages, and so may name types alike.
ALONE = ("orchestrator/report/export/recompute", "features/corpora/readers/espeak")

MODULES = sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Number of lines from ``def`` to the last, without the docstring."""
    assert function.end_lineno is not None
    first = function.body[0]
    documented = ast.get_docstring(function) is not None and first.end_lineno is not None
    docstring = first.end_lineno - first.lineno + 1 if documented else 0  # type: ignore[operator]
    return function.end_lineno - function.lineno + 1 - docstring


def types_of(tree: ast.Module) -> Iterator[str]:
    """Public classes, and names like `Confusion = Sequence[...]` that stand for a type."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            name = node.name
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        else:
            continue
        if name[0].isupper() and not name.isupper():
            yield name


def test_a_file_is_one_thought() -> None:
    lengths = {relative(p): len(p.read_text(encoding="utf-8").splitlines()) for p in MODULES}
    assert {name: n for name, n in lengths.items() if n > MOST_LINES} == {}


def test_a_function_is_read_at_a_glance() -> None:
    lengths = {
        f"{relative(p)}:{function.name}": lines_of(function)
        for p in MODULES
        for function in functions(ast.parse(p.read_text(encoding="utf-8")))
    }
    assert {name: n for name, n in lengths.items() if n > MOST_FUNCTION_LINES} == {}


def test_a_folder_of_unlike_modules_is_small() -> None:
    sizes = Counter(relative(p.parent) for p in MODULES if p.name != "__init__.py")
    large = {name: n for name, n in sizes.items() if n > MOST_MODULES and name not in ALIKE}
    assert large == {}


@pytest.mark.parametrize("folder", ALIKE)
def test_a_folder_of_alike_modules_says_what_a_file_holds(folder: str) -> None:
    sentence = ast.get_docstring(ast.parse((ROOT / folder / "__init__.py").read_text("utf-8")))
    assert sentence and re.search(r"\b[Oo]ne [a-z ]+ a file\b", sentence), folder


def test_the_name_of_a_public_type_stands_once() -> None:
    homes: dict[str, list[str]] = {}
    for p in MODULES:
        if not relative(p).startswith(ALONE):
            for name in types_of(ast.parse(p.read_text(encoding="utf-8"))):
                homes.setdefault(name, []).append(relative(p))
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}
