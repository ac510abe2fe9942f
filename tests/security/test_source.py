"""What the code could do wrong with data of a stranger, and does not: read from the source."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    p for room in ("orchestrator", "model", "features") for p in (ROOT / room).rglob("*.py")
)
UNPICKLERS = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "copyreg"}
EVALUATORS = {"eval", "exec", "compile", "__import__"}
LOADERS = {
    ("torch", "load"),
    ("np", "load"),
    ("numpy", "load"),
    ("yaml", "load"),
    ("yaml", "unsafe_load"),
    ("yaml", "full_load"),
    ("pd", "read_pickle"),
    ("os", "system"),
    ("os", "popen"),
}


def faults(tree: ast.AST) -> list[str]:
    """Imports of what unpickles, calls of what evaluates, shells."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.partition(".")[0] in UNPICKLERS]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module] if node.module.partition(".")[0] in UNPICKLERS else []
        elif isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Name) and called.id in EVALUATORS:
                found.append(called.id)
            if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
                name = (called.value.id, called.attr)
                found += [".".join(name)] if name in LOADERS else []
            found += ["shell" for word in node.keywords if word.arg in ("shell", "allow_pickle")]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_module_unpickles_evaluates_or_starts_a_shell(path: Path) -> None:
    assert faults(ast.parse(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "torch.load(x)",
        "np.load(x, allow_pickle=True)",
        "eval(x)",
        "subprocess.run(x, shell=True)",
        "yaml.load(x)",
        "os.system(x)",
    ],
)
def test_the_search_finds_each(source: str) -> None:
    assert faults(ast.parse(source))
