"""``ablate corpus add | list | check``: which speech there is."""

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import DEFAULT_STORE, JsonOption, StoreOption
from orchestrator.errors import LackError

if TYPE_CHECKING:
    from features.corpus import Corpus
    from orchestrator.ledger import Ledger


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="Register and inspect corpora.", no_args_is_help=True)
    group.command("add")(add)
    group.command("list")(list_)
    group.command("check")(check)
    app.add_typer(group, name="corpus")


def add(
    name: Annotated[str, typer.Argument(help="demo, iemocap, ravdess, ...")],
    folder: Annotated[Path, typer.Argument(help="Where the corpus lies.")],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Register the corpus NAME that lies in FOLDER: read its labels, hash its audio."""
    from features import catalogue
    from orchestrator.ledger import Ledger

    catalogue.reader(name)
    ledger = Ledger.open(store)
    corpus = catalogue.read(name, folder.expanduser().absolute())
    ledger.write_corpus(name, corpus.to_json())
    _show(corpus, as_json)


def list_(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """List all known corpora, and where the registered ones lie."""
    from features import catalogue
    from orchestrator.ledger import Ledger
    from orchestrator.report.text import console_for, print_columns

    registered = Ledger.look(store).corpora()
    records = []
    for name in catalogue.names():
        reader = catalogue.reader(name)
        if name in registered:
            where, count = registered[name]["root"], len(registered[name]["utterances"])
        else:
            where, count = "", 0
        records.append(
            {
                "name": name,
                "registered": name in registered,
                "root": where,
                "utterances": count,
                "license": reader.LICENSE,
                "source": reader.SOURCE,
            }
        )
    if as_json:
        print(json.dumps(records, indent=2))
        return
    cells = []
    for r in records:
        state = (
            f"{r['utterances']} utterances in {r['root']}"
            if r["registered"]
            else ("synthesised at first use" if r["name"] == "demo" else "not registered")
        )
        cells.append((str(r["name"]), state, str(r["license"])))
    print_columns(console_for(), ["corpus", "state", "license"], cells)


def check(
    name: Annotated[str, typer.Argument(help="A registered corpus, or demo.")],
    store: StoreOption = DEFAULT_STORE,
    deep: Annotated[bool, typer.Option("--deep", help="Hash every file again.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what a corpus holds: utterances by emotion and speaker, what is left out and why."""
    from features import catalogue
    from orchestrator.ledger import Ledger

    ledger = Ledger.look(store)
    corpus = catalogue.refresh(_registered(name, ledger), deep=deep)
    _show(corpus, as_json)


def _registered(name: str, ledger: "Ledger") -> "Corpus":
    from features import catalogue
    from features.corpus import Corpus

    registered = ledger.corpora()
    if name == "demo" and name not in registered:
        return catalogue.read(name, ledger.corpus_folder(name))
    catalogue.reader(name)  # an unknown name is refused before an unregistered one
    if name not in registered:
        raise LackError(
            f"The corpus `{name}` is not registered in `{ledger.root}`. "
            f"`ablate corpus add {name} FOLDER` registers it."
        )
    return Corpus.from_json(registered[name])


def _show(corpus: "Corpus", as_json: bool) -> None:
    """Counts by emotion and by speaker; what the default classes leave out."""
    from features.config import DEFAULT_EMOTIONS

    record = _record(corpus)
    if as_json:
        print(json.dumps(record, indent=2))
        return
    from orchestrator.report.text import console_for, print_columns, print_pairs

    console = console_for()
    print_pairs(
        console,
        [
            ("corpus", corpus.name),
            ("folder", str(corpus.root)),
            ("utterances", str(len(corpus.utterances))),
        ],
    )
    gathered = {label: name for name, labels in DEFAULT_EMOTIONS.items() for label in labels}
    console.print()
    cells = [
        (emotion, str(n), gathered.get(emotion, "left out"))
        for emotion, n in record["emotions"].items()
    ]
    print_columns(
        console, ["emotion", "utterances", "default class"], cells, numeric=[False, True, False]
    )
    console.print()
    emotions = list(record["emotions"])
    cells_ = [
        (s["speaker"], s["sex"] or "–", *(str(s["emotions"].get(e, 0)) for e in emotions))
        for s in record["speakers"]
    ]
    print_columns(
        console,
        ["speaker", "sex", *emotions],
        cells_,
        numeric=[False, False, *[True] * len(emotions)],
    )
    if record["left_out"]:
        console.print()
        print_pairs(console, [(str(n), reason) for reason, n in record["left_out"].items()])
    for note in corpus.notes:
        console.print(note, style="bold yellow")


def _record(corpus: "Corpus") -> dict[str, Any]:
    emotions = Counter(u.emotion for u in corpus.utterances)
    speakers = []
    for speaker in sorted({u.speaker for u in corpus.utterances}):
        own = [u for u in corpus.utterances if u.speaker == speaker]
        speakers.append(
            {
                "speaker": speaker,
                "sex": own[0].sex,
                "session": own[0].session,
                "utterances": len(own),
                "emotions": dict(sorted(Counter(u.emotion for u in own).items())),
            }
        )
    left_out = Counter(item.reason for item in corpus.left_out)
    return {
        "name": corpus.name,
        "root": str(corpus.root),
        "utterances": len(corpus.utterances),
        "emotions": dict(sorted(emotions.items())),
        "speakers": speakers,
        "left_out": dict(left_out.most_common()),
        "notes": list(corpus.notes),
    }
