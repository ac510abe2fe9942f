"""``ablate corpus add | list | check | folds | remove``: registering and inspecting corpora."""

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from features.errors import CorpusError
from orchestrator.cli.corpus_options import (
    Columns,
    DistinctSessions,
    DistinctSpeakers,
    KeptSessions,
    KeptSpeakers,
    LabelColumnName,
    Root,
    SameSessions,
    SameSpeakers,
    Tables,
)
from orchestrator.cli.options import DEFAULT_STORE, JsonOption, StoreOption
from orchestrator.cli.streams import go_on_without_reader
from orchestrator.errors import RequestError

if TYPE_CHECKING:
    from features.corpora.corpus import Corpus
    from features.corpora.inspection import Inspection
    from orchestrator.store.ledger import Ledger


def register(app: typer.Typer) -> None:
    """Add the group ``ablate corpus`` to the command line."""
    group = typer.Typer(help="Register and inspect corpora.", no_args_is_help=True)
    group.command("add")(add)
    group.command("list")(list_)
    group.command("check")(check)
    group.command("folds")(folds)
    group.command("remove")(remove)
    app.add_typer(group, name="corpus")


def add(
    name: Annotated[
        str, typer.Argument(help="One of `ablate corpus list`, such as iemocap or table.")
    ],
    folder: Annotated[Path, typer.Argument(help="Where the corpus lies; for `table`, its file.")],
    own_name: Annotated[str, typer.Option("--name", help="The name of a `table`.")] = "",
    columns: Columns = None,
    paths_root: Root = "",
    tables: Tables = None,
    column: LabelColumnName = "",
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out what cannot be used, and copies.")
    ] = False,
    mend_headers: Annotated[
        bool, typer.Option("--mend-headers", help="Read speech behind headers that say 0 samples.")
    ] = False,
    same_speaker: SameSpeakers = None,
    distinct_speakers: DistinctSpeakers = None,
    keep_speaker: KeptSpeakers = None,
    same_session: SameSessions = None,
    distinct_sessions: DistinctSessions = None,
    keep_session: KeptSessions = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Register the corpus NAME in FOLDER: read its labels, hash its audio.

    Every file is decoded and compared with the others: speech that stands under two speakers, or on
    two sides of a published split, is refused.

    `ablate corpus add table FILE --name mine` makes `corpus: mine` of a CSV or Parquet file with
    the columns file, speaker, emotion, or of an audformat database folder.

    Names that may be one, spelled two ways, are asked about; an answer is an option that may be
    repeated, and is kept.
    """
    from features.corpora import catalogue
    from features.corpora.identities import NameOptions
    from orchestrator.report.console import console_for, progress
    from orchestrator.report.terminal import corpora
    from orchestrator.store.ledger import Ledger

    go_on_without_reader()
    catalogue.refuse_unknown(name, folder.expanduser())
    ledger = Ledger.open(store)
    root = folder.expanduser().absolute()
    with progress("reading") as on_progress:
        corpus = catalogue.read(
            name,
            root,
            on_progress,
            skip_bad=skip_bad,
            mend_headers=mend_headers,
            own_name=own_name,
            speakers=NameOptions(same=same_speaker, distinct=distinct_speakers, keep=keep_speaker),
            sessions=NameOptions(same=same_session, distinct=distinct_sessions, keep=keep_session),
            table_options=catalogue.TableOptions(
                columns=columns, root=paths_root, tables=tables, column=column
            ),
        )
    ledger.write_corpus(corpus.name, corpus.to_json())
    record = corpora.record(corpus)
    if as_json:
        print(json.dumps(record, indent=2))
    else:
        corpora.show(console_for(), record)


def list_(store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """List all known corpora, and where the registered ones lie."""
    from orchestrator.report.console import console_for
    from orchestrator.report.terminal import corpora
    from orchestrator.store.ledger import Ledger

    records = corpora.list_records(Ledger.open_readonly(store).corpora())
    if as_json:
        print(json.dumps(records, indent=2))
    else:
        corpora.show_list(console_for(), records)


def check(
    name: Annotated[str, typer.Argument(help="A registered corpus, or demo.")],
    store: StoreOption = DEFAULT_STORE,
    deep: Annotated[bool, typer.Option("--deep", help="Hash every file again.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Decode every file of a corpus and say what is wrong with it.

    Prints utterances by emotion and speaker, durations and sample rates, what is left out and why,
    which recordings may be copies, and which folds the corpus can give.
    """
    from features.corpora import catalogue, inspection
    from orchestrator.planning.corpus import registered_corpus
    from orchestrator.report.console import console_for, progress
    from orchestrator.report.terminal import corpora
    from orchestrator.store.ledger import Ledger

    ledger = Ledger.open_readonly(store)
    corpus = registered_corpus(name, ledger)
    if not Path(corpus.root).is_dir():
        corpus = catalogue.refresh(corpus)  # says what to do about a folder that is gone
    with progress("listening") as on_progress:
        inspected = inspection.inspect(corpus, on_progress)
    if not inspected.bad:
        corpus = catalogue.refresh(corpus, deep=deep)
    corpus, refused = _compared(corpus, inspected, ledger)
    record = corpora.record(corpus, inspected)
    if as_json:
        print(json.dumps(record, indent=2))
    else:
        corpora.show(console_for(), record)
    if inspected.bad:
        raise RequestError(
            f"{len(inspected.bad)} of the {len(corpus.utterances)} recordings of corpus `{name}` "
            "cannot be used (named above): restore them, or "
            f"`{corpus.registration_command} --skip-bad`."
        )
    if refused is not None:
        raise refused


def _compared(
    corpus: "Corpus", inspected: "Inspection", ledger: "Ledger"
) -> "tuple[Corpus, CorpusError | None]":
    """Look for copies among recordings that were not compared yet, and register the result.

    Returns:
        The corpus with the doubts that were found, and the error that names copies; None without.
    """
    from features.corpora import copies

    corpus = copies.with_current_state(corpus)
    if corpus.compared or inspected.bad:
        return corpus, None
    try:
        settled = copies.settle(corpus, inspected.heard)
    except CorpusError as error:
        return corpus, error
    with suppress(OSError):  # the store may be one that only others write
        ledger.write_corpus(corpus.name, settled.to_json())
    return settled, None


def folds(
    name: Annotated[str, typer.Argument(help="A registered corpus, or demo.")],
    count: Annotated[
        str, typer.Option("--folds", metavar="K", help="How many, or `published`.")
    ] = "5",
    deals: Annotated[
        int, typer.Option("--deals", metavar="K", min=1, help="How often speakers are dealt.")
    ] = 1,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Show which speakers every fold trains on and holds out.

    The folds are those of a study with the default classes; a corpus that lacks one of these is
    shown with a class for each label.
    """
    from features.corpora.folds import deal, deal_anew
    from orchestrator.planning.corpus import registered_corpus
    from orchestrator.report.console import console_for
    from orchestrator.report.terminal import corpora
    from orchestrator.store.ledger import Ledger

    wanted: int | Literal["published"]
    if count == "published":
        wanted = "published"
    elif count.isdecimal():
        wanted = int(count)
    else:
        raise RequestError(
            f"`--folds` must be a whole number or `published`, but is `{count}` instead."
        )
    if wanted == "published" and deals > 1:
        raise RequestError(
            f"`--deals` must be 1 beside `--folds published`, but is {deals} instead: leave it out."
        )
    chosen = corpora.selection(registered_corpus(name, Ledger.open_readonly(store)))
    dealt = deal(chosen, wanted) if wanted == "published" else deal_anew(chosen, wanted, deals)
    record = corpora.folds_record(chosen, dealt)
    if as_json:
        print(json.dumps(record, indent=2))
    else:
        corpora.show_folds(console_for(), record, chosen)


def remove(
    name: Annotated[str, typer.Argument(help="A registered corpus.")],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Forget a corpus; its recordings, features and outcomes stay.

    Refused while a run trains on it. Studies of the corpus can still be reported; to plan or run
    them, add it again.
    """
    from orchestrator.planning.corpus import forget_corpus
    from orchestrator.printable import clean
    from orchestrator.store.ledger import Ledger

    corpus = forget_corpus(name, Ledger.open(store))
    again = corpus.registration_command
    if as_json:
        print(
            json.dumps({"removed": corpus.name, "root": corpus.root, "register": again}, indent=2)
        )
    else:
        print(clean(f"Corpus `{corpus.name}` is forgotten. Its recordings in {corpus.root} stay."))
        print(clean(f"`{again}` registers it again."))
