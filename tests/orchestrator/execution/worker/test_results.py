import torch

from features.dataset.dataset import Segments
from orchestrator.execution.worker.results import decisions


def segments() -> Segments:
    """One utterance in two segments, one speaker."""
    return Segments(
        labels_S=torch.tensor([0, 0]),
        utterance_S=torch.tensor([0, 0]),
        lengths_S=torch.tensor([1, 1]),
        utterances=("u",),
        speakers=("s",),
        views=(),
        scalers={},
        fill_to=None,
    )


def test_a_very_sure_network_is_counted_by_what_it_says() -> None:
    """Probabilities below 1e-308 are 0, and their logarithm no number: logarithms are kept."""
    log_SC = torch.tensor([[0.0, -800.0], [0.0, -900.0]], dtype=torch.float64)
    assert list(decisions(segments(), log_SC, "utterance")) == [("s", [0], [0])]
    assert list(decisions(segments(), log_SC.flip(1), "utterance")) == [("s", [0], [1])]
    assert list(decisions(segments(), log_SC, "segment")) == [("s", [0, 0], [0, 0])]
