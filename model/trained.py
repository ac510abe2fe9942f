"""A network as it was trained: stored weights back into the system that they are of."""

from collections.abc import Mapping

from torch import Tensor

from model.config import ModelConfig
from model.errors import ModelError
from model.graph_network import GraphNetwork
from model.systems import SYSTEMS, build


def trained(
    config: ModelConfig, weights: Mapping[str, Tensor], classes: int, nodes: int
) -> GraphNetwork:
    """Build a network and give it what it learnt, its scaler included.

    Args:
        config: which system.
        weights: its ``state_dict``.
        classes: number of classes C.
        nodes: most nodes of a segment.

    Raises:
        ModelError: the system is no network, or the weights are another's.
    """
    system = SYSTEMS[config.model]
    if not system.network:
        raise ModelError(
            f"`model` must be a network to be asked again, but is `{config.model}` instead: "
            "choose a row of another model."
        )
    network = build(config, len(weights["mean_F"]), classes, nodes)
    try:
        network.load_state_dict(dict(weights))
    except RuntimeError as error:
        raise ModelError(f"The weights are not those of `{config.model}`: {error}") from None
    return network.eval()
