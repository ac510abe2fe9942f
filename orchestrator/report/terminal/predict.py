"""The output of `ablate predict`: emotions of recordings, in the terminal, as CSV and as JSON."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from features.corpora.corpus import some
from orchestrator.printable import clean
from orchestrator.report.console import print_columns
from orchestrator.report.tables.headings import protocol_line
from orchestrator.report.tables.text import safe_cell
from orchestrator.report.trained.predict import Ensemble, Prediction, SegmentPrediction, Unusable


def show(
    console: Console, ensemble: Ensemble, found: Sequence[Prediction], *, segments: bool
) -> None:
    """Print a line for each recording: its emotion, and the probability of each class in percent.

    Args:
        console: where to print.
        ensemble: the networks that predicted.
        found: the predictions.
        segments: whether a line for each segment follows, with its start and end in seconds.
    """
    snapshot = ensemble.snapshot
    console.print(Text(clean(f"{snapshot.study}: {ensemble.row}"), style="bold"))
    console.print(Text(clean(protocol_line(snapshot)), style="dim"))
    console.print()
    cells = []
    for p in found:
        emotion = p.emotion if p.voice == "new" else f"{p.emotion} ({p.voice})"
        cells.append((str(p.path), emotion, *_percents(p.probabilities)))
        if segments:
            for part in p.parts:
                span = f"  {part.start:.2f}-{part.end:.2f} s"
                best = _best(snapshot.classes, part.probabilities)
                cells.append((span, best, *_percents(part.probabilities)))
    numeric = [False, False, *[True] * len(snapshot.classes)]
    print_columns(console, ["file", "emotion", *snapshot.classes], cells, numeric=numeric)


def known_voices(found: Sequence[Prediction], total: int) -> Iterator[str]:
    """Sentences on the recordings that are of the study's own corpus.

    They say how many files have a speaker whom some networks never met (only those networks voted),
    and how many have a speaker whom every network trained on.

    Args:
        found: the predictions.
        total: the number of files, also those without a prediction.
    """
    for voice, sentence in (
        ("held out", "are of the study's corpus: only networks that never met the speaker voted"),
        ("trained on", "are TRAINING SPEECH of every network: the answer proves nothing"),
    ):
        if number := sum(prediction.voice == voice for prediction in found):
            yield f"{number} of {total} files {sentence}."


def doubtful(found: Sequence[Prediction]) -> Iterator[str]:
    """Sentences on recordings that look wrong, one for each kind of doubt.

    Args:
        found: the predictions.
    """
    by_kind: dict[str, list[str]] = {}
    for prediction in found:
        for doubt in prediction.doubts:
            kind, _, detail = doubt.partition(": ")
            said = f"{prediction.path} ({detail})" if detail else str(prediction.path)
            by_kind.setdefault(kind, []).append(said)
    for kind, paths in sorted(by_kind.items()):
        files = "1 file looks" if len(paths) == 1 else f"{len(paths)} files look"
        yield f"{files} wrong, {kind}: {some(paths)}."


def csv_text(ensemble: Ensemble, found: Sequence[Prediction], *, segments: bool) -> str:
    """The predictions as CSV; probabilities are fractions from 0 to 1, times are in seconds.

    Args:
        ensemble: the networks that predicted.
        found: the predictions.
        segments: False for a line for each recording, True for a line for each segment instead.
    """
    snapshot = ensemble.snapshot
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    title = ["study", "row", "corpus", "profile", "reading"]
    classes = [f"p_{name}" for name in snapshot.classes]
    writer.writerow([*title, "file", "start", "end", "emotion", *classes, "voice", "networks"])
    head = [snapshot.study, ensemble.row, snapshot.corpus, snapshot.profile, snapshot.reading]
    for p in found:
        lines: list[tuple[Any, Any, str, tuple[float, ...]]] = [
            ("", "", p.emotion, p.probabilities)
        ]
        if segments:
            lines = [
                (
                    part.start,
                    part.end,
                    _best(snapshot.classes, part.probabilities),
                    part.probabilities,
                )
                for part in p.parts
            ]
        for start, end, emotion, probabilities in lines:
            row = [*head, str(p.path), start, end, emotion, *probabilities, p.voice, p.voters]
            writer.writerow([safe_cell(value) for value in row])
    return sink.getvalue()


def record(
    ensemble: Ensemble,
    found: Sequence[Prediction],
    unusable: Sequence[Unusable],
    *,
    segments: bool,
) -> dict[str, Any]:
    """The predictions as JSON values; probabilities are fractions from 0 to 1.

    Args:
        ensemble: the networks that predicted.
        found: the predictions.
        unusable: the files without a prediction, each with the reason.
        segments: whether each file also has its segments, with start and end in seconds.
    """
    snapshot = ensemble.snapshot
    return {
        "study": snapshot.study,
        "row": ensemble.row,
        "title": {
            "corpus": snapshot.corpus,
            "profile": snapshot.profile,
            "reading": snapshot.reading,
        },
        "notes": list(ensemble.notes),
        "networks": len(ensemble.voters),
        "files": [
            {
                "file": str(p.path),
                "emotion": p.emotion,
                "probabilities": dict(zip(snapshot.classes, p.probabilities, strict=True)),
                "voice": p.voice,
                "networks": p.voters,
            }
            | (
                {"segments": [_part(snapshot.classes, part) for part in p.parts]}
                if segments
                else {}
            )
            for p in found
        ],
        "unusable": [{"file": str(u.path), "reason": u.reason} for u in unusable],
    }


def _part(classes: Sequence[str], part: SegmentPrediction) -> dict[str, Any]:
    probabilities = dict(zip(classes, part.probabilities, strict=True))
    return {"start": part.start, "end": part.end, "probabilities": probabilities}


def _best(classes: Sequence[str], probabilities: Sequence[float]) -> str:
    return classes[max(range(len(classes)), key=probabilities.__getitem__)]


def _percents(probabilities: Sequence[float]) -> list[str]:
    return [f"{100 * p:.1f}" for p in probabilities]
