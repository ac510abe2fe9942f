import doctest
import math
import subprocess
import sys

import pytest

from model.evaluation import metrics
from model.evaluation.metrics import absent, confusion, ua, wa


def test_the_examples_in_the_documentation_hold() -> None:
    assert doctest.testmod(metrics) == (0, 5)


def test_wa_counts_decisions_and_ua_averages_recalls() -> None:
    counts = [[9, 1], [1, 1]]
    assert wa(counts) == 10 / 12
    assert ua(counts) == 0.7


def test_ua_leaves_out_a_class_that_nobody_spoke_and_absent_names_it() -> None:
    counts = [[2, 0, 2], [0, 0, 0], [0, 1, 3]]
    assert ua(counts) == 0.625
    assert absent(counts) == [1]


def test_an_empty_set_scores_nan_and_all_classes_are_absent() -> None:
    nothing = confusion([], [], classes=3)
    assert math.isnan(wa(nothing)) and math.isnan(ua(nothing))
    assert absent(nothing) == [0, 1, 2]


def test_equal_merits_are_equal_floats_however_they_come_about() -> None:
    # In floats the first is 0.1 + 0.2 + 0.3 over 3, which is more than 0.2.
    assert ua([[1, 9, 0], [4, 1, 0], [7, 0, 3]]) < ua([[3, 7, 0], [8, 2, 0], [9, 0, 1]]) + 1e-16
    assert ua([[1, 9, 0], [8, 2, 0], [7, 0, 3]]) == ua([[2, 8, 0], [8, 2, 0], [8, 0, 2]]) == 0.2


def test_confusion_refuses_a_class_out_of_range() -> None:
    sentence = r"^A class must be between 0 and 1, but is 0 \(true\) and 2 \(predicted\) instead\.$"
    with pytest.raises(ValueError, match=sentence):
        confusion([0], [2], classes=2)


def test_confusion_refuses_lists_of_different_length() -> None:
    with pytest.raises(ValueError, match=r"shorter than argument 1"):
        confusion([0, 1], [0], classes=2)


@pytest.mark.parametrize("module", ["evaluation.metrics", "config", "errors"])
def test_light_modules_do_not_import_torch(module: str) -> None:
    code = f"import sys, model.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
