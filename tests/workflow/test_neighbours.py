"""What is told of neighbours: who they are, with what weight, and their flux by month from training days alone."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from raciflux.config.raci import RaciConfig, RetrievalConfig
from raciflux.config.schema import Config, DataConfig, TrainerConfig
from raciflux.contracts import TargetScale
from raciflux.geography import haversine_km
from raciflux.workflow.neighbours import seasons, write_neighbours
from raciflux.workflow.stages import build_bank, build_module, quiet

from worlds import carbon_cube, clusters, poisoned, tiny_data, tiny_split

CONFIG = Config(
    experiment="tiny",
    data=DataConfig(pair="terrestrial_carbon"),
    model=RaciConfig(hidden=6, retrieval=RetrievalConfig(neighbours=3)),
    trainer=TrainerConfig(accelerator="cpu"),
)


def written(cube, folder):
    quiet()
    data = tiny_data(cube, tiny_split(carbon_cube()))
    bank = build_bank(CONFIG, data)
    module = build_module(CONFIG, CONFIG.transfer.finetune, data, bank)
    write_neighbours(data, module, bank, folder)
    return data, module, *(pl.read_parquet(folder / f"{name}.parquet") for name in ("neighbours", "neighbour_seasons"))


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    return written(carbon_cube(), tmp_path_factory.mktemp("neighbours"))


def test_neighbours_are_training_sites_of_other_clusters_with_the_weights_of_the_network(told):
    data, module, shown, _ = told
    cube = data.cube
    place = {str(name): i for i, name in enumerate(cube["site_id"].to_numpy())}
    code = clusters(cube)
    assert set(shown["site_id"]) == set(data.split.test) and set(shown["neighbour_id"]) <= set(data.split.train)
    assert set(shown["fold"]) == {0} and set(shown["kind"]) == {"functional", "geographic"}
    for row in shown.iter_rows(named=True):
        here, there = place[row["site_id"]], place[row["neighbour_id"]]
        assert code[here] != code[there]
        km = haversine_km(*(cube[name].to_numpy()[i] for i in (here, there) for name in ("lat", "lon")))
        assert row["distance_km"] == pytest.approx(float(km))
    site = data.split.test[0]
    batch = data.arrays.gather(torch.tensor([[place[site], 0]]), "test")
    for role, attention in module.network.retrieval.weights(batch["site"]).items():
        weight = attention.weight[0, :-1][attention.entry[0] >= 0].detach().numpy()
        stored = shown.filter(site_id=site, role=role)["weight"].to_numpy()
        np.testing.assert_allclose(np.sort(stored), np.sort(weight), rtol=1e-5)
        assert 0 < stored.sum() < 1, "the rest is the null's"


def test_a_season_is_the_mean_of_known_training_days_in_units(told):
    data, _, shown, table = told
    assert set(table["neighbour_id"]) == set(shown["neighbour_id"]) and set(table["target"]) == {"GPP", "NEE"}
    month = data.cube["time"].dt.month.to_numpy()
    names = data.cube["site_id"].to_numpy().tolist()
    for row in table.iter_rows(named=True):
        site, target = names.index(row["neighbour_id"]), data.roles.targets.index(row["target"])
        days = data.trainable[site, :, target] & (month == row["month"])
        assert row["days"] == days.sum() > 0
        assert row["flux"] == pytest.approx(float(data.cube[row["target"]].to_numpy()[site, days].mean()), rel=1e-4)


def test_fluxes_outside_of_training_days_tell_nothing(told, tmp_path):
    data, _, _, table = told
    changed = carbon_cube()
    for place, target in enumerate(("GPP", "NEE")):
        hidden = ~data.trainable[..., place] & np.isfinite(changed[target].to_numpy())
        assert hidden[data.train_sites].any() and hidden[~data.train_sites].any()
        changed = poisoned(changed, hidden, [target])
    _, _, _, again = written(changed, tmp_path)
    assert again.equals(table)


def test_a_bent_flux_is_averaged_in_units(told):
    data, *_ = told
    view = data.view()
    bent = tuple(TargetScale(scale.unit, 0.1, 0.7, asinh_at=2.0, flux_std=1.0) for scale in view.scales)
    table = seasons(replace(view, scales=bent), {data.split.train[0]}, 0)
    site = data.cube["site_id"].to_numpy().tolist().index(data.split.train[0])
    days = data.trainable[site, :, 0] & (data.cube["time"].dt.month.to_numpy() == 6)
    expected = np.mean(2.0 * np.sinh(view.target[site, days, 0].astype(float) * 0.7 + 0.1))
    assert table.filter(target="GPP", month=6)["flux"].item() == pytest.approx(expected, rel=1e-4)
