"""Trees beside a network: who guesses which day, and what a run keeps of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import xarray as xr
from raciflux.config.raci import FirstGuessConfig, RaciConfig, RetrievalConfig
from raciflux.config.trees import ToldTreesConfig
from raciflux.datamodules.splits import Split
from raciflux.errors import UserError
from raciflux.modules.baselines.boosted_trees import BoostedTrees
from raciflux.modules.baselines.neighbour_trees import ASKED, NeighbourTrees
from raciflux.retrieval.neighbour_flux import NeighbourFlux
from raciflux.workflow.first_guess import first_guess, grow_trees
from raciflux.workflow.stages import build_bank

from worlds import carbon_cube, poisoned, split_in_time, tiny_data, tiny_split

from .test_learn import CONFIG, learned_by

TREES = ToldTreesConfig(rounds=8, min_leaf=10, patience=3, neighbours=2)
RACI = RaciConfig(
    hidden=6,
    regime=4,
    embedding=3,
    retrieval=RetrievalConfig(neighbours=2, width=3),
    first_guess=FirstGuessConfig(parts=2, trees=TREES),
)


def guessed(cube: xr.Dataset, split: Split, folder: Path, model: RaciConfig = RACI, **data_changes) -> np.ndarray:
    config, data = replace(CONFIG, model=model), tiny_data(cube, split, **data_changes)
    bank = build_bank(config, data)
    grow_trees(config, data, folder, bank)
    return first_guess(config, data, folder, bank)


def test_a_training_site_is_guessed_by_trees_that_never_saw_its_cluster(tmp_path):
    cube = carbon_cube()
    split = tiny_split(cube)
    data = tiny_data(cube, split)
    site = int(np.flatnonzero(data.train_sites)[0])
    mates = data.cluster == data.cluster[site]
    days = np.broadcast_to(mates[:, None], data.training_days.shape)
    before = guessed(cube, split, tmp_path / "a")
    after = guessed(poisoned(cube, days, ("GPP",)), split, tmp_path / "b", scaler=data.scaler)
    asked = data.training_days & data.predictable
    own, others = data.predictable & mates[:, None], asked & ~mates[:, None]
    assert (own & ~asked).any(), "days without a flux are guessed by the same trees: own days read their means"
    assert np.isfinite(before[own]).all()
    np.testing.assert_array_equal(after[own], before[own])
    assert (after[others] != before[others]).any()


def test_a_known_year_is_guessed_by_trees_that_never_saw_it(tmp_path):
    cube = carbon_cube()
    split = split_in_time(cube)
    data = tiny_data(cube, split)
    first_year = data.cube["time"].dt.year.to_numpy() == data.cube["time"].dt.year.to_numpy()[0]
    model = replace(RACI, retrieval=RetrievalConfig(enabled=False))
    guess = guessed(cube, split, tmp_path, model)
    learnt_all = BoostedTrees.load(tmp_path / "first_guess" / "all").predict(data.view(), True)
    held_out = data.training_days & data.predictable & first_year
    assert held_out.any() and np.isfinite(guess[held_out]).all()
    errors = [
        np.nanmean((said - data.scaled_target())[data.trainable & first_year[:, None]] ** 2)
        for said in (guess, learnt_all)
    ]
    assert errors[0] > 1.02 * errors[1]
    test = data.predictable & data.test_days
    np.testing.assert_array_equal(guess[test], learnt_all[test])


def test_trees_ask_whom_the_network_asks(tmp_path):
    cube = carbon_cube()
    split = tiny_split(cube)
    every = [f"{kind}_{role}" for role in ("slow", "fast") for kind in ("functional", "geographic")]
    for name, retrieval, asked in (
        ("both", RACI.retrieval, every),
        ("one", replace(RACI.retrieval, roles=["slow"], kinds=["geographic"]), ["geographic_slow"]),
        ("inputs", replace(RACI.retrieval, values=["inputs"]), []),
        ("off", replace(RACI.retrieval, enabled=False), []),
    ):
        guessed(cube, split, tmp_path / name, replace(RACI, retrieval=retrieval))
        kind = NeighbourTrees if asked else BoostedTrees
        told = kind.load(tmp_path / name / "first_guess" / "all").boosters["GPP"].feature_name()
        expected = [f"{flux}_of_{one}_neighbours" for one in asked for flux in ("GPP", "NEE")]
        assert [column for column in told if column.endswith("neighbours")] == expected


@pytest.mark.parametrize("changes", [{"exclude_km": 500.0}, {"radius_km": 600.0}])
def test_trees_ask_as_near_and_as_far_as_the_network(tmp_path, changes):
    cube = carbon_cube()
    split, retrieval = tiny_split(cube), replace(RACI.retrieval, kinds=["geographic"], **changes)
    data = tiny_data(cube, split)
    guessed(cube, split, tmp_path, replace(RACI, retrieval=retrieval))
    trees = NeighbourTrees.load(tmp_path / "first_guess" / "all")
    asked = trees.beside(data.view(), same_cube=True)
    config = replace(retrieval, neighbours=TREES.neighbours)
    network, wider = (
        NeighbourFlux(trees.bank, data.view(), True, one)
        for one in (config, replace(config, exclude_km=0.0, radius_km=20_000.0))
    )
    said, expected, otherwise = (np.stack([one.of_site(site) for site in range(12)]) for one in (asked, network, wider))
    np.testing.assert_array_equal(said, expected)
    assert (np.isfinite(otherwise) & (said != otherwise)).any(), "the distances hide nobody here"


def test_trees_of_a_version_that_kept_no_distances_ask_by_the_defaults(tmp_path):
    cube = carbon_cube()
    before = guessed(cube, tiny_split(cube), tmp_path)
    for path in (tmp_path / "first_guess").glob(f"*/{ASKED}"):
        with np.load(path, allow_pickle=False) as asked:
            np.savez(path, **{name: asked[name] for name in ("roles", "kinds", "neighbours")})
    np.testing.assert_array_equal(guessed(cube, tiny_split(cube), tmp_path), before)


def test_a_run_that_trusts_its_trees_alone_says_what_they_say(tmp_path):
    model = replace(RACI, first_guess=replace(RACI.first_guess, weight=1.0))
    learned = learned_by(model, tmp_path)
    view, asked = learned.data.view(), learned.data.predictable & learned.data.test_days
    trees = NeighbourTrees.load(tmp_path / "first_guess" / "all").predict(view, same_cube=True)
    said = np.stack([scale.to_units(trees[..., i]) for i, scale in enumerate(view.scales)], axis=-1)
    np.testing.assert_allclose(learned.predicted.flux[asked], said[asked], rtol=1e-4, atol=1e-4)

    # what a level moves is then what it moves in the trees
    context = pl.read_parquet(tmp_path / "context.parquet").filter(target="GPP", level="years")
    blind = NeighbourTrees.load(tmp_path / "first_guess" / "all").predict(view, same_cube=True, without="years")
    shift = (view.scales[0].to_units(trees[..., 0]) - view.scales[0].to_units(blind[..., 0])).astype(np.float64)
    month, sites = learned.data.cube["time"].dt.month.to_numpy(), learned.data.cube["site_id"].to_numpy().tolist()
    assert context.height and (context["size"] > 0).any()
    for row in context.iter_rows(named=True):
        site = sites.index(row["site_id"])
        last = np.flatnonzero(asked[site])[-context.filter(site_id=row["site_id"])["days"].sum() :]
        assert row["shift"] == pytest.approx(shift[site, last[month[last] == row["month"]]].mean(), abs=1e-4)


def test_parts_are_grown_for_own_days_alone(tmp_path):
    cube = carbon_cube()
    split = tiny_split(cube)
    guessed(cube, split, tmp_path / "with")
    guessed(cube, split, tmp_path / "without", replace(RACI, own_days=replace(RACI.own_days, enabled=False)))
    kept = {name: {path.name for path in (tmp_path / name / "first_guess").iterdir()} for name in ("with", "without")}
    assert kept == {"with": {"all", "part0", "part1"}, "without": {"all"}}


def test_finished_trees_are_not_grown_again_and_damaged_ones_are_one_line(tmp_path):
    cube = carbon_cube()
    split = tiny_split(cube)
    before = guessed(cube, split, tmp_path)
    text = tmp_path / "first_guess" / "all" / "GPP.txt"
    written = text.stat().st_mtime_ns
    np.testing.assert_array_equal(guessed(cube, split, tmp_path), before)
    assert text.stat().st_mtime_ns == written
    text.write_text(text.read_text()[:200])
    with pytest.raises(UserError, match="not a readable fitted model") as caught:
        first_guess(replace(CONFIG, model=RACI), tiny_data(cube, split), tmp_path, None)
    assert "\n" not in str(caught.value)


def test_one_cluster_is_enough(tmp_path):
    cube = carbon_cube()
    split = tiny_split(cube)
    data = tiny_data(cube, split)
    alone = data.cluster == data.cluster[data.train_sites][0]
    names = cube["site_id"].to_numpy()
    few = replace(split, train=tuple(name for name in split.train if alone[list(names).index(name)]))
    guess = guessed(cube, few, tmp_path)
    asked = tiny_data(cube, few).predictable & tiny_data(cube, few).test_days
    assert np.isfinite(guess[asked]).all()


@pytest.mark.parametrize(("neighbour", "heard"), [(4, False), (3, True)])
def test_a_cell_is_guessed_by_trees_that_saw_no_cell_beside_its_block(tmp_path, neighbour, heard):
    """Of a row of cells the first five are a block, and the fifth touches the next."""
    row = {"lat": ("site", np.full(12, 40.5)), "lon": ("site", 0.5 + np.arange(12.0))}
    cube = carbon_cube().assign_coords(row).assign_attrs(places="cells")
    number = np.arange(12)
    split = Split.from_masks(
        0, cube["site_id"].to_numpy(), train=number < 8, validation=np.isin(number, [9, 10]), test=number == 11
    )
    data = tiny_data(cube, split)
    days = np.repeat((number == neighbour)[:, None], cube.sizes["time"], axis=1)
    model = replace(RACI, retrieval=replace(RACI.retrieval, enabled=False))
    before = guessed(cube, split, tmp_path / "a", model)
    after = guessed(poisoned(cube, days, ("GPP",)), split, tmp_path / "b", model, scaler=data.scaler)
    asked = data.predictable & ((number >= 5) & (number < 8))[:, None]
    assert np.isfinite(before[asked]).all()
    assert (after[asked] != before[asked]).any() == heard
