import pytest
import torch
from torch.nn.functional import cross_entropy

from model.network.stage_loss import stage_loss

DRAW = torch.Generator().manual_seed(0)
STAGES_SBC = torch.randn(5, 6, 4, generator=DRAW)
LABELS_B = torch.tensor([0, 1, 2, 3, 3, 3])


@pytest.mark.parametrize("weights_C", [None, torch.tensor([1.0, 2, 3, 0.5])])
def test_stages_weigh_one_to_five_over_fifteen(weights_C: torch.Tensor | None) -> None:
    losses = [cross_entropy(stage, LABELS_B, weights_C) for stage in STAGES_SBC]
    wanted = sum(number * loss for number, loss in enumerate(losses, start=1)) / 15
    got = stage_loss(STAGES_SBC, LABELS_B, multi_stage=True, weights_C=weights_C)
    torch.testing.assert_close(got, wanted)


def test_switched_off_it_is_the_cross_entropy_of_g() -> None:
    got = stage_loss(STAGES_SBC, LABELS_B, multi_stage=False)
    torch.testing.assert_close(got, cross_entropy(STAGES_SBC[-1], LABELS_B))
