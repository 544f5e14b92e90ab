"""What the page is told of a site's neighbours, seasons and levels, against the tables of the run."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from raciflux.evaluation.reasons import level_rows
from raciflux.evaluation.report.why import FEWEST_DAYS, why_section
from raciflux.evaluation.run_folder import RunFolder
from raciflux.evaluation.scored import ScoredRun
from raciflux.evaluation.scores.tables import scored_days

from ..fabricated import fabricate_predictions, fabricate_run

SITES = ["XX-S03", "XX-S00", "XX-S05"]


@pytest.fixture
def scored(tmp_path: Path) -> ScoredRun:
    return ScoredRun.of(RunFolder(fabricate_run(tmp_path / "run", fabricate_predictions(sites=6), ())))


def test_neighbours_of_each_site_by_role_as_in_the_table(scored):
    packed = why_section(scored, SITES).packed
    table = scored.folder.neighbours()
    for site, told in zip(SITES, packed["sites"], strict=True):
        assert set(told["shown"]) == {"slow", "fast"}
        for role, entries in told["shown"].items():
            rows = table.filter(site_id=site, role=role)
            assert len(entries) == rows.height == 16
            for (place, kind, weight, km), row in zip(entries, rows.iter_rows(named=True), strict=True):
                name, lon, lat, _ = packed["places"][place]
                assert (name, packed["kinds"][kind], km) == (row["neighbour_id"], row["kind"], row["distance_km"])
                assert (lon, lat, weight) == pytest.approx(
                    (row["neighbour_lon"], row["neighbour_lat"], row["weight"]), abs=1e-3
                )


def test_seasons_of_neighbours_are_those_of_the_site_s_own_fold(scored):
    fold0 = scored.folder.path / "fold0" / "neighbour_seasons.parquet"
    changed = pl.read_parquet(fold0).with_columns(pl.col("flux") + 100)
    changed.write_parquet(fold0)
    packed = why_section(scored, SITES).packed
    folds = dict(scored.folder.neighbours().select("site_id", "fold").unique().rows())
    assert set(folds.values()) == {0, 1}
    for site, told in zip(SITES, packed["sites"], strict=True):
        for place, *_ in told["shown"]["slow"]:
            name, _, _, season = packed["places"][place]
            expected = [1 + int(name[-1]) + np.sin(month / 2) + 100 * (folds[site] == 0) for month in range(1, 11)]
            assert season[:10] == pytest.approx(expected, rel=1e-3)
            assert season[10:] == [None, None], "two days are too few, and December has none"


def test_observed_and_predicted_seasons_are_over_the_same_scored_days(scored):
    packed = why_section(scored, SITES).packed
    predictions = scored.predictions
    month = predictions["time"].dt.month.to_numpy()
    days = scored_days(predictions, "measured")
    for site, told in zip(SITES, packed["sites"], strict=True):
        row = scored.position(site)
        for name, variable in (("observed", "observed"), ("predicted", "prediction")):
            flux = predictions[variable].to_numpy()[row]
            for m in range(12):
                counted = days[row] & (month == m + 1)
                expected = flux[counted].mean() if counted.sum() >= FEWEST_DAYS else None
                assert told[name][m] == (None if expected is None else pytest.approx(float(expected), rel=1e-3))


def test_what_moved_a_site_is_told_by_level_and_month(scored):
    packed, table = why_section(scored, SITES).packed, scored.folder.context()
    assert packed["levels"] == ["months", "years", "statics"]
    for site, told in zip(SITES, packed["sites"], strict=True):
        for level, name in enumerate(packed["levels"]):
            rows = table.filter(site_id=site, level=name).sort("month")
            for what in ("shift", "size"):
                assert told["moved"][what][level] == pytest.approx(rows[what].to_list(), rel=1e-3)
        assert told["moved"]["days"] == [30] * 12


def test_levels_over_sites_weigh_months_by_their_days(scored):
    file = scored.folder.path / "fold0" / "context.parquet"
    table = pl.read_parquet(file)
    uneven = table.with_columns(
        days=pl.when(pl.col("month") == 1).then(300).otherwise(pl.col("days")),
        size=pl.when((pl.col("month") == 1) & (pl.col("level") == "statics")).then(50.0).otherwise(pl.col("size")),
    )
    uneven.write_parquet(file)
    rows = {row.level: row.numbers for row in level_rows(scored)}
    both = scored.folder.context()
    for level, numbers in rows.items():
        sites = []
        for site in both["site_id"].unique():
            own = both.filter(site_id=site, level=level)
            sites.append(np.average(own["size"].to_numpy(), weights=own["days"].to_numpy()))
        assert numbers["median_size"] == pytest.approx(np.median(sites), rel=1e-6)
        assert numbers["q75_size"] == pytest.approx(np.quantile(sites, 0.75), rel=1e-6)
        assert numbers["sites"] == 6
    assert rows["statics"]["largest"] == 0.5 and rows["months"]["largest"] == 0.5
    assert list(rows) == sorted(rows, key=lambda level: -rows[level]["median_size"])


@pytest.mark.parametrize("lost", ["neighbours", "neighbour_seasons", "context"])
def test_what_a_run_does_not_tell_is_left_out(scored, lost):
    for file in scored.folder.path.glob(f"fold*/{lost}.parquet"):
        file.unlink()
    section = why_section(scored, SITES)
    assert (section.neighbours is None) == (lost == "neighbours")
    assert (section.levels is None) == (lost == "context")
    if lost == "neighbour_seasons":
        assert all(place[3] is None for place in section.packed["places"])
    for file in scored.folder.path.glob("fold*/*.parquet"):
        file.unlink()
    assert why_section(scored, SITES) is None


def test_a_site_without_a_row_is_empty_and_moves_no_other(scored):
    for name in ("neighbours", "context"):
        for file in scored.folder.path.glob(f"fold*/{name}.parquet"):
            pl.read_parquet(file).filter(pl.col("site_id") != "XX-S00").write_parquet(file)
    packed = why_section(scored, SITES).packed
    first, empty, last = packed["sites"]
    assert empty["shown"] == {} and empty["moved"] is None
    assert len(first["shown"]["slow"]) == len(last["shown"]["slow"]) == 16 and last["moved"]["days"] == [30] * 12
