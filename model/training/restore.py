"""A system as it was trained: stored weights back into what they are of."""

from collections.abc import Mapping

from torch import Tensor

from model.config import ModelConfig
from model.errors import ModelError
from model.network.graph_network import GraphNetwork
from model.systems.catalogue import SYSTEMS, build


def trained(
    config: ModelConfig, weights: Mapping[str, Tensor], classes: int, nodes: int
) -> GraphNetwork:
    """Build a system and give it what it learnt, its scaler included.

    Args:
        config: which system.
        weights: its ``state_dict``; of a support vector machine, its tensors.
        classes: number of classes C.
        nodes: most nodes of a segment.

    Raises:
        ModelError: the weights are another system's.
    """
    try:
        if not SYSTEMS[config.model].network:
            from model.systems.svm import SupportVectorMachine

            return SupportVectorMachine(weights, classes).eval()
        network = build(config, len(weights["mean_F"]), classes, nodes)
        network.load_state_dict(dict(weights))
    except (KeyError, RuntimeError, ValueError) as error:
        raise ModelError(f"The weights are not those of `{config.model}`: {error}") from None
    return network.eval()
