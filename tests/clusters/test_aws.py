"""The way of `ray up cluster.yaml` to AWS, against moto's server, as Ray's own tests go it.

Ray's code and boto3 are the real ones; the account is a stand-in, and commands that would go to
a machine by ssh are kept, since no machine is there to answer.
"""

import subprocess
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from orchestrator.execution.cluster.cluster_file import check

pytestmark = pytest.mark.clusters


class Wire:
    """Stands for `subprocess` in Ray's updater: every command succeeds, and is kept."""

    PIPE, STDOUT, DEVNULL = subprocess.PIPE, subprocess.STDOUT, subprocess.DEVNULL
    CalledProcessError = subprocess.CalledProcessError

    def __init__(self) -> None:
        self.commands: list[str] = []

    def check_call(self, command: list[str], *rest: object, **options: object) -> int:
        self.commands.append(" ".join(command))
        return 0

    def check_output(self, command: list[str], *rest: object, **options: object) -> bytes:
        self.commands.append(" ".join(command))
        return b""

    call = check_call

    def Popen(self, command: list[str], **options: object) -> Any:
        self.commands.append(" ".join(command))
        return subprocess.Popen(["true"])


def test_cluster_yaml_starts_a_closed_head_and_spot_workers(
    s3: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.autoscaler._private import commands
    from ray.autoscaler._private.providers import _get_node_provider
    from ray.autoscaler._private.util import prepare_config
    from ray.autoscaler.tags import (
        NODE_KIND_WORKER,
        TAG_RAY_NODE_KIND,
        TAG_RAY_NODE_NAME,
        TAG_RAY_NODE_STATUS,
        TAG_RAY_USER_NODE_TYPE,
    )

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(root)  # what `file_mounts` names lies here
    (tmp_path / ".ray").mkdir()
    token = tmp_path / ".ray" / "auth_token"
    token.touch(mode=0o600)
    token.write_text("a-token-of-this-test")
    ec2, iam = boto3.client("ec2"), boto3.client("iam")

    # What the head of cluster.yaml tells to do once.
    group = ec2.create_security_group(GroupName="ablate", Description="ablate")["GroupId"]
    ssh = {"FromPort": 22, "ToPort": 22, "IpProtocol": "tcp"}
    ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[{**ssh, "IpRanges": [{"CidrIp": "198.51.100.7/32"}]}]
    )
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}],
    )
    for name in ("ablate-head", "ablate-worker"):
        iam.create_instance_profile(InstanceProfileName=name)
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    text = (root / "cluster.yaml").read_text()
    text = text.replace("ami-00000000000000000", image).replace("sg-00000000000000000", group)
    file = tmp_path / "cluster.yaml"
    file.write_text(text)
    check(file)

    wire = Wire()
    config = commands._bootstrap_config(prepare_config(yaml.safe_load(text)), no_config_cache=True)
    commands.get_or_create_head_node(
        config,
        str(file),
        no_restart=False,
        restart_only=False,
        yes=True,
        override_cluster_name=None,
        no_monitor_on_head=False,
        _runner=wire,
    )
    worker = config["available_node_types"]["worker"]["node_config"]
    provider = _get_node_provider(config["provider"], config["cluster_name"])
    tags = {
        TAG_RAY_NODE_KIND: NODE_KIND_WORKER,
        TAG_RAY_NODE_NAME: "ray-ablate-worker",
        TAG_RAY_NODE_STATUS: "uninitialized",
        TAG_RAY_USER_NODE_TYPE: "worker",
    }
    provider.create_node(worker, tags, 1)

    machines = [
        machine
        for page in ec2.describe_instances()["Reservations"]
        for machine in page["Instances"]
    ]
    kinds = [machine.get("InstanceLifecycle", "on demand") for machine in machines]
    assert sorted(kinds) == ["on demand", "spot"]
    for machine in machines:
        assert [g["GroupId"] for g in machine["SecurityGroups"]] == [group]
        assert machine["MetadataOptions"]["HttpTokens"] == "required"
        assert machine["ImageId"] == image
    open_to = [
        span["CidrIp"]
        for each in ec2.describe_security_groups()["SecurityGroups"]
        if each["GroupName"] != "default"
        for rule in each["IpPermissions"]
        for span in rule["IpRanges"]
    ]
    assert open_to == ["198.51.100.7/32"]  # Ray made no group of its own, and opened none

    sent = "\n".join(wire.commands)
    assert "a-token-of-this-test" not in sent
    assert "RAY_AUTH_MODE=token" in sent and "--dashboard-host=127.0.0.1" in sent
    sources = [c for c in wire.commands if c.startswith("rsync")]
    assert [c for c in sources if "orchestrator" in c]
    assert not [c for c in sources if ".git" in c or ".venv" in c or ".ablate" in c]
    order = [sent.index(step) for step in ("chmod 600", "make .venv/demo", "ray start --head")]
    assert order == sorted(order)
