"""Checks whether a node sees the store of the driver (the process of `ablate run`).

The driver writes a random value to the store, and the node reads it.
"""

import contextlib
import secrets
import time
from dataclasses import dataclass

from orchestrator.errors import LackError
from orchestrator.store.files import is_refusal, replace_file
from orchestrator.store.paths import Location, new_nonce, parse_location

READ_WAITS_S = (0.0, 1.0, 5.0)
"""Seconds to wait before each attempt to read: a network mount may stall for some seconds."""


@dataclass(frozen=True, slots=True)
class StoreMarker:
    """A file in the store with a random value, which shows a node that it sees this very store."""

    path: str
    """Where the file lies: a path or `s3://BUCKET/KEY`."""
    value: str
    """Its content: 32 random hex digits."""

    @classmethod
    def new(cls, store: Location) -> "StoreMarker":
        """A marker with a new name and value for a store; ``write`` makes the file."""
        return cls(str(store / new_nonce()), secrets.token_hex(16))

    def write(self) -> None:
        """Write the marker to its store."""
        replace_file(parse_location(self.path), self.value.encode())

    def is_seen(self) -> bool:
        """Whether the file can be read on this machine, with this value; tries for 6 seconds."""
        return any(self._is_read(wait_s) for wait_s in READ_WAITS_S)

    def _is_read(self, wait_s: float) -> bool:
        time.sleep(wait_s)
        try:
            return parse_location(self.path).read_text() == self.value
        except Exception as error:
            if is_refusal(error) or isinstance(error, LackError):
                return False
            raise

    def remove(self) -> None:
        """Remove the file; where the store refuses, it stays until `ablate gc` removes it."""
        with contextlib.suppress(OSError):
            parse_location(self.path).unlink(missing_ok=True)


def store_not_seen(node: str, store: Location) -> LackError:
    """The error for a node, given by its IP address, that does not see the store."""
    return LackError(
        f"The node {node} does not see the store `{store}`: "
        "put it where every node mounts or reaches it."
    )
