"""eGeMAPS + SVM: the honest simple thing beside the networks. The only door to scikit-learn.

Sourced: the extended Geneva set of 88 functionals (Eyben et al., IEEE TAC 2016, doi
10.1109/TAFFC.2015.2457417) with a support vector machine is the usual baseline of the field.
Ours: one row an utterance, z-scored by the fold's scaler; an RBF kernel with scikit-learn's width,
1 / (F var); the regularisation C from a fixed grid, chosen by the very rule that chooses a
network's epoch: each C is one "epoch", from the smoothest to the tightest. So chosen, last and
best-on-test mean here what they mean elsewhere. Probabilities are the softmax of the decision
values, without the library's internal cross-validation, which draws at random.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.svm import SVC
from torch import Tensor

from model.choice import Fit, advance, fit_of
from model.errors import ModelError
from model.scoring import Segments
from model.stage_loss import cross_entropies
from model.state import State, Weights

GRID = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Regularisations C, one an "epoch"."""


def fit(
    train: Segments,
    a: Segments,
    b: Segments,
    mean_F: Tensor,
    std_F: Tensor,
    weights_C: Tensor | None = None,
    *,
    classes: int,
    resume: State | None = None,
    on_epoch: Callable[[State], None] = lambda state: None,
) -> Fit:
    """Fit one machine for every C of the grid.

    Args:
        train: one row of functionals each.
        a: rows of one held-out speaker.
        b: rows of the other.
        mean_F: mean of each feature over the training rows.
        std_F: their standard deviation.
        weights_C: class weights, as a network's loss takes them.
        classes: number of classes C.
        resume: the state to go on from.
        on_epoch: called with the state after every C.

    Raises:
        ModelError: a segment has more than one row, or all rows are of one class.
    """
    x_SF, x_a, x_b = (_rows(segments, mean_F, std_F) for segments in (train, a, b))
    labels_S = train.labels_S.numpy()
    if len(np.unique(labels_S)) < 2:
        raise ModelError("The training speakers must speak at least two classes, but speak one.")
    by_class = None if weights_C is None else dict(enumerate(weights_C.tolist()))
    gamma, state = _kernel_width(x_SF), resume
    for strength in GRID[state.epoch if state else 0 :]:
        machine = SVC(C=strength, kernel="rbf", gamma=gamma, class_weight=by_class)
        machine.fit(x_SF, labels_S)
        log_SC, log_a, log_b = (_log_probabilities(machine, x, classes) for x in (x_SF, x_a, x_b))
        loss = float(cross_entropies(log_SC[None], train.labels_S, weights_C)[0])
        weights = _weights(machine, gamma, mean_F, std_F)
        state = advance(state, loss, (log_a, log_b), (a, b), classes, weights, {})
        on_epoch(state)
    assert state is not None
    return fit_of(state)


def _rows(segments: Segments, mean_F: Tensor, std_F: Tensor) -> NDArray[np.float64]:
    """Z-scored functionals, ``(S, F)``."""
    x_SNF, frames_S, _ = segments.batch(torch.arange(len(segments)))
    if int(frames_S.max()) > 1:
        raise ModelError(
            "A support vector machine must be given one row of functionals an utterance, "
            f"but is given {int(frames_S.max())} instead: set `features: egemaps`."
        )
    rows_SF: NDArray[np.float64] = ((x_SNF[:, 0] - mean_F) / std_F).double().numpy()
    return rows_SF


def _kernel_width(x_SF: NDArray[np.float64]) -> float:
    """The library's default gamma, 1 / (F var): kept with the weights, so computed here."""
    variance = float(x_SF.var())
    return 1 / (x_SF.shape[1] * variance) if variance else 1.0


def _log_probabilities(machine: SVC, x_SF: NDArray[np.float64], classes: int) -> Tensor:
    """Log softmax of the decision values, ``(S, C)``, float64.

    A class that no training speaker speaks is put one below the least decision.
    """
    values = machine.decision_function(x_SF)
    if values.ndim == 1:  # of two classes: the second's side of one boundary
        values = np.stack([-values, values], axis=1)
    decisions_SC = np.repeat(values.min(axis=1, keepdims=True) - 1, classes, axis=1)
    decisions_SC[:, machine.classes_] = values
    return torch.from_numpy(decisions_SC).log_softmax(1)


def _weights(machine: SVC, gamma: float, mean_F: Tensor, std_F: Tensor) -> Weights:
    """The machine as plain tensors: all that its decisions need."""
    return {
        "mean_F": mean_F,
        "std_F": std_F,
        "support_VF": torch.from_numpy(machine.support_vectors_),
        "dual_KV": torch.from_numpy(np.ascontiguousarray(machine.dual_coef_)),
        "intercept": torch.from_numpy(machine.intercept_),
        "classes": torch.from_numpy(machine.classes_),
        "support_C": torch.from_numpy(machine.n_support_),
        "gamma": torch.tensor(gamma, dtype=torch.float64),
    }
