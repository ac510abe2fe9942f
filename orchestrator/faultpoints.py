"""Named points of a training where a crash does the most harm: tests kill or stop a worker there.

A point is an audit event of Python's own (`sys.audit`). Only a hook that a test installs in its own
process listens to it (`tests/faults/probe.py`): no variable, option or file of a store makes this
program fail on purpose, and the tests write their own log. Without a hook a point costs a tenth of
a microsecond.
"""

import sys
from typing import Literal

FaultPoint = Literal[
    "claimed",  # the worker holds the lease, nothing is trained
    "epoch",  # an epoch is trained, its checkpoint is not written yet
    "checkpointed",  # its checkpoint is whole
    "results",  # the attempt's files are written, the outcome is not yet
    "committed",  # the outcome is written, the checkpoint is not removed yet
    "swept",  # the checkpoint is removed, the driver does not know yet
    "released",  # the lease is given back
]


def reach(point: FaultPoint, id: str, epoch: int = 0) -> None:
    """Report that a training has come to a named point. Does nothing unless a test listens.

    An exception that the test's audit hook raises is raised here.

    Args:
        point: the name of the point.
        id: the trial's id.
        epoch: the last trained epoch, counted from 1, at `epoch` and `checkpointed`; else 0.
    """
    sys.audit(f"ablate.{point}", id, epoch)
