"""What a study's trials are and where each stands: done, failed, stale (and why), to do.

What the text of a study cannot tell is checked here: whether the corpus is there, whether it has
the emotions, whether it can give the folds. Answers in half a second, before features exist.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.corpora import catalogue
from features.corpora.corpus import Corpus, Selection
from features.corpora.folds import Fold, deal
from features.descriptors import catalogue as descriptors
from features.descriptors import opensmile_config
from features.descriptors.feature_set import FeatureSet
from features.errors import CorpusError
from model.config import WMA_GIN, TrainConfig
from orchestrator.analysis.adaptive import design
from orchestrator.errors import DamageError, LackError, nearest
from orchestrator.store.ledger import FAILURE, OUTCOME, Ledger
from orchestrator.store.snapshot import (
    CHOSEN,
    Snapshot,
    SnapshotClaim,
    SnapshotFold,
    SnapshotRow,
    SnapshotSpeech,
    SnapshotTrial,
)
from orchestrator.study.canonical import plain
from orchestrator.study.settings import emotions, resolve
from orchestrator.study.study import Study
from orchestrator.study.trials import PlannedTrial, Variant, expand, variants

if TYPE_CHECKING:
    from orchestrator.search.expansion import Memory, SearchExpansion
    from orchestrator.search.generations import SearchState

MADE_HERE = "demo"
"""The corpus that needs no registering: it is synthesised at first use."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A study against a store. Every trial is in exactly one of the four states."""

    study: Study
    snapshot: Snapshot
    selection: Selection
    emotions: Mapping[str, tuple[str, ...]]
    variants: tuple[Variant, ...]
    features: Mapping[str, FeatureSet]
    """The frame descriptors of the variants, by the name that stands in their ids."""
    placed: tuple[PlannedTrial, ...]
    """Its trials; of an adaptive study those that may yet be needed."""
    loud: tuple[str, ...]
    """What must be said before the numbers: a corpus or profile that nobody named."""
    done: tuple[str, ...]
    failed: tuple[str, ...]
    """No outcome, but failed attempts: a run tries each once more."""
    stale: Mapping[str, str]
    """No outcome under this id, but one under the id of an earlier version, and what changed."""
    to_do: tuple[str, ...]
    course: "SearchState | None" = None
    """Of a search: what was tried, and what won."""

    @property
    def to_train(self) -> tuple[PlannedTrial, ...]:
        """The trials a run trains, each id once, in the order of the table.

        A search goes on without those of which it knows that they cannot be trained.
        """
        wanted = {*self.failed, *self.stale, *self.to_do}
        if self.course is not None:
            wanted -= self.course.given_up
        first: dict[str, PlannedTrial] = {}
        for item in self.placed:
            if item.id in wanted:
                first.setdefault(item.id, item)
        return tuple(first.values())


def make(
    study: Study,
    ledger: Ledger,
    *,
    allow_config: bool = False,
    memory: "Memory | None" = None,
    at_once: float | None = None,
) -> Plan:
    """Plan a study.

    Args:
        study: what is asked.
        ledger: the store.
        allow_config: whether the person at this machine lets `opensmile:PATH.conf` run.
        memory: of a search that is planned again and again: what is read and made already.
        at_once: of a search with a budget of hours: how many trials share one; None: as many as
            the last time.

    Raises:
        LackError: when the corpus is not registered.
        StudyError: when the corpus cannot give what the study asks for.
    """
    corpus, loud = find_corpus(study, ledger)
    profile = study.settings.get("profile")
    default_profile = "paper" if corpus.name == "iemocap" else "quick"
    if profile is None:
        loud = (*loud, f"Profile: {default_profile}, the default for `{corpus.name}`.")
    wanted = emotions(study.settings)
    part = study.settings.get("corpus_part", "all")
    try:
        corpus = corpus if part == "all" else corpus.part(part)
    except CorpusError as error:
        raise study.fault("corpus_part", str(error)) from None
    try:
        selection = corpus.select(wanted)
    except CorpusError as error:
        raise study.fault(
            "emotions" if "emotions" in study.places else "corpus", str(error)
        ) from None
    try:
        folds = deal(selection, study.folds)
    except CorpusError as error:
        raise study.fault("protocol.folds", str(error)) from None
    own = _own_settings(study, default_profile)
    course = None
    if study.search is None:
        rows, sets = with_features(study, variants(study, default_profile), allow_config)
        extractors = {name: chosen.version() for name, chosen in sets.items()}
        placed = expand(study, rows, selection, folds, extractors)
        _check_distinct(study, placed)
        snapshot = _asked(study, selection, folds, rows, placed, own)
    else:
        from orchestrator.search.expansion import Memory, grow

        growth = grow(
            study,
            study.search,
            selection,
            folds,
            ledger,
            default_profile=default_profile,
            feature_set=lambda name: _feature_set(study, name, allow_config),
            memory=memory or Memory(),
            at_once=at_once,
        )
        course, rows, sets = growth.course, growth.variants, growth.features
        placed = course.placed
        snapshot = _searched(_asked(study, selection, folds, rows, placed, own), growth)
    loud = (*loud, *_name_is_taken(snapshot, ledger))
    placed = _needed(snapshot, placed, ledger)
    states = _states(study.name, placed, ledger, earlier={} if study.search else None)
    return Plan(
        study=study,
        snapshot=snapshot,
        selection=selection,
        emotions=wanted,
        variants=rows,
        features=sets,
        placed=placed,
        loud=loud,
        course=course,
        **states,
    )


def with_features(
    study: Study, rows: tuple[Variant, ...], allow_config: bool
) -> tuple[tuple[Variant, ...], dict[str, FeatureSet]]:
    """The descriptors of every row; a configuration of one's own is named by its content.

    Raises:
        StudyError: such a configuration may not be used, or cannot be.
    """
    sets: dict[str, FeatureSet] = {}
    named = []
    for row in rows:
        chosen = _feature_set(study, row.features.features, allow_config)
        sets[chosen.name] = chosen
        named.append(replace(row, features=replace(row.features, features=chosen.name)))
    return tuple(named), sets


def _feature_set(study: Study, name: str, allow_config: bool) -> FeatureSet:
    if not name.startswith(opensmile_config.PREFIX):
        return descriptors.feature_set(name)
    if not allow_config:
        raise study.fault(
            "features",
            f"`features` may be `{name}` only with `--allow-config`, on this machine: an "
            "openSMILE configuration is a program. Read it first.",
        )
    try:
        return opensmile_config.read(
            (Path(study.file).parent / name.removeprefix(opensmile_config.PREFIX)).resolve()
        )
    except CorpusError as error:
        raise study.fault("features", str(error)) from None


def find_corpus(study: Study, ledger: Ledger) -> tuple[Corpus, tuple[str, ...]]:
    """The study's corpus as it lies on the disk now, and what must be said about the choice."""
    registered = ledger.corpora()
    name, loud = study.corpus, tuple[str, ...]()
    if name == "auto":
        name = "iemocap" if "iemocap" in registered else MADE_HERE
        if name == MADE_HERE:
            loud = (
                "Corpus: `demo`, synthesised speech, since `iemocap` is not registered: "
                "its numbers say nothing about people.",
            )
        else:
            loud = ("Corpus: `iemocap`.",)
    if name == MADE_HERE:
        return catalogue.read(MADE_HERE, ledger.corpus_folder(MADE_HERE)), loud
    if name not in registered:
        raise unregistered(name, ledger)
    return catalogue.refresh(Corpus.from_json(registered[name])), loud


def unregistered(name: str, ledger: Ledger) -> LackError:
    """The error for a corpus that is not in the store: a known one, or a table's own name."""
    how = f"{name} FOLDER" if name in catalogue.names() else f"table FILE_OR_FOLDER --name {name}"
    how = "table FILE_OR_FOLDER" if name == "table" else how
    known = {*catalogue.names(), *ledger.corpora()}
    hint = "" if name in known else f" {nearest(name, known)}"
    return LackError(
        f"The corpus `{name}` is not registered in `{ledger.root}`. "
        f"`ablate corpus add {how}` registers it.{hint}"
    )


def _asked(
    study: Study,
    selection: Selection,
    folds: tuple[Fold, ...],
    rows: tuple[Variant, ...],
    placed: tuple[PlannedTrial, ...],
    own: str,
) -> Snapshot:
    claim = study.claim
    return Snapshot(
        study=study.name,
        question=study.question,
        table=study.table,
        figure=study.figure,
        corpus=selection.corpus.name,
        profile=_common(row.profile for row in rows),
        reading=_common(row.reading for row in rows),
        classes=selection.classes,
        utterances=len(selection.items),
        rows=tuple(
            SnapshotRow(
                name=row.name,
                reading=variant.reading,
                profile=variant.profile,
                paper=dict(row.paper),
                model=variant.model.model,
                blocks=row.blocks,
                settings=plain(row.settings),
            )
            for row, variant in zip(study.rows, rows if study.rows else (), strict=True)
        ),
        folds=tuple(SnapshotFold(index=f.index, a=f.a, b=f.b, train=len(f.train)) for f in folds),
        seeds=study.seeds,
        replicates=study.replicates,
        trials=tuple(SnapshotTrial(p.row, p.fold, p.seed, p.id) for p in placed),
        comparable=_comparable(study, selection.corpus, rows),
        reference=study.reference,
        claim=SnapshotClaim(better=claim.better, than=claim.than, on=claim.on) if claim else None,
        corpus_part=study.settings.get("corpus_part", "all"),
        notes=_notes(study, selection.corpus, own),
        speech=_speech(placed),
        axes=tuple(study.rows[0].settings) if "axes" in study.places else (),
        text=study.text,
        published=tuple(
            SnapshotRow(name=row.name, reading="", paper=dict(row.paper), model="")
            for row in study.published
        ),
    )


def _searched(snapshot: Snapshot, growth: "SearchExpansion") -> Snapshot:
    """The snapshot of a search: one row, the winners, whose trials it names once they are open.

    What is sealed stands in ``search.trials`` alone, so no table, picture or log can print it.
    """
    row = SnapshotRow(
        name=CHOSEN,
        reading=snapshot.reading,
        paper={},
        model=_common(v.model.model for v in growth.variants),
    )
    rows = (row,) if growth.snapshot.selection == "nested" else ()
    notes = (*snapshot.notes, *growth.notes)
    found = replace(snapshot, rows=rows, trials=growth.open, search=growth.snapshot, notes=notes)
    return replace(found, comparable=False)


def _needed(
    snapshot: Snapshot, placed: tuple[PlannedTrial, ...], ledger: Ledger
) -> tuple[PlannedTrial, ...]:
    """The trials that may yet be needed: all, but of an adaptive study's settled comparisons."""
    if snapshot.replicates != "adaptive":
        return placed
    found = design(snapshot, ledger.outcomes(item.id for item in placed))
    needed = {trial.id for trial in (found.at_most() if found else snapshot).trials}
    return tuple(item for item in placed if item.id in needed)


def _speech(placed: tuple[PlannedTrial, ...]) -> tuple[SnapshotSpeech, ...]:
    """What the trials read, each once."""
    trials = (item.trial for item in placed)
    found = (
        SnapshotSpeech(
            corpus=trial.corpus,
            features=trial.features.features,
            node_step=trial.features.node_step,
            extractor=trial.extractor,
        )
        for trial in trials
    )
    return tuple(dict.fromkeys(found))


def _comparable(study: Study, corpus: Corpus, rows: tuple[Variant, ...]) -> bool:
    """Whether published figures may be set against these: the paper's corpus and protocol."""
    training = all(row.profile == "paper" and row.training == TrainConfig() for row in rows)
    own = {"emotions", "corpus_part"} & set(study.settings)
    return corpus.name == "iemocap" and study.folds == 5 and training and not own


def _check_distinct(study: Study, placed: tuple[PlannedTrial, ...]) -> None:
    """Refuse two rows with equal trials: an axis that nothing reads."""
    first: dict[str, str] = {}
    for item in placed:
        other = first.setdefault(item.id, item.row)
        if other != item.row:
            raise study.fault(
                "rows" if "rows" in study.places else "axes",
                f"The rows `{other}` and `{item.row}` are the same trials: what tells them apart "
                "changes nothing here.",
            )


def _name_is_taken(snapshot: Snapshot, ledger: Ledger) -> tuple[str, ...]:
    """A sentence where another question of the same name was the last to run in this store."""
    last = next(ledger.each_snapshot(snapshot.study), None)
    if last is None or (last.search and snapshot.search and last.question == snapshot.question):
        return ()
    if {row.name for row in last.rows} & {row.name for row in snapshot.rows}:
        return ()
    return (
        f"Study: `{snapshot.study}` had other rows when it last ran here ({last.question}). "
        f"`ablate report {snapshot.study}` will show this one: if it is another question, name it "
        "otherwise.",
    )


def _own_settings(study: Study, default_profile: str) -> str:
    """What the study sets for all rows beside its profile and reading, as a sentence."""
    varied = {axis.key for axis in study.search.axes} if study.search else set[str]()
    settings = {k: v for k, v in study.settings.items() if k not in varied}
    if "training" in settings:
        settings["training"] = {k: v for k, v in settings["training"].items() if k not in varied}
    named = {k: v for k, v in settings.items() if k in ("profile", "reading", "model")}
    told = []
    if "features" in settings and named.get("model", WMA_GIN) != WMA_GIN:
        # Not every system reads the default ones: these are told, and stand on both sides.
        named["features"] = settings["features"]
        told.append(f"features {named['features']}")
    try:
        default, own = (resolve(default_profile, s, {}) for s in (named, settings))
    except ValueError:  # an FA layer that only the rows' own layers or positions make possible
        rows = {"fa_layer": "none"}
        default, own = (resolve(default_profile, s, rows) for s in (named, settings))
    told += [
        f"{key} {_shown(mine)}"
        for part in ("features", "model", "training")
        for key, mine in asdict(getattr(own, part)).items()
        if mine != asdict(getattr(default, part))[key]
    ]
    if "emotions" in study.settings:
        told += [
            f"{name} = {' + '.join(labels)}"
            for name, labels in emotions(study.settings).items()
            if labels != (name,)
        ]
    return f"Set by the study: {'; '.join(told)}." if told else ""


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _notes(study: Study, corpus: Corpus, own: str) -> tuple[str, ...]:
    published = (
        "Published split: dev and test speakers, each scored at the epoch that the other chose."
    )
    notes = (own, corpus.omission, published if study.folds == "published" else "")
    return tuple(note for note in notes if note)


def _common(values: Iterable[str]) -> str:
    """The one value, or ``mixed``."""
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else "mixed"


def _states(
    name: str,
    placed: tuple[PlannedTrial, ...],
    ledger: Ledger,
    earlier: "dict[Slot, list[str]] | None",
) -> dict[str, Any]:
    """Sort the trials into the four states of ``Plan``.

    Args:
        name: of the study.
        placed: its trials.
        ledger: the store.
        earlier: ids at each place of the table; None: those of the study's earlier forms. A search
            has none: what another proposal was at a place says nothing of this one.
    """
    done: list[str] = []
    failed: list[str] = []
    to_do: list[str] = []
    stale: dict[str, str] = {}
    first: dict[str, PlannedTrial] = {}
    for item in placed:
        first.setdefault(item.id, item)
    names = ledger.files_of(first)
    for item in first.values():
        if OUTCOME in names[item.id]:
            done.append(item.id)
        elif any(map(FAILURE.fullmatch, names[item.id])):
            failed.append(item.id)
        else:
            earlier = _earlier_ids(name, ledger) if earlier is None else earlier
            if why := _why_stale(item, earlier, ledger):
                stale[item.id] = why
            else:
                to_do.append(item.id)
    return {
        "done": tuple(done),
        "failed": tuple(failed),
        "stale": stale,
        "to_do": tuple(to_do),
    }


Slot = tuple[str, int, int]


def _earlier_ids(name: str, ledger: Ledger) -> dict[Slot, list[str]]:
    """Ids that earlier versions of this study had at each place of the table, newest first."""
    found: dict[Slot, list[str]] = {}
    for snapshot in ledger.snapshots(name):
        for trial in snapshot.trials:
            found.setdefault((trial.row, trial.fold, trial.seed), []).append(trial.id)
    return found


def _why_stale(item: PlannedTrial, earlier: dict[Slot, list[str]], ledger: Ledger) -> str:
    """What changed since this place of the table was last trained; empty when it never was."""
    for id in earlier.get((item.row, item.fold, item.seed), []):
        try:
            outcome = ledger.outcome(id) if id != item.id else None
        except DamageError:
            continue  # a record that this plan does not rest on
        if outcome is not None:
            return "changed: " + ", ".join(_changes(outcome.identity, item.trial.identity))
    return ""


def _changes(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Dotted keys whose values differ between two identities."""
    keys = []
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            keys += _changes(before, after, f"{prefix}{key}.")
        elif before != after:
            keys.append(f"{prefix}{key}")
    return keys
