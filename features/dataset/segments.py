"""Where an utterance is cut into segments, each of which becomes a graph.

Segment: at most `segment_nodes` consecutive nodes, one graph. The tail, an utterance's last and
incomplete segment, is a shorter one (`pad`), left out (`drop`), or made full by nodes of the
segment before it (`overlap`).
"""

from typing import Literal


def cut(
    nodes: int, segment_nodes: int, tail: Literal["pad", "drop", "overlap"] = "pad"
) -> tuple[tuple[int, int], ...]:
    """Cut an utterance into segments.

    An utterance that is shorter than a segment is one segment, whatever `tail` says.

    Args:
        nodes: number of nodes of the utterance.
        segment_nodes: most nodes of a segment.
        tail: what happens to a last segment that is not full (see above).

    Returns:
        (start, stop) of each segment in nodes, in order.
    """
    pieces = tuple(
        (start, min(start + segment_nodes, nodes)) for start in range(0, nodes, segment_nodes)
    )
    if tail == "pad" or nodes <= segment_nodes or nodes % segment_nodes == 0:
        return pieces
    return pieces[:-1] if tail == "drop" else (*pieces[:-1], (nodes - segment_nodes, nodes))
