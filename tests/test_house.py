"""The house: what import-linter's contracts in pyproject.toml (`make check`) cannot say."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("orchestrator", "model", "features")

ENGINES = (
    "torch", "torch_geometric", "sklearn", "ray", "opensmile", "pyarrow", "scipy", "optuna",
    "mlflow", "tensorboardX", "soundfile", "librosa", "audformat", "pandas", "matplotlib",
)  # fmt: skip

# Modules of model and features that every command may import: they load no engine.
LIGHT = (
    "model.config", "model.errors", "model.evaluation.metrics", "model.systems.catalogue",
    "features.config", "features.errors", "features.corpora.corpus", "features.corpora.catalogue",
    "features.corpora.folds", "features.corpora.inspection", "features.descriptors.catalogue",
    "features.descriptors.feature_set", "features.descriptors.opensmile_config",
    "features.dataset.utterance_view",
)  # fmt: skip


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
