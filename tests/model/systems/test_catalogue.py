import subprocess
import sys
from pathlib import Path

import pytest

from model.config import ModelConfig
from model.errors import ModelConfigError
from model.network.graph_network import GraphNetwork, parameters_of
from model.systems import catalogue
from model.systems.catalogue import SYSTEMS, build, load

FOLDER = Path(catalogue.__file__).parent
PUBLISHED_ON = {"compact": 35, "l-grin": 35}
"""Features that a published size is for; 78 for the others."""


@pytest.mark.parametrize("file", sorted(p.stem for p in FOLDER.glob("[!_]*.py")))
def test_each_file_is_one_system_of_the_catalogue(file: str) -> None:
    if file == "catalogue":
        return
    named = [name for name, s in SYSTEMS.items() if s.implementation.startswith(f"{file}:")]
    assert len(named) == 1, f"model/systems/{file}.py must have one entry in catalogue.SYSTEMS"


@pytest.mark.parametrize("name", SYSTEMS)
def test_each_entry_names_a_network_class(name: str) -> None:
    assert issubclass(load(name), GraphNetwork)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("gcn", 76_916), ("patchy-diff", 67_586), ("l-grin", 92_592), ("lstm-gin", 889_358)],
)
def test_an_open_size_comes_near_the_published_count(name: str, parameters: int) -> None:
    network = build(ModelConfig(model=name), PUBLISHED_ON.get(name, 78), 4, 120)
    published = SYSTEMS[name].parameters
    assert SYSTEMS[name].sizes_open and published is not None
    assert parameters_of(network) == parameters
    assert parameters == pytest.approx(published, rel=0.02)


def test_the_compact_network_has_the_size_of_its_published_code() -> None:
    assert parameters_of(build(ModelConfig(model="compact"), 35, 4, 120)) == 38_916
    assert parameters_of(build(ModelConfig(model="compact"), 33, 4, 120)) == 38_660


def test_l_grin_has_77432_parameters_before_its_classifier() -> None:
    network = build(ModelConfig(model="l-grin"), 35, 4, 120)
    head = sum(p.numel() for name, p in network.named_parameters() if name.startswith("head"))
    assert parameters_of(network) - head == 77_432


def test_what_is_no_network_is_not_built() -> None:
    with pytest.raises(ModelConfigError, match=r"^`model` must be a network .* but is `svm`"):
        build(ModelConfig(model="svm"), 88, 4, 1)


def test_wma_gin_is_trained_without_pyg_and_without_scikit_learn() -> None:
    code = (
        "import sys; from model.training.fit import initialise;"
        "from model.config import ModelConfig;"
        "import torch; n = torch.tensor([3]);"
        "initialise(ModelConfig(), 6, 4, 0, nodes=3)(torch.zeros(1, 3, 6), n, n);"
        "sys.exit(bool({'torch_geometric', 'sklearn'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_facts_are_light() -> None:
    code = "import sys, model.systems.catalogue; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
