"""Rebuilding a trained system from its stored weights."""

from collections.abc import Mapping

from torch import Tensor

from model.config import ModelConfig
from model.errors import ModelError
from model.network.graph_network import GraphNetwork
from model.systems.catalogue import load


def trained(
    config: ModelConfig, weights: Mapping[str, Tensor], classes: int, nodes: int
) -> GraphNetwork:
    """Build a system and load its stored weights, the scaler's mean and deviation included.

    Args:
        config: the system and its sizes, as it was trained.
        weights: its ``state_dict``; of a support vector machine, the tensors that `svm.fit` gave.
        classes: number of classes C.
        nodes: most nodes N of a segment, as it was trained.

    Returns:
        The network in evaluation mode, on the CPU.

    Raises:
        ModelError: the weights do not fit the system.
    """
    try:
        network = load(config.model).from_weights(config, weights, classes, nodes)
    except (KeyError, RuntimeError, ValueError) as error:
        raise ModelError(f"The weights are not those of `{config.model}`: {error}") from None
    return network.eval()
