"""The walls of the house, read from the source: which file may know which, and which engine.

A failing line here is a question to the design, not an obstacle: think before you cut.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("orchestrator", "model", "features")

# A module imports lower floors of its own room only.
FLOORS = {
    "orchestrator": {
        "errors": 0,
        "printable": 0,
        "libraries": 0,
        "faultpoints": 0,
        "placement": 0,
        "files": 1,
        "yaml_lines": 1,
        "cluster_file": 2,
        "values": 2,
        "space": 2,
        "settings": 3,
        "search_key": 4,
        "study": 5,
        "schema": 6,
        "trials": 6,
        "snapshot": 6,
        "records": 7,
        "attempt_files": 1,
        "ledger": 8,
        "seals": 9,
        "claims": 2,
        "scratch": 3,
        "mirror": 9,
        "checkpoints": 9,
        "events": 9,
        "jobs": 1,
        "ray_environment": 0,
        "cluster": 10,
        "retries": 10,
        "seeds": 9,
        "summary": 10,
        "statistics": 0,
        "replicates": 1,
        "status": 10,
        "pace": 0,
        "board": 11,
        "follow": 11,
        "logs.finished": 10,
        "logs": 11,
        "logs.export": 12,
        "search": 0,
        "search.pruning": 1,
        "search.proposals": 3,
        "search.ahead": 4,
        "search.scores": 9,
        "search.course": 10,
        "search.growth": 11,
        "search.finding": 10,
        "search.importance": 4,
        "search.log": 11,
        "sweep": 10,
        "trial_record": 11,
        "behind": 12,
        "effects": 11,
        "measured": 13,
        "comparison": 11,
        "plan": 12,
        "machine": 1,
        "packing": 0,
        "budget": 9,
        "evidence": 13,
        "price": 14,
        "probe": 15,
        "worker": 11,
        "architecture": 13,
        "predict": 11,
        "model_card": 12,
        "looks": 13,
        "loop": 11,
        "run": 14,
        "rerun": 14,
        "doctor": 11,
        "verify": 15,
        "report.titles": 7,
        "report.notes": 12,
        "report.rows": 13,
        "report.values": 14,
        "report.forms": 19,
        "report.figures.pictures": 17,
        "report.console": 1,
        "report.text": 14,
        "report.search": 14,
        "report.latex": 14,
        "report.html.markup": 14,
        "report.html.plots": 15,
        "report.html.behind": 17,
        "report.html.page": 18,
        "report.live": 16,
        "report.price": 15,
        "report.corpora": 15,
        "report.figures.canvas": 14,
        "report.figures.frame": 15,
        "report.figures": 16,
        "report.architecture": 15,
        "report.doctor": 15,
        "report.studies": 15,
        "report.sweep": 15,
        "report.trial": 16,
        "report.comparison": 15,
        "report.predict": 16,
        "report.rerun": 16,
        "bundle.recompute": 0,
        "bundle": 20,
        "cli": 21,
    },
    "model": {
        "config": 0,
        "errors": 0,
        "metrics": 0,
        "memory": 0,
        "description": 3,
        "seeding": 1,
        "arithmetic": 0,
        "nodes": 1,
        "stage_loss": 1,
        "recurrent": 2,
        "graph_network": 2,
        "aggregators": 2,
        "attention": 2,
        "full_adjacent": 3,
        "edges": 3,
        "conv": 4,
        "network": 5,
        "baselines": 6,
        "baselines.rival": 5,
        "systems": 7,
        "scoring": 6,
        "state": 7,
        "choice": 8,
        "baselines.svm": 9,
        "training": 10,
        "trained": 10,
    },
    "features": {
        "errors": 0,
        "config": 0,
        "corpus": 1,
        "audio": 1,
        "feature_set": 1,
        "smile": 1,
        "smile_config": 2,
        "sets": 2,
        "descriptors": 3,
        "proof": 1,
        "shard_file": 2,
        "corpora.espeak": 1,
        "recordings": 2,
        "corpora.scan": 3,
        "corpora.database": 2,
        "inspection": 2,
        "corpora": 4,
        "catalogue": 5,
        "folds": 2,
        "segments": 1,
        "scaling": 1,
        "extraction": 3,
        "shards": 4,
        "verification": 5,
        "dataset": 5,
        "unlabelled": 6,
        "closeup": 4,
    },
}

# One door per engine and room: the modules (or the folder) that may import it.
DOORS = {
    # A door for each of Ray's services: trials; cluster files, which need no cluster; jobs, which
    # are asked for over HTTP from a machine that runs no Ray.
    "ray": {
        "orchestrator.cluster",
        "orchestrator.ray_environment",
        "orchestrator.cluster_file",
        "orchestrator.jobs",
    },
    "jsonschema": {"orchestrator.cluster_file"},
    "matplotlib": {"orchestrator.report.figures.canvas"},
    "optuna": {"orchestrator.search"},
    "mlflow": {"orchestrator.logs.mlflow"},
    "tensorboardX": {"orchestrator.logs.tensorboard"},
    "opensmile": {"features.smile"},
    "pyarrow": {"features.shard_file", "features.corpora.table", "orchestrator.attempt_files"},
    "rich": {"orchestrator.report"},
    "yaml": {"orchestrator.yaml_lines", "features.corpora.database"},
    "typer": {"orchestrator.cli"},
    # What a bundle brings to check itself stands alone: it may use no statistics of ours.
    "scipy": {"orchestrator.statistics", "orchestrator.bundle.recompute"},
    "pandas": {"orchestrator.bundle.recompute"},
    "torch_geometric": {"model.edges", "model.baselines"},
    "sklearn": {"model.baselines.svm", "orchestrator.bundle.recompute"},
    "librosa": {"features.sets.logmel128"},
    "soundfile": {"features.audio"},
    "soxr": {"features.audio"},
    "audformat": {"features.corpora.database"},
    "espeakng_loader": {"features.corpora.espeak"},
    "safetensors": {"orchestrator.checkpoints"},
    "upath": {"orchestrator.files"},
    "s3fs": {"orchestrator.files"},
    "psutil": {"orchestrator.claims", "orchestrator.machine"},
}

HEAVY = {
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
}

# Light modules of the rooms, open to all of the orchestrator; the rest is the worker's alone,
# but for the shards' building, which the run starts.
OPEN = {
    "model.config",
    "model.errors",
    "model.metrics",
    "model.systems",
    "features.config",
    "features.errors",
    "features.corpus",
    "features.catalogue",
    "features.folds",
    "features.descriptors",
    "features.feature_set",
    "features.smile_config",
    "features.inspection",
    "features.closeup",
}
EXTRA = {
    "orchestrator.run": {"features.shards"},
    "orchestrator.verify": {"features.verification"},
    "orchestrator.sweep": {"features.shards"},
    "orchestrator.doctor": {"model.arithmetic"},
}
BOTH_ROOMS = {"orchestrator.worker", "orchestrator.architecture", "orchestrator.predict"}


def modules() -> dict[str, Path]:
    found = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


def imports(path: Path, *, top_level: bool = False) -> set[str]:
    """Absolute names that a file imports, lazily imported ones included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level else list(ast.walk(tree))
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where a name comes from"
            module = node.module or ""
            for alias in node.names:
                full = f"{module}.{alias.name}"
                names.add(full if full in MODULES else module)
    return names


MODULES = modules()


def floor(module: str) -> int:
    room, _, rest = module.partition(".")
    floors = FLOORS[room]
    while rest:
        if rest in floors:
            return floors[rest]
        rest = rest.rpartition(".")[0]
    raise AssertionError(f"{module} has no floor: give it one in tests/test_layers.py")


@pytest.mark.parametrize("module", sorted(MODULES))
def test_init_files_hold_one_docstring_and_import_nothing(module: str) -> None:
    path = MODULES[module]
    if path.name != "__init__.py":
        return
    body = ast.parse(path.read_text(encoding="utf-8")).body
    assert len(body) == 1
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("module", sorted(m for m, p in MODULES.items() if p.stem != "__init__"))
def test_a_module_imports_lower_floors_of_its_room_only(module: str) -> None:
    room = module.partition(".")[0]
    for name in imports(MODULES[module]):
        if name in MODULES and name.partition(".")[0] == room and name != room:
            siblings = module.startswith("orchestrator.cli.") and name.startswith(
                "orchestrator.cli."
            )
            if not siblings:
                assert floor(name) < floor(module), f"{module} must not import {name}"


def test_no_import_goes_round_in_a_circle() -> None:
    graph = {m: {n for n in imports(p) if n in MODULES} for m, p in MODULES.items()}
    done: set[str] = set()

    def walk(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path, module))
        if module not in done:
            for name in graph[module]:
                walk(name, (*path, module))
            done.add(module)

    for module in graph:
        walk(module, ())


@pytest.mark.parametrize("module", sorted(MODULES))
def test_model_and_features_never_meet_and_never_look_up(module: str) -> None:
    room = module.partition(".")[0]
    forbidden = {
        "model": {"features", "orchestrator"},
        "features": {"model", "orchestrator"},
        "orchestrator": set[str](),
    }[room]
    assert not {n.partition(".")[0] for n in imports(MODULES[module])} & forbidden


@pytest.mark.parametrize("module", sorted(MODULES))
def test_every_engine_has_one_door(module: str) -> None:
    for name in imports(MODULES[module]):
        doors = DOORS.get(name.partition(".")[0])
        if doors is not None:
            assert any(module == d or module.startswith(d + ".") for d in doors), (
                f"{module} imports {name}; its door is {sorted(doors)}"
            )


@pytest.mark.parametrize("module", sorted(m for m in MODULES if m.startswith("orchestrator.")))
def test_only_the_worker_knows_the_heavy_modules_of_both_rooms(module: str) -> None:
    if module in BOTH_ROOMS:
        return
    allowed = OPEN | EXTRA.get(module, set())
    for name in imports(MODULES[module]):
        if name.partition(".")[0] in {"model", "features"}:
            assert name in allowed, f"{module} must not import {name}"


@pytest.mark.parametrize("module", sorted(OPEN))
def test_open_modules_are_light(module: str) -> None:
    """What they import at the top, and what that imports, knows no engine."""
    seen: set[str] = set()
    queue = [module]
    while queue:
        current = queue.pop()
        if current in seen or current not in MODULES:
            continue
        seen.add(current)
        for name in imports(MODULES[current], top_level=True):
            assert name.partition(".")[0] not in HEAVY, f"{module}: {current} imports {name}"
            queue.append(name)


def test_top_level_is_kept() -> None:
    wanted = {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "Makefile",
        "constraints.txt",
        "cluster.yaml",
        "orchestrator",
        "model",
        "features",
        "studies",
        "tests",
    }
    found = {
        p.name for p in ROOT.iterdir() if not p.name.startswith(".") and "egg-info" not in p.name
    }
    assert found == wanted
