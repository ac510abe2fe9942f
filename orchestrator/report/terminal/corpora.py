"""The output of `ablate corpus list`, `check` and `folds`, as JSON values and in the terminal."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from features.config import DEFAULT_EMOTIONS
from features.corpora import catalogue
from features.corpora.corpus import Corpus, FileNote, Selection, some
from features.corpora.folds import Fold, deal, split_fault
from features.corpora.identities import answer_notes
from features.corpora.inspection import Inspection
from features.corpora.notes import corpus_doubts, in_no_class
from features.corpora.spellings import visible
from features.errors import CorpusError
from orchestrator.printable import clean
from orchestrator.report.console import print_columns, print_pairs
from orchestrator.study.protocol import fold_name

MOST = 20
"""Most files that are named one by one; of the others only the number is printed."""


NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
"""A number in a reason, such as ``1.80`` or ``12,345``."""
COPY = "a copy of another recording"
"""What is printed of all copies that are left out, whatever they are copies of."""


def selection(corpus: Corpus) -> Selection:
    """Select the utterances of the four default classes.

    If the corpus lacks one of these classes, each of its labels becomes a class instead.

    Raises:
        CorpusError: the corpus has a single label.
    """
    try:
        return corpus.select(DEFAULT_EMOTIONS)
    except CorpusError:
        return corpus.select({emotion: (emotion,) for emotion in corpus.emotions()})


def list_records(registered: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All known corpora as JSON values: whether each is registered and where, licence and source.

    Args:
        registered: name -> record of each registered corpus, as in the store.
    """
    records = []
    for name in sorted({*catalogue.names(), *registered}):
        users_own = name not in catalogue.names()
        reader = catalogue.reader(registered[name]["reader"] if users_own else name)
        found = registered.get(name, {"root": "", "utterances": []})
        records.append(
            {
                "name": name,
                "registered": name in registered,
                "root": found["root"],
                "utterances": len(found["utterances"]),
                "license": reader.LICENSE,
                "source": reader.SOURCE,
            }
        )
    return records


def show_list(console: Console, records: Sequence[Mapping[str, Any]]) -> None:
    """Print what ``list_records`` returned: where each corpus lies, then the licences."""
    states = []
    for found in records:
        made_here = found["name"] in catalogue.SYNTHESISED
        absent = "synthesised at first use" if made_here else "not registered"
        present = f"{found['utterances']} utterances in {found['root']}"
        states.append((found["name"], present if found["registered"] else absent))
    print_pairs(console, states)
    console.print("\nlicences")
    print_pairs(console, [(found["name"], found["license"]) for found in records])


def record(corpus: Corpus, inspected: Inspection | None = None) -> dict[str, Any]:
    """A corpus as JSON values: counts by emotion and speaker, possible folds, files left out.

    Args:
        corpus: the recordings and labels that were found.
        inspected: lengths in seconds, rates in Hz, channels and damage of the audio files; None if
            they were not read, and the values then have no ``audio``.
    """
    left_out = Counter(COPY if item.copy else item.reason for item in corpus.left_out)
    doubts = corpus.doubts
    if inspected is not None:
        doubts = (*inspected.doubts, *(doubt for doubt in corpus.doubts if doubt.copy))
    questions = corpus_doubts(corpus)
    values = {
        "name": corpus.name,
        "root": corpus.root,
        "utterances": len(corpus.utterances),
        "emotions": corpus.emotions(),
        "kinds": dict(sorted(Counter(u.kind for u in corpus.utterances if u.kind).items())),
        "splits": dict(sorted(Counter(u.split for u in corpus.utterances if u.split).items())),
        "speakers": _speakers(corpus),
        "folds": _folds(corpus),
        "left_out": dict(left_out.most_common()),
        "left_out_files": [_file_record(note) for note in corpus.left_out],
        "in_no_class": [_file_record(note) for note in in_no_class(corpus)],
        "doubts": [
            *(
                _file_record(FileNote(path=", ".join(q.names), reason=q.sentence))
                for q in questions
            ),
            *(_file_record(note) for note in doubts),
        ],
        "questions": [
            {
                "about": question.about,
                "names": list(question.names),
                "sentence": question.sentence,
                "answers": [{"meaning": m, "write": write} for m, write in question.ways_on],
            }
            for question in questions
        ],
        "register": corpus.registration_command,
        "omission": corpus.omission,
        "notes": [
            *corpus.notes,
            *filter(None, (corpus.omission, corpus.mending, split_fault(corpus))),
            *answer_notes(corpus),
        ],
    }
    if inspected is not None:
        values["problems"] = [{"path": item.path, "reason": item.reason} for item in inspected.bad]
        values["audio"] = {
            "heard": inspected.usable,
            "seconds": {
                "shortest": inspected.shortest,
                "median": inspected.median,
                "longest": inspected.longest,
                "total": inspected.total,
            },
            "rates": {str(rate): count for rate, count in inspected.rates.items()},
            "channels": {str(number): count for number, count in inspected.channels.items()},
        }
    return values


def _file_record(note: FileNote) -> dict[str, Any]:
    return {"path": note.path, "reason": note.reason, "bad": note.bad, "copy": note.copy}


def _speakers(corpus: Corpus) -> list[dict[str, Any]]:
    spoken: dict[str, list[Any]] = {}
    for utterance in corpus.utterances:
        spoken.setdefault(utterance.speaker, []).append(utterance)
    return [
        {
            "speaker": speaker,
            "sex": own[0].sex,
            "session": own[0].session,
            "utterances": len(own),
            "emotions": dict(sorted(Counter(u.emotion for u in own).items())),
        }
        for speaker, own in sorted(spoken.items())
    ]


def _folds(corpus: Corpus) -> dict[str, Any]:
    """Which values of `protocol.folds` the corpus allows.

    Returns:
        ``most``: the largest number of folds (the smallest is 2), 0 if there can be none.
        ``published``: whether the corpus has a published split into training and test speakers.
    """
    try:
        chosen = selection(corpus)
    except CorpusError:
        return {"most": 0, "published": False}
    most = len(chosen.speakers) // 2
    try:
        deal(chosen, "published")
        published = True
    except CorpusError:
        published = False
    return {"most": most if most >= 2 else 0, "published": published}


def show(console: Console, values: Mapping[str, Any]) -> None:
    """Print the JSON values of `record`: counts by emotion and speaker, audio, files left out."""
    pairs = [("corpus", values["name"]), ("folder", values["root"])]
    pairs += [("utterances", str(values["utterances"])), ("folds", _folds_line(values["folds"]))]
    pairs += [(key, _counts(values[key])) for key in ("kinds", "splits") if values[key]]
    if values.get("audio", {}).get("heard"):
        pairs += _audio_lines(values["audio"])
    print_pairs(console, pairs)
    gathered = {label: name for name, labels in DEFAULT_EMOTIONS.items() for label in labels}
    console.print()
    cells = [(e, str(n), gathered.get(e, "left out")) for e, n in values["emotions"].items()]
    print_columns(console, ["emotion", "utterances", "class"], cells, numeric=[False, True, False])
    doubtful = any(question["about"] == "label" for question in values["questions"])
    if not doubtful and not set(gathered) & set(values["emotions"]):
        console.print(
            Text("No label is one of the four classes: name yours with `emotions:` in the study.")
        )
    console.print()
    _print_speakers(console, values["speakers"], list(values["emotions"]))
    _print_left_out(console, "left out", values["left_out_files"])
    if len(values["in_no_class"]) < values["utterances"]:
        _print_left_out(console, "in no default class", values["in_no_class"])
    if notes := [note for note in values["notes"] if note != values["omission"]]:
        console.print()
    for note in notes:  # what was left out as unusable is listed above
        console.print(Text(clean(note), style="bold yellow"))
    _print_questions(console, values)
    doubts = values["doubts"][len(values["questions"]) :]
    _print_files(console, "look wrong", [doubt for doubt in doubts if not doubt["copy"]])
    _print_copies(console, [doubt for doubt in doubts if doubt["copy"]])
    _print_files(console, "cannot be used", values.get("problems", []))


def _print_speakers(
    console: Console, speakers: Sequence[Mapping[str, Any]], emotions: Sequence[str]
) -> None:
    cells = [
        (visible(s["speaker"]), s["sex"] or "–", *(str(s["emotions"].get(e, 0)) for e in emotions))
        for s in speakers
    ]
    heads = ["speaker", "sex", *(e[:8] for e in emotions)]
    print_columns(console, heads, cells, numeric=[False, False, *[True] * len(emotions)])


def _folds_line(folds: Mapping[str, Any]) -> str:
    numbers = f"2 to {folds['most']}" if folds["most"] > 2 else str(folds["most"] or "none")
    return numbers + (", or its published split" if folds["published"] else "")


def _audio_lines(audio: Mapping[str, Any]) -> list[tuple[str, str]]:
    seconds = audio["seconds"]
    spread = " / ".join(f"{seconds[key]:.2f}" for key in ("shortest", "median", "longest"))
    return [
        (
            "seconds",
            f"{spread} (shortest, median, longest), {seconds['total'] / 60:.1f} min in all",
        ),
        ("rates", _counts(audio["rates"], " Hz")),
        ("channels", _counts(audio["channels"])),
    ]


def _counts(counts: Mapping[str, int], unit: str = "") -> str:
    return ", ".join(f"{name}{unit}: {count}" for name, count in counts.items())


def _print_left_out(console: Console, what: str, files: Sequence[Mapping[str, Any]]) -> None:
    """Print which files are left out, by reason: all of a few, else the first of each reason."""
    if not files:
        return
    console.print()
    unusable = any(item["bad"] for item in files)
    console.print(Text(f"{len(files)} {what}:", "bold yellow" if unusable else "bold"))
    _print_by_reason(console, files)


def _print_by_reason(console: Console, files: Sequence[Mapping[str, Any]]) -> None:
    """Print the files of each reason; of many files, reasons that differ in numbers are one."""
    all_named = len(files) <= MOST
    by_reason: dict[str, list[str]] = {}
    for item in files:
        reason = COPY if item.get("copy") else item["reason"]
        by_reason.setdefault(reason, []).append(item["path"])
    if len(by_reason) > 1 and not all_named:
        by_reason = _joined(by_reason)
    pairs = [
        (str(len(paths)), f"{reason}: {', '.join(paths) if all_named else some(paths)}")
        for reason, paths in sorted(by_reason.items(), key=lambda pair: -len(pair[1]))
    ]
    print_pairs(console, pairs[:MOST])
    if len(pairs) > MOST:
        console.print(f"  and {len(pairs) - MOST} more reasons")
    if not all_named:
        console.print("  `--json` lists all.")


def _joined(by_reason: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Join the files of reasons that differ in numbers alone; the numbers become ``…``."""
    forms = Counter(NUMBER.sub("…", reason) for reason in by_reason)
    joined: dict[str, list[str]] = {}
    for reason, paths in by_reason.items():
        form = NUMBER.sub("…", reason)
        joined.setdefault(form if forms[form] > 1 else reason, []).extend(paths)
    return joined


def _print_questions(console: Console, values: Mapping[str, Any]) -> None:
    """Print what is in doubt about names and labels, and what a person writes to settle it."""
    questions = values["questions"]
    for question in questions[:MOST]:
        console.print()
        console.print(Text(clean(f"{question['sentence']}:"), style="bold yellow"))
        answers = [(answer["meaning"], answer["write"]) for answer in question["answers"]]
        print_pairs(console, answers)
    if len(questions) > MOST:
        console.print(f"  and {len(questions) - MOST} more such doubts; `--json` lists all")
    if any(question["about"] != "label" for question in questions[:MOST]):
        console.print()
        console.print(Text(clean(f"Answer with `{values['register']}` and one of these options.")))


def _print_files(console: Console, what: str, found: Sequence[Mapping[str, Any]]) -> None:
    if not found:
        return
    console.print()
    console.print(Text(f"{len(found)} {what}:", style="bold yellow"))
    if len(found) > MOST:
        _print_by_reason(console, found)
        return
    for item in found:
        line = clean(f"{item['path']}: {item['reason']}")
        console.print(Padding(Text(line), (0, 0, 0, 2)))


def _print_copies(console: Console, found: Sequence[Mapping[str, Any]]) -> None:
    """Print the recordings that may be copies, each with the one that it may be a copy of."""
    if not found:
        return
    what = "1 may be a copy:" if len(found) == 1 else f"{len(found)} may be copies:"
    console.print()
    console.print(Text(what, style="bold yellow"))
    for item in found[:MOST]:
        console.print(Padding(Text(clean(item["path"])), (0, 0, 0, 2)))
        console.print(Padding(Text(clean(item["reason"])), (0, 0, 0, 4)))
    if len(found) > MOST:
        console.print(f"  and {len(found) - MOST} more")


def folds_record(chosen: Selection, folds: Sequence[Fold]) -> dict[str, Any]:
    """The folds as JSON values, each with three sides: held-out halves ``a``, ``b``, and ``train``.

    A side has its speakers and its number of utterances by class; folds, and the deals of several,
    count from 0 here.

    Args:
        chosen: the utterances of the corpus that belong to the classes.
        folds: the folds.
    """

    def side(names: Sequence[str]) -> dict[str, Any]:
        counts = Counter(chosen.classes[label] for u, label in chosen.items if u.speaker in names)
        return {"speakers": list(names), "utterances": {c: counts[c] for c in chosen.classes}}

    return {
        "corpus": chosen.corpus.name,
        "classes": list(chosen.classes),
        "folds": [
            ({} if f.deal is None else {"deal": f.deal})
            | {"index": f.index, "a": side(f.a), "b": side(f.b), "train": side(f.train)}
            for f in folds
        ],
        "notes": [f"{doubt.sentence}." for doubt in corpus_doubts(chosen.corpus)],
    }


def show_folds(console: Console, values: Mapping[str, Any], chosen: Selection) -> None:
    """Print every fold: numbers of speakers and utterances on each side, then names of speakers.

    Args:
        console: where to print.
        values: the JSON values of `folds_record`.
        chosen: the selected utterances, for the sex of the speakers.
    """
    classes = values["classes"]
    console.print(clean(f"corpus {values['corpus']}, classes {', '.join(classes)}"))
    sexes = {u.speaker: u.sex for u, _ in chosen.items}
    for fold in values["folds"]:
        console.print()
        cells = []
        for side in ("a", "b", "train"):
            names = fold[side]["speakers"]
            sex = Counter(sexes[name] for name in names)
            counts = [str(n) for n in fold[side]["utterances"].values()]
            cells.append((side, str(len(names)), str(sex["female"]), str(sex["male"]), *counts))
        heads = [
            fold_name(fold["index"], fold.get("deal")),
            "speakers",
            "female",
            "male",
            *(c[:8] for c in classes),
        ]
        print_columns(console, heads, cells, numeric=[False, *[True] * (len(heads) - 1)])
        named = ("a", "b") if len(values["folds"]) > 1 else ("a", "b", "train")
        for side in named:
            console.print(Text(f"  {side}: {clean(', '.join(fold[side]['speakers']))}", "dim"))
    for note in values["notes"]:
        console.print(Text(clean(note), style="bold yellow"))
    if values["notes"]:
        console.print(Text(clean(f"`ablate corpus check {values['corpus']}` says how to answer.")))
