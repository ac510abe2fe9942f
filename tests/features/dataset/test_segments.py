from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.dataset.segments import cut
from features.descriptors.nodes import pool


@given(st.integers(1, 2000), st.integers(1, 300))
def test_segments_cover_all_nodes_in_order_and_only_the_tail_is_short(
    nodes: int, most: int
) -> None:
    pieces = cut(nodes, most)
    assert [n for start, stop in pieces for n in range(start, stop)] == list(range(nodes))
    assert all(stop - start == most for start, stop in pieces[:-1])


def test_the_tail_is_a_shorter_segment() -> None:
    assert cut(250, 120) == ((0, 120), (120, 240), (240, 250))
    assert cut(240, 120) == ((0, 120), (120, 240))


def test_a_dropped_tail_is_gone_unless_it_is_all_there_is() -> None:
    assert cut(250, 120, "drop") == ((0, 120), (120, 240))
    assert cut(50, 120, "drop") == ((0, 50),)


def test_an_overlapping_tail_is_full_and_reaches_back() -> None:
    assert cut(250, 120, "overlap") == ((0, 120), (120, 240), (130, 250))
    assert cut(50, 120, "overlap") == ((0, 50),)


@given(st.integers(1, 2000), st.integers(8, 1000), st.sampled_from(["drop", "overlap"]))
def test_where_there_is_no_tail_nothing_becomes_of_it(nodes: int, most: int, tail: Any) -> None:
    pieces = cut(nodes, most, tail)
    assert pieces and all(stop - start == min(most, nodes) for start, stop in pieces)
    if nodes % most == 0 or nodes < most:
        assert pieces == cut(nodes, most)
    if tail == "overlap":
        assert {n for start, stop in pieces for n in range(start, stop)} == set(range(nodes))


def test_nodes_of_ten_milliseconds_are_the_frames() -> None:
    frames = np.random.default_rng(0).standard_normal((7, 3)).astype(np.float32)
    assert pool(frames, 10) is frames


def test_nodes_of_fifty_milliseconds_are_means_of_five_and_the_tail_of_what_it_has() -> None:
    frames = np.arange(12, dtype=np.float32)[:, None] * [1, 10]
    assert pool(frames.astype(np.float32), 50).tolist() == [[2, 20], [7, 70], [10.5, 105]]


@given(st.integers(1, 60), st.sampled_from([20, 50, 100]))
def test_pooled_nodes_are_the_mean_of_their_frames(frames: int, step: int) -> None:
    values = np.random.default_rng(frames).standard_normal((frames, 2)).astype(np.float32)
    size = step // 10
    expected = [values[i : i + size].mean(axis=0) for i in range(0, frames, size)]
    assert np.allclose(pool(values, step), expected, atol=1e-6)


@pytest.mark.parametrize("step", [0, 15, -10])
def test_a_step_between_frames_is_refused(step: int) -> None:
    expected = f"^`node_step` must be a multiple of 10 ms, but is {step} instead\\.$"
    with pytest.raises(ValueError, match=expected):
        pool(np.zeros((3, 2), np.float32), step)
