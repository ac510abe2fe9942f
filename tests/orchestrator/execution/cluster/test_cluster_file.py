"""A cluster file is judged offline: Ray's own schema, and who could reach the cluster."""

from pathlib import Path

import pytest

from orchestrator.errors import RequestError, StudyError
from orchestrator.execution.cluster.cluster_file import check

LOCAL = """\
cluster_name: ours
provider: {type: local, head_ip: 192.0.2.10, worker_ips: [192.0.2.11]}
auth: {ssh_user: ubuntu, ssh_private_key: ~/.ssh/id_ed25519}
min_workers: 1
max_workers: 1
file_mounts: {~/.ray/auth_token: ~/.ray/auth_token}
setup_commands: [chmod 600 ~/.ray/auth_token]
head_start_ray_commands:
  - RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0 ray start --head --dashboard-host=127.0.0.1
worker_start_ray_commands:
  - RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0 ray start --address=$RAY_HEAD_IP:6379
"""


def faults(path: Path, text: str) -> list[str]:
    path.write_text(text)
    try:
        check(path)
    except StudyError as error:
        return [f"{f.line}:{f.column} {f.sentence}" for f in error.faults]
    return []


def test_the_shipped_file_and_a_cluster_of_ones_own_are_right(root: Path, tmp_path: Path) -> None:
    check(root / "cluster.yaml")
    assert faults(tmp_path / "local.yaml", LOCAL) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("max_workers: 1", "max_wrokers: 1", "5:1 `max_wrokers` is not a key of Ray's. Did you"),
        ("max_workers: 1", "max_workers: one", "5:14 `max_workers` must be of type integer, but"),
        ("cluster_name: ours\n", "", "1:1 `cluster_name` is missing: Ray needs it."),
        ("head_ip: 192.0.2.10, ", "", "1:1 Ray refuses this file: "),
        (
            "RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0 ray start --head",
            "ray start --head",
            "9:5 `head_start_ray_commands` must say RAY_AUTH_MODE=token before `ray start`",
        ),
        (
            "RAY_USAGE_STATS_ENABLED=0 ray start --add",
            "ray start --add",
            "11:5 `worker_start_ray_commands` must say RAY_USAGE_STATS_ENABLED=0",
        ),
        ("host=127.0.0.1", "host=0.0.0.0", "9:5 `--dashboard-host` must be 127.0.0.1, but is `0."),
        (" --dashboard-host=127.0.0.1", "", "9:5 `--dashboard-host` must be 127.0.0.1, but is m"),
        (LOCAL[LOCAL.index("worker_start") :], "", "1:1 `worker_start_ray_commands` must hold a"),
        ("{~/.ray/auth_token: ~/.ray/auth_token}", "{}", "6:1 `file_mounts` must carry the token"),
        ("chmod 600 ~/.ray/auth_token", "echo", "6:15 A setup command must `chmod 600"),
        ("[chmod", "[python3.10 x, chmod", "7:18 Python must be 3.11 or newer, but is 3.10"),
        ("[chmod", "[python3.11 x, python3.12 x, chmod", "7:32 Python must be 3.11, as in line 7"),
    ],
)
def test_a_fault_is_told_with_its_place(old: str, new: str, said: str, tmp_path: Path) -> None:
    assert old in LOCAL
    found = faults(tmp_path / "bad.yaml", LOCAL.replace(old, new, 1))
    assert [f for f in found if f.startswith(said)], found


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "      SecurityGroupIds: [sg-00000000000000000]",
            "      EbsOptimized: true",
            "must name `SecurityGroupIds`: the group that Ray would make lets SSH in from "
            "0.0.0.0/0.",
        ),
        (
            "{HttpTokens: required}",
            "{HttpTokens: optional}",
            "MetadataOptions.HttpTokens` must be `required`, but is `optional` instead",
        ),
        (
            "  cache_stopped_nodes: false",
            "  security_group: {IpPermissions: [{CidrIp: 0.0.0.0/0}]}",
            "`0.0.0.0/0` lets the whole world in",
        ),
        ("head_node_type: head", "head_node_type: haed", "must be one of `available_node_types`"),
    ],
)
def test_aws_is_closed_to_strangers(
    old: str, new: str, said: str, root: Path, tmp_path: Path
) -> None:
    text = (root / "cluster.yaml").read_text()
    assert old in text
    (fault,) = faults(tmp_path / "bad.yaml", text.replace(old, new, 1))
    line = text[: text.index(old)].count("\n") + 1
    assert said in fault and abs(int(fault.partition(":")[0]) - line) < 8, fault


@pytest.mark.parametrize(
    "secret",
    [
        "AKIA" + "Q7XWZP3NDKLM" + "2RTV",
        "aws_secret_access_key = " + "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "Zx81Qp02Lm",
        "RAY_AUTH_TOKEN=" + "d41d8cd98f00b204e9800998ecf8427e",
        "ghp_" + "0aB1" * 9,
        "https://me:hunter22@example.org/x.git",
        "5f" * 32,
    ],
)
def test_a_secret_is_refused_and_never_shown(secret: str, tmp_path: Path) -> None:
    path = tmp_path / "secret.yaml"
    path.write_text(LOCAL.replace("[chmod", f"['echo {secret}', chmod"))
    with pytest.raises(StudyError, match="must not stand in a cluster file") as raised:
        check(path)
    said = str(raised.value)
    assert ":7:" in said and secret.split("=")[-1].strip() not in said and "hunter22" not in said


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"cannot be read: No such file or directory\.$"):
        check(tmp_path / "none.yaml")
