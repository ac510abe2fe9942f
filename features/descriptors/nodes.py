"""Pooling of frames into nodes, the vertices of a graph.

A node is one frame (`node_step` 10 ms, the paper's letter), or the mean of five consecutive frames
(50 ms, the likelier reading of "some utterances are much longer than 120").
"""

from typing import TYPE_CHECKING

from features.config import FRAME_STEP_MS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def pool(frames_TF: "NDArray[np.float32]", node_step: int) -> "NDArray[np.float32]":
    """Average consecutive frames into nodes.

    The last node is the mean of the frames that are left, so no frame is lost. Sums are taken in
    float64.

    Args:
        frames_TF: frames, one every 10 ms, ``(T, F)``, float32.
        node_step: milliseconds from node to node: a multiple of 10.

    Returns:
        Nodes, ``(ceil(T * 10 / node_step), F)``, float32.

    Raises:
        ValueError: `node_step` is no multiple of 10 ms.
    """
    import numpy as np

    per_node, rest = divmod(node_step, FRAME_STEP_MS)
    if rest or per_node < 1:
        raise ValueError(
            f"`node_step` must be a multiple of {FRAME_STEP_MS} ms, but is {node_step} instead."
        )
    if per_node == 1:
        return frames_TF
    starts = np.arange(0, len(frames_TF), per_node)
    counts = np.minimum(per_node, len(frames_TF) - starts)
    sums_NF = np.add.reduceat(frames_TF, starts, axis=0, dtype=np.float64)
    return (sums_NF / counts[:, None]).astype(np.float32)
