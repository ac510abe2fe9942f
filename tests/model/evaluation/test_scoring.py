import math
from collections.abc import Callable

import torch

from model.config import ModelConfig
from model.evaluation.scoring import by_utterance, log_probabilities, score
from model.training.fit import initialise


def test_an_utterance_is_the_unweighted_mean_of_its_segments() -> None:
    probabilities_SC = torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]], dtype=torch.float64)
    numbers_U, log_UC = by_utterance(probabilities_SC.log(), torch.tensor([7, 3, 7]))
    assert numbers_U.tolist() == [3, 7]
    wanted_UC = torch.tensor([[0.5, 0.5], [0.55, 0.45]], dtype=torch.float64)
    torch.testing.assert_close(log_UC.exp(), wanted_UC)


def test_a_hopeless_segment_costs_much_but_not_infinitely_much() -> None:
    log_SC = torch.tensor([[0.0, -1000.0], [0.0, -2000.0]], dtype=torch.float64)
    _, log_UC = by_utterance(log_SC, torch.tensor([0, 0]))
    assert math.isclose(log_UC[0, 1].item(), -1000 - math.log(2))


def test_scores_count_utterances(segments_of: Callable) -> None:
    segments = segments_of(6)  # three utterances of two segments, of the classes 0, 1, 2
    wrong_SC = torch.tensor([[0.6, 0.4, 0, 0]]).repeat(6, 1).clamp(min=1e-9).double()
    got = score(wrong_SC.log(), segments, classes=4)
    assert got.wa == 1 / 3 and got.ua == 1 / 3
    losses = [-math.log(wrong_SC[0, label].item()) for label in (0, 1, 2)]
    assert math.isclose(got.loss, sum(losses) / 3)


def test_scores_keep_the_order_of_the_segments_whatever_the_batch(segments_of: Callable) -> None:
    segments = segments_of(150)
    network = initialise(ModelConfig(hidden=8), 6, 4, seed=0, nodes=120)
    log_SC = log_probabilities(network, segments)
    for segment in (0, 127, 128, 149):
        one = network(*segments.batch(torch.tensor([segment]))).total_BC.double().log_softmax(1)
        torch.testing.assert_close(log_SC[segment], one[0], rtol=0, atol=1e-5)
