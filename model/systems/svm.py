"""eGeMAPS + SVM: a support vector machine on functionals.

Sourced: the extended Geneva set of 88 functionals (Eyben et al., IEEE TAC 2016, doi
10.1109/TAFFC.2015.2457417) with a support vector machine is the usual baseline of the field.
Ours: one row an utterance, z-scored by the fold's scaler; an RBF kernel with scikit-learn's width,
1 / (F var); the regularisation C from a fixed grid, chosen by the very rule that chooses a
network's epoch: each C is one "epoch", from the smoothest boundary to the tightest. So *chosen*,
*last* and *best on test* mean here what they mean for a network. What stands for the averaged
weights of a network is the machine whose C was chosen by inner folds of the training speakers: in
neither does a held-out speaker take part. Probabilities are the softmax of the decision values,
without the library's internal cross-validation, which draws at random.

A fitted machine is stored as plain tensors; `SupportVectorMachine` predicts from them alone.
"""

import math
from collections.abc import Callable, Mapping
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.svm import SVC
from torch import Tensor

from model.config import ModelConfig
from model.errors import ModelError
from model.evaluation import metrics
from model.evaluation.epoch_selection import Averaged, Fit, fit_of, state_after_epoch
from model.evaluation.scoring import LabelledSegments
from model.evaluation.state import StateDict, TrainingState
from model.network.graph_network import GraphNetwork, Logits
from model.network.nodes import Nodes
from model.network.stage_loss import cross_entropies

GRID = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Regularisations C in the order in which they are fitted; each counts as one "epoch"."""
INNER_FOLDS = 5
"""Into how many inner folds the training speakers are dealt; fewer where there are fewer."""


def fit(
    train: LabelledSegments,
    a: LabelledSegments,
    b: LabelledSegments,
    mean_F: Tensor,
    std_F: Tensor,
    weights_C: Tensor | None = None,
    *,
    classes: int,
    resume: TrainingState | None = None,
    on_epoch: Callable[[TrainingState], None] = lambda state: None,
) -> Fit:
    """Fit one machine for every regularisation C of ``GRID``; each counts as one epoch.

    Args:
        train: training utterances, one segment of one row of functionals each.
        a: utterances of half A of the held-out group, alike.
        b: utterances of half B.
        mean_F: mean of each feature over the training rows, ``(F,)``.
        std_F: their standard deviation, ``(F,)``.
        weights_C: weight of each class, ``(C,)``; None for equal weights.
        classes: number of classes C.
        resume: the state after a finished epoch, to go on from; None to begin.
        on_epoch: called with the state after every epoch.

    Returns:
        History of the epochs and both directions, as `training.fit.fit` gives for a network. In
        place of averaged weights it has the machine whose C was chosen by inner folds.

    Raises:
        ModelError: a segment has more than one row, or all training rows are of one class.
    """
    x_SF, x_a, x_b = (_rows(segments, mean_F, std_F) for segments in (train, a, b))
    labels_S = train.labels_S.numpy()
    if len(np.unique(labels_S)) < 2:
        raise ModelError("The training speakers must speak at least two classes, but speak one.")
    by_class = None if weights_C is None else dict(enumerate(weights_C.tolist()))
    gamma, state = _kernel_width(x_SF), resume
    for strength in GRID[state.epoch if state else 0 :]:
        machine = _machine(x_SF, labels_S, strength, by_class)
        log_SC, log_a, log_b = (_log_probabilities(machine, x, classes) for x in (x_SF, x_a, x_b))
        loss = float(cross_entropies(log_SC[None], train.labels_S, weights_C)[0])
        weights = _weights(machine, gamma, mean_F, std_F)
        state = state_after_epoch(
            state, loss, (log_a, log_b), (a, b), classes, weights, {}, patience=len(GRID)
        )  # all of the grid is tried: patience is for epochs that follow from each other
        on_epoch(state)
    assert state is not None
    best = inner_choice(x_SF, labels_S, train.speaker_S.numpy(), by_class, classes=classes)
    if best is None:
        return fit_of(state)
    machine = _machine(x_SF, labels_S, GRID[best - 1], by_class)
    log_a, log_b = (_log_probabilities(machine, x, classes) for x in (x_a, x_b))
    found = Averaged(best, log_a, log_b, _weights(machine, gamma, mean_F, std_F))
    return fit_of(state, averaged=found)


def inner_choice(
    x_SF: NDArray[np.float64],
    labels_S: NDArray[np.int64],
    speaker_S: NDArray[np.int64],
    by_class: Mapping[int, float] | None = None,
    *,
    classes: int,
) -> int | None:
    """Choose a regularisation by inner folds of the training speakers.

    The speakers are dealt in turn to at most ``INNER_FOLDS`` folds. Each fold is scored by machines
    that were fitted, and whose rows were scaled, on the others.

    Args:
        x_SF: rows of the training speakers, ``(S, F)``.
        labels_S: class of each row, ``(S,)``.
        speaker_S: number of each row's speaker, ``(S,)``.
        by_class: class -> weight; None for equal weights.
        classes: number of classes C.

    Returns:
        The place in ``GRID``, from 1, of the C with the highest mean UA over speakers; of equal
        ones that with the lowest mean loss; of equal ones the first. None where no fold can be
        scored: there is one speaker, or the others speak one class.
    """
    numbers = np.unique(speaker_S)
    fold_S = np.searchsorted(numbers, speaker_S) % min(INNER_FOLDS, len(numbers))
    found: dict[int, list[tuple[float, float]]] = {}
    for fold in np.unique(fold_S):
        out_S = fold_S == fold
        if len(np.unique(labels_S[~out_S])) < 2:
            continue
        mean_F, std_F = x_SF[~out_S].mean(axis=0), x_SF[~out_S].std(axis=0)
        scaled_SF = (x_SF - mean_F) / np.where(std_F > 0, std_F, 1)
        for number, strength in enumerate(GRID, start=1):
            machine = _machine(scaled_SF[~out_S], labels_S[~out_S], strength, by_class)
            log_SC = _log_probabilities(machine, scaled_SF[out_S], classes).numpy()
            scores = _by_speaker(log_SC, labels_S[out_S], speaker_S[out_S])
            found.setdefault(number, []).extend(scores)
    means = {
        number: tuple(math.fsum(values) / len(values) for values in zip(*scores, strict=True))
        for number, scores in found.items()
    }
    return max(means, key=lambda number: (means[number][0], -means[number][1]), default=None)


def _by_speaker(
    log_SC: NDArray[np.float64], labels_S: NDArray[np.int64], speaker_S: NDArray[np.int64]
) -> list[tuple[float, float]]:
    """UA, 0 to 1, and mean cross-entropy in nats of each speaker."""
    found = []
    for speaker in np.unique(speaker_S):
        own_SC, own_S = log_SC[speaker_S == speaker], labels_S[speaker_S == speaker]
        counts = metrics.confusion(own_S.tolist(), own_SC.argmax(1).tolist(), log_SC.shape[1])
        loss = -math.fsum(own_SC[np.arange(len(own_S)), own_S].tolist()) / len(own_S)
        found.append((metrics.ua(counts), loss))
    return found


def _machine(
    x_SF: NDArray[np.float64],
    labels_S: NDArray[np.int64],
    strength: float,
    by_class: Mapping[int, float] | None,
) -> SVC:
    """Fit a machine of regularisation C = ``strength`` to rows of functionals."""
    machine = SVC(C=strength, kernel="rbf", gamma=_kernel_width(x_SF), class_weight=by_class)
    return machine.fit(x_SF, labels_S)


def _rows(segments: LabelledSegments, mean_F: Tensor, std_F: Tensor) -> NDArray[np.float64]:
    """Gather the functionals of all segments and z-score them, ``(S, F)``, float64.

    Raises:
        ModelError: a segment has more than one row.
    """
    x_SNF, frames_S, _ = segments.batch(torch.arange(len(segments)))
    _refuse_frames(int(frames_S.max()))
    rows_SF: NDArray[np.float64] = ((x_SNF[:, 0] - mean_F) / std_F).double().numpy()
    return rows_SF


def _refuse_frames(count: int) -> None:
    """Refuse segments of more than one row: ``count`` is the number of rows of the longest.

    Raises:
        ModelError: it is more than one.
    """
    if count > 1:
        raise ModelError(
            "A support vector machine must be given one row of functionals an utterance, "
            f"but is given {count} instead: set `features: egemaps`."
        )


def _kernel_width(x_SF: NDArray[np.float64]) -> float:
    """Compute the RBF kernel's gamma, 1 / (F var), the library's default; 1 where var is 0.

    Args:
        x_SF: z-scored training rows, ``(S, F)``; var is the variance of all of their numbers.
    """
    variance = float(x_SF.var())
    return 1 / (x_SF.shape[1] * variance) if variance else 1.0


def _log_probabilities(machine: SVC, x_SF: NDArray[np.float64], classes: int) -> Tensor:
    """Compute the log softmax of the machine's decision values, ``(S, C)``, float64.

    Args:
        machine: a fitted machine, which may know fewer than C classes.
        x_SF: z-scored rows, ``(S, F)``.
        classes: number of classes C.
    """
    values = machine.decision_function(x_SF)
    if values.ndim == 1:  # of two classes: the second's side of one boundary
        values = np.stack([-values, values], axis=1)
    return _of_all(values, machine.classes_, classes).log_softmax(1)


def _of_all(values_SK: NDArray[np.float64], known_K: NDArray[np.int64], classes: int) -> Tensor:
    """Extend decision values of the K classes in the training set to all C classes, ``(S, C)``.

    A class without a training row gets the least decision value of the row minus 1.

    Args:
        values_SK: decision values, ``(S, K)``.
        known_K: indices of the K classes, ``(K,)``, ascending.
        classes: number of classes C.
    """
    decisions_SC = np.repeat(values_SK.min(axis=1, keepdims=True) - 1, classes, axis=1)
    decisions_SC[:, known_K] = values_SK
    return torch.from_numpy(decisions_SC)


def _weights(machine: SVC, gamma: float, mean_F: Tensor, std_F: Tensor) -> StateDict:
    """Convert a fitted machine to the named tensors that `SupportVectorMachine` predicts from."""
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


class SupportVectorMachine(GraphNetwork):
    """A fitted SVM, called as a network; it predicts from stored tensors, without scikit-learn.

    Each pair of classes has a decision of its own, and a class scores one vote for each pair that
    it wins. Ties are broken as the library does: the sum s of a class's margins adds
    s / 3(|s| + 1), less than a third of a vote.

    Letters: V support vectors, F features, K classes in the training set, P pairs of them.

    Args:
        weights: the tensors that `fit` stored.
        classes: number of classes C.

    Raises:
        KeyError: a tensor is missing.
        ValueError: the tensors do not fit each other.
    """

    support_VF: Tensor
    """Support vectors, z-scored, ``(V, F)``, float64, sorted by class."""
    dual_KV: Tensor
    """Dual coefficients as in `sklearn.svm.SVC.dual_coef_`, ``(K - 1, V)``."""
    intercept: Tensor
    """Intercept of each pair's decision, ``(P,)``."""
    classes: Tensor
    """Indices of the classes in the training set, ``(K,)``, int64, ascending."""
    support_C: Tensor
    """Number of support vectors of each such class, ``(K,)``."""
    gamma: Tensor
    """Width of the RBF kernel exp(-gamma d²), a scalar."""

    def __init__(self, weights: Mapping[str, Tensor], classes: int) -> None:
        super().__init__(len(weights["mean_F"]), weights["mean_F"], weights["std_F"])
        self._count = classes
        for key in ("support_VF", "dual_KV", "intercept", "classes", "support_C", "gamma"):
            self.register_buffer(key, weights[key].clone())
        rows, known = len(self.support_VF), len(self.classes)
        fits = (
            self.support_VF.shape == (rows, len(self.mean_F))
            and self.dual_KV.shape == (known - 1, rows)
            and self.intercept.shape == (known * (known - 1) // 2,)
            and self.support_C.shape == (known,)
            and int(self.support_C.sum()) == rows
            and 0 <= int(self.classes.min()) <= int(self.classes.max()) < classes
        )
        if not fits:
            raise ValueError("the tensors do not fit each other")

    @classmethod
    def from_weights(
        cls, config: ModelConfig, weights: Mapping[str, Tensor], classes: int, nodes: int
    ) -> Self:
        """Build the machine from its stored tensors; ``config`` and ``nodes`` are ignored.

        Raises:
            KeyError, ValueError: a tensor is missing, or the tensors do not fit each other.
        """
        return cls(weights, classes)

    def _logits(self, x_BNF: Tensor, nodes: Nodes) -> Logits:
        _refuse_frames(x_BNF.shape[1])
        exact = "donot_use_mm_for_euclid_dist"
        distance_BV = torch.cdist(x_BNF[:, 0].double(), self.support_VF, compute_mode=exact)
        kernel_BV = torch.exp(-self.gamma * distance_BV.square())
        margins_BP = self._margins(kernel_BV) + self.intercept
        if len(self.classes) == 2:  # the library turns the sign of this one
            values_BK = torch.cat([-margins_BP, margins_BP], dim=1)
        else:
            values_BK = self._votes(margins_BP)
        known_K = self.classes.numpy()
        return Logits.of(_of_all(values_BK.numpy(), known_K, self._count))

    def _margins(self, kernel_BV: Tensor) -> Tensor:
        """Compute the margin of each pair of classes i < j, ``(B, P)``, without the intercept.

        Args:
            kernel_BV: kernel values of rows and support vectors, ``(B, V)``.

        Returns:
            Margins, ``(B, P)``, in the library's order of pairs; positive means class i.
        """
        parts = torch.split(torch.arange(kernel_BV.shape[1]), self.support_C.tolist())
        margins = []
        for i, own in enumerate(parts):
            for j, other in enumerate(parts[i + 1 :], start=i + 1):
                ours_B = kernel_BV[:, own] @ self.dual_KV[j - 1, own]
                margins.append(ours_B + kernel_BV[:, other] @ self.dual_KV[i, other])
        return torch.stack(margins, dim=1)

    def _votes(self, margins_BP: Tensor) -> Tensor:
        """Count each class's votes, with less than a third of a vote added to break ties.

        Args:
            margins_BP: margin of each pair of classes i < j, ``(B, P)``; 0 or more is for i.

        Returns:
            Decision values, ``(B, K)``.
        """
        votes_BK = margins_BP.new_zeros(len(margins_BP), len(self.classes))
        clear_BK = torch.zeros_like(votes_BK)
        pairs = torch.combinations(torch.arange(len(self.classes))).tolist()
        for (i, j), margin_B in zip(pairs, margins_BP.T, strict=True):
            votes_BK[:, i] += margin_B >= 0
            votes_BK[:, j] += margin_B < 0
            clear_BK[:, i] += margin_B
            clear_BK[:, j] -= margin_B
        return votes_BK + clear_BK / (3 * (clear_BK.abs() + 1))
