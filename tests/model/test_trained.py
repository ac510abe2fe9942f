"""Stored weights back into a network."""

import pytest
import torch

from model.config import ModelConfig
from model.errors import ModelError
from model.trained import trained


def test_a_support_vector_machine_is_no_network_to_ask_again() -> None:
    with pytest.raises(ModelError, match="`model` must be a network .* is `svm` instead"):
        trained(ModelConfig(model="svm"), {}, classes=4, nodes=120)


def test_weights_of_another_network_are_refused() -> None:
    weights = {"mean_F": torch.zeros(78)}
    with pytest.raises(ModelError, match="The weights are not those of `wma-gin`"):
        trained(ModelConfig(layers=2, hidden=16), weights, classes=4, nodes=120)
