"""``ablate cluster check``: checks a cluster file of `ray up` offline, before it costs anything.

`ray up` checks a file in the middle of its work, one fault at a time and without its line; and it
accepts files that open the cluster to the world. Here all faults are reported at once: those of
Ray's own schema first, then what would let strangers in.
A door to Ray: its schema and its validation of cluster files.
"""

import contextlib
import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator, ValidationError

from orchestrator.errors import Fault, LackError, RequestError, StudyError, nearest
from orchestrator.study.yaml_lines import Node, read

START = ("head_start_ray_commands", "worker_start_ray_commands")
"""Keys of a cluster file whose commands start Ray: on the head node, on the other nodes."""

_SECRETS = {
    "an AWS access key": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "an AWS secret key": r"(?i)(?<=secret_access_key)\s*[=:]\s*['\"]?[A-Za-z0-9/+]{40}",
    "a token of Ray": r"(?<=RAY_AUTH_TOKEN)=(?!\$)['\"]?[^\s'\"]+",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a token of GitHub": r"\bgh[pousr]_[A-Za-z0-9]{20,}",
    "a token of Hugging Face": r"\bhf_[A-Za-z0-9]{20,}",
    "a password in an address": r"(?<=://)[^\s/:@]+:[^\s/@]+(?=@)",
    "a long secret in hexadecimal": r"\b[0-9a-f]{64}\b",
}
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_WORLD = ("0.0.0.0/0", "::/0")


def check(path: Path) -> None:
    """Check a cluster file (YAML); return where nothing is wrong.

    Raises:
        RequestError: the file cannot be read.
        StudyError: the file has faults; the text names each with file:line:column. A secret, such
            as an access key, is shown as stars.
        LackError: the installed Ray has no schema of cluster files.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise RequestError(f"The cluster file `{path}` cannot be read: {why}.") from None
    shown, faults = _hide_secrets(text)
    root, unread = read(text)
    faults += unread
    if root is not None and not unread:
        faults += _schema_faults(root) or _ray_faults(root)
        faults += [fault for rule in _RULES for fault in rule(root)]
    if faults:
        raise StudyError(str(path), shown, faults)


def _hide_secrets(text: str) -> tuple[str, list[Fault]]:
    """The text with each secret (key, token, password) replaced by stars; a fault for each."""
    faults = []
    for kind, pattern in _SECRETS.items():
        for found in re.finditer(pattern, text):
            before = text[: found.start()]
            column = found.start() - (before.rfind("\n") + 1) + 1
            sentence = f"{kind[:1].upper()}{kind[1:]} must not stand in a cluster file: keep it in "
            sentence += "the environment, a file of mode 0600, or the instance's role."
            faults.append(Fault(before.count("\n") + 1, column, sentence))
    stars = text
    for pattern in _SECRETS.values():
        stars = re.sub(pattern, lambda found: "*" * len(found[0]), stars)
    return stars, faults


# --- Ray's own rules -------------------------------------------------------------------------


def _schema() -> dict[str, Any]:
    """Ray's JSON Schema of cluster files, read from the installed package without importing it.

    Raises:
        LackError: there is none.
    """
    ray = find_spec("ray")
    for folder in (ray.submodule_search_locations or []) if ray else []:
        file = Path(folder) / "autoscaler" / "ray-schema.json"
        if file.is_file():
            schema: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            return schema
    raise LackError("The installed Ray has no schema of cluster files: install `ray[default]`.")


def _schema_faults(root: Node) -> list[Fault]:
    """The faults of a cluster file, whose root node is given, by Ray's JSON Schema."""
    schema = _schema()
    if _provider(root) == "local":
        # The one key that Ray takes out of such a file before its schema sees it.
        schema["properties"]["min_workers"] = {"type": "integer"}
    errors = Draft7Validator(schema).iter_errors(root.plain())
    return [fault for error in errors for fault in _faults_of(root, error)]


def _faults_of(root: Node, error: ValidationError) -> Iterator[Fault]:
    """An error of JSON Schema as faults: with the lines of the file, and in our words."""
    node, name = root, ".".join(str(step) for step in error.absolute_path)
    for step in error.absolute_path:
        node = node.sequence[step] if isinstance(step, int) else node.mapping[step]
    prefix = f"{name}." if name else ""
    rule, wanted = error.validator, list(_listed(error.validator_value))
    if rule == "additionalProperties":
        known = set(error.schema["properties"]) if isinstance(error.schema, dict) else set()
        for key in node.mapping.keys() - known:
            yield node.mapping[key].key_fault(
                f"`{prefix}{key}` is not a key of Ray's. {nearest(key, known)}"
            )
    elif rule == "required":
        for key in wanted:
            if key not in node.mapping:
                yield node.key_fault(f"`{prefix}{key}` is missing: Ray needs it.")
    elif rule == "type":
        yield node.fault(
            f"`{name or 'the file'}` must be of type {' or '.join(wanted)}, "
            f"but is {node.shown()} instead."
        )
    else:
        yield node.fault(f"`{name or 'the file'}` is not what Ray accepts: {error.message}.")


def _listed(value: object) -> Iterator[str]:
    """Yield a single value, or the values of a list, as strings."""
    for item in value if isinstance(value, list) else [value]:
        yield str(item)


def _ray_faults(root: Node) -> list[Fault]:
    """The first fault that Ray finds beyond its schema, in a list; empty where it finds none.

    Ray names a key and no line, so the line of that key is looked up.
    """
    from ray.autoscaler._private.util import prepare_config, validate_config

    logging.getLogger("ray.autoscaler").setLevel(logging.ERROR)
    output = io.StringIO()  # Ray also prints remarks on files that are right
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            validate_config(prepare_config(root.plain()))
    except Exception as error:  # Ray raises whatever its checks happen to meet
        lines = f"{error}\n{output.getvalue()}".strip().splitlines() or [type(error).__name__]
        named = [word for word in re.findall(r"`(\w+)", lines[0]) if word in root.mapping]
        at = root.mapping[named[0]] if named else root
        sentence = _COLOUR.sub("", lines[0]).strip().rstrip(".")
        return [at.key_fault(f"Ray refuses this file: {sentence}.")]
    return []


# --- our rules: who can reach the cluster, and what runs on it -------------------------------


def _starts(root: Node) -> Iterator[Fault]:
    """Require of each `ray start`: a token, the dashboard on 127.0.0.1, no usage statistics."""
    for key in START:
        commands = root.mapping.get(key)
        starts = [c for c in commands.sequence if "ray start" in str(c.value)] if commands else []
        if not starts:
            at = commands.key_fault if commands else root.key_fault
            yield at(
                f"`{key}` must hold a `ray start` with RAY_AUTH_MODE=token: Ray's own command "
                "starts without a token."
            )
        for command in starts:
            yield from _start(key, command)


def _start(key: str, command: Node) -> Iterator[Fault]:
    """The faults of one command that contains `ray start`; ``key`` is the key that holds it."""
    text = str(command.value)
    front, _, after = text.partition("ray start")
    if not re.search(r"\bRAY_AUTH_MODE=token\b", front):
        yield command.fault(
            f"`{key}` must say RAY_AUTH_MODE=token before `ray start`: without it whoever "
            "reaches the cluster can run programs on it."
        )
    if "RAY_USAGE_STATS_ENABLED=0" not in front and "--disable-usage-stats" not in after:
        yield command.fault(
            f"`{key}` must say RAY_USAGE_STATS_ENABLED=0 before `ray start`: Ray reports to its "
            "makers every hour."
        )
    host = re.search(r"--dashboard-host[= ]+['\"]?([^\s'\"]+)", after)
    if key == START[0] and (host is None or host[1] not in ("127.0.0.1", "localhost", "::1")):
        shown = f"but is `{host[1]}` instead" if host else "but is missing"
        yield command.fault(
            f"`--dashboard-host` must be 127.0.0.1, {shown}: `ray dashboard` tunnels to it."
        )


def _token(root: Node) -> Iterator[Fault]:
    """Require that the token reaches the nodes as a file that no other user can read."""
    mounts = root.mapping.get("file_mounts")
    carried = [k for k in mounts.mapping if k.endswith("auth_token")] if mounts else []
    commands = " ".join(_commands(root))
    if not carried and "RAY_AUTH_TOKEN_PATH" not in commands:
        at = mounts.key_fault if mounts else root.key_fault
        yield at(
            "`file_mounts` must carry the token, `~/.ray/auth_token: ~/.ray/auth_token`, or the "
            "start commands set RAY_AUTH_TOKEN_PATH."
        )
    for key in carried:
        if mounts and not re.search(rf"chmod 0?600 \S*{re.escape(Path(key).name)}", commands):
            yield mounts.mapping[key].key_fault(
                f"A setup command must `chmod 600 {key}`: Ray writes tokens that all users read."
            )


def _security_groups(root: Node) -> Iterator[Fault]:
    """Require on AWS that the file names a security group that is not open to the world.

    A group that Ray makes lets SSH in from 0.0.0.0/0.
    """
    if _provider(root) != "aws":
        return
    group = root.mapping["provider"].mapping.get("security_group")
    for node in _scalars(group) if group else ():
        if node.value in _WORLD:
            yield node.fault(f"`{node.value}` lets the whole world in: name one network instead.")
    for name, config in _node_configs(root):
        if not config.mapping.keys() & {"SecurityGroupIds", "NetworkInterfaces"}:
            yield config.key_fault(
                f"`{name}` must name `SecurityGroupIds`: the group that Ray would make lets SSH "
                "in from 0.0.0.0/0."
            )


def _metadata(root: Node) -> Iterator[Fault]:
    """Require on AWS that an instance gives its credentials only for a session token (IMDSv2)."""
    for name, config in _node_configs(root) if _provider(root) == "aws" else ():
        options = config.mapping.get("MetadataOptions")
        tokens = options.mapping.get("HttpTokens") if options else None
        if tokens is None or tokens.value != "required":
            at = (tokens or options or config).key_fault
            yield at(
                f"`{name}.MetadataOptions.HttpTokens` must be `required`, but is "
                f"{tokens.shown() if tokens else 'missing'} instead: without it any request "
                "that a program can be talked into reads the machine's credentials."
            )


def _pythons(root: Node) -> Iterator[Fault]:
    """Require that all commands name the same Python, 3.11 or newer; Ray would find out late."""
    named: list[tuple[Node, tuple[int, int]]] = [
        (node, (int(major), int(minor)))
        for key, entry in root.mapping.items()
        if key.endswith("_commands")
        for node in entry.sequence
        for major, minor in re.findall(r"\bpython(\d)\.(\d+)", str(node.value))
    ]
    for node, (major, minor) in named:
        if (major, minor) < (3, 11):
            yield node.fault(
                f"Python must be 3.11 or newer, but is {major}.{minor} instead: choose an image "
                "that has it."
            )
        elif (major, minor) != named[0][1]:
            first = named[0][1]
            yield node.fault(
                f"Python must be {first[0]}.{first[1]}, as in line {named[0][0].line}, but is "
                f"{major}.{minor} instead: Ray joins only nodes of one version."
            )


_RULES: tuple[Callable[[Node], Iterator[Fault]], ...] = (
    _starts,
    _token,
    _security_groups,
    _metadata,
    _pythons,
)


def _provider(root: Node) -> object:
    """The value of `provider.type`, such as ``aws``; None where it is missing."""
    provider = root.mapping.get("provider")
    kind = provider.mapping.get("type") if provider else None
    return kind.value if kind else None


def _node_configs(root: Node) -> Iterator[tuple[str, Node]]:
    """The path in the file and the YAML node of each `node_config`.

    Such a path is `available_node_types.worker.node_config`.
    """
    types = root.mapping.get("available_node_types")
    for name, node in types.mapping.items() if types else ():
        if config := node.mapping.get("node_config"):
            yield f"available_node_types.{name}.node_config", config


def _commands(root: Node) -> list[str]:
    """All shell commands of the file: the values of keys such as `setup_commands`."""
    return [
        str(node.value)
        for key, entry in root.mapping.items()
        if key.endswith("_commands")
        for node in entry.sequence
    ]


def _scalars(node: Node) -> Iterator[Node]:
    """The YAML nodes at or below a node that hold a single value, at any depth."""
    below = [*node.mapping.values(), *node.sequence]
    if not below:
        yield node
    for child in below:
        yield from _scalars(child)
