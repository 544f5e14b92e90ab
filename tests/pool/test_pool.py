"""The pool: what went in comes out, the same bytes each time, and only what changed is read again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import raciflux.pool.build as build_module
from raciflux.config.sources import PoolSource, XMethaneWetSource
from raciflux.datamodules.cube import read_zarr
from raciflux.datamodules.sources import read
from raciflux.errors import UserError
from raciflux.geography import haversine_km
from raciflux.pool.audit import audit_page
from raciflux.pool.build import build
from raciflux.pool.plan import load_plan
from raciflux.pool.progress import progress_of
from xmethanewet_layout import write_all

ROOT = Path(__file__).parents[2]
YEARS = "first_year: 2003, last_year: 2004"


@pytest.fixture
def root(tmp_path) -> Path:
    """A folder of data, and a page beside it."""
    write_all(tmp_path / "data" / "X-MethaneWet", 2003, 2004)
    (tmp_path / "page.yaml").write_text(
        f"root: {tmp_path / 'data'}\nsources:\n"
        "  towers: {kind: xmethanewet, face: towers}\n"
        f"  tem: {{kind: xmethanewet, face: cells, {YEARS}, cells: 40}}\n"
        "  world: {kind: embedded, face: towers, places: 3, years: 2}\n"
    )
    return tmp_path


def built(root: Path, output: str = "pool", jobs: int = 1) -> tuple[list[str], Path]:
    """Build, and return what was read and where the pool is."""
    plan = load_plan([root / "page.yaml"], str(root / output))
    return list(build(plan, jobs, lambda *_: None).read), root / output


def table(pool: Path) -> pl.DataFrame:
    return pl.read_parquet(pool / "current" / "catalogue.parquet")


def contents(pool: Path) -> dict[str, bytes]:
    """Every file of a pool but what it remembers of its input."""
    files = [path for path in pool.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {path.relative_to(pool).as_posix(): path.read_bytes() for path in files}


def test_cubes_of_a_pool_are_those_of_their_readers(root):
    _, pool = built(root)
    source = XMethaneWetSource(face="cells", first_year=2003, last_year=2004, cells=40)
    expected = read("wetland_ch4", source, root / "data")
    (path,) = (pool / "cubes").glob("tem-*.zarr")
    cube = read_zarr(path)
    assert set(cube.data_vars) == set(expected.data_vars) - {"abs_lat"}
    for name in cube.data_vars:
        np.testing.assert_array_equal(cube[name], expected[name])
    assert cube.attrs["reading_notes"] == expected.attrs["reading_notes"]


def test_the_catalogue_has_a_row_for_each_source_and_site(root):
    _, pool = built(root)
    rows = table(pool)
    assert rows.group_by("source").len().sort("source").rows() == [("tem", 40), ("towers", 10), ("world", 3)]
    myb = rows.filter(pl.col("site_id") == "US-Myb").row(0, named=True)
    assert (myb["first_day"], myb["last_day"]) == ("2003-01-01", "2004-12-31")
    assert json.loads(myb["days"])["FCH4"] == 731 and json.loads(myb["units"])["FCH4"] == "nmol m-2 s-1"
    assert myb["licence"] == "CC-BY-4.0" and len(myb["input_sha256"]) == 64
    assert rows.filter(pl.col("source") == "world")["input_sha256"].unique().to_list() == [""]


def test_cells_near_towers_are_told(root):
    (root / "page.yaml").write_text((root / "page.yaml").read_text().replace("cells: 40", "cells: 0"))
    sites = root / "data" / "X-MethaneWet" / "FLUXNET-CH4" / "FLUXNET_CH4_2024.csv"
    sites.write_text(sites.read_text().replace("US-Myb,38.05,-121.77", "US-Myb,37.4,-127.7"))
    _, pool = built(root)
    near = table(pool).filter(pl.col("near_tower") == "towers/US-Myb").row(0, named=True)
    assert (near["source"], near["lat"], near["lon"], near["near_tower"]) == ("tem", 37.5, -127.5, "towers/US-Myb")
    assert near["near_tower_km"] == pytest.approx(float(haversine_km(37.4, -127.7, 37.5, -127.5)), abs=1e-3)
    far = table(pool).filter((pl.col("near_tower") != "") & (pl.col("near_tower_km") > 50))
    towers = {f"{row['source']}/{row['site_id']}": row for row in table(pool).iter_rows(named=True)}
    assert far.height  # cells of 15 degrees hold towers far from their centres
    for row in far.iter_rows(named=True):
        assert abs(row["lat"] - towers[row["near_tower"]]["lat"]) <= row["cell_height"] / 2
        assert abs(row["lon"] - towers[row["near_tower"]]["lon"]) <= row["cell_width"] / 2


def test_the_audit_says_what_was_assumed_and_escapes_what_came_from_files(root):
    _, pool = built(root)
    audit = json.loads((pool / "current" / "audit.json").read_text())
    tem = next(each for each in audit if each["source"] == "tem")
    assert tem["sites"] == 40 and tem["variables"]["FCH4"]["site_days"] == 40 * 730
    assert tem["variables"]["FCH4"]["steps"] == {"site-days of the period": 40 * 731, "with a number": 40 * 730}
    assert any("the files state no unit" in line for line in tem["notes"])
    assert (
        "site-days of the period 29,240 → with a number 29,200 (-40)" in (pool / "current" / "audit.html").read_text()
    )
    evil = {"unit_in_files": "<script>", "unit": "1", "steps": {"<script>": 1}, "site_days": 1}
    told = dict.fromkeys(("source", "product", "licence", "citation", "reader", "cube"), "<script>")
    page = audit_page([{**tem, **told, "notes": ["<script>"], "variables": {"<script>": evil}}])
    assert page.count("&lt;script&gt;") == 10 and "<script" not in page
    bib = (pool / "current" / "CITATIONS.bib").read_text()
    assert "eprint = {2505.18355}" in bib and "asked for by tem, towers" in bib


def test_the_same_input_gives_the_same_bytes_whatever_the_number_of_jobs(root):
    _, one = built(root, "one")
    _, two = built(root, "two", jobs=2)
    assert contents(one) == contents(two)


def test_only_what_changed_is_read_again(root):
    assert built(root)[0] == ["towers", "tem", "world"]
    assert built(root)[0] == []
    os.utime(root / "data" / "X-MethaneWet" / "FLUXNET-CH4" / "FLUXNET_T1_DD.csv")  # touched, not changed
    assert built(root)[0] == []
    path = root / "data" / "X-MethaneWet" / "FLUXNET-CH4" / "FLUXNET_T1_DD.csv"
    path.write_text(path.read_text().replace("-1.2\n", "-1.3\n", 1))
    assert built(root)[0] == ["towers"]
    (root / "page.yaml").write_text((root / "page.yaml").read_text().replace("cells: 40", "cells: 30"))
    read_again, pool = built(root)
    assert read_again == ["tem"]
    assert len(list((pool / "cubes").iterdir())) == 3 and len(list((pool / "editions").iterdir())) == 1


@pytest.mark.parametrize("step", ["write_cube", "described", "_write_edition", "_sweep"])
def test_a_build_that_breaks_off_leaves_the_old_pool_or_the_new_one(root, monkeypatch, step):
    _, pool = built(root)
    before = table(pool)
    (root / "page.yaml").write_text((root / "page.yaml").read_text().replace("cells: 40", "cells: 30"))

    def broken(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(build_module, step, broken)
        with pytest.raises(KeyboardInterrupt):
            built(root)
    cells = 30 if step == "_sweep" else 40
    assert table(pool).filter(pl.col("source") == "tem").height == cells
    cube = read("wetland_ch4", PoolSource(path="pool", take=["tem"]), root)
    assert cube.sizes["site"] == cells
    built(root)
    assert table(pool).height == before.height - 10
    assert len(list((pool / "cubes").iterdir())) == 3


def test_the_edition_that_counts_is_replaced_in_one_step(root, monkeypatch):
    _, pool = built(root)
    (root / "page.yaml").write_text((root / "page.yaml").read_text().replace("cells: 40", "cells: 30"))

    replace = Path.replace

    def broken(link: Path, target: Path) -> Path:
        if target.name == "current":
            raise KeyboardInterrupt
        return replace(link, target)

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(KeyboardInterrupt):
        built(root)
    assert table(pool).filter(pl.col("source") == "tem").height == 40


def test_a_folder_of_something_else_is_left_alone(root):
    own = root / "pool" / "cubes" / "mine.txt"
    own.parent.mkdir(parents=True)
    own.write_text("years of work")
    with pytest.raises(UserError, match="holds files and is no pool; name an empty folder"):
        built(root)
    assert own.read_text() == "years of work"


@pytest.mark.slow
def test_killed_at_any_moment_the_pool_can_be_read_and_built(root):
    _, pool = built(root)
    page = (root / "page.yaml").read_text()
    command = [
        sys.executable,
        str(ROOT / "scripts" / "harmonise.py"),
        str(root / "page.yaml"),
        f"output={pool}",
        "jobs=1",
    ]
    for number, seconds in enumerate((4.0, 7.0)):
        (root / "page.yaml").write_text(page.replace("cells: 40", f"cells: {20 + number}"))
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
        cube = read("wetland_ch4", PoolSource(path="pool", take=["tem"]), root)
        assert cube.sizes["site"] in (40, 20, 21)
    assert "tem" in built(root)[0] or table(pool).filter(pl.col("source") == "tem").height == 21
    assert read("wetland_ch4", PoolSource(path="pool", take=["tem"]), root).sizes["site"] == 21


def test_sources_of_a_pool_stand_beside_each_other(root):
    built(root)
    cube = read("wetland_ch4", PoolSource(path="pool", take=["towers", "world"]), root)
    assert cube.sizes["site"] == 13 and "FCH4" in cube and "NPP" not in cube
    assert str(cube["time"].to_numpy()[0])[:10] == "2001-01-01"  # the world's first day
    assert "towers: CH4_AIR, CO2" in cube.attrs["reading_notes"]
    with pytest.raises(UserError, match="towers and cells of a grid; take one kind at a time"):
        read("wetland_ch4", PoolSource(path="pool", take=["towers", "tem"]), root)
    with pytest.raises(UserError, match=r"'tems' is not in .*did you mean 'tem'"):
        read("wetland_ch4", PoolSource(path="pool", take=["tems"]), root)
    with pytest.raises(UserError, match="is no pool; build it with"):
        read("wetland_ch4", PoolSource(path="data"), root)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sources: {}\n", "sources: name at least one"),
        ("source: {a: {kind: cube}}\n", "unknown key 'source'; did you mean 'sources'"),
        ("sources: {a: {kind: xmethanewat}}\n", r"sources.a: .*xmethanewet"),
        ("sources: {a: {kind: xmethanewet, facet: cells}}\n", "sources.a: .*face"),
        ("sources: {'../a': {kind: embedded}}\n", "the name '../a' must start with a letter"),
        ("sources: {a: {kind: pool}}\n", "a pool is made of sources, not of pools"),
        ("sources: {a: {kind: cube, path: nowhere}}\n", "nowhere"),
    ],
)
def test_a_wrong_page_is_said_in_one_line(root, text, said):
    (root / "page.yaml").write_text(f"root: {root / 'data'}\n{text}")
    with pytest.raises(UserError, match=said) as caught:
        built(root)
    assert "\n" not in str(caught.value)


def test_progress_is_a_line_a_source_where_there_is_no_terminal(capsys):
    with progress_of(2) as say:
        say("towers", "read")
        say("tem", "as it was")
    assert capsys.readouterr().out == "  towers: read\n  tem: as it was\n"


def test_two_builds_at_once_are_refused(root):
    plan = load_plan([root / "page.yaml"], str(root / "pool"))
    (root / "pool").mkdir()
    (root / "pool" / build_module.LOCK).touch()
    with build_module._alone(root / "pool"), pytest.raises(UserError, match="another build is at work"):
        build(plan, 1, lambda *_: None)


@pytest.mark.data
def test_everything_in_the_shared_data_passes(tmp_path, data_root, monkeypatch):
    monkeypatch.setenv("RACIFLUX_DATA", str(data_root))
    plan = load_plan(sorted((ROOT / "configs" / "pool").glob("*.yaml")), str(tmp_path / "pool"))
    done = build(plan, 2, lambda *_: None)
    assert len(done.read) == len(plan.entries)
    rows = table(tmp_path / "pool")
    sites = dict(rows.group_by("source").len().rows())
    assert sites["fluxnet2015"] == 178 and sites["peprmt_simulated"] == 36 * 4 and sites["soil_chambers"] > 6
    named = {entry.section.path for entry in plan.entries}
    assert {path.relative_to(data_root).as_posix() for path in data_root.rglob("*.parquet")} == named
    audit = json.loads((tmp_path / "pool" / "current" / "audit.json").read_text())
    for source in audit:
        for name, about in source["variables"].items():
            assert list(about["steps"].values())[-1] == about["site_days"], (source["source"], name)
