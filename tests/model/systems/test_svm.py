import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import Tensor

from model.config import ModelConfig, TrainConfig
from model.errors import ModelError
from model.evaluation.epoch_selection import Fit
from model.evaluation.scoring import log_probabilities
from model.evaluation.state import TrainingState, state_from, state_numbers, state_tensors
from model.systems.svm import GRID, fit
from model.training.fit import train
from model.training.restore import trained


@dataclass
class Rows:
    """One row an utterance."""

    x_SF: Tensor
    labels_S: Tensor

    @property
    def utterance_S(self) -> Tensor:
        return torch.arange(len(self.labels_S))

    @property
    def speaker_S(self) -> Tensor:
        """Seven speakers, each of whom speaks all classes."""
        return torch.arange(len(self.labels_S)) // 4 % 7

    def __len__(self) -> int:
        return len(self.labels_S)

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        ones = torch.ones(len(indices), dtype=torch.int64)
        return self.x_SF[indices][:, None], ones, ones


def rows(count: int, *, seed: int = 0, classes: int = 4, noise: float = 1.5) -> Rows:
    draw = torch.Generator().manual_seed(seed)
    labels_S = torch.arange(count) % classes
    centres_CF = 3 * torch.randn(classes, 8, generator=torch.Generator().manual_seed(9))
    return Rows(5 + centres_CF[labels_S] + noise * torch.randn(count, 8, generator=draw), labels_S)


def fitted(
    train: Rows, resume: TrainingState | None = None, classes: int = 4
) -> tuple[Fit, list[TrainingState]]:
    states: list[TrainingState] = []
    mean_F, std_F = train.x_SF.mean(0), train.x_SF.std(0)
    result = fit(
        train,
        rows(24, seed=1),
        rows(28, seed=2),
        mean_F,
        std_F,
        classes=classes,
        resume=resume,
        on_epoch=states.append,
    )
    return result, states


def test_it_learns_32_rows_by_heart() -> None:
    one = rows(32, noise=4.0)
    result = fit(one, one, one, one.x_SF.mean(0), one.x_SF.std(0), classes=4)
    assert (result.tests_a.at_last_SC.argmax(1) == one.labels_S).all()
    assert result.history[0].a.wa < 1  # and not at once: C does something


def test_every_c_is_an_epoch_and_the_better_one_on_dev_is_chosen() -> None:
    result, states = fitted(rows(40, noise=4.0))
    assert (result.epochs, len(states)) == (len(GRID), len(GRID))
    best = max(result.history, key=lambda e: (e.b.ua, -e.b.loss, -e.number))
    assert result.tests_a.chosen == best.number
    assert torch.equal(result.tests_a.at_last_SC, states[-1].tests_a.at_last_SC)
    assert result.parameters == 0


def inner_scores(learnt: Rows, folds: int) -> list[tuple[float, float]]:
    """Mean UA and mean loss over speakers of each C, by another road: the library's pipeline."""
    x, y, speakers = learnt.x_SF.double().numpy(), learnt.labels_S.numpy(), learnt.speaker_S.numpy()
    found = []
    for strength in GRID:
        uas, losses = [], []
        for fold in range(folds):
            inner = speakers % folds == fold
            machine = make_pipeline(StandardScaler(), SVC(C=strength)).fit(x[~inner], y[~inner])
            for speaker in set(speakers[inner]):
                own = speakers == speaker
                log = torch.from_numpy(machine.decision_function(x[own])).log_softmax(1)
                uas.append(balanced_accuracy_score(y[own], log.argmax(1)))
                losses.append(float(torch.nn.functional.nll_loss(log, learnt.labels_S[own])))
        found.append((float(np.mean(uas)), float(np.mean(losses))))
    return found


@pytest.mark.parametrize("noise", [2.0, 4.0, 7.0])
def test_inner_folds_of_the_training_speakers_choose_the_c_of_what_stands_for_averaged_weights(
    noise: float,
) -> None:
    learnt = rows(56, noise=noise)
    result, _ = fitted(learnt)
    assert result.averaged is not None
    scores = inner_scores(learnt, folds=5)
    best = max(range(len(GRID)), key=lambda n: (round(scores[n][0], 9), -round(scores[n][1], 9)))
    assert result.averaged.epoch == best + 1
    own = SVC(C=GRID[best])
    x, y = ((r.x_SF - learnt.x_SF.mean(0)) / learnt.x_SF.std(0) for r in (learnt, rows(24, seed=1)))
    own.fit(x.double().numpy(), learnt.labels_S.numpy())
    wanted = torch.from_numpy(own.decision_function(y.double().numpy())).log_softmax(1)
    assert torch.equal(result.averaged.a_SC, wanted)
    machine = trained(ModelConfig(model="svm"), result.averaged.weights, classes=4, nodes=1)
    own_SC = log_probabilities(machine, rows(28, seed=2))
    assert torch.allclose(own_SC, result.averaged.b_SC, rtol=0, atol=1e-9)


def test_no_label_of_a_held_out_speaker_has_a_say_in_it() -> None:
    """The dev speaker has: with other labels another C is chosen there."""
    learnt = rows(56, noise=4.0)
    mean_F, std_F = learnt.x_SF.mean(0), learnt.x_SF.std(0)
    results = []
    for shift in (0, 1):
        a, b = rows(24, seed=1, noise=4.0), rows(28, seed=2, noise=4.0)
        for half in (a, b):
            half.labels_S = (half.labels_S + shift) % 4
        results.append(fit(learnt, a, b, mean_F, std_F, classes=4))
    one, other = results
    assert (one.tests_a.chosen, one.tests_b.chosen) != (other.tests_a.chosen, other.tests_b.chosen)
    assert one.averaged is not None and other.averaged is not None
    assert one.averaged.epoch == other.averaged.epoch
    assert torch.equal(one.averaged.a_SC, other.averaged.a_SC)


def test_one_training_speaker_gives_no_inner_folds() -> None:
    result, _ = fitted(rows(4))
    assert result.averaged is None


def test_its_probabilities_are_those_of_the_library_s_own_machine() -> None:
    learnt, snapshot = rows(40), rows(24, seed=1)
    result, _ = fitted(learnt)
    x, y = ((r.x_SF - learnt.x_SF.mean(0)) / learnt.x_SF.std(0) for r in (learnt, snapshot))
    own = SVC(C=GRID[-1]).fit(x.double().numpy(), learnt.labels_S.numpy())
    wanted = torch.from_numpy(own.decision_function(y.double().numpy())).log_softmax(1)
    assert torch.equal(result.tests_a.at_last_SC, wanted)


@pytest.mark.parametrize("spoken", [2, 3, 4])
@pytest.mark.parametrize("noise", [1.5, 6.0])
def test_its_tensors_alone_decide_as_the_library_does(spoken: int, noise: float) -> None:
    """Noise makes margins small and votes equal; of two classes the library has another sign."""
    result, states = fitted(rows(40, classes=spoken, noise=noise))
    snapshot = rows(24, seed=1)
    weights = result.tests_a.weights
    machine = trained(ModelConfig(model="svm"), weights, classes=4, nodes=1)
    own_SC = log_probabilities(machine, snapshot)
    assert torch.allclose(own_SC, result.tests_a.at_chosen_SC, rtol=0, atol=1e-9)
    assert not torch.allclose(own_SC, states[0].tests_a.at_last_SC, rtol=0, atol=1e-3)
    kept = machine.state_dict()
    assert weights.keys() == kept.keys() and all(torch.equal(weights[k], kept[k]) for k in kept)


def test_the_same_rows_give_the_same_bits_resumed_or_not() -> None:
    straight, states = fitted(rows(40))
    torch.manual_seed(12345)  # whatever was drawn before
    numbers = json.loads(json.dumps(state_numbers(states[2])))
    resumed, rest = fitted(rows(40), state_from(state_tensors(states[2]), numbers))
    assert len(rest) == len(GRID) - 3
    for again in (fitted(rows(40))[0], resumed):
        assert again.history == straight.history
        assert torch.equal(again.tests_b.at_chosen_SC, straight.tests_b.at_chosen_SC)
        assert again.averaged is not None and straight.averaged is not None
        assert torch.equal(again.averaged.b_SC, straight.averaged.b_SC)


@pytest.mark.parametrize("spoken", [2, 3])
def test_a_class_that_no_training_speaker_speaks_is_never_the_answer(spoken: int) -> None:
    result, _ = fitted(rows(40, classes=spoken))
    assert result.tests_a.at_last_SC.shape == (24, 4)
    assert result.tests_a.at_last_SC.argmax(1).max() < spoken


def test_inverse_class_weights_move_it() -> None:
    one = rows(40, noise=5.0)
    one.labels_S = one.labels_S.clamp(max=2)
    sets = {"mean_F": one.x_SF.mean(0), "std_F": one.x_SF.std(0), "classes": 4, "nodes": 1}
    histories = [
        train(
            ModelConfig(model="svm"),
            TrainConfig(class_weights=kind),
            one,
            rows(24, seed=1),
            rows(28, seed=2),
            seed=0,
            **sets,
        ).history
        for kind in ("off", "inverse")
    ]
    assert histories[0] != histories[1]


def test_frames_are_refused_in_a_sentence() -> None:
    @dataclass
    class Frames(Rows):
        def batch(self, indices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            x_SNF, ones, _ = super().batch(indices)
            return x_SNF.repeat(1, 3, 1), 3 * ones, 3 * ones

    one = rows(8)
    frames = Frames(one.x_SF, one.labels_S)
    sentence = (
        r"^A support vector machine must be given one row of functionals an utterance, "
        r"but is given 3 instead: set `features: egemaps`\.$"
    )
    with pytest.raises(ModelError, match=sentence):
        fit(frames, frames, frames, one.x_SF.mean(0), one.x_SF.std(0), classes=4)


def test_one_class_alone_is_refused_in_a_sentence() -> None:
    one = rows(8, classes=1)
    with pytest.raises(ModelError, match=r"^The training speakers must speak at least two classes"):
        fit(one, one, one, one.x_SF.mean(0), one.x_SF.std(0), classes=4)
