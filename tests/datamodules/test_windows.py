import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from raciflux.contracts import WindowLayout
from raciflux.datamodules.windows import FixedTiling, Indices, RandomTiling, tiling

layouts = st.builds(
    WindowLayout, warmup=st.integers(0, 9), scored=st.integers(1, 12), block_days=st.just(5), history=st.just(2)
)


@st.composite
def counted_days(draw):
    sites, days = draw(st.integers(1, 5)), draw(st.integers(1, 40))
    share = draw(st.sampled_from([0.05, 0.5, 1.0]))
    return np.random.default_rng(draw(st.integers(0, 999))).random((sites, days)) < share


def times_scored(index, window, shape):
    """How often each (site, day) stands in the scored part of a window."""
    times = np.zeros(shape, int)
    for site, first in index.tolist():
        for day in range(first + window.warmup, first + window.days):
            if 0 <= day < shape[1]:
                times[site, day] += 1
    return times


def drawn(sampler: FixedTiling):
    batches = list(sampler)
    assert len(batches) == len(sampler)
    return torch.cat(batches) if batches else torch.empty(0, 2, dtype=torch.int64)


def first(sampler: RandomTiling, batches: int):
    return list(itertools.islice(sampler, batches))


@given(counted_days(), layouts, st.data())
def test_from_any_offset_each_day_counts_once_and_no_window_is_idle(counts, window, data):
    offset = torch.tensor([data.draw(st.integers(0, window.scored - 1)) for _ in counts])
    index = tiling(torch.as_tensor(counts), window, offset)
    times = times_scored(index, window, counts.shape)
    assert (times[counts] == 1).all()
    assert times.max(initial=0) <= 1
    for site, first in index.tolist():
        scored = slice(max(first + window.warmup, 0), first + window.days)
        assert counts[site, scored].any()


@given(counted_days(), layouts, st.integers(1, 7), st.integers(0, 99))
def test_every_epoch_of_the_stream_counts_every_training_day_once(counts, window, batch_size, seed):
    sampler = RandomTiling(counts, window, batch_size, seed)
    stream = iter(sampler)
    for number in range(3):
        batches = -(-len(sampler.epoch(number)) // batch_size)
        index = torch.cat([torch.empty(0, 2, dtype=torch.int64), *itertools.islice(stream, batches)])
        assert (times_scored(index, window, counts.shape)[counts] == 1).all()


@given(counted_days(), layouts, st.integers(1, 7), st.integers(1, 3))
def test_what_is_scored_is_scored_once_over_all_ranks(counts, window, batch_size, world):
    shares = [drawn(FixedTiling(counts, window, batch_size, rank, world)) for rank in range(world)]
    assert len({len(share) > 0 for share in shares}) == 1  # no rank is passed over while others wait for it
    index = torch.cat(shares)
    index = index[index[:, 1] > -window.days]  # a rank without a window has one that ends before the record
    assert (times_scored(index, window, counts.shape)[counts] == 1).all()
    assert len(torch.unique(index, dim=0)) == len(index)  # no padding, no repeats


WINDOW = WindowLayout(warmup=5, scored=9, block_days=5, history=2)
EVERY_DAY = np.ones((6, 100), bool)


def test_the_fixed_tiling_is_in_order_and_the_same_each_time():
    sampler = FixedTiling(EVERY_DAY, WINDOW, 4)
    index = drawn(sampler)
    assert index[:3].tolist() == [[0, -5], [0, 4], [0, 13]]
    assert torch.equal(index, drawn(sampler))


def test_the_seed_alone_decides_the_draw():
    stream = first(RandomTiling(EVERY_DAY, WINDOW, 4, seed=3), 60)
    torch.manual_seed(99)  # the global generator plays no part
    again, other = (first(RandomTiling(EVERY_DAY, WINDOW, 4, seed), 60) for seed in (3, 4))
    assert all(map(torch.equal, stream, again))
    assert not any(map(torch.equal, stream, other))


@pytest.mark.parametrize("start", [1, 18, 40])  # within the first epoch, near its end, and in a later one
def test_started_later_it_goes_on_with_the_same_batches(start):
    whole = first(RandomTiling(EVERY_DAY, WINDOW, 4, seed=0), 60)
    rest = first(RandomTiling(EVERY_DAY, WINDOW, 4, seed=0, start=start), 60 - start)
    assert all(torch.equal(one, other) for one, other in zip(whole[start:], rest, strict=True))


def test_offsets_differ_from_site_to_site_and_from_epoch_to_epoch():
    sampler = RandomTiling(EVERY_DAY, WINDOW, 4, seed=0)
    epochs = [sampler.epoch(number) for number in range(2)]
    offsets = [[int(index[index[:, 0] == site, 1].min()) for site in range(len(EVERY_DAY))] for index in epochs]
    assert len(set(offsets[0])) > 1
    assert offsets[0] != offsets[1]


@pytest.mark.parametrize("world", [2, 3])
def test_ranks_share_each_global_batch_of_training(world):
    whole = first(RandomTiling(EVERY_DAY, WINDOW, 6, seed=0), 50)
    ranks = [first(RandomTiling(EVERY_DAY, WINDOW, 6, 0, rank, world), 50) for rank in range(world)]
    shared = 0
    for batch, *shares in zip(whole, *ranks, strict=True):
        assert all(len(share) for share in shares)  # no rank waits for a batch that another lacks
        if len(batch) >= world:
            assert sorted(torch.cat(shares).tolist()) == sorted(batch.tolist())
            shared += 1
    assert shared > 40


def test_a_rank_without_a_share_of_the_last_batch_still_takes_a_step():
    counts = np.ones((1, 9), bool)
    lone = next(seed for seed in range(99) if len(RandomTiling(counts, WINDOW, 9, seed).epoch(0)) == 1)
    shares = [next(iter(RandomTiling(counts, WINDOW, 9, lone, rank, 3))) for rank in range(3)]
    assert [len(share) for share in shares] == [1, 1, 1]
    assert [int(share[0, 1]) + WINDOW.days > 0 for share in shares] == [True, False, False]  # the rest meet no day


def test_no_day_that_counts_gives_no_window():
    nothing = np.zeros((3, 50), bool)
    assert len(FixedTiling(nothing, WINDOW, 4)) == 0
    assert list(RandomTiling(nothing, WINDOW, 4, 0)) == []


def test_indices_pass_through_the_loader_in_whole_batches():
    sampler = FixedTiling(EVERY_DAY, WINDOW, 4)
    loader = torch.utils.data.DataLoader(Indices(), sampler=sampler, batch_size=None)
    for loaded, batch in zip(loader, sampler, strict=True):
        assert torch.equal(loaded, batch)
