"""The base of the networks that WMA-GIN is compared with in the paper's Table 3.

Such a system is fixed: its sizes are constants of its file, and no study varies them. It trains
under the study's own training settings, as WMA-GIN does; its authors' settings stand in its file.
"""

from typing import Self

from torch import Tensor

from model.config import ModelConfig
from model.network.graph_network import GraphNetwork


class ComparedSystem(GraphNetwork):
    """A network of fixed sizes that WMA-GIN is compared with.

    A subclass makes its layers in `_build` and scores segments in `_logits`.

    Args:
        features: channels F of a node.
        classes: number of classes C.
        nodes: most nodes N of a segment.
        mean_F: mean of each feature over the training frames, ``(F,)``; 0 if None.
        std_F: their standard deviation, ``(F,)``; 1 if None.
    """

    def __init__(
        self,
        features: int,
        classes: int,
        nodes: int,
        mean_F: Tensor | None = None,
        std_F: Tensor | None = None,
    ) -> None:
        super().__init__(features, mean_F, std_F)
        self._build(features, classes, nodes)

    @classmethod
    def from_config(
        cls,
        config: ModelConfig,
        features: int,
        classes: int,
        nodes: int,
        mean_F: Tensor | None = None,
        std_F: Tensor | None = None,
    ) -> Self:
        """Build the untrained network; ``config`` is ignored, since the sizes are fixed."""
        return cls(features, classes, nodes, mean_F, std_F)

    def _build(self, features: int, classes: int, nodes: int) -> None:
        """Create the layers as attributes.

        Args:
            features: channels F of a node.
            classes: number of classes C.
            nodes: most nodes N of a segment.
        """
        raise NotImplementedError
