"""Builds the snapshot of a planned study: all that a report needs beside its trials' outcomes."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from features.corpora.corpus import Corpus
from features.corpora.notes import report_notes
from model.config import WMA_GIN, TrainConfig
from orchestrator.planning.corpus import Speech
from orchestrator.search.notes import search_notes
from orchestrator.store.snapshot import (
    CHOSEN,
    Snapshot,
    SnapshotFold,
    SnapshotRow,
    SnapshotSpeech,
    SnapshotTrial,
)
from orchestrator.study.canonical import canonical, plain
from orchestrator.study.protocol import FEWEST_SEEDS, FEWEST_TEST_SPEAKERS, score_rule
from orchestrator.study.resolve import Variant, emotions, resolve
from orchestrator.study.study import Study
from orchestrator.study.trials import PlannedTrial

if TYPE_CHECKING:
    from orchestrator.search.expansion import SearchExpansion


def build_snapshot(
    study: Study, speech: Speech, variants: tuple[Variant, ...], trials: tuple[PlannedTrial, ...]
) -> Snapshot:
    """Build the snapshot of a study that lists its rows; of a search see `with_search`.

    Args:
        study: the study file.
        speech: its corpus, utterances and folds.
        variants: the resolved settings of its rows, or of the configurations of its search.
        trials: all trials of these.
    """
    selection = speech.selection
    return Snapshot(
        study=study.name,
        question=study.question,
        table=study.table,
        figure=study.figure,
        corpus=selection.corpus.name,
        profile=_common(variant.profile for variant in variants),
        reading=_common(variant.reading for variant in variants),
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
            for row, variant in zip(study.rows, variants if study.rows else (), strict=True)
        ),
        folds=tuple(
            SnapshotFold(index=f.index, a=f.a, b=f.b, train=len(f.train), deal=f.deal)
            for f in speech.folds
        ),
        seeds=study.seeds,
        replicates=study.replicates,
        trials=tuple(map(SnapshotTrial.of, trials)),
        comparable=_is_comparable(study, selection.corpus, variants),
        reference=_reference(study),
        claim=study.claim,
        corpus_part=study.settings.get("corpus_part", "all"),
        notes=_notes(study, speech),
        speech=_speech_read(trials),
        axes=tuple(study.rows[0].settings) if study.gives("axes") else (),
        text=study.text,
        copies_checked=bool(selection.corpus.compared),
        score=score_rule(speech.default_profile, study.settings),
        published=tuple(
            SnapshotRow(name=row.name, reading="", paper=dict(row.paper), model="")
            for row in study.published
        ),
    )


def with_search(snapshot: Snapshot, search: "SearchExpansion") -> Snapshot:
    """Complete the snapshot of a search: its one row holds the trials that test the winners.

    Until all of these have finished they stand in ``snapshot.search.trials`` alone, where no table,
    picture or tracker looks for scores.

    Args:
        snapshot: from `build_snapshot`.
        search: the search, replayed from the store.
    """
    row = SnapshotRow(
        name=CHOSEN,
        reading=snapshot.reading,
        paper={},
        model=_common(variant.model.model for variant in search.variants),
    )
    return replace(
        snapshot,
        rows=(row,) if search.snapshot.selection == "nested" else (),
        trials=search.showable_trials,
        search=search.snapshot,
        notes=(*snapshot.notes, *search_notes(search.snapshot, search.state)),
        comparable=False,
    )


def _speech_read(trials: tuple[PlannedTrial, ...]) -> tuple[SnapshotSpeech, ...]:
    """The combinations of speech and features that the trials read, each once."""
    found = (
        SnapshotSpeech(
            corpus=item.trial.corpus,
            features=item.trial.features.features,
            node_step=item.trial.features.node_step,
            extractor=item.trial.extractor,
        )
        for item in trials
    )
    return tuple(dict.fromkeys(found))


def _is_comparable(study: Study, corpus: Corpus, variants: tuple[Variant, ...]) -> bool:
    """Whether published figures may stand beside these: corpus and protocol are the paper's."""
    training = all(v.profile == "paper" and v.training == TrainConfig() for v in variants)
    changed = {"emotions", "corpus_part"} & set(study.settings)
    return corpus.name == "iemocap" and study.folds == 5 and training and not changed


def _settings_note(study: Study, default_profile: str) -> str:
    """A sentence with the settings that differ from the defaults in all rows; empty without any.

    Profile, reading and system are not in it.
    """
    varied = {axis.key for axis in study.search.axes} if study.search else set[str]()
    settings = {k: v for k, v in study.settings.items() if k not in varied}
    if "training" in settings:
        settings["training"] = {k: v for k, v in settings["training"].items() if k not in varied}
    baseline = {k: v for k, v in settings.items() if k in ("profile", "reading", "model")}
    changed = []
    if "features" in settings and baseline.get("model", WMA_GIN) != WMA_GIN:
        # Not every system reads the default features: those that are set are always named.
        baseline["features"] = settings["features"]
        changed.append(f"features {baseline['features']}")
    try:
        default, own = (resolve(default_profile, s, {}) for s in (baseline, settings))
    except ValueError:  # an FA layer that only the rows' own layers or positions make possible
        rows = {"fa_layer": "none"}
        default, own = (resolve(default_profile, s, rows) for s in (baseline, settings))
    changed += [
        f"{key} {_shown(mine)}"
        for part in ("features", "model", "training")
        for key, mine in asdict(getattr(own, part)).items()
        if mine != asdict(getattr(default, part))[key]
        # Beside averaged weights patience is not set: it follows from the epochs.
        if (key, score_rule(default_profile, settings)) != ("patience", "averaged")
    ]
    if "emotions" in study.settings:
        changed += [
            f"{name} = {' + '.join(labels)}"
            for name, labels in emotions(study.settings).items()
            if labels != (name,)
        ]
    return f"Set by the study: {'; '.join(changed)}." if changed else ""


def _shown(value: Any) -> str:
    """The value of a setting as text for a sentence, such as ``0.001`` or ``1, 3``."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _reference(study: Study) -> str | None:
    """The row that the others are compared with: the one that is named, or a default.

    The default is the row that sets nothing, since a study usually asks what becomes of it; else
    the first row. The rows of a grid have none: there the values of each axis are compared with its
    first. Of a single axis, the rows are its values.
    """
    if study.reference is not None or len(study.rows) < 2:
        return study.reference
    if study.gives("axes") and _axes_varied(study) > 1:
        return None
    return next((row.name for row in study.rows if not row.settings), study.rows[0].name)


def _axes_varied(study: Study) -> int:
    """How many axes of a grid have more than one value."""
    rows = [plain(row.settings) for row in study.rows]
    return sum(len({canonical(row[key]) for row in rows}) > 1 for key in rows[0])


def _notes(study: Study, speech: Speech) -> tuple[str, ...]:
    """The sentences that stand below every form of the study's table."""
    default = _reference(study) if study.reference is None else None
    which = "row that sets nothing" if any(not r.settings for r in study.rows) else "first row"
    notes = (
        _settings_note(study, speech.default_profile),
        *report_notes(speech.selection, speech.emotions),
        _published_split(study, speech) if study.folds == "published" else "",
        _default_score(study, speech),
        f"The study names no `reference`: the {which}, `{default}`, is taken." if default else "",
    )
    return tuple(note for note in notes if note)


def _default_score(study: Study, speech: Speech) -> str:
    """Which score was taken and why, where another corpus would have given another one."""
    if study.corpus != "auto" or {"profile", "score"} & set(study.settings):
        return ""
    score = score_rule(speech.default_profile, study.settings)
    return (
        f"Score: `{score}`, since the corpus is `{speech.selection.corpus.name}`; with iemocap it "
        "is `chosen`, the paper's rule, else `averaged`."
    )


def _published_split(study: Study, speech: Speech) -> str:
    """The sentence on a published split: who counts, and whether a row can get a verdict."""
    (fold,) = speech.folds
    test, dev = (f"{len(side)} speaker{'s' * (len(side) != 1)}" for side in (fold.b, fold.a))
    note = (
        f"Published split: scores are of the test side alone ({test}); the dev side ({dev}) stands "
        "apart, in the details."
    )
    if len(study.rows) > 1 and (len(fold.b) < FEWEST_TEST_SPEAKERS or study.seeds < FEWEST_SEEDS):
        note += (
            f" No row gets a verdict: that takes {FEWEST_TEST_SPEAKERS} test speakers and "
            f"{FEWEST_SEEDS} seeds."
        )
    return note


def _common(values: Iterable[str]) -> str:
    """The value that all have; ``mixed`` where they differ."""
    distinct = set(values)
    return distinct.pop() if len(distinct) == 1 else "mixed"
