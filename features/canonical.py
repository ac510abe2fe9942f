"""Canonical JSON and its sha256: ids of trials and keys of shards are such digests."""

import hashlib
import json
from typing import Any


def canonical(value: Any) -> str:
    """Write a value as JSON with sorted keys, without spaces, in ASCII: equal values, equal texts.

    Args:
        value: a string, number, boolean or None, or lists and mappings of these.

    Raises:
        ValueError: a number is infinite or not a number.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any) -> str:
    """Compute the sha256 of the canonical JSON of ``value``, as 64 hexadecimal digits.

    Raises:
        ValueError: a number is infinite or not a number.
    """
    return hashlib.sha256(canonical(value).encode()).hexdigest()
