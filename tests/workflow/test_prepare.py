"""What is wrong with data or split is said before anything starts."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from raciflux.config.compose import compose
from raciflux.config.schema import Config, EmbeddedSource
from raciflux.datamodules.cube import write_zarr
from raciflux.datamodules.sources import read
from raciflux.errors import UserError
from raciflux.geography import haversine_km
from raciflux.workflow.prepare import fold_split, prepare, simulation_data, tower_data

WORLD = {
    "data.source.places": "16",
    "data.source.years": "2",
    "data.simulation.places": "60",
    "data.simulation.years": "1",
    "data.split.folds": "3",
    "data.split.min_scored_days": "30",
}


def config(*overrides: str) -> Config:
    chosen = WORLD | dict(override.split("=", 1) for override in overrides)
    return compose([f"{key}={value}" for key, value in chosen.items()])


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["data.split.folds=17"], "clusters"),
        (["data.split.min_scored_days=5000"], "no test site has 5000 scored days"),
        (["data.sites=[TW-999]"], "TW-999"),
        (["data.sites=[TW-001,TW-002]"], "cannot give training, validation and test"),
        (["data.drop_inputs=[TA]"], "needs the driver TA"),
        (["data.drop_inputs=[TQ]"], "TQ.*no input"),
        (["data.split.cluster_km=20000"], "cluster"),
    ],
)
def test_an_impossible_split_or_choice_is_refused(overrides: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        prepare(config(*overrides))


def test_sites_without_a_scored_day_are_left_out_and_said(tmp_path: Path) -> None:
    towers = read("wetland_ch4", EmbeddedSource(places=16, years=2), Path())
    silent = str(towers["site_id"].to_numpy()[3])
    towers["FCH4"][{"site": 3}] = np.nan
    write_zarr(towers, tmp_path / "towers.zarr")
    kept = prepare(
        compose(
            [
                "data.pair=wetland_ch4",
                "data.source={kind: cube, path: towers.zarr}",
                f"data.root={tmp_path}",
                "transfer=scratch",
                "data.split.folds=3",
                "data.split.min_scored_days=30",
            ]
        )
    )
    assert silent not in kept.towers["site_id"].to_numpy() and kept.towers.sizes["site"] == 15
    assert len(kept.cluster) == 15
    assert any(silent in note for note in kept.notes)


def test_pretraining_keeps_away_from_test_clusters() -> None:
    chosen = config("data.split.cluster_km=800")
    prepared = prepare(chosen)
    split = fold_split(chosen, prepared, 0)
    data = simulation_data(chosen, prepared, split)
    used = np.isin(data.cube["site_id"].to_numpy(), [*data.split.train, *data.split.validation])
    tested = split.members("test", prepared.towers["site_id"].to_numpy())
    lat, lon = prepared.towers["lat"].to_numpy()[tested], prepared.towers["lon"].to_numpy()[tested]
    cells = data.cube["lat"].to_numpy(), data.cube["lon"].to_numpy()
    km = haversine_km(cells[0][:, None], cells[1][:, None], lat[None], lon[None]).min(1)
    assert (km < 800).any(), "the world has cells near test towers, or this test shows nothing"
    assert not (used & (km < 800)).any()


def test_towers_keep_the_simulations_input_scale_and_their_own_target_scale() -> None:
    chosen = config()
    prepared = prepare(chosen)
    split = fold_split(chosen, prepared, 0)
    simulation = simulation_data(chosen, prepared, split)
    towers = tower_data(chosen, prepared, split, simulation.scaler)
    alone = tower_data(chosen, prepared, split, None)
    assert towers.scaler.inputs == simulation.scaler.inputs
    assert towers.scaler.targets == alone.scaler.targets != simulation.scaler.targets


def test_a_source_without_quality_columns_must_be_declared_published(tmp_path: Path) -> None:
    days = pl.date_range(pl.date(2001, 1, 1), pl.date(2001, 12, 31), eager=True)
    table = pl.concat(
        pl.DataFrame({"site": name, "date": days, "t": np.arange(365.0), "f": np.arange(365.0)}) for name in "ABC"
    )
    table.write_csv(tmp_path / "daily.csv")
    pl.DataFrame({"site": ["A", "B", "C"], "lat": [10.0, 20.0, 30.0], "lon": [0.0, 0.0, 0.0]}).write_csv(
        tmp_path / "sites.csv"
    )
    (tmp_path / "map.yaml").write_text(Path(__file__).with_name("no_quality.yaml").read_text())
    (tmp_path / "data.yaml").write_text(
        f"pair: wetland_ch4\nroot: {tmp_path}\n"
        f"source: {{kind: table, columns: {tmp_path}/map.yaml, path: daily.csv, sites: sites.csv}}\n"
        "split: {kind: leave_site_out, min_scored_days: 30}\n"
    )
    chosen = [f"data={tmp_path}/data.yaml", "transfer=scratch"]
    with pytest.raises(UserError, match="quality"):
        prepare(compose(chosen))
    assert len(prepare(compose([*chosen, "data.quality=published"])).folds) == 3
