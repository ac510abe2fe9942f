"""``ablate features list | show | build | verify``: descriptors and shards, without training."""

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import (
    DEFAULT_STORE,
    AllowConfigOption,
    CpusOption,
    JsonLinesOption,
    JsonOption,
    StoreOption,
    StudyArgument,
    refuse_config_elsewhere,
)
from orchestrator.cli.streams import go_on_without_reader
from orchestrator.errors import Interrupted, RequestError

if TYPE_CHECKING:
    from features.corpora.corpus import Utterance
    from orchestrator.execution.prepare import Repaired, Verified


def register(app: typer.Typer) -> None:
    """Add the group ``ablate features`` to the command line."""
    group = typer.Typer(help="Show, build and verify frame features.", no_args_is_help=True)
    group.command("list")(list_)
    group.command("show")(show)
    group.command("build")(build)
    group.command("verify")(verify)
    app.add_typer(group, name="features")


def list_(as_json: JsonOption = False) -> None:
    """List the feature sets that a study may name."""
    from features.descriptors.catalogue import SETS
    from orchestrator.report.console import console_for, print_columns

    cells = [(known.name, known.about) for known in SETS.values()]
    cells.append(("opensmile:PATH.conf", "your configuration, with --allow-config"))
    if as_json:
        print(json.dumps([{"features": name, "about": about} for name, about in cells], indent=2))
        return
    print_columns(console_for(), ["features", "what"], cells)


def show(
    utterance: Annotated[
        str, typer.Argument(help="An id of a registered corpus (or demo), or an audio file.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Picture to write: .png, .svg or .pdf.")
    ],
    features: Annotated[str, typer.Option("--features", help="A set; see `features list`.")] = (
        "lld78"
    ),
    corpus: Annotated[str, typer.Option("--corpus", help="Whose id it is.")] = "",
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Draw UTTERANCE: waveform, log-Mel, pitch, descriptors, graphs.

    Everything is computed from the audio: no feature need be built before.
    """
    from features.dataset.utterance_view import view_utterance
    from features.descriptors.catalogue import feature_set
    from orchestrator.report.console import say
    from orchestrator.report.figures import canvas
    from orchestrator.report.figures.utterance import draw

    canvas.refuse_no_picture(output)
    feature_set(features)
    if not corpus and Path(utterance).exists():
        shown = view_utterance(Path(utterance), features)
    else:
        path, found = _recording(utterance, corpus, store)
        shown = view_utterance(path, features, found)
    draw(shown, output)
    say(f"Drew {shown.name} ({shown.seconds:.2f} s, {len(shown.frames_TF)} frames) in {output}.")
    for doubt in shown.doubts:
        say(f"It looks wrong: {doubt}.")


def _recording(id: str, name: str, store: str) -> "tuple[Path, Utterance]":
    """Find the audio file and the utterance of an id; synthesised audio is made if missing.

    Args:
        id: id of an utterance.
        name: name of its corpus; empty to search all registered and all synthesised corpora.
        store: path or address of the store.

    Raises:
        LackError, MissingError: the named corpus is not registered, or cannot be synthesised.
        CorpusError: no corpus has the id, or several do; or the file leads out of its folder.
    """
    from features.corpora import catalogue, recordings
    from features.dataset import utterance_view
    from features.errors import MissingError
    from orchestrator.planning.corpus import registered_corpus
    from orchestrator.store.ledger import Ledger

    ledger = Ledger.open_readonly(store)
    known = []
    for each in [name] if name else sorted({*ledger.corpora(), *catalogue.SYNTHESISED}):
        try:
            known.append(registered_corpus(each, ledger))
        except MissingError:  # a synthesiser is an extra
            if name:
                raise
    corpus, utterance = utterance_view.find(known, id)
    if corpus.name in catalogue.SYNTHESISED:
        Ledger.open(store)
        catalogue.prepare(corpus)
    recordings.refuse_outside(corpus, [utterance])
    return Path(corpus.root) / utterance.path, utterance


def build(
    study: StudyArgument,
    store: StoreOption = DEFAULT_STORE,
    cpus: CpusOption = None,
    address: Annotated[
        str | None, typer.Option("--address", help="Extract on a running Ray cluster.")
    ] = None,
    allow_config: AllowConfigOption = False,
    as_json: JsonLinesOption = False,
) -> None:
    """Build the features that STUDY needs and the store lacks."""
    from orchestrator.execution import prepare as features
    from orchestrator.execution.cluster.ray_cluster import RayCluster
    from orchestrator.execution.events import Note, print_line
    from orchestrator.planning.cost.machine import cpu_count
    from orchestrator.report.console import console_for, say
    from orchestrator.report.terminal.live import View
    from orchestrator.store.ledger import Ledger
    from orchestrator.study.reader import read_study

    go_on_without_reader()
    refuse_config_elsewhere(allow_config, address)
    parsed, ledger, view = read_study(study), Ledger.open(store), View(console_for())
    threads, on_event = cpus or cpu_count(), print_line if as_json else view.show
    try:
        with contextlib.nullcontext() if as_json else view:
            if address is None:
                features.build(parsed, ledger, on_event, threads=threads, allow_config=allow_config)
            else:
                with RayCluster(address=address, store=ledger.root) as cluster:
                    features.build(parsed, ledger, on_event, threads=threads, elsewhere=cluster.map)
    except KeyboardInterrupt:
        raise Interrupted(
            "Interrupted. Finished shards are kept; the same command goes on from there."
        ) from None
    done = f"The features of `{parsed.name}` are in {ledger.paths.shards}."
    if as_json:
        on_event(Note(done))
    else:
        say(done)


def verify(
    study: Annotated[
        Path | None, typer.Argument(help="Also check what this study needs.", metavar="[STUDY]")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    repair: Annotated[
        bool, typer.Option("--repair", help="Delete what is damaged, and build it anew.")
    ] = False,
    cpus: CpusOption = None,
    allow_config: AllowConfigOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compare every shard with its digest; with STUDY, its audio too.

    With STUDY, the features that it needs must be there as well.
    """
    from orchestrator.execution import prepare as features
    from orchestrator.planning.cost.machine import cpu_count
    from orchestrator.report.console import console_for, say
    from orchestrator.report.terminal.live import View
    from orchestrator.store.ledger import Ledger
    from orchestrator.study.reader import read_study

    if repair and study is None:
        raise RequestError(
            "`--repair` must know what to build anew: `ablate features verify STUDY --repair`."
        )
    ledger, view = Ledger.open_existing(store), View(console_for(stderr=as_json))
    parsed = read_study(study) if study else None
    with view:
        found = features.verify(ledger, parsed, view.show, allow_config=allow_config)
    if not as_json:
        _show(found)
    repaired = None
    if repair and parsed is not None and not found.audio:
        with view:
            repaired = features.repair(
                ledger,
                parsed,
                found,
                view.show,
                threads=cpus or cpu_count(),
                allow_config=allow_config,
            )
        found = repaired.verified
    if as_json:
        print(json.dumps(_record(found, repaired)))
    elif repaired is not None:
        _show_repair(repaired)
    elif parsed is not None and any(f.kind == "missing" for f in found.findings):
        say(f"`ablate features build {study}` makes what is missing.")
    if repair and found.audio:
        say(
            "Nothing was repaired: recordings have changed. Do what is said of them first, then "
            "repair.",
            stderr=as_json,
        )
    if found.damage:
        raise typer.Exit(4)


def _record(found: "Verified", repaired: "Repaired | None") -> dict[str, Any]:
    """Convert the result of `ablate features verify` to the JSON object of ``--json``.

    Args:
        found: what the last verification found.
        repaired: what `--repair` did; None if nothing was repaired.
    """
    return {
        "shards": found.shards,
        "whole": found.whole,
        "findings": [
            {"kind": f.kind, "file": str(f.file), "sentence": f.sentence} for f in found.findings
        ],
        "audio": list(found.audio),
        "deleted": list(repaired.deleted) if repaired else [],
        "of_other_studies": list(repaired.of_other_studies) if repaired else [],
    }


def _show(found: "Verified") -> None:
    """Print the result of `ablate features verify`: one line a finding, then the counts."""
    from orchestrator.report.console import say

    for finding in found.findings:
        say(f"{finding.kind}: {finding.sentence}")
    for sentence in found.audio:
        say(f"audio: {sentence}")
    say(f"{found.shards} shards, {found.whole} whole.")


def _show_repair(repaired: "Repaired") -> None:
    """Print what `--repair` deleted, what it could not build anew, and whether all is in order."""
    from orchestrator.report.console import say

    for name in repaired.deleted:
        say(f"deleted {name}")
    for key in repaired.of_other_studies:
        say(f"{key} is of another study: `ablate run` of that one builds it anew.")
    say("Not all could be repaired." if repaired.verified.damage else "Repaired.")
