"""Sets the variables, working folder and signal handlers under which Ray starts; restores them."""

import contextlib
import os
import secrets
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

_TOKEN = secrets.token_hex(32)
"""The access token of each cluster that this process starts, 64 hex digits. One for all: threads of
an earlier cluster may still use it."""


@contextlib.contextmanager
def prepared(scratch: Path, *, own: bool) -> Iterator[None]:
    """Set environment variables and an empty working folder for Ray; restore both on leaving.

    The working folder is empty because Ray puts it first on every worker's Python path, where a
    file of the user's, such as `torch.py`, would shadow what a worker imports.

    Args:
        scratch: a private folder of this run, in which the token and the working folder are made.
        own: whether Ray is started here, with a token of ours; else a running cluster is joined,
            with the token that the person's environment names.
    """
    token = scratch / "token"
    token.touch(mode=0o600)
    token.write_text(_TOKEN)
    settings = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_CHDIR_TO_TRIAL_DIR": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "RAY_DEDUP_LOGS": "0",
        "RAY_AIR_NEW_OUTPUT": "0",
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "TUNE_DISABLE_SIGINT_HANDLER": "1",
        "TUNE_GLOBAL_CHECKPOINT_S": "86400",
        "TUNE_MAX_PENDING_TRIALS_PG": "64",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "PYTHONSAFEPATH": "1",
    }
    if own:
        settings |= {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(token),
            # Loopback, also where Ray would take the machine's outer address.
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        }
    unset = ["RAY_ADDRESS", "RAY_AUTH_TOKEN"] if own else []
    before = dict(os.environ)
    here = Path.cwd()
    empty = scratch / "cwd"
    empty.mkdir()
    for key in unset:
        os.environ.pop(key, None)
    os.environ.update(settings)
    os.chdir(empty)
    try:
        yield
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(before)


def reread() -> None:
    """Make Ray read the environment variables anew: Ray 2.60 reads them when it is imported.

    Where something had imported Ray before they were set, our cluster refused its own token, or
    listened on the machine's outer address.
    """
    import ray

    constants = ray._private.ray_constants
    constants.ENABLE_RAY_CLUSTER = constants.env_bool(
        constants.ENABLE_RAY_CLUSTERS_ENV_VAR, sys.platform == "linux"
    )
    ray._raylet.Config.initialize("")
    ray._raylet.AuthenticationTokenLoader.instance().reset_cache()


@contextlib.contextmanager
def own_signals() -> Iterator[None]:
    """Restore this process's handlers of SIGINT, SIGTERM and SIGHUP on leaving.

    Ray sets handlers of its own as it starts; with them, SIGTERM ends in a C++ trace.
    """
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                if handler is not None:  # None: not Python's, so not ours
                    signal.signal(number, handler)
