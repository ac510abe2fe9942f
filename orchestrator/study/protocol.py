"""How often the rows of a study are trained, by what they are scored, and what folds are called."""

from collections.abc import Mapping
from typing import Any, Literal

ScoreRule = Literal["averaged", "chosen", "last"]
"""By which network a study scores each training: the mean of the weights after each epoch of the
second half (``averaged``), the epoch that the other half of the held-out group chose (``chosen``),
or the last epoch (``last``)."""

Replicates = Literal["fixed", "adaptive"]
"""``fixed``: every row has ``seeds`` trainings in each fold. ``adaptive``: a row gets further seeds
while its comparison with the reference is open, ``seeds`` at most."""

FEWEST_SEEDS = 3
"""The fewest seeds of which a spread over seeds is printed; below, there is a dash. (With two seeds
Student's t of a 95 % interval is 12.7.)"""

FEWEST_TEST_SPEAKERS = 5
"""The fewest test speakers of a published split of which a row gets a verdict (and the fewest seeds
are ``FEWEST_SEEDS``)."""


def fold_name(fold: int, deal: int | None) -> str:
    """The name of a fold, which says its deal, too, where the speakers are dealt several times.

    Args:
        fold: index of the fold in its deal, from 0.
        deal: index of the deal, from 0; None where the speakers are dealt once.

    >>> fold_name(1, None), fold_name(1, 2)
    ('fold 2', 'fold 2 of deal 3')
    """
    return f"fold {fold + 1}" if deal is None else f"fold {fold + 1} of deal {deal + 1}"


def slot_json(row: str, deal: int | None, fold: int, seed: int) -> dict[str, str | int]:
    """Where a trial belongs in its study, as JSON values: ``row``, ``deal``, ``fold`` and ``seed``.

    Args:
        row: name of the row.
        deal: index of the deal, from 0; None where the speakers are dealt once: it has no key then.
        fold: index of the fold in its deal, from 0.
        seed: the seed, from 0.

    >>> slot_json("GCN", 2, 1, 0)
    {'row': 'GCN', 'deal': 3, 'fold': 2, 'seed': 0}
    """
    dealt = {} if deal is None else {"deal": deal + 1}
    return {"row": row, **dealt, "fold": fold + 1, "seed": seed}


def score_rule(default_profile: str, settings: Mapping[str, Any]) -> ScoreRule:
    """By which network a study scores its trainings: all rows alike, by the study's own profile.

    The paper chose an epoch on a dev speaker, and so does profile ``paper``.

    Args:
        default_profile: the profile of a study that names none; it follows from the corpus.
        settings: settings of the study's top level and of its baseline.
    """
    profile = settings.get("profile", default_profile)
    rule: ScoreRule = settings.get("score", "chosen" if profile == "paper" else "averaged")
    return rule
