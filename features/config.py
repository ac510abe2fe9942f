"""Settings of a trial's nodes and segments: descriptors, steps, lengths, padding, scaling. Light.

Letters of this package: B segments in a batch, N nodes, F features, T frames, C classes.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Interval

FRAME_STEP_MS = 10
"""Milliseconds from one openSMILE frame to the next (paper, section 3.2)."""

DEFAULT_EMOTIONS: dict[str, tuple[str, ...]] = {
    "angry": ("angry",),
    "happy": ("happy", "excited"),
    "neutral": ("neutral",),
    "sad": ("sad",),
}
"""Default classes: name of a class -> the corpus labels that it joins (paper, section 3.1: happy
merged with excited). The alphabetical order of the names is that of the class indices, from 0."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureConfig:
    """How audio becomes the nodes and segments of a trial. Every field enters the trial's id.

    A field's type gives the values that a study file may set; its docstring is printed in the
    reference of study files.
    """

    features: str = "lld78"
    """Frame descriptors: the name of a set, or ``opensmile:PATH.conf``, an openSMILE configuration
    of your own (whose digest stands here instead of its path)."""

    node_step: Literal[10, 50] = 10
    """Milliseconds from node to node: 10 (paper), or 50, the mean of five frames."""

    segment_nodes: Annotated[int, Interval(ge=8, le=1000)] = 120
    """Most nodes in a segment, which is one graph (paper, section 3.2)."""

    tail: Literal["pad", "drop", "overlap"] = "pad"
    """What happens to an utterance's last, incomplete segment. ``pad``: it is a shorter one
    (paper, section 3.2). ``drop``: it is left out, unless it is the only one. ``overlap``: it
    starts earlier, so that it is full."""

    padding: Literal["masked", "nodes"] = "masked"
    """What fills up segments that are not full. ``masked``: nothing that the network sees (chosen
    here). ``nodes``: zeros that count as nodes, up to ``segment_nodes`` in every graph (the letter
    of the paper)."""

    scaling: Literal["train", "speaker"] = "train"
    """Where mean and deviation of the z-score come from. ``train``: all real training frames.
    ``speaker``: each speaker's own frames (which needs no labels, but all of the
    speaker's speech)."""
