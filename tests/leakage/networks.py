"""Rule 7: what is called causal does not change with later drivers; nobody's answer depends on its batch mates."""

from dataclasses import replace

import network_checks
import numpy as np
import pytest
import test_causal_record
import test_estimators
import torch
from batches import made_up_batch, made_up_layout
from fabricated_view import fabricated_view
from neighbourhoods import with_neighbours
from raciflux.config.schema import HeadConfig
from raciflux.datamodules import base
from raciflux.datamodules.resident import ResidentArrays
from raciflux.datamodules.roles import SLOW_SPANS
from raciflux.modules import NETWORKS
from raciflux.modules.baselines import tree_features
from test_network_checks import (
    AttendsAcrossTheBatch,
    BatchNormed,
    KnowsItsPlace,
    SeesTheMean,
    SeesTomorrow,
    SeesTomorrowsMask,
    UsesTheOpenBlock,
)
from tiny_networks import CONFIGS
from torch import nn

from worlds import tiny_data

from .world import Leak, towers

LAYOUT = made_up_layout()
BATCH = made_up_batch(LAYOUT)


def networks() -> dict[str, nn.Module]:
    """Every network of the house, its weights so that every input matters."""
    built = {name: network_checks.woken(NETWORKS[one.name](one, LAYOUT, HeadConfig())) for name, one in CONFIGS.items()}
    return {name: with_neighbours(network, CONFIGS[name], LAYOUT) for name, network in built.items()}


def check_causality() -> None:
    """No day of a causal network changes with drivers, gaps or slow blocks after it; the others carry the mark."""
    for name, network in networks().items():
        try:
            network_checks.check_causal_mark(network, BATCH, LAYOUT)
        except AssertionError as error:
            raise AssertionError(f"{name} looks ahead: {error}") from error
    assert {name for name, network in networks().items() if not network.causal} == {"itransformer", "pyraformer"}


def check_batch_independence() -> None:
    """A sample's answer is the same alone, among others, and beside absurd ones."""
    for name, network in networks().items():
        try:
            network_checks.check_batch_independence(network, BATCH)
        except AssertionError as error:
            raise AssertionError(f"{name} mixes the batch") from error


def _network(leaky: type[nn.Module], caught: str) -> Leak:
    return Leak(lambda patch: patch.setitem(NETWORKS, "lstm", lambda config, layout, head: leaky(layout)), caught)


class NormedByBatch(BatchNormed):
    def __init__(self, layout: object) -> None:
        super().__init__()


class Attending(AttendsAcrossTheBatch):
    def __init__(self, layout: object) -> None:
        super().__init__()


def unmarked(patch: pytest.MonkeyPatch) -> None:
    """A model that looks ahead is called causal."""
    honest = NETWORKS["itransformer"]

    def build(config, layout, head):
        network = honest(config, layout, head)
        network.causal = True
        return network

    patch.setitem(NETWORKS, "itransformer", build)


CAUSALITY = {
    "a network that sees tomorrow": _network(SeesTomorrow, "lstm looks ahead"),
    "one that sees tomorrow's gaps": _network(SeesTomorrowsMask, "lstm looks ahead"),
    "one that centres by the window's mean": _network(SeesTheMean, "lstm looks ahead"),
    "one that reads the slow block still open": _network(UsesTheOpenBlock, "lstm looks ahead"),
    "one that looks ahead without the mark": Leak(unmarked, "itransformer looks ahead"),
}
BATCHES = {
    "a network that mixes the batch": _network(Attending, "lstm mixes"),
    "one normed by its batch": _network(NormedByBatch, "lstm mixes"),
    "one that knows its place in the batch": _network(KnowsItsPlace, "lstm mixes"),
}


# --- from the daily record on -----------------------------------------------------------------------------------------


def check_record() -> None:
    """What windows hold of a day, slow means included, does not change with later days of the record."""
    data = tiny_data(towers())
    last_block = torch.from_numpy(data.window.last_block())
    for cut in (14, 15, 33):
        later = test_causal_record.future_changed(towers(), test_causal_record.FIRST_DAY + cut)
        other = tiny_data(later, scaler=data.scaler)
        one, two = (test_causal_record.windows(each) for each in (data, other))
        for name in ("fast", "fast_mask"):
            assert torch.equal(one[name][:, : cut + 1], two[name][:, : cut + 1]), f"{name} looks ahead"
        for name in ("slow", "slow_mask"):
            conditioned = last_block[: cut + 1]
            assert torch.equal(one[name][:, conditioned], two[name][:, conditioned]), f"{name} looks ahead"
        assert not torch.equal(one["fast"], two["fast"]), "nothing changed: the check is blind"


def centred_means(patch: pytest.MonkeyPatch) -> None:
    """Means over the month and the year around a day, not up to it."""
    trailing = base.trailing_means

    def centred(fast):
        parts = zip(trailing(fast).chunk(len(SLOW_SPANS), dim=-1), SLOW_SPANS, strict=True)
        return torch.cat([torch.roll(part, -(span // 2), dims=1) for part, span in parts], dim=-1)

    patch.setattr(base, "trailing_means", centred)


def blocks_one_too_late(patch: pytest.MonkeyPatch) -> None:
    """A slow block describes the days up to the end of the block after it."""
    gather = ResidentArrays.gather

    def late(self, index, part):
        batch = gather(self, index, part)
        later = gather(self, index + torch.tensor([0, self.layout.window.block_days]), part)
        return {**batch, "slow": later["slow"], "slow_mask": later["slow_mask"]}

    patch.setattr(ResidentArrays, "gather", late)


RECORD = {
    "slow means centred on their day": Leak(centred_means, "slow looks ahead"),
    "slow blocks that close a block later": Leak(blocks_one_too_late, "slow looks ahead"),
}


# --- trees ------------------------------------------------------------------------------------------------------------


def check_trees() -> None:
    """Trees answer a day alike whatever the weather after it, once neighbours are chosen by earlier years."""
    view, cut = fabricated_view(), 600
    later = (np.arange(len(view.dates)) > cut)[None, :, None]
    view = replace(view, driver_days=view.driver_days & ~later[..., 0])
    changed = replace(view, fast=np.where(later, 50.0, view.fast).astype(np.float32), fast_mask=view.fast_mask | later)
    for name in test_estimators.TREES:
        model = test_estimators.fitted(name, view)
        before, after = model.predict(view, same_cube=True), model.predict(changed, same_cube=True)
        assert (before[:, : cut + 1] == after[:, : cut + 1]).all(), f"{name} looks ahead"
        assert (before[:, cut + 1 :] != after[:, cut + 1 :]).any(), "nothing changed: the check is blind"


def lags_backwards(patch: pytest.MonkeyPatch) -> None:
    lagged = tree_features._lagged
    patch.setattr(tree_features, "_lagged", lambda drivers, lag: lagged(drivers[::-1], lag)[::-1])


def means_to_come(patch: pytest.MonkeyPatch) -> None:
    means = tree_features._rolling_means

    def ahead(drivers, known, spans):
        return [each[::-1] for each in means(drivers[::-1], known[::-1], spans)]

    patch.setattr(tree_features, "_rolling_means", ahead)


TREES = {
    "lags that look forward": Leak(lags_backwards, "lightgbm looks ahead"),
    "means over days to come": Leak(means_to_come, "lightgbm looks ahead"),
}
