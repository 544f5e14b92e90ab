"""Slow inputs: trailing means of the drivers, read no earlier than the day after they end."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from raciflux.datamodules.base import trailing_means

from worlds import tiny_cube, tiny_data


def naive_trailing_mean(series: np.ndarray, day: int, span: int) -> float:
    """Mean of the known values of the ``span`` days that end with ``day``; NaN where fewer than half are known."""
    days = series[max(day - span + 1, 0) : day + 1].astype(np.float64)
    known = days[np.isfinite(days)]
    return known.mean() if len(known) >= span / 2 else np.nan


@given(st.integers(0, 99), st.sampled_from([0.0, 0.1, 0.5, 0.6]))
def test_trailing_means_end_on_their_day(seed, missing):
    rng = np.random.default_rng(seed)
    fast = rng.normal(5, 1, (2, 400, 2)).astype(np.float32)
    fast[rng.random(fast.shape) < missing] = np.nan
    means = trailing_means(torch.from_numpy(fast)).numpy()
    assert means.shape == (2, 400, 4)
    for day in (0, 14, 15, 29, 30, 181, 182, 183, 364, 365, 399):
        for feature in range(2):
            naive = [naive_trailing_mean(fast[1, :, feature], day, span) for span in (30, 365)]
            np.testing.assert_allclose(means[1, day, [feature, 2 + feature]], naive, rtol=1e-5)


def test_slow_blocks_of_a_batch_are_trailing_means_up_to_the_day_before_they_are_read():
    """End to end, by the names of the slow features: what day d may read ends before day d."""
    cube = tiny_cube()
    data = tiny_data(cube)
    window = data.window
    scaled = {name: data.scaler.scale(name, data.cube[name].to_numpy()) for name in data.roles.fast}
    index = torch.tensor([[0, 400], [3, 380], [7, -30], [2, 690]])
    batch = data.arrays.gather(index, "test")
    compared = 0
    for i, (site, first) in enumerate(index.tolist()):
        for day in range(0, window.days, 7):
            block = int(window.last_block()[day])
            closed = first + day // window.block_days * window.block_days - 1
            assert closed < first + day
            for feature, name in enumerate(data.layout.slow):
                driver, span = name.rsplit("_", 1)
                inside = 0 <= closed < len(cube["time"])
                naive = naive_trailing_mean(scaled[driver][site], closed, int(span[:-1])) if inside else np.nan
                assert bool(batch["slow_mask"][i, block, feature]) == np.isfinite(naive)
                assert float(batch["slow"][i, block, feature]) == pytest.approx(np.nan_to_num(naive), abs=1e-5)
                compared += np.isfinite(naive)
    assert compared > 100
