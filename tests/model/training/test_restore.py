"""Stored weights back into a network."""

import pytest
import torch

from model.config import ModelConfig
from model.errors import ModelError
from model.training.restore import trained


def test_weights_of_another_network_are_refused() -> None:
    weights = {"mean_F": torch.zeros(78)}
    with pytest.raises(ModelError, match="The weights are not those of `wma-gin`"):
        trained(ModelConfig(layers=2, hidden=16), weights, classes=4, nodes=120)


@pytest.mark.parametrize("broken", [{}, {"dual_KV": torch.zeros(1, 3)}, {"classes": None}])
def test_tensors_that_are_no_machine_are_refused(broken: dict[str, torch.Tensor | None]) -> None:
    whole = {
        "mean_F": torch.zeros(88),
        "std_F": torch.ones(88),
        "support_VF": torch.zeros(2, 88),
        "dual_KV": torch.zeros(1, 2),
        "intercept": torch.zeros(1),
        "classes": torch.tensor([0, 1]),
        "support_C": torch.tensor([1, 1]),
        "gamma": torch.tensor(1.0),
    }
    assert trained(ModelConfig(model="svm"), whole, classes=4, nodes=1) is not None
    spoilt = {k: t for k, t in (whole | broken).items() if t is not None} if broken else {}
    with pytest.raises(ModelError, match="The weights are not those of `svm`"):
        trained(ModelConfig(model="svm"), spoilt, classes=4, nodes=1)
