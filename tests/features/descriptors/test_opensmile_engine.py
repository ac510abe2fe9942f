"""openSMILE in threads: interrupts are heard, and cost no frame."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import opensmile
import pytest
from numpy.typing import NDArray

from features.descriptors.sets import is10, lld35, lld78


def noise(samples: int) -> NDArray[np.float32]:
    return (0.1 * np.random.default_rng(samples).standard_normal(samples)).astype(np.float32)


def test_an_interrupt_is_heard_before_the_end_and_costs_no_frame() -> None:
    """openSMILE calls back for every frame; an interrupt in there used to vanish with its frame."""
    signal_S = noise(120 * 16_000)
    whole = lld78.SET.extract(signal_S)
    ended: list[bool] = []
    ended_before: list[int] = []

    def interrupt() -> None:
        ended_before.append(len(ended))
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.1, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        while True:
            lld78.SET.extract(signal_S)
            ended.append(True)
    timer.join()
    assert len(ended) - ended_before[0] <= 1  # the one that may end while the signal is sent
    assert np.array_equal(lld78.SET.extract(signal_S), whole)


def test_an_instance_that_is_used_again_gives_the_bits_of_a_fresh_one() -> None:
    smile = opensmile.Smile(
        opensmile.FeatureSet.emobase,
        opensmile.FeatureLevel.LowLevelDescriptors,
        sampling_rate=16_000,
    )
    for samples in (9_000, 30_000, 800, 9_000):
        fresh = smile(noise(samples), 16_000)[0].T
        assert np.array_equal(lld78.SET.extract(noise(samples))[:, :26], fresh)


def test_threads_that_take_turns_at_several_sets_give_the_same_bits() -> None:
    work = [(s, n) for n in (800, 5_000, 20_000) for s in (lld78.SET, is10.SET, lld35.SET)] * 4
    alone = [known.extract(noise(samples)) for known, samples in work]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda item: item[0].extract(noise(item[1])), work))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))
