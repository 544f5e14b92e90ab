"""What ranks predict share by share is what one process predicts, each key once; other shards are not taken."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from raciflux.config.models import LstmConfig
from raciflux.config.raci import RaciConfig, RetrievalConfig
from raciflux.config.schema import Config, DataConfig, HeadConfig, SplitConfig, TrainerConfig
from raciflux.errors import UserError
from raciflux.workflow.predictions import predict_days, predict_sites, sites_asked
from raciflux.workflow.rank import Rank
from raciflux.workflow.shards import FOLDER, merged, predict_among_ranks, weights_of, write_shard
from raciflux.workflow.stages import build_bank, build_module

from worlds import CLUSTER_KM, carbon_cube, split_in_time, tiny_data

RACI = RaciConfig(hidden=6, regime=4, embedding=3, retrieval=RetrievalConfig(neighbours=2, width=3))
RACI.first_guess.enabled = False
CONFIG = Config(
    experiment="tiny",
    seed=7,
    data=DataConfig(pair="terrestrial_carbon", split=SplitConfig(min_scored_days=30, cluster_km=CLUSTER_KM)),
    model=LstmConfig(hidden=6),
    trainer=TrainerConfig(accelerator="cpu", devices=2),
)
QUANTILES = replace(CONFIG, head=HeadConfig(kind="quantile", quantiles=3))
OWN_DAYS = replace(CONFIG, model=RACI)


def trained(config, in_time=False):
    """A network as good as any: what it says is not judged here."""
    cube = carbon_cube()
    data = tiny_data(cube, split_in_time(cube) if in_time else None, batch_size=5)
    return build_module(config, config.transfer.finetune, data, build_bank(config, data)), data


@pytest.fixture
def shards(tmp_path):
    """A finished prediction of two ranks, not yet merged."""
    module, data = trained(CONFIG)
    for rank in range(2):
        write_shard(CONFIG, module, data, tmp_path / FOLDER, Rank(rank, 2, 0, rank))
    return tmp_path / FOLDER, module, data


@pytest.mark.parametrize("world", [2, 3, 40])  # more than there are sites: some ranks have none
@pytest.mark.parametrize(
    ("config", "in_time"), [(CONFIG, False), (QUANTILES, True), (OWN_DAYS, True), (OWN_DAYS, False)]
)
def test_shards_hold_to_the_bit_what_one_process_says(tmp_path, config, in_time, world):
    module, data = trained(config, in_time)
    assert data.shown.any() == in_time
    for rank in range(world):
        write_shard(config, module, data, tmp_path, Rank(rank, world, 0, rank))
    alone, among = predict_days(config, module, data), merged(tmp_path, world, data, weights_of(module))
    np.testing.assert_array_equal(among.flux, alone.flux)
    assert np.isfinite(alone.flux).any()
    assert (among.quantiles is None) == (alone.quantiles is None) == (config is not QUANTILES)
    if alone.quantiles is not None:
        np.testing.assert_array_equal(among.quantiles, alone.quantiles)


def test_of_the_sites_that_share_a_batch_those_asked_for_alone_are_said():
    module, data = trained(CONFIG)
    asked = sites_asked(data)[1::2]
    flux = predict_sites(module, data, asked, torch.device("cpu")).flux
    assert np.flatnonzero(np.isfinite(flux).any((1, 2))).tolist() == asked.tolist()


def test_two_processes_predict_and_nothing_is_left_of_them_or_of_a_session_before(tmp_path):
    module, data = trained(CONFIG)
    write_shard(CONFIG, trained(replace(CONFIG, seed=8))[0], data, tmp_path / FOLDER, Rank(0, 3, 0, 0))
    (tmp_path / FOLDER / "rank2.zarr").mkdir()
    among = predict_among_ranks(CONFIG, module, data, tmp_path)
    np.testing.assert_array_equal(among.flux, predict_days(CONFIG, module, data).flux)
    assert list(tmp_path.iterdir()) == []
    write_shard(CONFIG, module, data, tmp_path / FOLDER, Rank(0, 2, 0, 0))  # gone on with by one process
    predict_among_ranks(replace(CONFIG, trainer=TrainerConfig(accelerator="cpu")), module, data, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert not torch.distributed.is_initialized()


def rewritten(path, change):
    """A shard in which something is changed."""
    shard = xr.open_zarr(path).load()
    change(shard).to_zarr(path, mode="w", zarr_format=3, consolidated=False)


@pytest.mark.filterwarnings("ignore")  # of xarray, on how the test itself writes
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda shard: shard.isel(site=slice(1, None)), "is there 0 times instead of 1"),
        (lambda shard: shard.isel(site=[0, *range(shard.sizes["site"])]), "is there 2 times instead of 1"),
        (lambda shard: shard.assign_coords(site_id=("site", [f"new{i}" for i in range(shard.sizes["site"])])), "times"),
        (lambda shard: shard.assign_attrs(weights="others"), "predicted by other weights"),
        (lambda shard: shard.isel(time=slice(1, None)), "for other days"),
    ],
)
def test_a_shard_that_does_not_fit_is_refused(shards, change, words):
    folder, module, data = shards
    rewritten(folder / "rank1.zarr", change)
    with pytest.raises(UserError, match=words):
        merged(folder, 2, data, weights_of(module))


def test_a_shard_that_is_missing_is_named(shards):
    folder, module, data = shards
    (folder / "rank1.zarr").rename(folder / "gone")
    with pytest.raises(UserError, match=r"rank1\.zarr: no readable shard .*resume=RUN"):
        merged(folder, 2, data, weights_of(module))


def test_weights_are_told_apart():
    module, _ = trained(CONFIG)
    before = weights_of(module)
    with torch.no_grad():
        next(module.parameters()).view(-1)[0] += 1e-6
    assert weights_of(module) != before == weights_of(trained(CONFIG)[0])
