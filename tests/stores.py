"""A store of any shape in a moment, written by the ledger's own writer.

Nothing was trained: predictions are drawn, and what stands in the records is counted from them,
as a training counts it. So every number of a report follows from the stored predictions.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from features.corpora.groups import Deal, Speaker, dealt_anew
from model.evaluation.metrics import confusion, ua, wa
from orchestrator.store.attempts import predictions_parquet
from orchestrator.store.ledger import Ledger
from orchestrator.store.records import CHOICES, EpochChoice, Failure, Outcome, Scores
from orchestrator.store.snapshot import Snapshot, SnapshotFold, SnapshotRow, SnapshotTrial
from orchestrator.study.canonical import canonical, digest
from orchestrator.study.trials import SEMANTICS

EMOTIONS = ("angry", "happy", "neutral", "sad")
EPOCHS = 12
SEGMENTS = [(number, segment) for number in range(16) for segment in range(1 + number % 3)]
"""(utterance, segment) of every segment of a speaker."""
TRUTH_S = np.array([number % len(EMOTIONS) for number, _ in SEGMENTS])
FIRST_U = np.array([i for i, (_, segment) in enumerate(SEGMENTS) if segment == 0])
"""Which segments are the first of their utterance."""


def made(
    root: Path,
    rows: Mapping[str, Mapping[str, Any]],
    /,
    *,
    folds: int = 5,
    seeds: int = 1,
    deals: int = 1,
    skill: Mapping[str, float] | None = None,
    missing: Sequence[tuple[str, int, int] | tuple[str, int, int, int]] = (),
    short: Sequence[tuple[str, int, int]] = (),
    split: tuple[int, int] | None = None,
    **changes: Any,
) -> tuple[Ledger, Snapshot]:
    """A study that ran.

    Args:
        root: where the store is to be.
        rows: name -> what the row sets.
        folds: held-out pairs; speakers are twice as many.
        seeds: trainings a fold.
        deals: how often the speakers are dealt into pairs.
        skill: name -> how well it hears, 0 to 3 or so.
        missing: (row, fold, seed) of trials that are not finished, with the deal if it is not 0.
        short: (row, fold, seed) of those that stopped early, so that no weights were averaged.
        split: of a published split, how many dev and test speakers it has; four more train.
        changes: other fields of the question.
    """
    ledger = Ledger.open(str(root))
    speakers = [f"speaker-{n:02}" for n in range(2 * folds)]
    asked_folds = tuple(
        SnapshotFold(index=f, a=(a,), b=(b,), train=2 * folds - 2, deal=deal if deals > 1 else None)
        for deal, pairs in enumerate(pairs_of(speakers, deals))
        for f, (a, b) in enumerate(pairs)
    )
    if split is not None:
        dev, test = split
        speakers = [f"speaker-{n:02}" for n in range(4 + dev + test)]
        a, b = tuple(speakers[4 : 4 + dev]), tuple(speakers[4 + dev :])
        asked_folds = (SnapshotFold(index=0, a=a, b=b, train=4),)
    trials = []
    for seed in range(seeds):
        for fold in asked_folds:
            for name, settings in rows.items():
                identity = {
                    "semantics": SEMANTICS,
                    "classes": list(EMOTIONS),
                    "corpus": "0" * 64,
                    "extractor": "opensmile-2.6.0",
                    "features": {"features": "lld78"},
                    "model": {"model": "wma-gin", "name": name, **settings},
                    "training": {"epochs": EPOCHS},
                    "seed": seed,
                    "fold": {
                        "train": [s for s in speakers if s not in (*fold.a, *fold.b)],
                        "a": list(fold.a),
                        "b": list(fold.b),
                    },
                }
                trials.append(SnapshotTrial(name, fold.index, seed, digest(identity), fold.deal))
                slot = (name, fold.index, seed)
                if (slot if not fold.deal else (*slot, fold.deal)) not in missing:
                    own = (skill or {}).get(name, 1.0)
                    train(ledger, identity, fold, own, CHOICES[:3] if slot in short else CHOICES)
    snapshot = replace(
        Snapshot(
            study="made",
            question="Which is better?",
            table=7,
            figure=None,
            corpus="tones",
            profile="quick",
            reading="as-written",
            classes=EMOTIONS,
            utterances=32 * folds,
            rows=tuple(
                SnapshotRow(name=name, reading="as-written", paper={}, settings=dict(own))
                for name, own in rows.items()
            ),
            folds=asked_folds,
            seeds=seeds,
            trials=tuple(trials),
            comparable=False,
            reference=next(iter(rows)),
            claim=None,
        ),
        **changes,
    )
    ledger.studies.write_snapshot(snapshot.study, snapshot.to_json())
    return ledger, snapshot


def pairs_of(speakers: Sequence[str], deals: int) -> list[list[tuple[str, str]]]:
    """The pairs of each deal: neighbours first, then as the speakers are dealt anew."""
    known = [Speaker(name=name, sex="", session="", classes=(1,)) for name in speakers]
    first: Deal = [known[i : i + 2] for i in range(0, len(known), 2)]
    return [
        [(a.name, b.name) for a, b in groups]
        for groups in (first, *islice(dealt_anew(first), deals - 1))
    ]


def train(
    ledger: Ledger,
    identity: Mapping[str, Any],
    fold: SnapshotFold,
    skill: float,
    choices: Sequence[EpochChoice] = CHOICES,
) -> None:
    """What a training would leave: sixteen utterances a speaker, of one to three segments."""
    id = digest(identity)
    random = np.random.default_rng(int(id[:12], 16))
    history = [_epoch(n, random, skill) for n in range(1, EPOCHS + 1)]
    best = {h: max(history, key=lambda e: (e[h]["ua"], -e[h]["loss"]))["number"] for h in "ab"}
    columns: dict[str, list[Any]] = {
        name: [] for name in ("utterance", "segment", "speaker", "emotion", "choice", "epoch")
    }
    probabilities: list[Any] = []
    scores: list[Scores] = []
    halves = [(half, who) for half, side in (("a", fold.a), ("b", fold.b)) for who in side]
    for half, speaker in halves:
        leaning = random.standard_normal(len(EMOTIONS)) / 2
        for choice in choices:
            epoch = {
                "chosen": best["b" if half == "a" else "a"],
                "last_epoch": EPOCHS,
                "best_on_test": best[half],
                "averaged": EPOCHS,
            }[choice]
            draw = random if choice != "averaged" else np.random.default_rng([epoch, len(scores)])
            logits_SC = leaning + draw.standard_normal((len(SEGMENTS), len(EMOTIONS)))
            logits_SC[range(len(SEGMENTS)), TRUTH_S] += skill
            powers_SC = np.exp(logits_SC)
            p_SC = (powers_SC / powers_SC.sum(axis=1, keepdims=True)).astype(np.float32)
            probabilities.append(p_SC)
            for number, segment in SEGMENTS:
                values = (
                    f"{speaker}-{number:02}",
                    segment,
                    speaker,
                    EMOTIONS[number % len(EMOTIONS)],
                    choice,
                    epoch,
                )
                for column, value in zip(columns.values(), values, strict=True):
                    column.append(value)
            summed_UC = np.add.reduceat(p_SC.astype(np.float64), FIRST_U)
            by_segment = zip(TRUTH_S, p_SC.argmax(axis=1), strict=True)
            by_utterance = zip(TRUTH_S[FIRST_U], summed_UC.argmax(axis=1), strict=True)
            for unit, pairs in (("utterance", by_utterance), ("segment", by_segment)):
                truth, taken = zip(*pairs, strict=True)
                counts = confusion(truth, taken, len(EMOTIONS))
                scores.append(
                    Scores(
                        speaker=speaker,
                        choice=choice,
                        unit=unit,
                        epoch=epoch,
                        confusion=tuple(map(tuple, counts)),
                    )
                )
    files = {
        "predictions.parquet": predictions_parquet(
            columns, dict(zip(EMOTIONS, np.concatenate(probabilities).T, strict=True))
        ),
        "history.json": canonical(history).encode(),
        "weights.safetensors": b"",
        "log.txt": b"drawn, not trained\n",
    }
    attempt = f"attempt-{id[:12]}"
    ledger.outcomes.commit(
        Outcome(
            id=id,
            identity=identity,
            attempt=attempt,
            epochs=EPOCHS,
            scores=tuple(scores),
            digests={name: digest(id + name) for name in ("predictions", "history", "weights")},
            files=ledger.attempts.write(id, attempt, files),
            libraries={"torch": "2"},
            environment={"device": "cpu", "torch": "2"},
            host="here",
            seconds=1.0,
            finished=1.7e9,
            parameters=1000,
        )
    )


def _epoch(number: int, random: np.random.Generator, skill: float) -> dict[str, Any]:
    """An epoch whose scores rise and whose losses fall, with noise."""
    done = 1 - np.exp(-number / 3)
    halves = {}
    for half in "ab":
        right = 1 + round(3 * done * min(1.0, skill / 2) * random.uniform(0.7, 1.0))
        wrong = 4 - right
        counts = [
            [right, wrong, 0, 0],
            [0, right, wrong, 0],
            [0, 0, right, wrong],
            [wrong, 0, 0, right],
        ]
        loss = float(1.4 - skill / 3 * done + 0.05 * random.standard_normal())
        halves[half] = {"ua": ua(counts), "wa": wa(counts), "loss": loss}
    return {"number": number, "loss": float(1.4 * np.exp(-number * skill / 9)), **halves}


def failed(ledger: Ledger, id: str, cause: Any, identity: Mapping[str, Any]) -> None:
    """A record of an attempt that failed."""
    failure = Failure(
        id=id,
        cause=cause,
        sentence="It failed.",
        traceback="",
        epoch=1,
        attempt="a",
        host="here",
        identity=identity,
    )
    ledger.attempts.write_failure(failure)


def spoilt(ledger: Ledger, id: str, file: str) -> None:
    """Flip a byte of a finished trial's file."""
    outcome = ledger.outcomes.read(id)
    assert outcome is not None
    path = Path(str(ledger.paths.attempt_folder(id, outcome.attempt) / file))
    blob = bytearray(path.read_bytes())
    blob[len(blob) // 2] ^= 1
    path.write_bytes(bytes(blob))


def as_older(ledger: Ledger, id: str) -> Outcome:
    """The record as code of an earlier meaning would have left it."""
    outcome = ledger.outcomes.read(id)
    assert outcome is not None
    return replace(
        outcome,
        identity={**json.loads(canonical(asdict(outcome)))["identity"], "semantics": SEMANTICS - 1},
    )
