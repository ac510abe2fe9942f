"""Named points at which a fault would be at its worst; tests end, stop or starve the process there.

A point is an audit event of Python's own (`sys.audit`). Nothing listens to it but a hook that a
test has put into its own process (`tests/faults/probe.py`): no variable, option or file of a store
makes this program hurt itself, and the log that the checks read is written by the tests, not here.
Unheard, a point costs a tenth of a microsecond.
"""

import sys
from typing import Literal

FaultPoint = Literal[
    "claimed",  # the lease is ours, nothing has been trained
    "epoch",  # an epoch is trained, its checkpoint is not written
    "checkpointed",  # its checkpoint is whole
    "results",  # the attempt's files are written, the outcome is not
    "committed",  # the outcome is written, the checkpoint is still there
    "swept",  # the checkpoint is gone, nobody has been told
    "released",  # the lease is given back
]


def reach(point: FaultPoint, id: str, epoch: int = 0) -> None:
    """Say that this process is at a point of a trial; whatever a test's hook raises rises.

    Args:
        point: where.
        id: of which trial.
        epoch: after which epoch, where that means something.
    """
    sys.audit(f"ablate.{point}", id, epoch)
