"""The shared variances, beside those of limma (`tests/fixtures/limma/squeezed.R` made them)."""

import doctest
import json
import math
from pathlib import Path

import pytest
from scipy.special import polygamma

from orchestrator.analysis import moderation
from orchestrator.analysis.moderation import inverse_trigamma, moderated_variances, prior_of

LIMMA = json.loads(
    (Path(__file__).parents[2] / "fixtures" / "limma" / "squeezed.json").read_text("utf-8")
)


def test_the_examples_hold() -> None:
    result = doctest.testmod(moderation)
    assert result.failed == 0 and result.attempted >= 4


@pytest.mark.parametrize("case", LIMMA, ids=lambda case: case["name"])
def test_variances_are_those_of_limma(case: dict) -> None:
    own = list(zip(case["var"], case["df"], strict=True))
    if not all(case["var"]):
        assert min(case["post"]) < 1e-7  # limma makes a comparison without spread all but certain
        return
    found = moderated_variances(own)
    assert [v for v, _ in found] == pytest.approx(case["post"], rel=1e-11)
    assert [df for _, df in found] == pytest.approx(case["total_df"], rel=1e-7)
    if len(own) > 1:
        prior, prior_df = prior_of(own)
        assert prior == pytest.approx(case["prior_var"], rel=1e-11)
        assert prior_df == pytest.approx(float(case["prior_df"]), rel=1e-7)


def test_the_cases_of_limma_hold_every_kind() -> None:
    infinite = [case["prior_df"] == "Inf" for case in LIMMA]
    capped = [
        case["total_df"][0] == sum(case["df"]) < float(case["prior_df"]) + case["df"][0] < math.inf
        for case in LIMMA
    ]
    unequal = [len(set(case["df"])) > 1 for case in LIMMA]
    assert all(any(kind) and not all(kind) for kind in (infinite, capped, unequal))


@pytest.mark.parametrize("value", [1e-9, 2e-6, 0.01, 0.7, 3.0, 500.0, 2e7])
def test_the_inverse_of_trigamma_is_its_inverse(value: float) -> None:
    assert float(polygamma(1, inverse_trigamma(value))) == pytest.approx(value, rel=1e-3)
