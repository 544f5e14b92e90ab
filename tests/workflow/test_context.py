"""Which level moved the answer: against predictions made anew with inputs that lack it, window by window."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from raciflux.config.models import LstmConfig
from raciflux.config.raci import FirstGuessConfig, RaciConfig, RetrievalConfig
from raciflux.config.schema import Config, DataConfig, TrainerConfig
from raciflux.workflow.context import answers_without, latest, write_context
from raciflux.workflow.predictions import Predicted, predict_days
from raciflux.workflow.stages import build_bank, build_module, quiet

from worlds import carbon_cube, split_in_time, tiny_data

CONFIG = Config(
    experiment="tiny",
    data=DataConfig(pair="terrestrial_carbon"),
    model=RaciConfig(hidden=6, retrieval=RetrievalConfig(neighbours=3)),
    trainer=TrainerConfig(accelerator="cpu"),
)
LEVELS = {"statics", "classes", "months", "years", "slow neighbours", "fast neighbours"}


@pytest.fixture(scope="module")
def data():
    return tiny_data(carbon_cube())


def module_of(config, data):
    quiet()
    module = build_module(config, config.transfer.finetune, data, build_bank(config, data)).eval()
    with torch.no_grad():
        for name, weights in module.network.named_parameters():
            if name.endswith("null"):
                weights.copy_(torch.linspace(-1, 1, len(weights)))  # a null that says something, unlike a fresh one
    return module


def context_of(config, data, folder):
    module = module_of(config, data)
    write_context(data, module, predict_days(config, module, data), folder / "context.parquet")
    return module, pl.read_parquet(folder / "context.parquet")


@pytest.fixture(scope="module")
def written(data, tmp_path_factory):
    return context_of(CONFIG, data, tmp_path_factory.mktemp("context"))


def test_there_is_a_row_for_each_tested_site_target_level_and_month(data, written):
    _, table = written
    assert set(table["level"]) == LEVELS and set(table["target"]) == {"GPP", "NEE"}
    assert set(table["site_id"]) == set(data.split.test)
    assert table.select("site_id", "target", "level", "month").is_unique().all()
    assert table["month"].is_between(1, 12).all()
    assert (table["size"] >= table["shift"].abs() - 1e-6).all() and (table["size"] > 0).all()
    a_site = table.filter(site_id=data.split.test[0], target="GPP", level="months")["days"].sum()
    asked = (data.predictable & data.test_days)[data.cube["site_id"].to_numpy().tolist().index(data.split.test[0])]
    assert a_site == asked[-(asked.size - 16 * 45) - 45 :].sum(), "days of the last two windows of 45 days"


def naive(module, data, level):
    """Mean shift and size of GPP by (site, month), a window at a time, the level hidden by hand."""
    asked, month = data.predictable & data.test_days, data.cube["time"].dt.month.to_numpy()
    windows = torch.cat(list(data.predict_dataloader()))
    spans = np.array([name.endswith("_30d") for name in data.layout.slow])
    sums = {}
    for site in np.unique(windows[:, 0]):
        for index in windows[windows[:, 0] == site][-2:]:
            batch = data.arrays.gather(index[None], "test")
            blind = {name: values.clone() for name, values in batch.items()}
            if level in ("months", "years"):
                hidden = torch.from_numpy(spans if level == "months" else ~spans)
                blind["slow"][..., hidden] = 0.0
                blind["slow_mask"][..., hidden] = 0.0
            for name in {"statics": ("static", "static_mask"), "classes": ("classes",)}.get(level, ()):
                blind[name][:] = 0
            with torch.no_grad():
                shift = (module.flux(module.network(batch)) - module.flux(module.network(blind)))[0, :, 0]
            for step in range(data.window.warmup, data.window.days):
                day = int(index[1]) + step
                if 0 <= day < asked.shape[1] and asked[site, day]:
                    sums.setdefault((data.cube["site_id"].to_numpy()[site], month[day]), []).append(float(shift[step]))
    return {place: (np.mean(values), np.mean(np.abs(values)), len(values)) for place, values in sums.items()}


@pytest.mark.parametrize("level", ["statics", "classes", "months", "years"])
def test_shift_and_size_are_those_of_hidden_inputs(data, written, level):
    module, table = written
    expected = naive(module, data, level)
    rows = table.filter(target="GPP", level=level)
    assert rows.height == len(expected)
    for row in rows.iter_rows(named=True):
        found = row["shift"], row["size"], row["days"]
        assert found == pytest.approx(expected[row["site_id"], row["month"]], rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("role", ["slow", "fast"])
def test_a_role_without_neighbours_is_one_that_found_nobody(data, role):
    module = module_of(CONFIG, data)
    batch = data.arrays.gather(next(iter(data.predict_dataloader())), "test")
    with torch.no_grad():
        blind = answers_without(module.network, data.layout)[f"{role} neighbours"](batch)
        whole = module.network(batch)
        pool = module.network.retrieval.roles[role]
        pool.index = torch.full_like(pool.index, -1)
        nobody = module.network(batch)
    torch.testing.assert_close(blind, nobody)
    assert (blind - whole).abs().max() > 1e-4


def test_a_level_is_hidden_from_network_and_trees_at_once(data, tmp_path):
    """Trees that say one more without statics, beside a network: its own shift and theirs count by their weights."""
    config = replace(CONFIG, model=replace(CONFIG.model, first_guess=FirstGuessConfig(weight=0.7)))
    module, days = module_of(config, data), data.predictable & data.test_days
    said = np.zeros((*days.shape, 2), np.float32)
    module.network.first_guess.attach(said)
    predicted, asked = predict_days(config, module, data), {}

    def guess(level, wanted):
        asked[level] = wanted.copy()
        return said + np.float32(level == "statics")

    write_context(data, module, predicted, tmp_path / "with.parquet", guess)
    write_context(data, module, predicted, tmp_path / "without.parquet")
    assert set(asked) == LEVELS, "of the level trees there is nothing to ask them"
    assert all((wanted <= days).all() and wanted.any() for wanted in asked.values())
    both, alone = (pl.read_parquet(tmp_path / name) for name in ("with.parquet", "without.parquet"))
    moved = both["shift"] - alone["shift"]
    one = data.view().scales[0].to_units(np.array([0.0, 1.0], np.float32))
    of_statics = (both["level"] == "statics") & (both["target"] == "GPP")
    assert moved.filter(of_statics).to_numpy() == pytest.approx(-0.7 * (one[1] - one[0]), rel=1e-3)
    assert moved.filter(both["level"] != "statics").to_numpy() == pytest.approx(0.0, abs=1e-6)
    np.testing.assert_array_equal(module.network.first_guess.flux.numpy(), said)


def test_the_network_is_left_as_it_was(data, written):
    module, _ = written
    batch = data.arrays.gather(next(iter(data.predict_dataloader())), "test")
    with torch.no_grad():
        fresh = module_of(CONFIG, data).network(batch)
        torch.testing.assert_close(module.network(batch), fresh)


def test_a_network_without_retrieval_has_the_levels_of_its_batch(data, tmp_path):
    config = replace(CONFIG, model=LstmConfig(hidden=6, dropout=0.0))
    _, table = context_of(config, data, tmp_path)
    assert set(table["level"]) == {"statics", "classes", "months", "years"}


def test_own_days_are_what_the_answer_has_beyond_the_network_alone(tmp_path):
    cube = carbon_cube()
    data = tiny_data(cube, split_in_time(cube))
    config = replace(CONFIG, model=RaciConfig(hidden=6, retrieval=RetrievalConfig(enabled=False)))
    module = module_of(config, data)
    assert data.shown.any()
    without_own = Predicted(predict_alone(module, data), None)
    moved = Predicted(without_own.flux + np.float32(0.5), None)
    write_context(data, module, moved, tmp_path / "context.parquet")
    own = pl.read_parquet(tmp_path / "context.parquet").filter(level="own days")
    assert own.height and own["shift"].to_numpy() == pytest.approx(0.5, abs=1e-4)


def predict_alone(module, data):
    flux = np.full((*data.test_days.shape, 2), np.nan, np.float32)
    for index in data.predict_dataloader():
        with torch.no_grad():
            said = module.flux(module.network(data.arrays.gather(index, "test"))).numpy()
        for (site, first), days in zip(index.tolist(), said, strict=True):
            for step in range(data.window.warmup, data.window.days):
                if 0 <= first + step < flux.shape[1]:
                    flux[site, first + step] = days[step]
    return flux


def test_of_many_sites_some_are_taken_evenly(data, tmp_path, monkeypatch):
    monkeypatch.setattr("raciflux.workflow.evenly.SITES", 2)
    config = replace(CONFIG, model=LstmConfig(hidden=6, dropout=0.0))
    _, table = context_of(config, data, tmp_path)
    tested = [name for name in data.cube["site_id"].to_numpy().tolist() if name in data.split.test]
    assert len(tested) > 2 and set(table["site_id"]) == {tested[0], tested[-1]}


def test_the_latest_windows_of_each_site_are_kept():
    windows = torch.tensor([[0, 5], [2, 0], [2, 10], [2, 20], [5, 1], [5, 2]])
    assert latest(windows, 2).tolist() == [[0, 5], [2, 10], [2, 20], [5, 1], [5, 2]]
    assert latest(windows[:0], 2).shape == (0, 2)


def test_nothing_tested_leaves_an_empty_table(data, tmp_path):
    module = module_of(CONFIG, data)
    nothing = np.zeros_like(data.test_days)
    kept, data.test_days = data.test_days, nothing
    try:
        write_context(data, module, Predicted(np.zeros((12, 731, 2), np.float32), None), tmp_path / "context.parquet")
    finally:
        data.test_days = kept
    assert pl.read_parquet(tmp_path / "context.parquet").height == 0
