"""One text, and one digest, for one value: what identities, shards and records are named by."""

import hashlib
import json
from typing import Any


def canonical(value: Any) -> str:
    """JSON with sorted keys, without spaces, in ASCII.

    Args:
        value: strings, numbers, booleans, None, and lists and mappings of them.

    Raises:
        ValueError: a number is infinite or not a number.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any) -> str:
    """sha256 of the canonical JSON of ``value``: 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()
