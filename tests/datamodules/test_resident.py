import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from raciflux.contracts import Layout, WindowLayout
from raciflux.datamodules.resident import ResidentArrays

SITES, DAYS, FAST, SLOW, TARGETS = 3, 40, 2, 4, 2
PARTS = ("train", "validation", "test")


def layout(window):
    return Layout(("GPP", "NEE"), ("TA", "SW"), ("a", "b", "c", "d"), ("mat",), ("igbp",), (5,), window)


def records(seed=0):
    """Random records, a tenth of the values missing; a target is NaN where it counts in no part."""
    rng = np.random.default_rng(seed)

    def values(*shape):
        drawn = rng.normal(size=shape).astype(np.float32)
        return np.where(rng.random(shape) < 0.1, np.nan, drawn).astype(np.float32)

    drawn = rng.random((SITES, DAYS, TARGETS))  # days of both parts lie among each other, which no real split does
    train, validation = drawn < 0.4, drawn > 0.8
    target = np.where(train | validation, rng.normal(size=drawn.shape), np.nan).astype(np.float32)
    classes = rng.integers(0, 5, (SITES, 1))
    return values(SITES, DAYS, FAST), values(SITES, DAYS, SLOW), target, train, validation, values(SITES, 1), classes


def resident(window, parts):
    return ResidentArrays.build(layout(window), *(torch.from_numpy(part) for part in parts))


def cut(record, site, days):
    """Values and mask of some days of a record, 0 outside of it and where missing: one day at a time."""
    values = np.zeros((len(days), record.shape[-1]), np.float32)
    mask = np.zeros_like(values)
    for i, day in enumerate(days):
        if 0 <= day < record.shape[1]:
            mask[i] = np.isfinite(record[site, day])
            values[i] = np.nan_to_num(record[site, day])
    return values, mask


windows = st.builds(
    WindowLayout,
    warmup=st.integers(0, 12),
    scored=st.integers(1, 15),
    block_days=st.integers(1, 9),
    history=st.integers(1, 4),
)


@given(windows, st.integers(0, 99), st.sampled_from(PARTS), st.data())
def test_a_gather_is_a_slice_of_each_record(window, seed, part, data):
    fast, slow, target, train, validation, static, classes = parts = records(seed)
    counts = {"train": train, "validation": validation, "test": np.zeros_like(train)}[part]
    first_days = st.integers(1 - window.days, DAYS - 1)
    index = data.draw(st.lists(st.tuples(st.integers(0, SITES - 1), first_days), min_size=1, max_size=5))
    batch = resident(window, parts).gather(torch.tensor(index), part)
    for i, (site, first) in enumerate(index):
        days = range(first, first + window.days)
        values, mask = cut(fast, site, days)
        np.testing.assert_array_equal(batch["fast"][i], values)
        np.testing.assert_array_equal(batch["fast_mask"][i], mask)
        block_ends = [first - 1 + (block - window.history + 1) * window.block_days for block in range(window.blocks)]
        values, mask = cut(slow, site, block_ends)
        np.testing.assert_array_equal(batch["slow"][i], values)
        np.testing.assert_array_equal(batch["slow_mask"][i], mask)
        counted, _ = cut(counts.astype(np.float32), site, days)
        counted[: window.warmup] = 0
        np.testing.assert_array_equal(batch["target_mask"][i], counted > 0)
        flux, _ = cut(target, site, days)
        np.testing.assert_array_equal(batch["target"][i], np.where(counted > 0, flux, 0))
        np.testing.assert_array_equal(batch["static"][i], np.nan_to_num(static[site]))
        np.testing.assert_array_equal(batch["static_mask"][i], np.isfinite(static[site]))
        np.testing.assert_array_equal(batch["classes"][i], classes[site])
        assert (batch["site"][i], batch["day"][i]) == (site, first)


@given(windows)
def test_no_day_reads_a_block_that_closed_on_it_or_later(window):
    """The block of a day ends on the day before its own block begins: never on the day itself, never in another."""
    ends = (np.arange(window.blocks) - window.history + 1) * window.block_days - 1  # relative to the window's first day
    last = window.last_block()
    day = np.arange(window.days)
    assert last.min() >= 0
    assert last.max() == window.blocks - 1
    assert (ends[last] < day).all()
    assert (ends[last] + window.block_days >= day).all()  # and it is the latest such block


def test_shapes_and_kinds_of_a_batch():
    window = WindowLayout(warmup=7, scored=10, block_days=5, history=2)
    batch = resident(window, records()).gather(torch.tensor([[0, 3], [2, -5]]), "train")
    shapes = {name: tuple(value.shape) for name, value in batch.items()}
    assert shapes["fast"] == shapes["fast_mask"] == (2, 17, FAST)
    assert shapes["slow"] == shapes["slow_mask"] == (2, window.blocks, SLOW) == (2, 5, SLOW)
    assert shapes["target"] == shapes["target_mask"] == (2, 17, TARGETS)
    assert batch["target_mask"].dtype == torch.bool
    assert batch["classes"].dtype == batch["site"].dtype == batch["day"].dtype == torch.int64
    assert all(torch.isfinite(value).all() for value in batch.values())


def test_a_target_that_does_not_count_is_not_kept():
    """Rule 1: even a finite flux outside the days that count is nowhere in the arrays."""
    fast, slow, _, train, validation, static, classes = records()
    counts = train | validation
    window = WindowLayout(warmup=7, scored=10, block_days=5, history=2)
    noise = np.random.default_rng(5).normal(size=counts.shape).astype(np.float32)
    flux = np.where(counts, 1.0, noise).astype(np.float32)
    one, other = (
        resident(window, (fast, slow, target, train, validation, static, classes))
        for target in (flux, np.where(counts, flux, 7e7).astype(np.float32))
    )
    assert torch.equal(one.target, other.target)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_does_not_change_with_the_fluxes_of_another(part):
    """A window that reaches days of both parts shows nothing of the other's, neither value nor mask."""
    fast, slow, target, train, validation, static, classes = records()
    window = WindowLayout(warmup=7, scored=10, block_days=5, history=2)
    own = {"train": train, "validation": validation, "test": np.zeros_like(train)}[part]
    other = np.where(own, target, np.float32(4e6))
    index = torch.tensor([[site, first] for site in range(SITES) for first in range(-5, 30, 5)])
    one, two = (
        resident(window, (fast, slow, flux, train, validation, static, classes)).gather(index, part)
        for flux in (target, other)
    )
    assert all(torch.equal(two[name], one[name]) for name in one)
    reached = [
        days[site, max(first + 7, 0) : first + 17].any() for days in (train, validation) for site, first in index
    ]
    assert all(reached), "the windows reach days of both parts, or this test shows nothing"


def test_sites_without_statics_or_classes():
    fast, slow, target, train, validation, _, _ = records()
    window = WindowLayout(warmup=0, scored=10, block_days=5, history=1)
    plain = Layout(("GPP", "NEE"), ("TA", "SW"), ("a", "b", "c", "d"), (), (), (), window)
    nothing = (np.zeros((SITES, 0), np.float32), np.zeros((SITES, 0), np.int64))
    parts = (fast, slow, target, train, validation, *nothing)
    batch = ResidentArrays.build(plain, *map(torch.from_numpy, parts)).gather(torch.tensor([[1, 0]]), "train")
    assert batch["static"].shape == batch["classes"].shape == (1, 0)


def test_moving_to_where_they_are_copies_nothing():
    arrays = resident(WindowLayout(1, 2, 3, 1), records())
    assert arrays.to(torch.device("cpu")) is arrays
    moved = arrays.to(torch.device("meta"))
    assert {getattr(moved, name).device.type for name in ("fast", "slow", "target", "static", "classes")} == {"meta"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.gpu
def test_a_gather_on_the_device_is_the_same():
    window = WindowLayout(warmup=7, scored=10, block_days=5, history=2)
    arrays, index = resident(window, records()), torch.tensor([[0, 3], [2, -5]])
    there = arrays.to(torch.device("cuda", 0)).gather(index.cuda(), "train")
    for name, value in arrays.gather(index, "train").items():
        assert torch.equal(there[name].cpu(), value), name
