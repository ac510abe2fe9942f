"""Labels of a corpus that may be one label, in another case or with a slip.

Two people label: one writes `angry`, the other `Angry`, and a study that wants `angry` loses half
of its speech. The comparisons here raise a question; they never change a label. Pure; light.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from features.corpora.spellings import letters_form, visible

LONGEST_CODE = 3
"""Most characters of a label that is a code, such as ``W`` and ``w``: codes are never compared."""
SHORTEST_SLIP = 5
"""Fewest characters of a label of which another one may be a slip."""
RAREST = 5
"""A label is a slip of another one that is at least this many times as frequent."""

_WORDS = """
admiration admiring adoration affection affectionate afraid aggression aggressive agitated agony
alarmed amazed amazement ambivalent amused amusement anger angry anguish annoyance annoyed
anticipation anxiety anxious apathetic apathy appreciation apprehensive approval arousal aroused
ashamed astonished astonishment awe awed awkward awkwardness
bad bitter bitterness blame bliss blissful bored boredom
calm calmness caring cheerful cheerfulness cold compassion compassionate concentrated confidence
confident confused confusion contemplation contemplative contempt contemptuous content contented
contentment craving curiosity curious
defeated defensive dejected delight delighted depressed depression desire despair desperate
desperation determination determined disappointed disappointment disapproval disbelief
discomfort discontent disgust disgusted dislike dismay displeased displeasure distress
distressed doubt doubtful dread
eager eagerness earnest ecstasy ecstatic elated elation embarrassed embarrassment empathy
encouraging enjoyment ennui enraged enthusiasm enthusiastic entranced entrancement envious envy
euphoria euphoric exasperated excited excitement exhausted exuberant
fascinated fascination fear fearful flirtatious fondness fright frightened frustrated
frustration furious fury
glad gladness gloomy good grateful gratitude greed grief grieving grumpy guilt guilty
happiness happy hate hateful hatred helpless helplessness hesitant hope hopeful hopeless
hopelessness horrified horror hostile hostility humiliated humiliation humility humor humour
hurt hysterical
impatience impatient indifference indifferent indignant indignation inspired insulted interest
interested intrigued ironic irony irritated irritation isolated
jealous jealousy jolly joy joyful joyous
kind kindness
laughter loneliness lonely longing love loved loving lust
mad melancholic melancholy mirth mischievous miserable misery mocking mournful moved
neglected nervous nervousness neutral neutrality nostalgia nostalgic
offended optimism optimistic other outrage outraged overwhelmed
pain panic panicked passion passionate patient peaceful pensive perplexed pessimistic pity
placid playful pleased pleasure pride proud puzzled
quiet
rage realization rejected rejection relaxed relief relieved reluctant remorse remorseful
resentful resentment resignation resigned respect restless romantic
sad sadness sarcasm sarcastic satisfaction satisfied scared scorn scornful sensual sentimental
serene serenely serenity serious shame sheepish shock shocked shy shyness skeptical sleepiness
sleepy solemn sorrow sorrowful spite spiteful startled stress stressed stubborn submissive
suffering sullen surprise surprised suspicion suspicious sympathetic sympathy
tender tenderness tense tension terrified terror thankful thoughtful threatening thrilled tired
tiredness torment torn tranquil triumph triumphant troubled trust
uncertain uncertainty uncomfortable undecided uneasy unhappiness unhappy unknown unsure upset
vengeful vigilance vulnerable
warm warmth wary weary whisper wonder worried worry wrath
yearning
zeal zest
"""

EMOTION_WORDS = frozenset(_WORDS.split())
"""English words for emotions: two of them are never a slip of each other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelDoubt:
    """A label that belongs to no class, although it may be a form of one that does."""

    label: str
    """The label of the corpus that nobody wants."""
    count: int
    """Number of its utterances."""
    wanted: str
    """The label that it resembles."""
    slip: bool
    """Whether a letter is wrong; else case, blanks or the form in Unicode alone differ."""


def label_doubts(counts: Mapping[str, int], wanted: Collection[str]) -> tuple[LabelDoubt, ...]:
    """List the labels that nobody wants and that resemble one that is wanted, sorted.

    Args:
        counts: label of the corpus -> number of its utterances.
        wanted: the labels that a study wants; some may not occur in the corpus.
    """
    found = []
    for label in sorted(set(counts) - set(wanted)):
        forms = [w for w in sorted(wanted) if _is_other_form(label, w)]
        slips = [w for w in sorted(wanted) if _is_slip(label, w, counts)]
        for near in (forms or slips)[:1]:
            found.append(LabelDoubt(label=label, count=counts[label], wanted=near, slip=not forms))
    return tuple(found)


def completed(
    emotions: Mapping[str, Sequence[str]], doubts: Sequence[LabelDoubt]
) -> dict[str, tuple[str, ...]]:
    """Add labels in doubt to the classes of the labels that they resemble.

    Args:
        emotions: name of a class -> the labels that it joins.
        doubts: the labels in doubt, each of which resembles a label of a class.
    """
    return {
        name: (*labels, *(doubt.label for doubt in doubts if doubt.wanted in labels))
        for name, labels in emotions.items()
    }


def as_yaml(emotions: Mapping[str, Sequence[str]], counts: Mapping[str, int]) -> str:
    """Write classes as a line of a study file, ``emotions: {angry: [angry, Angry], sad: sad}``.

    Args:
        emotions: name of a class -> the labels that it joins.
        counts: the labels of the corpus; others are not written, nor classes without one.
    """
    present = {
        name: [label for label in labels if label in counts] for name, labels in emotions.items()
    }
    classes = (
        f"{_scalar(name)}: "
        + (_scalar(own[0]) if len(own) == 1 else f"[{', '.join(map(_scalar, own))}]")
        for name, own in present.items()
        if own
    )
    return f"emotions: {{{', '.join(classes)}}}"


def are_two_words(first: str, second: str) -> bool:
    """Whether two labels are two emotion words, neither of which is a form of the other.

    >>> are_two_words("content", "contempt"), are_two_words("surprise", "surprised")
    (True, False)
    """
    forms = sorted((letters_form(first), letters_form(second)))
    return set(forms) <= EMOTION_WORDS and not forms[1].startswith(forms[0])


def are_numbers(labels: Collection[str]) -> bool:
    """Whether all labels are numbers, which say nothing about emotion: ``0``, ``1``, ``2.5``."""
    return bool(labels) and all(_NUMBER.fullmatch(label) for label in labels)


def number_map(labels: Collection[str]) -> str:
    """Write the line of a study file in which a person names the classes that numbers stand for.

    >>> number_map(["10", "2"])
    'emotions: {NAME: "2", NAME: "10"}'
    """
    ordered = sorted(labels, key=lambda label: (float(label.replace(",", ".")), label))
    return f"emotions: {{{', '.join(f'NAME: {_scalar(label)}' for label in ordered)}}}"


def _is_code(label: str) -> bool:
    """Whether a label is a code, such as ``ang``, and no word, such as ``sad`` and ``Sad``."""
    return len(label.strip()) <= LONGEST_CODE and letters_form(label) not in EMOTION_WORDS


def _is_other_form(label: str, wanted: str) -> bool:
    """Whether two labels differ in case, blanks or the form in Unicode alone."""
    same = letters_form(label) == letters_form(wanted)
    return same and not (_is_code(label) or _is_code(wanted))


def _is_slip(label: str, wanted: str, counts: Mapping[str, int]) -> bool:
    """Whether a label is a rare, slightly different form of a wanted one, and no word itself."""
    form, other = letters_form(label), letters_form(wanted)
    return (
        len(other) >= SHORTEST_SLIP
        and not _is_code(label)
        and form not in EMOTION_WORDS
        and counts[label] * RAREST <= counts.get(wanted, 0)
        and _one_edit(form, other)
    )


def _one_edit(first: str, second: str) -> bool:
    """Whether one letter was left out, added or replaced, or two neighbours were exchanged.

    >>> _one_edit("hapy", "happy"), _one_edit("hpapy", "happy"), _one_edit("content", "contempt")
    (True, True, False)
    """
    short, long = sorted((first, second), key=len)
    if len(long) - len(short) > 1 or short == long:
        return False
    at = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(short) < len(long):
        return short[at:] == long[at + 1 :]
    swapped = long[at : at + 2] == short[at : at + 2][::-1] and short[at + 2 :] == long[at + 2 :]
    return short[at + 1 :] == long[at + 1 :] or swapped


_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?", re.ASCII)
_WORD = re.compile(r"[A-Za-z][\w -]*\w|[A-Za-z]", re.ASCII)
_NO_TEXT = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])


def _scalar(label: str) -> str:
    """Write a label for YAML: plain where it is a word, else quoted, with its escapes."""
    if _WORD.fullmatch(label) and label.lower() not in _NO_TEXT:
        return label
    return visible(json.dumps(label, ensure_ascii=False))
