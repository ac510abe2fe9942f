"""Exports the trained networks of a row as a folder with their settings and a model card.

The card is the README.md that says what the networks are, what they score and what they are for.
"""

from collections.abc import Iterator
from pathlib import Path

from orchestrator.analysis import blinding
from orchestrator.analysis.row_scores import Interval
from orchestrator.analysis.summary import summarise
from orchestrator.errors import RequestError
from orchestrator.planning.copies import with_corpus_notes
from orchestrator.printable import clean
from orchestrator.report.tables.headings import score_interval_words
from orchestrator.report.trained.predict import Ensemble
from orchestrator.store.checkpoints import tensors_blob
from orchestrator.store.files import replace_file
from orchestrator.store.ledger import Ledger
from orchestrator.study.canonical import canonical


def export(ledger: Ledger, ensemble: Ensemble, folder: Path) -> tuple[str, ...]:
    """Write `network-1.safetensors` and so on, `config.json` and the model card `README.md`.

    Args:
        ledger: the store, with the records of the trials.
        ensemble: the networks of the row.
        folder: the folder to write, which must be new or empty.

    Returns:
        The names of the files.

    Raises:
        RequestError: the folder is a file, or is not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RequestError(
            f"`--export` must name a new or empty folder, but `{folder}` is not: name another."
        )
    networks = {
        f"network-{number}.safetensors": tensors_blob(voter.network.state_dict())
        for number, voter in enumerate(ensemble.voters, start=1)
    }
    trained_by = ledger.outcomes.read_all(voter.trial for voter in ensemble.voters)
    first = trained_by[ensemble.voters[0].trial].identity  # its weights have been read
    wanted = ("classes", "extractor", "features", "semantics")
    config = {key: first[key] for key in wanted}
    config["networks"] = [  # of a search each held-out group has settings of its own
        {
            "file": name,
            "trial": voter.trial,
            "tested": sorted(voter.tested),
            "model": trained_by[voter.trial].identity["model"],
            "training": trained_by[voter.trial].identity["training"],
        }
        for name, voter in zip(networks, ensemble.voters, strict=True)
    ]
    card = "\n".join(line.rstrip(" ") for line in _card(ledger, ensemble)) + "\n"
    contents = {
        **networks,
        "config.json": canonical(config).encode(),
        "README.md": card.encode(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, blob in contents.items():
        replace_file(folder / name, blob)
    return tuple(contents)


def _card(ledger: Ledger, ensemble: Ensemble) -> Iterator[str]:
    snapshot = ensemble.snapshot
    outcomes = blinding.open_outcomes(ledger, [trial.id for trial in snapshot.trials])
    row = next(r for r in summarise(snapshot, outcomes).rows if r.name == ensemble.row)
    yield f"# {_plain(ensemble.row)}, of the study {_plain(snapshot.study)}"
    yield ""
    for note in ensemble.notes:
        yield f"**{_plain(note)}**\n"
    yield f"Speech emotion recognition in {len(snapshot.classes)} classes: "
    yield f"{', '.join(map(_plain, snapshot.classes))}."
    yield "\n## Trained on\n"
    yield f"- corpus {_plain(snapshot.corpus)} ({snapshot.utterances} utterances), profile"
    yield f"  {_plain(snapshot.profile)}, reading {_plain(snapshot.reading)}"
    if snapshot.score == "averaged":
        yield f"- {len(ensemble.voters)} networks: of each fold and seed one, the mean of its"
        yield "  weights over the second half of its epochs, tested on all held-out speakers"
    elif snapshot.is_published_split:
        yield f"- {len(ensemble.voters)} networks: of each seed one, whose epoch was chosen on the"
        yield "  dev side of the published split, and which was tested on the test side"
    else:
        yield f"- {len(ensemble.voters)} networks: of each fold and seed two, each of which was"
        yield "  chosen on one half of the held-out speakers and tested on the other"
    yield f"- features `{_plain(ensemble.features.name)}`, by {_plain(ensemble.features.version())}"
    for note in with_corpus_notes(snapshot, ledger).notes:
        yield f"- {_plain(note)}"
    yield "\n## Scores\n"
    yield f"Of single networks, on speakers that they never met ({row.speakers} speakers, "
    yield f"{row.n} trainings, {row.missing} missing). The ensemble's own score on new speakers is "
    yield "not measured: no speaker is left that none of its networks met.\n"
    yield f"- UA {_percent(row.ua)}"
    yield f"- WA {_percent(row.wa)}"
    yield f"\nIntervals: {score_interval_words(snapshot)}."
    yield "\n## Use and limits\n"
    yield "Meant for research on speech like the corpus's. Emotion in a corpus is what its "
    yield "annotators or actors called so. Not meant for judging persons: not in hiring, schools, "
    yield "policing, care or credit. Other languages, microphones and ways of speaking were not "
    yield "tested; probabilities are not calibrated."
    yield "\n## Licences\n"
    yield "openSMILE, which computes most feature sets, is free for research and education only; "
    yield "commercial use needs a licence from audEERING. The corpus's own terms hold for what was "
    yield "trained on it."
    yield "\n## Load\n"
    yield "With `ablate-ser` installed, in this folder:\n"
    yield _LOAD


_LOAD = """```python
import json
from safetensors.torch import load_file
from model.training.restore import trained
from orchestrator.study.trials import model_from

config = json.load(open("config.json"))
networks = [
    trained(
        model_from(network["model"]),
        load_file(network["file"]),
        len(config["classes"]),
        config["features"]["segment_nodes"],
    )
    for network in config["networks"]
]
```

Each takes unscaled features x_BNF, frames_B, nodes_B (its scaler is among its weights); the answer
is the mean over networks and segments of the softmax of `total_BC`."""


_MARKUP = str.maketrans({mark: "\\" + mark for mark in "`*_[]<>|#"})


def _percent(interval: Interval | None) -> str:
    if interval is None:
        return "not measured"
    if interval.low is None or interval.high is None:
        return f"{100 * interval.mean:.1f} (no interval from one group)"
    ends = f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"
    return f"{100 * interval.mean:.1f} ({ends})"


def _plain(text: str) -> str:
    """Escape a text so that Markdown shows it as it is; control characters are replaced."""
    return clean(text).translate(_MARKUP)
