"""Whether a node sees the store that the driver sees."""

import contextlib
import time

from orchestrator.errors import LackError
from orchestrator.store.files import is_refusal
from orchestrator.store.paths import Location, parse_location

LOOKS_S = (0.0, 1.0, 5.0)
"""Waits before each look of a node at the store; what no look finds is not there."""


def reads(marker: str, nonce: str) -> bool:
    """Whether the store here is the driver's; a mount that stalls for seconds is no other store."""
    return any(_reads_now(marker, nonce, wait_s) for wait_s in LOOKS_S)


def _reads_now(marker: str, nonce: str, wait_s: float) -> bool:
    time.sleep(wait_s)
    try:
        return parse_location(marker).read_text() == nonce
    except Exception as error:
        if is_refusal(error) or isinstance(error, LackError):
            return False
        raise


def remove(marker: Location) -> None:
    """Also from a store that cannot be written any more: there `gc` finds it one day."""
    with contextlib.suppress(OSError):
        marker.unlink(missing_ok=True)


def blind(node: str, store: Location) -> LackError:
    """The error of a node that does not see the store."""
    return LackError(
        f"The node {node} does not see the store `{store}`: "
        "put it where every node mounts or reaches it."
    )
