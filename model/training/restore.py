"""A trained system: stored weights put back into the network that learnt them."""

from collections.abc import Mapping

from torch import Tensor

from model.config import ModelConfig
from model.errors import ModelError
from model.network.graph_network import GraphNetwork
from model.systems.catalogue import load


def trained(
    config: ModelConfig, weights: Mapping[str, Tensor], classes: int, nodes: int
) -> GraphNetwork:
    """Build a system and give it its stored weights, scaler included.

    Args:
        config: which system.
        weights: its ``state_dict``; of a support vector machine, the tensors that `svm.fit` gave.
        classes: number of classes C.
        nodes: most nodes of a segment.

    Returns:
        The network in evaluation mode, on the CPU.

    Raises:
        ModelError: the weights are another system's.
    """
    try:
        network = load(config.model).from_weights(config, weights, classes, nodes)
    except (KeyError, RuntimeError, ValueError) as error:
        raise ModelError(f"The weights are not those of `{config.model}`: {error}") from None
    return network.eval()
