"""Cutting an utterance into segments, each of which becomes a graph.

A segment is at most `segment_nodes` consecutive nodes. The tail, an utterance's last and incomplete
segment, is a shorter segment (`pad`), left out (`drop`), or starts earlier so that it is full
(`overlap`).
"""

from typing import Literal


def cut(
    nodes: int, segment_nodes: int, tail: Literal["pad", "drop", "overlap"] = "pad"
) -> tuple[tuple[int, int], ...]:
    """Compute where to cut an utterance into segments.

    An utterance of at most `segment_nodes` nodes is one segment, whatever `tail` says.

    Args:
        nodes: number of nodes of the utterance.
        segment_nodes: most nodes of a segment.
        tail: what happens to a last segment that is not full (see above).

    Returns:
        (start, stop) of each segment, as node numbers from 0, stop excluded, in order.
    """
    pieces = tuple(
        (start, min(start + segment_nodes, nodes)) for start in range(0, nodes, segment_nodes)
    )
    if tail == "pad" or nodes <= segment_nodes or nodes % segment_nodes == 0:
        return pieces
    return pieces[:-1] if tail == "drop" else (*pieces[:-1], (nodes - segment_nodes, nodes))
