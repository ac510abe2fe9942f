"""What a stranger's machine needs: pins that exist everywhere, a cluster file that is valid."""

import re
import tomllib
from pathlib import Path

import pytest
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


@pytest.mark.ray
def test_cluster_yaml_is_what_ray_up_accepts(root: Path) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = yaml.safe_load((root / "cluster.yaml").read_text())
    validate_config(prepare_config(config))
    text = (root / "cluster.yaml").read_text()
    for start in (config["head_start_ray_commands"], config["worker_start_ray_commands"]):
        assert "RAY_AUTH_MODE=token" in start[-1] and "RAY_USAGE_STATS_ENABLED=0" in start[-1]
    assert "--dashboard-host=127.0.0.1" in text and "0.0.0.0" not in text
    assert config["file_mounts"] == {"~/.ray/auth_token": "~/.ray/auth_token"}
