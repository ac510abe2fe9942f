"""What a stranger's machine needs: pins that exist everywhere, a cluster that installs them."""

import re
import tomllib
from pathlib import Path

import yaml


def pins(root: Path) -> dict[str, str]:
    lines = (root / "constraints.txt").read_text().splitlines()
    found = (
        re.fullmatch(r"([A-Za-z0-9._-]+)==([^ ;]+)", x) for x in lines if x[:1] not in ("#", "")
    )
    return {m[1].lower().replace("_", "-"): m[2] for m in found if m is not None}


def test_every_line_is_a_pin_without_a_local_version(root: Path) -> None:
    lines = [x for x in (root / "constraints.txt").read_text().splitlines() if x[:1] != "#"]
    assert len(pins(root)) == len(lines)
    assert not [x for x in lines if "+" in x or "@" in x]
    assert pins(root)["torch"] == "2.13.0"


def test_every_dependency_is_pinned(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(name for extra in extras.values() for name in extra)]
    names = {re.split(r"[\[<>=]", w)[0].lower().replace("_", "-") for w in wanted}
    assert names - {project["name"]} <= set(pins(root))


def test_cluster_yaml_carries_the_lock_and_only_parts_of_the_checkout_by_name(root: Path) -> None:
    config = yaml.safe_load((root / "cluster.yaml").read_text())
    mounts = config["file_mounts"]
    assert mounts.pop("~/.ray/auth_token") == "~/.ray/auth_token"
    assert mounts == {f"~/ablate/{part}": part for part in mounts.values()}
    assert "constraints.txt" in mounts.values() and all(
        (root / p).exists() for p in mounts.values()
    )
    installs = [c for c in config["setup_commands"] if "pip install" in c]
    assert installs and all("-c constraints.txt" in c for c in installs)
    worker = config["available_node_types"]["worker"]
    assert worker["min_workers"] == 0 and config["idle_timeout_minutes"] <= 10
    assert worker["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert config["available_node_types"]["head"]["resources"] == {"CPU": 0}
