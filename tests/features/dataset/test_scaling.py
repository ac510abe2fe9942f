import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.dataset.scaling import fit, identity


@given(st.lists(st.integers(0, 40), min_size=1, max_size=8), st.integers(0, 99))
def test_it_equals_numpy_over_all_rows(lengths: list[int], seed: int) -> None:
    if not sum(lengths):
        return
    random = np.random.default_rng(seed)
    scale = np.array([1e-6, 1.0, 1e4])
    arrays = [(scale * (3 + random.standard_normal((n, 3)))).astype(np.float32) for n in lengths]
    rows = np.concatenate(arrays).astype(np.float64)
    scaler = fit(arrays)
    assert scaler.frames == len(rows)
    assert np.allclose(scaler.mean_F, rows.mean(axis=0), rtol=1e-6)
    if len(rows) > 1:
        assert np.allclose(scaler.std_F, rows.std(axis=0), rtol=1e-5)


def test_a_scaled_set_has_mean_zero_and_deviation_one() -> None:
    values = np.random.default_rng(0).normal(5, 2, (1000, 4)).astype(np.float32)
    scaled = fit([values]).apply(values)
    assert scaled.dtype == np.float32
    assert np.allclose(scaled.mean(axis=0), 0, atol=1e-5)
    assert np.allclose(scaled.std(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6])
def test_a_constant_feature_is_divided_by_one(value: float) -> None:
    arrays = [np.full((n, 1), value, np.float32) for n in (3, 1000, 7)]
    assert fit(arrays).std_F.tolist() == [1.0]


def test_the_same_arrays_in_the_same_order_give_the_same_bits() -> None:
    random = np.random.default_rng(1)
    arrays = [random.standard_normal((50, 3)).astype(np.float32) for _ in range(9)]
    one, two = fit(arrays), fit(iter(arrays))
    assert one.mean_F.tobytes() == two.mean_F.tobytes()
    assert one.std_F.tobytes() == two.std_F.tobytes()


def test_nothing_to_fit_on_is_refused() -> None:
    expected = r"^A scaler must be fitted on at least one frame, but got 0 instead\.$"
    with pytest.raises(ValueError, match=expected):
        fit([np.zeros((0, 3), np.float32)])


def test_the_identity_changes_nothing() -> None:
    values = np.random.default_rng(2).standard_normal((5, 3)).astype(np.float32)
    assert np.array_equal(identity(3).apply(values), values)
