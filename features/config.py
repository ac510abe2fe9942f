"""What the nodes and segments of a trial are. Light: imports nothing heavy.

Letters of this package: B segments in a batch, N nodes, F features, T frames, C classes.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Interval

FRAME_STEP_MS = 10
"""Step between two openSMILE frames in milliseconds (paper, section 3.2)."""

DEFAULT_EMOTIONS: dict[str, tuple[str, ...]] = {
    "angry": ("angry",),
    "happy": ("happy", "excited"),
    "neutral": ("neutral",),
    "sad": ("sad",),
}
"""Class -> the corpus labels it gathers (paper, section 3.1: happy merged with excited).
The order of the keys is the order of the class indices: alphabetical."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureConfig:
    """What a node and a segment are. Every field enters the trial's id.

    Types say which values a study file may give, and docstrings what its reference says of them.
    """

    features: str = "lld78"
    """Frame descriptors: the name of a set, or ``opensmile:PATH.conf``, an openSMILE configuration
    of your own (whose digest stands here instead of its path)."""

    node_step: Literal[10, 50] = 10
    """Milliseconds from node to node: 10 (paper), or 50, the mean of five frames."""

    segment_nodes: Annotated[int, Interval(ge=8, le=1000)] = 120
    """Most nodes in one graph (paper, section 3.2)."""

    tail: Literal["pad", "drop", "overlap"] = "pad"
    """What happens to an utterance's last, incomplete segment. ``pad``: it is a shorter one
    (paper, section 3.2). ``drop``: it is left out, unless it is the only one. ``overlap``: it
    starts earlier, so that it is full."""

    padding: Literal["masked", "nodes"] = "masked"
    """What padding is. ``masked``: invisible to the network (chosen here). ``nodes``: every graph
    is filled up to ``segment_nodes`` with zeros that count as nodes (the letter of the paper)."""

    scaling: Literal["train", "speaker"] = "train"
    """Where mean and deviation of the z-score come from: all real training frames,
    or each speaker's own frames (which needs no labels, but all of a speaker's speech)."""
